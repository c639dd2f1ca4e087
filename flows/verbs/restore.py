"""Make a home out of a backup: every byte verified, nothing written over, and nothing decided before it
is sure, or two people say, that this is the whole ledger."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import UserError
from flows.adapters.backup_file import HOME, ROWS, BackupReader
from flows.adapters.files import sync_folder, write_atomically
from flows.adapters.kill_points import kill_point
from flows.adapters.ledger import Ledger
from flows.adapters.ledger_head import read_head, write_first_head
from flows.adapters.migrate import NEWEST
from flows.adapters.private_home import keep_private
from flows.adapters.table_rows import (
    EVIDENCE_TABLES,
    LEDGER_TABLES,
    import_evidence,
    import_ledger,
    refuse_unless_empty,
)
from flows.verbs.backup import evidence_address, ledger_address

_UNFINISHED = ".restoring"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was made: the home, the backup's moment, its last entry, and whether the ledger may decide.

    `waits`: why every case goes to people until two approvers accept the ledger, or "".
    """

    home: Path
    made_at: str
    seq: int
    waits: str
    notes: tuple[str, ...]


def restore(
    backup: Path,
    to: Path,
    *,
    database_url: str | None = None,
    head: Path | None = None,
    progress: Callable[[int, int | None], None] = lambda *_: None,
) -> Restored:
    """Make the home `to` (a `RATCHET_HOME`) out of a backup.

    Args:
        database_url: where the rows go; None: SQLite files in the home.
        head: a head file that outlived the home. Where it names the backup's last entry nothing came
            after, and the restored ledger decides at once.

    Raises:
        UserError: the backup or the head is none, a byte is not as it was written, or the home or the
            database is not empty; nothing was left there.
        ServiceUnreachable, OSError: the database or the folder cannot be used.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"{to} is not empty, and nothing is restored over it; name a new folder.")
    mark = None if head is None else read_head(head)
    if head is not None and mark is None:
        raise UserError(f"{head} is no head file of a ledger; leave --head out where none is left.")
    opened = BackupReader(backup)
    part = to / _UNFINISHED
    try:
        told = _checked(backup, opened.told)
        if database_url is not None:
            refuse_unless_empty(database_url)
        rows = {
            name: opened.content(f"{ROWS}/{name}.jsonl")
            for name in (*LEDGER_TABLES, *EVIDENCE_TABLES)
            if f"{ROWS}/{name}.jsonl" in opened.files
        }
        keep_private(to)
        part.mkdir(mode=0o700)
        opened.unpack(part, progress)
        _check_parts(part)
        if head is not None:
            kept = head.read_bytes()
            write_atomically(part / "ledger.head", lambda file: file.write(kept), mode=0o600)
        elif told["seq"] == 0:
            write_first_head(part / "ledger.head")
        import_ledger(ledger_address(part, database_url), rows)
        import_evidence(evidence_address(part, database_url), rows)
        kill_point("restore.imported")
        home = to / "live"
        part.rename(home)
        sync_folder(to)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        opened.close()
    found = Ledger(ledger_address(home, database_url), home / "ledger.head").verify()
    notes = tuple(str(one) for one in opened.told.get("notes", []))
    return Restored(
        home, str(opened.told.get("made_at")), told["seq"], " ".join(found.problems), notes
    )


def _checked(backup: Path, told: dict[str, Any]) -> dict[str, Any]:
    if told.get("revision") != NEWEST:
        raise UserError(
            f"{backup} was made by another version of Ratchet (tables {told.get('revision')}, this one "
            f"has {NEWEST}): restore it with that version, and update afterwards."
        )
    ends = told.get("ledger")
    if not isinstance(ends, dict) or not isinstance(ends.get("seq"), int):
        raise UserError(f"The manifest of {backup} does not say where its ledger ends.")
    return ends


def _check_parts(home: Path) -> None:
    """Evidence is named by its bytes, whatever a manifest says of them."""
    for path in sorted((home / "evidence").glob("*/*/*.parquet")):
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != path.stem:
                raise UserError(
                    f"{HOME}/{path.relative_to(home)} in the backup does not have the bytes that name "
                    "it; nothing was restored."
                )
