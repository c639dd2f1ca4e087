"""Which models are registered, and are their bytes still the ones we registered?

MLflow keeps versions; it proves nothing. So a version is one bare file, a model leaves this adapter
only after that file has the digest that the ledger names, and goes straight into the booster: no
metadata is written that names code, and nothing else found beside the file is loaded (DESIGN 5).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.mlflow_runs import MlflowRuns
from models.risk import RiskModel

MODEL_FILE = "model.ubj"
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")
_WHAT_HELPS = "It was not loaded. Roll back, or train again."


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """Where one version stands: its registered name, version, digest of its bytes, and run."""

    name: str
    version: str
    digest: str
    run_id: str


class ModelRegistry(MlflowRuns):
    """MLflow's runs, and the bare model files that are registered as versions."""

    def __init__(self, tracking_uri: str, artifacts: Path) -> None:
        """Open a registry; see `MlflowRuns`."""
        super().__init__(tracking_uri, artifacts)
        self._models: dict[tuple[str, str], RiskModel] = {}

    def add_version(self, case_type: str, model: RiskModel) -> RegisteredModel:
        """Register a fitted model under its case type, as an artifact of the open run.

        Raises:
            GateRefused: what MLflow stored is not what was fitted.
            ServiceUnreachable: MLflow does not answer.
        """
        with self._answers(f"MLflow did not take a version of {case_type}; train again."):
            run = self._mlflow().active_run().info
            folder = f"model-{model.digest[:12]}"  # a second model of one run gets its own
            self._store(run.run_id, folder, model.ubj)
            version = self._create_version(case_type, f"{run.artifact_uri}/{folder}", run, model)
        self.check_files(case_type, version, model.digest)
        self._models[case_type, model.digest] = model
        return RegisteredModel(case_type, version, model.digest, run.run_id)

    def load(self, case_type: str, version: str, digest: str, *, again: bool = False) -> RiskModel:
        """The model of a version, if and only if its files are the one file with this digest.

        Args:
            again: read what is stored now, even where the model is in memory from before.

        Raises:
            GateRefused: a file is missing, has other bytes, or is one that nobody registered;
                nothing was parsed.
            ServiceUnreachable: MLflow does not answer.
        """
        known = self._models.get((case_type, digest))
        if known is not None and not again:
            return known
        content = self._checked_bytes(case_type, version, digest)
        try:
            model = RiskModel.from_bytes(content)
        except ValueError as problem:
            raise GateRefused(
                f"{case_type} version {version}: its file is the registered one, and cannot be read "
                f"({type(problem).__name__}). Was XGBoost changed? Go back to the locked version."
            ) from None
        self._models[case_type, digest] = model
        return model

    def check_files(self, case_type: str, version: str, digest: str) -> None:
        """Nothing, if the version holds the one file with this digest, and nothing beside it.

        Raises:
            GateRefused: what is missing, has other bytes, or was registered by nobody.
            ServiceUnreachable: MLflow does not answer.
        """
        self._checked_bytes(case_type, version, digest)

    def aliases(self, case_type: str) -> dict[str, str]:
        """The version each alias points to; none for a case type without a version.

        Raises:
            ServiceUnreachable: MLflow does not answer.
        """
        try:
            with self._answers(""):
                found = self._client().get_registered_model(case_type).aliases
        except GateRefused:
            return {}
        return {alias: str(version) for alias, version in found.items()}

    def point_alias(self, case_type: str, alias: str, version: str | None) -> None:
        """Let an alias name a version, or (None) nothing: a projection, never the authority.

        Raises:
            GateRefused: there is no such version.
            ServiceUnreachable: MLflow does not answer.
        """
        with self._answers(f"{case_type} has no version {version} that {alias} could name."):
            if version is None:
                self._client().delete_registered_model_alias(case_type, alias)
            else:
                self._client().set_registered_model_alias(case_type, alias, version)

    def _store(self, run_id: str, folder: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory() as here:
            file = Path(here) / MODEL_FILE
            file.write_bytes(content)
            self._client().log_artifact(run_id, str(file), folder)

    def _create_version(self, case_type: str, source: str, run: Any, model: RiskModel) -> str:
        client, mlflow = self._client(), self._mlflow()
        try:
            client.create_registered_model(case_type)
        except mlflow.exceptions.MlflowException as problem:
            if problem.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = client.create_model_version(
            case_type,
            source,
            run.run_id,
            tags={"digest": model.digest, "file": MODEL_FILE},
            description=f"{model.booster.num_boosted_rounds()} trees on {len(model.features)} "
            f"features. One bare {MODEL_FILE}; Ratchet loads it after checking its digest.",
            await_creation_for=0,
        )
        return str(made.version)

    def _checked_bytes(self, case_type: str, version: str, digest: str) -> bytes:
        """The bytes that were checked are the bytes returned: nothing is read twice."""
        content = self._stored_bytes(case_type, version)
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise GateRefused(
                f"{case_type} version {version}: its file has digest {found[:12]}, the ledger says "
                f"{digest[:12]}. {_WHAT_HELPS}"
            )
        return content

    def _stored_bytes(self, case_type: str, version: str) -> bytes:
        name = f"{case_type} version {version}"
        unreadable = f"{name} has no readable {MODEL_FILE} in the registry. {_WHAT_HELPS}"
        with self._answers(unreadable), tempfile.TemporaryDirectory() as here:
            try:
                stored = self._stored_files(case_type, version)
                _refuse_strangers(name, {one.path: one.is_dir for one in stored.list_artifacts()})
                return Path(stored.download_artifacts(MODEL_FILE, here)).read_bytes()
            except OSError as problem:
                raise GateRefused(f"{unreadable} ({type(problem).__name__})") from None

    def _stored_files(self, case_type: str, version: str) -> Any:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        uri = self._client().get_model_version_download_uri(case_type, version)
        return get_artifact_repository(uri, tracking_uri=self.tracking_uri)

    @contextmanager
    def _answers(self, absent: str) -> Iterator[None]:
        """Tell what is not there (`absent`, a refusal) from an MLflow that does not answer."""
        mlflow = self._mlflow()
        try:
            yield
        except mlflow.exceptions.MlflowException as problem:
            if problem.error_code in _ABSENT:
                raise GateRefused(absent) from None
            raise ServiceUnreachable(_silent(problem.error_code)) from None
        except (SQLAlchemyError, OSError) as problem:
            raise ServiceUnreachable(_silent(type(problem).__name__)) from None


def _refuse_strangers(name: str, there: dict[str, bool]) -> None:
    """A file beside the registered one was put there by nobody we know; it may name code to run."""
    strangers = sorted(
        f"{path}/" if is_folder else path
        for path, is_folder in there.items()
        if path != MODEL_FILE or is_folder
    )
    if strangers:
        more = f" and {len(strangers) - 5} more" if len(strangers) > 5 else ""
        raise GateRefused(
            f"{name} holds {', '.join(strangers[:5])}{more}, and nobody registered that: a version "
            f"is one {MODEL_FILE}. {_WHAT_HELPS}"
        )
    if MODEL_FILE not in there:
        raise GateRefused(f"{name} has no {MODEL_FILE} in the registry. {_WHAT_HELPS}")


def _silent(why: str) -> str:
    return f"MLflow does not answer, or cannot write ({why}). Is it up, and has its disk room?"
