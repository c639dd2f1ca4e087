"""Which models are registered, and are their bytes still the ones we registered?

MLflow keeps versions; it proves nothing. So a version is one bare file, a model leaves this adapter
only after that file has the digest that the ledger names, and goes straight into the booster: no
metadata is written that names code, and nothing else found beside the file is loaded (DESIGN 5).
This home's own copies are looked at first, so that deciding needs no MLflow (docs/adr/0021).
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.files.shared_store import SharedStore
from flows.adapters.mlflow.mlflow_runs import MlflowRuns
from flows.adapters.mlflow.mlflow_store import local_path, sqlite_uri
from flows.adapters.mlflow.model_copies import ModelCopies, whole_file
from flows.adapters.sql.database import hidden
from models.risk import RiskModel

MODEL_FILE = "model.ubj"
_WHAT_HELPS = "It was not loaded. Roll back, or train again."


class ModelElsewhere(GateRefused):
    """The registered file lies on another machine of the team: nothing is lost, and nothing is to be
    trained again."""


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """Where one version stands: its registered name, version, digest of its bytes, and run."""

    name: str
    version: str
    digest: str
    run_id: str


class ModelRegistry(MlflowRuns):
    """MLflow's runs, the bare model files that are registered as versions, and our copies of them."""

    def __init__(
        self,
        tracking_uri: str,
        artifacts: Path,
        copies: Path,
        shared: SharedStore | None = None,
    ) -> None:
        """Open a registry; see `MlflowRuns`.

        Args:
            copies: the folder of this home's own copies of models.
            shared: where the machines of a team keep theirs, too.
        """
        super().__init__(tracking_uri, artifacts)
        self.copies = ModelCopies(copies, shared)
        self._models: dict[tuple[str, str], RiskModel] = {}

    @classmethod
    def in_home(
        cls, home: Path, tracking_uri: str | None = None, shared: SharedStore | None = None
    ) -> ModelRegistry:
        """The registry of a home: its own store, or the one at `tracking_uri`.

        Where no server keeps the files of runs, those of a team with a shared folder lie there.
        """
        own = home / "mlflow"
        address = tracking_uri or sqlite_uri(own / "mlflow.db")
        folder = None if shared is None or tracking_uri is None else shared.folder
        artifacts = own / "artifacts" if folder is None else folder / "mlflow" / "artifacts"
        return cls(address, artifacts, home / "models", shared)

    def add_version(self, case_type: str, model: RiskModel) -> RegisteredModel:
        """Keep a copy of a fitted model, and register it under its case type, as an artifact of the
        open run. A model with the same bytes that is registered and whole keeps its version: whoever
        was killed after this step fits the same again, and it is one model.

        Raises:
            GateRefused: what MLflow stored is not what was fitted.
            ServiceUnreachable: MLflow does not answer, or this home cannot be written.
        """
        try:
            self.copies.keep(model.digest, model.ubj)
        except OSError as problem:
            raise ServiceUnreachable(
                f"{self.copies.folder} cannot be written ({problem.strerror or problem}), so no copy "
                f"of the model of {case_type} could be kept. Nothing was registered; free the disk or "
                "the folder, and train again."
            ) from None
        with self._answers(f"MLflow did not take a version of {case_type}; train again.") as mlflow:
            run = mlflow.active_run().info
            known = self._registered_before(mlflow, case_type, model.digest)
            if known is not None:
                self._models[case_type, model.digest] = model
                return known
            folder = f"model-{model.digest[:12]}"  # a second model of one run gets its own
            self._store(mlflow, run.run_id, folder, model.ubj)
            source = f"{run.artifact_uri}/{folder}"
            version = self._create_version(mlflow, case_type, source, run, model)
        self.check_files(case_type, version, model.digest)
        self._models[case_type, model.digest] = model
        return RegisteredModel(case_type, version, model.digest, run.run_id)

    def load(self, case_type: str, version: str, digest: str, *, again: bool = False) -> RiskModel:
        """The model with this digest: this home's copy, or else the file of the version, if and only
        if its bytes have the digest. MLflow is asked only where there is no sound copy.

        Args:
            again: read what is stored now, even where the model is in memory from before.

        Raises:
            GateRefused: there is no sound copy, and the version's file is missing, has other bytes,
                lies outside this home, or is not alone; nothing was parsed.
            ServiceUnreachable: there is no sound copy, and MLflow does not answer.
        """
        known = self._models.get((case_type, digest))
        if known is not None and not again:
            return known
        content = self.copies.read(digest)
        if content is None:
            content = self._registered_bytes(case_type, version, digest)
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
        """Nothing, if the version holds the one file with this digest, and nothing beside it; a copy
        of it is then kept.

        Raises:
            GateRefused: what is missing, has other bytes, or was registered by nobody.
            ServiceUnreachable: MLflow does not answer.
        """
        self._keep(digest, self._checked_bytes(case_type, version, digest))

    def place_of(self, case_type: str, version: str) -> Path | None:
        """Where a version's file is to lie on this machine; None: it is behind a server.

        Raises:
            GateRefused: there is no such version, or it names a place outside this home.
            ServiceUnreachable: MLflow does not answer.
        """
        folder = local_path(self._address_of(case_type, version))
        return None if folder is None else folder / MODEL_FILE

    def aliases(self, case_type: str) -> dict[str, str]:
        """The version each alias points to; none for a case type without a version.

        Raises:
            ServiceUnreachable: MLflow does not answer.
        """
        try:
            with self._answers("") as mlflow:
                found = self._client(mlflow).get_registered_model(case_type).aliases
        except GateRefused:
            return {}
        return {alias: str(version) for alias, version in found.items()}

    def point_alias(self, case_type: str, alias: str, version: str | None) -> None:
        """Let an alias name a version, or (None) nothing: a projection, never the authority.

        Raises:
            GateRefused: there is no such version.
            ServiceUnreachable: MLflow does not answer.
        """
        absent = f"{case_type} has no version {version} that {alias} could name."
        with self._answers(absent) as mlflow:
            if version is None:
                self._client(mlflow).delete_registered_model_alias(case_type, alias)
            else:
                self._client(mlflow).set_registered_model_alias(case_type, alias, version)

    def _registered_before(
        self, mlflow: Any, case_type: str, digest: str
    ) -> RegisteredModel | None:
        """The first version whose file has this digest; what a tag says of it is checked."""
        found = self._client(mlflow).search_model_versions(f"name='{case_type}'")
        for one in sorted(found, key=lambda one: int(one.version)):
            if one.tags.get("digest") != digest:
                continue
            try:
                self.check_files(case_type, str(one.version), digest)
            except GateRefused:
                continue  # `reconcile` and `doctor` tell of a version whose file is lost or changed
            return RegisteredModel(case_type, str(one.version), digest, str(one.run_id))
        return None

    def _store(self, mlflow: Any, run_id: str, folder: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory() as here:
            file = Path(here) / MODEL_FILE
            file.write_bytes(content)
            self._client(mlflow).log_artifact(run_id, str(file), folder)

    def _create_version(
        self, mlflow: Any, case_type: str, source: str, run: Any, model: RiskModel
    ) -> str:
        client = self._client(mlflow)
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

    def _registered_bytes(self, case_type: str, version: str, digest: str) -> bytes:
        """From MLflow, where there is no sound copy; one is kept for the next time."""
        damaged = self.copies.damaged(digest)
        copy = f"The copy in this home ({self.copies.folder}) is damaged" if damaged else ""
        try:
            content = self._checked_bytes(case_type, version, digest)
        except ModelElsewhere:
            raise
        except (GateRefused, ServiceUnreachable) as refused:
            no_copy = copy or f"There is no copy of it in {self.copies.folder}"
            raise type(refused)(f"{refused} {no_copy}. {_WHAT_HELPS}") from None
        if damaged:
            logging.getLogger("ratchet").warning(
                "%s version %s: the copy of its model in this home was damaged, and is written anew "
                "from the registry.", case_type, version,
            )  # fmt: skip
        self._keep(digest, content)
        return content

    def _keep(self, digest: str, content: bytes) -> None:
        """A home that cannot be written decides on; people hear that it keeps no copy."""
        try:
            self.copies.keep(digest, content)
        except ServiceUnreachable as silent:
            logging.getLogger("ratchet").warning(
                "Model %s could not be put where the team finds it. %s", digest[:12], silent
            )
        except OSError as problem:
            logging.getLogger("ratchet").warning(
                "No copy of model %s could be kept in %s (%s): without MLflow it cannot be loaded.",
                digest[:12], self.copies.folder, problem.strerror or problem,
            )  # fmt: skip

    def _checked_bytes(self, case_type: str, version: str, digest: str) -> bytes:
        """The bytes that were checked are the bytes returned: nothing is read twice."""
        content = self._stored_bytes(case_type, version)
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise GateRefused(
                f"{case_type} version {version}: its file has digest {found[:12]}, the ledger says "
                f"{digest[:12]}."
            )
        return content

    def _stored_bytes(self, case_type: str, version: str) -> bytes:
        name, uri = f"{case_type} version {version}", self._address_of(case_type, version)
        folder = local_path(uri)
        if folder is not None:
            if not self.is_own and not folder.exists():
                raise ModelElsewhere(
                    f"{name}: MLflow says that its file lies at {folder}, which is on another machine: "
                    "there it loads, and it need not be trained again. On the machine that has it run "
                    "`ratchet join --publish`, which puts a copy where this one finds it; approve what "
                    "rests on it there, or keep the files of models behind an MLflow server "
                    "(--serve-artifacts) or in the shared folder (store_url)."
                )
            return _file_in(name, folder)
        with (
            self._answers(f"{name}: the server has no {MODEL_FILE} of it."),
            tempfile.TemporaryDirectory() as here,
        ):
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            stored: Any = get_artifact_repository(uri, tracking_uri=self.tracking_uri)
            there = {one.path: one.is_dir for one in stored.list_artifacts()}
            _refuse_strangers(name, "the server", there)
            return whole_file(Path(stored.download_artifacts(MODEL_FILE, here)))

    def _address_of(self, case_type: str, version: str) -> str:
        """Where MLflow says that a version's files are: in this home, or behind its own server."""
        name = f"{case_type} version {version}"
        absent = f"MLflow has no {name}. Was its database replaced, or the version deleted?"
        with self._answers(absent) as mlflow:
            uri = str(self._client(mlflow).get_model_version_download_uri(case_type, version))
        if not self._is_ours(uri):
            raise GateRefused(
                f"{name}: MLflow names {hidden(uri)} as the place of its file, and that is outside "
                f"{self._artifacts}. No request was made."
            )
        return uri


def _file_in(name: str, folder: Path) -> bytes:
    """The one file of a version that lies on this machine."""
    try:
        there = {one.name: one.is_dir() for one in folder.iterdir()}
    except OSError as problem:
        raise GateRefused(
            f"{name}: the folder {folder} that MLflow names for it cannot be read "
            f"({problem.strerror or problem})."
        ) from None
    _refuse_strangers(name, str(folder), there)
    file = folder / MODEL_FILE
    try:
        if not file.resolve().is_relative_to(folder.resolve()):
            raise GateRefused(f"{name}: {file} leads out of its folder.")
        return whole_file(file)
    except OSError as problem:
        raise GateRefused(
            f"{name}: {file} cannot be read ({problem.strerror or problem})."
        ) from None


def _refuse_strangers(name: str, place: str, there: dict[str, bool]) -> None:
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
            f"is one {MODEL_FILE}."
        )
    if MODEL_FILE not in there:
        raise GateRefused(f"{name} has no {MODEL_FILE}: {place} is empty.")
