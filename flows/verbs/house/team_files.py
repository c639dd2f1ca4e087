"""Which files of a team's store belong in a backup, and where does each go when it is restored?

Evidence and models have one name at the store, in a home and in a backup. Dossiers and alerts a home
keeps in a form of its own (`dossier_files`, `alerts`), so both ways are here, and MLflow's files lie in
a shared folder where no server keeps them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from configs.errors import ServiceUnreachable
from flows.adapters.alerts.alerts import FILE as ALERTS_FILE
from flows.adapters.alerts.alerts import FOLDER as ALERTS
from flows.adapters.files.backup_file import SHARED, BackupWriter
from flows.adapters.files.files import write_atomically
from flows.adapters.files.shared_store import SharedStore
from flows.adapters.mlflow.mlflow_store import move_records_to
from flows.adapters.mlflow.model_copies import ModelCopies
from flows.adapters.mlflow.model_registry import ModelRegistry
from flows.verbs.record.dossier_files import FOLDER as DOSSIERS
from flows.verbs.record.dossier_files import before_all_runs

MLFLOW = "mlflow"
_DATABASE = f"{MLFLOW}/mlflow.db"
_OF_SQLITE = ("-wal", "-shm", "-journal")


def saved_names(store: SharedStore) -> list[str]:
    """What a backup takes from the store besides evidence and models, in order.

    Raises:
        ServiceUnreachable: the store does not answer.
    """
    return [
        name
        for folder in (DOSSIERS, ALERTS, MLFLOW)
        for name in store.all_names(folder)
        if not name.endswith(_OF_SQLITE) and not PurePosixPath(name).name.startswith(".")
    ]


def fetch_models(registry: ModelRegistry, shared: SharedStore | None) -> list[str]:
    """Copy every model of the store into this home, where a backup finds it; what could not be copied.

    Raises:
        ServiceUnreachable: the store does not answer.
    """
    assert shared is not None
    notes = []
    for name in shared.names("models"):
        if registry.copies.read(name.removesuffix(".ubj")) is None:
            notes.append(f"models/{name} at the shared store is damaged, and was left out.")
    return notes


def add_shared(out: BackupWriter, shared: SharedStore | None, name: str, notes: list[str]) -> None:
    """Write one file of the store into a backup.

    Raises:
        ServiceUnreachable: the store does not answer.
    """
    store = shared
    assert store is not None
    if store.folder is not None and name.endswith(".db"):
        try:
            out.add_sqlite(f"{SHARED}/{name}", store.folder / name)
        except sqlite3.Error as problem:
            raise ServiceUnreachable(
                f"{store.folder / name} cannot be saved ({problem}). Nothing was written; try again when "
                "MLflow is at rest."
            ) from None
        return
    with TemporaryDirectory(prefix="ratchet-backup-") as folder:
        copy = Path(folder) / "copy"
        if store.get_file(name, copy):
            out.add_file(f"{SHARED}/{name}", copy)
        else:
            notes.append(f"{name} was removed while it was to be saved, and was left out.")


def into_home(shared: Path, home: Path) -> None:
    """Let a home that is alone have what a team's store had: the last dossier of each night, the
    alerts of all machines in order, MLflow's files.

    Args:
        shared: where the files of the store were unpacked; they may be moved.
    """
    for night in sorted((shared / DOSSIERS).glob("*/")):
        runs = sorted(night.glob("*.json"))
        if runs:
            _write(home / DOSSIERS / f"{night.name}.json", runs[-1].read_bytes())
    lines = [file.read_bytes().strip() for file in sorted((shared / ALERTS).glob("*/*.json"))]
    if lines:
        _write(home / ALERTS_FILE, b"".join(line + b"\n" for line in lines))
    for file in sorted(shared.glob(f"{MLFLOW}/**/*")):
        to = home / file.relative_to(shared)
        if file.is_file() and not to.exists():
            to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.replace(to)


def into_store(
    home: Path, shared: Path, store: SharedStore, *, of_a_team: bool, again: bool
) -> list[str]:
    """Put a restored home's files where all machines of a team find them; what there is to know.

    Everything may be put a second time. MLflow's files are put beside others, never over them.

    Args:
        shared: what the backup has of another store, by its names there.
        of_a_team: that other store is where dossiers and alerts were; else they are the home's.
        again: an earlier attempt may have put a part of them.

    Raises:
        ServiceUnreachable: the store does not take a file.
    """
    for file in sorted((home / "evidence").glob("*/*/*.parquet")):
        store.put_file(file.relative_to(home).as_posix(), file)
    copies = ModelCopies(home / "models", store)
    copies.publish()
    if of_a_team:
        for folder in (DOSSIERS, ALERTS):
            for file in sorted((shared / folder).glob("*/*")):
                store.put_file(file.relative_to(shared).as_posix(), file)
        return _mlflow_into(store, shared, again)
    for file in sorted((home / DOSSIERS).glob("*.json")):
        store.put_file(before_all_runs(file.stem), file)
    for name, line in _alert_files(home / ALERTS_FILE):
        store.put(name, line)
    return _mlflow_into(store, home, again)


def _mlflow_into(store: SharedStore, root: Path, again: bool) -> list[str]:
    """MLflow's database and files, its records naming their new folder; where no folder is shared,
    they stay where they are."""
    found = sorted(root.glob(f"{MLFLOW}/**/*"))
    files = [one for one in found if one.is_file() and not one.name.startswith(".")]
    if not files:
        return []
    if store.folder is None:
        return [
            "MLflow's files stay in this home, since the store is no folder: the team's MLflow begins "
            "anew. Deciding goes on from copies of the models; train again before the next approval."
        ]
    there, notes = set(store.all_names(MLFLOW)), []
    database = root / _DATABASE
    if database.is_file():
        if _DATABASE in there and not again:
            notes.append(f"{_DATABASE} was at the shared store already, and was left as it was.")
        else:
            move_records_to(database, store.folder / MLFLOW / "artifacts")
            notes.append(
                f"MLflow's database lies at {store.folder / _DATABASE}: let the team's MLflow server keep "
                "its records there (--backend-store-uri), or name it in RATCHET_MLFLOW_TRACKING_URI."
            )
    for file in files:
        name = file.relative_to(root).as_posix()
        if name not in there:
            store.put_file(name, file)
    return notes


def _alert_files(file: Path) -> Iterator[tuple[str, bytes]]:
    """The alerts of a home as files of their own, each by a name that only depends on it."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for number, line in enumerate(lines):
        try:
            at = datetime.fromisoformat(json.loads(line)["at"]).astimezone(UTC)
        except (ValueError, KeyError, TypeError):
            continue  # a line that a crash cut off stands in the home's file
        digest = hashlib.sha256(b"%d %s" % (number, line)).hexdigest()
        yield f"{ALERTS}/{at:%Y-%m}/{at:%Y%m%dT%H%M%S%f}-{digest[:8]}.json", line


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content), mode=0o600)
