"""Write the whole live home, and what a team shares, into one file, while a night may be running."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.engine import URL

from configs.errors import ServiceUnreachable, UserError
from flows.adapters.evidence.evidence_store import EvidenceStore
from flows.adapters.evidence.parquet_parts import Kind
from flows.adapters.files.backup_file import HOME, ROWS, BackupWriter
from flows.adapters.files.files import write_atomically
from flows.adapters.files.kill_points import kill_point
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.sql.database import sqlite_url
from flows.adapters.sql.migrate import NEWEST
from flows.adapters.sql.table_rows import EVIDENCE_TABLES, LEDGER_TABLES, exported
from flows.verbs.house import team_files
from flows.verbs.ports import HouseServices, SharedStore
from flows.verbs.services import AUDIT_KEY_FILE

_ATTEMPTS = 5
_LIVE_DATABASES = ("ledger.db", "evidence/evidence.db")
_OF_SQLITE = ("-wal", "-shm", "-journal")
_WITNESSES = ("ledger.head", "ledger.seen")
"""Not taken along: a head says where the ledger ends *now*, and an older one would say less."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written: where, how many files and bytes, up to which ledger entry, what was left out."""

    path: Path
    files: int
    size: int
    seq: int
    notes: tuple[str, ...]


def ledger_address(home: Path, database_url: str | None) -> str | URL:
    """Where the ledger of a live home lies."""
    return database_url or sqlite_url(home / "ledger.db")


def evidence_address(home: Path, database_url: str | None) -> str | URL:
    """Where the index of a live home's evidence lies."""
    return database_url or sqlite_url(home / "evidence" / "evidence.db")


def back_up(
    services: HouseServices,
    to: Path,
    at: datetime,
    *,
    database_url: str | None = None,
    with_audit_secret: bool = False,
    registry_elsewhere: bool = False,
    progress: Callable[[int, int | None], None] = lambda *_: None,
) -> Backup:
    """Write a backup of the home to a file, or into a folder under a name of its own.

    The rows of the ledger and of the evidence's index are read with the same ledger entry last
    before and after; the parts that the index names never change. A team's holds what its shared
    store has, whichever machine makes it, and that machine's own alerts beside.

    Args:
        database_url: where the rows lie; None: SQLite files in the home.
        registry_elsewhere: MLflow is no part of the home, which is told.

    Raises:
        UserError: the file exists already, or lies in the home itself.
        ServiceUnreachable: the ledger was written all the while, a part of the evidence is gone or was
            changed, or a team's store does not answer.
        OSError: the file cannot be written; nothing was left there.
    """
    path = to / f"ratchet-{at:%Y%m%dT%H%M%SZ}.tar" if to.is_dir() else to
    if path.exists():
        raise UserError(f"{path} exists already; name another file, or a folder.")
    if path.resolve().is_relative_to(services.home.resolve()):
        raise UserError(f"{path} lies in the home that is to be saved; name a file elsewhere.")
    rows = _rows(services.ledger, services.home, database_url)
    notes: list[str] = []
    shared = [] if services.shared is None else team_files.saved_names(services.shared)
    parts = list(dict.fromkeys(_parts(rows["evidence_batches"])))
    if services.shared is not None:
        notes += team_files.fetch_models(services.registry, services.shared)
    names = list(_home_files(services.home, with_audit_secret, notes))
    ends = _end_of(rows["ledger_entries"])
    writer: list[BackupWriter] = []

    def write(file: BinaryIO) -> None:
        out = BackupWriter(file)
        writer.append(out)
        for table, lines in rows.items():
            out.add_bytes(f"{ROWS}/{table}.jsonl", lines)
        whole = len(parts) + len(names) + len(shared)
        for done, part in enumerate(parts, start=1):
            _add_part(out, services.store, services.home, services.shared, part)
            progress(done, whole)
        for done, name in enumerate(names, start=len(parts) + 1):
            _add(out, services.home, name, notes)
            progress(done, whole)
        for done, name in enumerate(shared, start=len(parts) + len(names) + 1):
            team_files.add_shared(out, services.shared, name, notes)
            progress(done, whole)
        out.close(
            {
                "made_at": at.isoformat(),
                "revision": NEWEST,
                "ledger": ends,
                "database": services.ledger.engine.dialect.name,
                "team": services.shared is not None,
                "audit_secret": with_audit_secret,
                "notes": notes,
            }
        )
        kill_point("backup.written")

    if not with_audit_secret:
        notes.append(
            f"The audit secret ({AUDIT_KEY_FILE}) was left out: keep a copy of it elsewhere, or say "
            "--with-audit-secret. Without it no audit is drawn after a restore."
        )
    if registry_elsewhere:
        notes.append("MLflow keeps its registry elsewhere; save that by its own means.")
    write_atomically(path, write, mode=0o600)
    return Backup(path, len(writer[0].files), path.stat().st_size, ends["seq"], tuple(notes))


def _rows(ledger: Ledger, home: Path, database_url: str | None) -> dict[str, bytes]:
    for _ in range(_ATTEMPTS):
        before = ledger.head()
        entries = exported(ledger_address(home, database_url), LEDGER_TABLES)
        evidence = exported(evidence_address(home, database_url), EVIDENCE_TABLES)
        if ledger.head() == before:
            return {**entries, **evidence}
    raise ServiceUnreachable(
        "The ledger was written all the while, so no moment could be saved. Nothing was written; try "
        "again when the night is done."
    )


def _home_files(home: Path, with_audit_secret: bool, notes: list[str]) -> Iterator[str]:
    """Every file to be saved besides rows and evidence, relative to the home."""
    for folder, folders, files in os.walk(home):
        folders.sort()
        if Path(folder) == home and "evidence" in folders:
            folders.remove("evidence")
        for name in sorted(files):
            path = Path(folder, name)
            told = path.relative_to(home).as_posix()
            secret = told.startswith(AUDIT_KEY_FILE)
            if path.is_symlink() or not path.is_file():
                notes.append(f"{told} is no plain file and was left out.")
            elif (
                told in _LIVE_DATABASES
                or told in _WITNESSES
                or name.endswith(_OF_SQLITE)
                or (name.startswith(".") and name.endswith(".part"))
                or (secret and not with_audit_secret)
            ):
                continue
            else:
                yield told


def _parts(batches: bytes) -> Iterator[tuple[str, Kind, str]]:
    """The Parquet parts that the saved index names: table, kind, digest."""
    kinds: tuple[Kind, ...] = ("part", "quarantine")
    for line in batches.splitlines():
        row = json.loads(line)
        for kind in kinds:
            if row[kind] is not None:
                yield row["table_name"], kind, row[kind]


def _add_part(
    out: BackupWriter,
    store: EvidenceStore,
    home: Path,
    shared: SharedStore | None,
    part: tuple[str, Kind, str],
) -> None:
    table, kind, name = part
    path = store.path(table, name, kind)
    if shared is not None:
        store.at_hand(table, name, kind)
    try:
        out.add_file(f"{HOME}/{path.relative_to(home).as_posix()}", path)
    except FileNotFoundError:
        raise ServiceUnreachable(
            f"The evidence part {path} is gone: somebody's data was erased meanwhile, or it was "
            "removed. Nothing was written; try again, and look at `ratchet doctor`."
        ) from None
    if out.files[-1]["sha256"] != name:
        raise ServiceUnreachable(
            f"The evidence part {path} was changed: its bytes no longer have the digest that names it, "
            "so no backup could be restored with it. Nothing was written; put it back from an older one."
        )


def _add(out: BackupWriter, home: Path, name: str, notes: list[str]) -> None:
    path = home / name
    try:
        if path.suffix == ".db":
            out.add_sqlite(f"{HOME}/{name}", path)
        else:
            out.add_file(f"{HOME}/{name}", path)
    except FileNotFoundError:
        notes.append(f"{name} was removed while it was to be saved, and was left out.")


def _end_of(entries: bytes) -> dict[str, Any]:
    lines = entries.splitlines()
    last = json.loads(lines[-1]) if lines else {"seq": 0, "own_hash": "0" * 64}
    return {"seq": last["seq"], "hash": last["own_hash"]}
