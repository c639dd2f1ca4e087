"""What did a run do, in numbers, text and tables, where people compare runs in MLflow?"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from configs.errors import GateRefused, ServiceUnreachable, UserError
from configs.masking import masked
from flows.adapters.mlflow.mlflow_store import (
    HELPS,
    bound_waits,
    database_file,
    local_path,
    move_records_to,
    refuse_other_revision,
    revision_of,
)
from flows.adapters.sql.database import hidden

ASKS_AGAIN_AFTER_SECONDS = 30.0
"""A store that was away is not waited for by every question of one command."""

_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")


class MlflowRuns:
    """MLflow's tracking side, always at the address it was opened with."""

    def __init__(self, tracking_uri: str, artifacts: Path) -> None:
        """Open a tracking store; an ambient one is named and ignored. Nothing is asked of it yet.

        Args:
            artifacts: the folder for the files of runs, where no server keeps them.

        Raises:
            UserError: the address is a plain folder, which MLflow no longer accepts.
        """
        if not tracking_uri.startswith(("sqlite:", "postgresql", "http:", "https:")):
            raise UserError(
                f"MLflow cannot be kept at {hidden(tracking_uri)}; use sqlite:///FILE, "
                "postgresql+psycopg://... or the address of a server."
            )
        self.tracking_uri = tracking_uri
        self._artifacts = artifacts
        self._silence: tuple[float, str] | None = None
        self._known = False
        ambient = os.environ.get("MLFLOW_TRACKING_URI")
        if ambient and ambient != tracking_uri:
            logging.getLogger("ratchet").warning(
                "MLFLOW_TRACKING_URI is set in the environment and ignored; "
                "set RATCHET_MLFLOW_TRACKING_URI to move the registry."
            )

    @property
    def is_there(self) -> bool:
        """Whether a store was ever made here; one behind an address is taken to be."""
        file = database_file(self.tracking_uri)
        return file is None or os.path.lexists(file)

    @contextmanager
    def run(
        self, experiment: str, name: str, note: str, tags: Mapping[str, str] | None = None
    ) -> Iterator[Any]:
        """One MLflow run in an experiment that is made on first use; nested inside an open run.

        Raises:
            ServiceUnreachable: MLflow does not answer, or would keep the run's files outside this
                home.
        """
        with self._answers(makes=True) as mlflow:
            self._experiment(mlflow, experiment)
            nested = mlflow.active_run() is not None
            described = _masked({**(tags or {}), "mlflow.note.content": note})
            run = mlflow.start_run(run_name=name, nested=nested, tags=described)
        try:
            self.refuse_elsewhere(run.info.artifact_uri, f"the run {name!r}")
            yield run
        except BaseException:
            _end_failed(run)
            raise
        with self._answers():
            mlflow.end_run()

    def refuse_elsewhere(self, uri: str, whose: str) -> None:
        """Nothing, if files at this address are in this home, or behind the server we work with.

        Raises:
            ServiceUnreachable: they are anywhere else; no request was made.
        """
        if self._is_ours(uri):
            return
        raise ServiceUnreachable(
            f"MLflow names {hidden(uri)} as the place for the files of {whose}. That is outside "
            f"{self._artifacts}, and no request was made. Was the database edited or replaced? A "
            "server keeps files for its clients when it is started with --serve-artifacts."
        )

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
        """A finished run of numbers below the open one, in as few writes as MLflow allows.

        Raises:
            ServiceUnreachable: MLflow does not answer.
        """
        with self._answers() as mlflow:
            from mlflow.entities import DatasetInput, InputTag, Metric, Param

            client, parent = self._client(mlflow), mlflow.active_run()
            described = {
                **_masked({**(tags or {}), "mlflow.note.content": note}),
                "mlflow.parentRunId": parent.info.run_id,
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
        name, digest and number of rows of a data set (never a row).

        Raises:
            ServiceUnreachable: MLflow does not answer.
        """
        with self._answers() as mlflow:
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

    @property
    def is_own(self) -> bool:
        """Whether the store lies beside its files, in one home."""
        file = database_file(self.tracking_uri)
        return file is not None and file.resolve().parent == self._artifacts.resolve().parent

    def _is_ours(self, uri: str) -> bool:
        path = local_path(uri)
        if path is not None:
            inside = path.resolve().is_relative_to(self._artifacts.resolve())
            return inside or not self.is_own
        scheme, _, rest = uri.partition(":")
        if scheme != "mlflow-artifacts" or not self.tracking_uri.startswith("http"):
            return False
        host = rest[2:].partition("/")[0] if rest.startswith("//") else ""
        return host in ("", self.tracking_uri.partition("://")[2].partition("/")[0])

    def _experiment(self, mlflow: Any, name: str) -> None:
        client = self._client(mlflow)
        if client.get_experiment_by_name(name) is None:
            location = None
            if not self.tracking_uri.startswith("http"):
                location = (self._artifacts / name).resolve().as_uri()
            client.create_experiment(name, artifact_location=location)
        mlflow.set_experiment(name)

    def _client(self, mlflow: Any) -> Any:
        return mlflow.MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    @contextmanager
    def _answers(self, absent: str | None = None, *, makes: bool = False) -> Iterator[Any]:
        """MLflow itself, and its errors in two kinds: what is not there, and no answer.

        Args:
            absent: the refusal where MLflow says that something is not there; None: that is no
                answer either.
            makes: whether a store that is missing is made.

        Raises:
            GateRefused: `absent`.
            ServiceUnreachable: it does not answer, or is not the store that it was.
        """
        mlflow = self._mlflow(makes=makes)
        try:
            yield mlflow
        except mlflow.exceptions.MlflowException as problem:
            if absent is not None and problem.error_code in _ABSENT:
                raise GateRefused(absent) from None
            raise self._fell_silent(_silent(problem.error_code)) from None
        except _failures() as problem:
            raise self._fell_silent(_silent(type(problem).__name__)) from None

    def _mlflow(self, *, makes: bool = False) -> Any:
        """The library, pointed at our store, once that store has answered."""
        if self._silence is not None and time.monotonic() < self._silence[0]:
            raise ServiceUnreachable(self._silence[1])
        self._silence = None
        try:
            return self._asked(makes=makes)
        except ServiceUnreachable as silent:
            raise self._fell_silent(str(silent)) from None

    def _fell_silent(self, said: str) -> ServiceUnreachable:
        self._silence = (time.monotonic() + ASKS_AGAIN_AFTER_SECONDS, said)
        return ServiceUnreachable(said)

    def _asked(self, *, makes: bool) -> Any:
        revision = revision_of(self.tracking_uri, makes=makes)
        bound_waits()
        import mlflow

        if not self._known:
            refuse_other_revision(self.tracking_uri, revision)
        if mlflow.get_tracking_uri() != self.tracking_uri:
            create_tables(self.tracking_uri)
            mlflow.set_tracking_uri(self.tracking_uri)
            mlflow.set_registry_uri(self.tracking_uri)
        if not self._known:
            file = database_file(self.tracking_uri)
            if file is not None and self.is_own:
                move_records_to(file, self._artifacts)
            self._known = True
        return mlflow


def create_tables(tracking_uri: str) -> None:
    """Create MLflow's tables once: several processes doing so at once break an empty database.

    Raises:
        ServiceUnreachable: the database's file or folder cannot be used.
    """
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    file = database_file(tracking_uri)
    if file is None:
        return
    import fcntl

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with (file.parent / f".{file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            mlflow.MlflowClient(tracking_uri=tracking_uri).search_experiments(max_results=1)
    except _failures(mlflow.exceptions.MlflowException) as problem:
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


def _failures(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What MLflow lets through when its database or its disk fails it."""
    from alembic.util import CommandError

    return (SQLAlchemyError, CommandError, OSError, UnicodeError, *others)


def _end_failed(run: Any) -> None:
    """End a run whose work failed; that failure is what matters, and MLflow may be its reason."""
    try:
        run.__exit__(*sys.exc_info())
    except Exception as problem:
        logging.getLogger("ratchet").warning(
            "MLflow could not note that a run failed (%s).", type(problem).__name__
        )


def _masked(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: masked(str(value)) for name, value in tags.items()}


def _silent(why: str) -> str:
    return (
        f"MLflow does not answer, or cannot write ({why}). Is it up, and has its disk room? {HELPS}"
    )
