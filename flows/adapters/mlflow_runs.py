"""What did a run do, in numbers, text and tables, where people compare runs in MLflow?"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configs.errors import ServiceUnreachable, UserError


class MlflowRuns:
    """MLflow's tracking side, always at the address it was opened with."""

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

    def _client(self) -> Any:
        return self._mlflow().MlflowClient(
            tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri
        )

    def _mlflow(self) -> Any:
        import mlflow

        if mlflow.get_tracking_uri() != self.tracking_uri:
            create_tables(self.tracking_uri)
            mlflow.set_tracking_uri(self.tracking_uri)
            mlflow.set_registry_uri(self.tracking_uri)
        return mlflow


def create_tables(tracking_uri: str) -> None:
    """Create MLflow's tables once: several processes doing so at once break an empty database.

    Raises:
        ServiceUnreachable: the database's file or folder cannot be used.
    """
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    if not tracking_uri.startswith("sqlite:///"):
        return
    import fcntl

    file = Path(tracking_uri.removeprefix("sqlite:///"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with (file.parent / f".{file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            mlflow.MlflowClient(tracking_uri=tracking_uri).search_experiments(max_results=1)
    except (mlflow.exceptions.MlflowException, OSError) as problem:
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
