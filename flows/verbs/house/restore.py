"""Make a home, or a team's store and database, out of a backup: every byte verified, nothing written over, and nothing decided before it
is sure, or two people say, that this is the whole ledger."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import ServiceUnreachable, UserError
from flows.adapters.files.backup_file import HOME, ROWS, SHARED, BackupReader
from flows.adapters.files.files import sync_folder, write_atomically
from flows.adapters.files.kill_points import kill_point
from flows.adapters.files.private_home import keep_private
from flows.adapters.files.restored_store import RestoredStore
from flows.adapters.files.shared_store import SharedStore, team_store
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.ledger.ledger_head import HeadFile, read_head, write_first_head
from flows.adapters.sql.migrate import NEWEST
from flows.adapters.sql.table_rows import (
    EVIDENCE_TABLES,
    LEDGER_TABLES,
    holds_just,
    holds_rows,
    import_all,
    import_evidence,
    import_ledger,
)
from flows.verbs.house import team_files
from flows.verbs.house.backup import evidence_address, ledger_address

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
    store_url: str | None = None,
    head: Path | None = None,
    progress: Callable[[int, int | None], None] = lambda *_: None,
) -> Restored:
    """Make the home `to` (a `RATCHET_HOME`) out of a backup, and a team's store, where one is named.

    A team's backup becomes a home that is alone where no store is named, and the backup of a home that
    was alone a team's where one is. Killed anywhere, the same call goes on.

    Args:
        database_url: where the rows go; None: SQLite files in the home.
        store_url: where the files go that all machines of a team share.
        head: a head file that outlived the home. Where it names the backup's last entry nothing came
            after, and the restored ledger decides at once.

    Raises:
        UserError: the backup or the head is none, a byte is not as it was written, or the home, the
            database or the store is not empty; nothing was left there. Or a store is named without a
            database.
        GateRefused: the database's files lie at a store, and none is named.
        ServiceUnreachable, OSError: the database, the store or the folder cannot be used. What was put
            at the store stays, and nothing works on it until the same call has ended.
    """
    part = to / _UNFINISHED
    again = _refuse_unless_empty(to)
    if head is not None and read_head(head) is None:
        raise UserError(f"{head} is no head file of a ledger; leave --head out where none is left.")
    opened, begun = BackupReader(backup), again
    try:
        told = _checked(backup, opened.told)
        of_a_team = opened.told.get("team") is True
        rows = {
            name: opened.content(f"{ROWS}/{name}.jsonl")
            for name in (*LEDGER_TABLES, *EVIDENCE_TABLES)
            if f"{ROWS}/{name}.jsonl" in opened.files
        }
        store = _store(database_url, store_url, opened.digest, again)
        there = _are_there(database_url, store, rows, again)
        if again:
            shutil.rmtree(part)
        keep_private(to)
        part.mkdir(mode=0o700)
        home, shared = part / "live", part / "shared"
        home.mkdir(mode=0o700)
        opened.unpack({HOME: home, SHARED: shared}, progress)
        _check_parts(home)
        begun = begun or database_url is not None
        if store is None:
            notes = _into_home(part, database_url, rows, there, of_a_team)
            _put_head(home / "ledger.head", head, told["seq"])
        elif store.ended:
            notes = []
        else:
            notes = _into_team(store, rows, there, part, of_a_team)
            _put_head(store.head(home / "ledger.head"), head, told["seq"])
            kill_point("restore.head")
            store.settle()
        kill_point("restore.settled")
        shutil.rmtree(shared, ignore_errors=True)
        home.rename(to / "live")
        sync_folder(to)
        kill_point("restore.renamed")
        part.rmdir()
    except (ServiceUnreachable, OSError) as stopped:
        if not begun:
            shutil.rmtree(part, ignore_errors=True)
            raise
        raise ServiceUnreachable(
            f"{stopped} The restore has begun, and the same command goes on."
        ) from None
    except BaseException:
        if not begun:
            shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        opened.close()
    home = to / "live"
    own = home / "ledger.head"
    ledger = Ledger(ledger_address(home, database_url), own if store is None else store.head(own))
    found = ledger.verify()
    notes += [str(one) for one in opened.told.get("notes", [])]
    waits = " ".join(found.problems)
    return Restored(home, str(opened.told.get("made_at")), told["seq"], waits, tuple(notes))


def _refuse_unless_empty(to: Path) -> bool:
    """Whether the folder holds what an earlier attempt left, and nothing else.

    Raises:
        UserError: it holds anything else.
    """
    if not to.exists():
        return False
    names = [one.name for one in to.iterdir()] if to.is_dir() else [""]
    if names == [_UNFINISHED]:
        return True
    if names:
        raise UserError(f"{to} is not empty, and nothing is restored over it; name a new folder.")
    return False


def _store(
    database_url: str | None, store_url: str | None, digest: str, again: bool
) -> RestoredStore | None:
    if store_url is None or database_url is None:
        team_store(database_url, store_url)  # says what a lone one of the two lacks
        return None
    store = RestoredStore(SharedStore.at(store_url), database_url, digest)
    if store.ended and not again:
        raise UserError(
            f"The database already belongs to the shared store {store.store}, and nothing is restored "
            "over a team. Name an empty database and an empty store; to make this machine one of that "
            "team's, use `ratchet join`."
        )
    return store


def _are_there(
    database_url: str | None, store: RestoredStore | None, rows: Mapping[str, bytes], again: bool
) -> bool:
    """Whether an earlier attempt brought the rows into the database already.

    Raises:
        UserError: it holds others.
    """
    held = () if database_url is None else holds_rows(database_url)
    came = again if store is None else store.known
    if database_url is None or not (held or (store is not None and came)):
        return False
    if came and holds_just(database_url, rows):
        return True
    raise UserError(
        f"The database already holds rows of {', '.join(held)}, and nothing is restored over them. Name "
        "an empty database (RATCHET_DATABASE_URL)."
    )


def _into_home(
    part: Path,
    database_url: str | None,
    rows: Mapping[str, bytes],
    there: bool,
    of_a_team: bool,
) -> list[str]:
    """Rows and files of a home that is alone; what there is to know."""
    team_files.into_home(part / "shared", part / "live")
    if database_url is None:
        import_ledger(ledger_address(part / "live", None), rows)
        import_evidence(evidence_address(part / "live", None), rows)
    elif not there:
        import_all(database_url, rows)
    kill_point("restore.imported")
    if not of_a_team:
        return []
    return [
        "The backup is a team's, and no store is named (RATCHET_STORE_URL): this home has its evidence, "
        "models, dossiers and alerts, and is alone."
    ]


def _into_team(
    store: RestoredStore, rows: Mapping[str, bytes], there: bool, part: Path, of_a_team: bool
) -> list[str]:
    """The files to the store, then the rows into the database, which name them; what there is to
    know."""
    store.claim()
    kill_point("restore.claimed")
    notes = team_files.into_store(
        part / "live", part / "shared", store.store, of_a_team=of_a_team, again=store.begun
    )
    kill_point("restore.shared")
    if not there:
        store.import_rows(rows)
    kill_point("restore.imported")
    return notes


def _put_head(place: HeadFile, head: Path | None, seq: int) -> None:
    """The head that outlived the home, or that of an empty ledger; no head for any other."""
    if head is not None:
        kept = head.read_bytes()
        if isinstance(place, Path):
            write_atomically(place, lambda file: file.write(kept), mode=0o600)
        else:
            place.store.put(place.name, kept)
    elif seq == 0:
        write_first_head(place)


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
