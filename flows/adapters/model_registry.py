"""Which models exist, what were they learned from, and are their bytes still the ones we registered?

MLflow keeps runs and versions; it proves nothing. So a model leaves this adapter only after its
bytes have the digest that the ledger names, and goes straight into the booster: nothing stored
beside it is ever loaded or run (DESIGN 5).
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused, ServiceUnreachable, UserError
from models.risk import RiskModel

MODEL_FILE = "model.ubj"
CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """Where one version stands: its registered name, version, digest of its bytes, and run."""

    name: str
    version: str
    digest: str
    run_id: str


class ModelRegistry:
    """MLflow behind the few questions the loop asks."""

    def __init__(self, tracking_uri: str, artifacts: Path) -> None:
        """Open a tracking store; an ambient one is named and ignored.

        Raises:
            UserError: the address is a plain folder, which MLflow no longer accepts.
        """
        if not tracking_uri.startswith(("sqlite:", "postgresql", "http:", "https:")):
            raise UserError(
                f"MLflow cannot be kept at {tracking_uri!r}; use sqlite:///FILE, "
                "postgresql+psycopg://... or the address of a server."
            )
        self.tracking_uri = tracking_uri
        self._artifacts = artifacts
        ambient = os.environ.get("MLFLOW_TRACKING_URI")
        if ambient and ambient != tracking_uri:
            logging.getLogger("ratchet").warning(
                "MLFLOW_TRACKING_URI is set in the environment and ignored; "
                "set RATCHET_MLFLOW_TRACKING_URI to move the registry."
            )
        self._bytes: dict[tuple[str, str], RiskModel] = {}

    def add_version(
        self, case_type: str, model: RiskModel, sample: pd.DataFrame
    ) -> RegisteredModel:
        """Register a fitted model under its case type, as the model of the open run.

        Args:
            sample: a few encoded rows, for the signature only; their values are not stored.

        Raises:
            GateRefused: what MLflow stored is not what was fitted.
        """
        mlflow = self._mlflow()
        from mlflow.models import infer_signature

        example = _without_categories(sample)
        # MLflow prints a line to stderr for each version; what fails still raises.
        with redirect_stderr(io.StringIO()):
            info = mlflow.xgboost.log_model(
                model.booster,
                name="model",
                model_format="ubj",
                signature=infer_signature(example, np.zeros(len(example), dtype=np.float64)),
                pip_requirements=_requirements(),
                registered_model_name=case_type,
            )
        version = str(info.registered_model_version)
        self._client().set_model_version_tag(case_type, version, "digest", model.digest)
        stored = hashlib.sha256(self._stored_bytes(case_type, version)).hexdigest()
        if stored != model.digest:
            raise GateRefused(
                f"{case_type} version {version}: what MLflow stored is not what was fitted "
                "(digests differ); the version must not be used. Train again."
            )
        self._bytes[case_type, model.digest] = model
        return RegisteredModel(case_type, version, model.digest, mlflow.active_run().info.run_id)

    def load(self, case_type: str, version: str, digest: str) -> RiskModel:
        """The model of a version, if and only if its bytes have this digest.

        Raises:
            GateRefused: the file is missing or has other bytes; nothing was parsed.
        """
        known = self._bytes.get((case_type, digest))
        if known is not None:
            return known
        content = self._stored_bytes(case_type, version)
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise GateRefused(
                f"{case_type} version {version}: its file has digest {found[:12]}, the ledger says "
                f"{digest[:12]}. It was not loaded. Roll back, or train again."
            )
        model = RiskModel.from_bytes(content)
        self._bytes[case_type, digest] = model
        return model

    def project_champion(self, case_type: str, version: str) -> None:
        """Point the alias `champion` at what the ledger promoted: a projection, never the authority."""
        self._client().set_registered_model_alias(case_type, CHAMPION, version)

    @contextmanager
    def run(
        self, experiment: str, name: str, note: str, tags: Mapping[str, str] | None = None
    ) -> Iterator[Any]:
        """One MLflow run in an experiment that is made on first use; nested inside an open run."""
        mlflow = self._mlflow()
        self._experiment(experiment)
        nested = mlflow.active_run() is not None
        described = {**(tags or {}), "mlflow.note.content": note}
        with mlflow.start_run(run_name=name, nested=nested, tags=described) as run:
            yield run

    def child(
        self,
        name: str,
        note: str,
        metrics: Mapping[str, float],
        *,
        tags: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        dataset: tuple[str, str, int] | None = None,
    ) -> None:
        """A finished run of numbers below the open one, in as few writes as MLflow allows."""
        from mlflow.entities import DatasetInput, InputTag, Metric, Param

        client, parent = self._client(), self._mlflow().active_run()
        described = {
            **(tags or {}),
            "mlflow.parentRunId": parent.info.run_id,
            "mlflow.note.content": note,
        }
        run = client.create_run(parent.info.experiment_id, tags=described, run_name=name)
        now = time.time_ns() // 1_000_000
        client.log_batch(
            run.info.run_id,
            [Metric(key, float(value), now, 0) for key, value in metrics.items()],
            [Param(key, str(value)) for key, value in (parameters or {}).items()],
        )
        if dataset:
            used = _dataset(*dataset)._to_mlflow_entity()
            context = [InputTag("mlflow.data.context", "comparison")]
            client.log_inputs(run.info.run_id, [DatasetInput(used, context)])
        client.set_terminated(run.info.run_id)

    def log(
        self,
        *,
        metrics: Mapping[str, float] | None = None,
        parameters: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
        tables: Mapping[str, Any] | None = None,
        dataset: tuple[str, str, int] | None = None,
    ) -> None:
        """Add to the open run: numbers, varied parameters, text artifacts, JSON artifacts, and the
        name, digest and number of rows of a data set (never a row)."""
        mlflow = self._mlflow()
        if dataset:
            mlflow.log_input(_dataset(*dataset), context="training")
        if metrics:
            mlflow.log_metrics({name: float(value) for name, value in metrics.items()})
        if parameters:
            mlflow.log_params(dict(parameters))
        for file, text in (texts or {}).items():
            mlflow.log_text(text, file)
        for file, value in (tables or {}).items():
            mlflow.log_dict(value, file)

    def _experiment(self, name: str) -> None:
        mlflow = self._mlflow()
        client = self._client()
        if client.get_experiment_by_name(name) is None:
            location = None
            if not self.tracking_uri.startswith("http"):
                location = (self._artifacts / name).resolve().as_uri()
            client.create_experiment(name, artifact_location=location)
        mlflow.set_experiment(name)

    def _stored_bytes(self, case_type: str, version: str) -> bytes:
        mlflow = self._mlflow()
        try:
            uri = self._client().get_model_version_download_uri(case_type, version)
            path = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"{uri}/{MODEL_FILE}"))
            return path.read_bytes()
        except (mlflow.exceptions.MlflowException, OSError) as problem:
            raise GateRefused(
                f"{case_type} version {version} has no readable {MODEL_FILE} in the registry "
                f"({type(problem).__name__}); it cannot be used. Roll back, or train again."
            ) from None

    def _client(self) -> Any:
        return self._mlflow().MlflowClient(tracking_uri=self.tracking_uri)

    def _mlflow(self) -> Any:
        import mlflow
        import mlflow.xgboost

        if mlflow.get_tracking_uri() != self.tracking_uri:
            _initialise(self.tracking_uri)
            mlflow.set_tracking_uri(self.tracking_uri)
            mlflow.set_registry_uri(self.tracking_uri)
        return mlflow


def _initialise(tracking_uri: str) -> None:
    """Create MLflow's tables once: several processes doing so at once break an empty database."""
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    if not tracking_uri.startswith("sqlite:///"):
        return
    import fcntl

    file = Path(tracking_uri.removeprefix("sqlite:///"))
    file.parent.mkdir(parents=True, exist_ok=True)
    with (file.parent / f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            mlflow.MlflowClient(tracking_uri=tracking_uri).search_experiments(max_results=1)
        except mlflow.exceptions.MlflowException as problem:
            raise ServiceUnreachable(
                f"MLflow's database cannot be opened ({type(problem).__name__}); is the disk full "
                "or the folder read-only?"
            ) from None


def _dataset(name: str, digest: str, rows: int) -> Any:
    """The data set as MLflow shows it: a digest and a size, and not one row."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = CodeDatasetSource(tags={"rows": str(rows)})
    kind: Any = MetaDataset  # its type stubs leave it abstract
    return kind(source=source, name=name, digest=digest[:36])


def _without_categories(sample: pd.DataFrame) -> pd.DataFrame:
    categorical = sample.select_dtypes("category").columns
    return sample.astype(dict.fromkeys(categorical, "object"))


@lru_cache(maxsize=1)
def _requirements() -> tuple[str, ...]:
    """Given, not inferred: inferring them takes ten seconds a model."""
    from importlib.metadata import version

    import xgboost

    return tuple(
        [f"xgboost=={xgboost.__version__}"]
        + [f"{name}=={version(name)}" for name in ("numpy", "pandas", "scikit-learn")]
    )
