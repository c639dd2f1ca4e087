"""Take what is personal about some cases out of everything that this home and its team's store keep, and
say so for ever."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from configs.errors import GateRefused, UserError
from flows.adapters.alerts.alerts import FOLDER as ALERTS
from flows.adapters.evidence.evidence_erasure import Erasure, tokens_of
from flows.adapters.evidence.evidence_store import EvidenceStore
from flows.adapters.files.files import write_atomically
from flows.adapters.files.kill_points import kill_point
from flows.adapters.files.shared_store import SharedStore
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.sql.table_rows import LEDGER_TABLES, exported
from flows.verbs.govern.submit import looking_again, submitted
from flows.verbs.house.backup import ledger_address
from flows.verbs.house.team_files import MLFLOW
from flows.verbs.ports import HouseServices
from flows.verbs.record.dossier_files import FOLDER as DOSSIERS
from models.hub import LEDGER, Entry, RecordErasure, may_act, version_of

GONE = "(erased)"
CANNOT_BE_MADE_AGAIN = (
    "the features of these cases, so no score of theirs can be computed again and no model learns from "
    "them; the draws of their audits and second reviews, which are made of the id; the digest of a "
    "proof that counted them. Their scores, actions, designed probabilities and labels still stand, so "
    "what a proof concluded can be concluded again."
)
_LARGEST_TEXT = 1 << 28
_ELSEWHERE = (
    "Other machines of the team that read or wrote these cases still have copies of the old parts, and "
    "their own dossiers and alerts. Nothing is read from them or put back by them: `ratchet join` there "
    "removes the parts, and the same `ratchet erase` there cleans the texts."
)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, the ledger entries that say so, and where one of the ids still stands.

    `copies`: parts that were removed since others took their places. `elsewhere`: what a team's other
    machines keep in their homes, which is not reached from here; "" for a home that is alone.
    """

    done: Erasure
    entries: tuple[Entry, ...]
    texts: int
    left: tuple[str, ...]
    copies: int = 0
    elsewhere: str = ""


def erase(
    services: HouseServices,
    case_ids: Collection[str],
    actor: str,
    reason: str,
    at: datetime,
    database_url: str | None = None,
) -> Erased:
    """Rewrite the evidence without these cases' personal data, and everything else that names them.

    Killed anywhere, the same call goes on. What comes in of these cases later is not stored.

    Raises:
        UserError: no reason or no case is given, or nothing is kept of any of them.
        GateRefused: the actor may not, or the ledger is not as it was written.
        ServiceUnreachable: the store or the ledger cannot be used.
    """
    ids = sorted({one.strip() for one in case_ids if one.strip()})
    if not ids:
        raise UserError("no case id is given; name the cases, or a file with one id a line.")
    if not reason.strip():
        raise UserError("an erasure needs a reason; say why, in a sentence.")
    if tokens_of(ids).search(reason):
        raise UserError(
            "the reason names one of the cases, and it stands in the ledger for ever; say it without."
        )
    salt = secrets.token_hex(16)
    digests = [hashlib.sha256(f"{salt}{one}".encode()).hexdigest() for one in ids]
    told = {"reason": reason.strip(), "salt": salt, "case_digests": digests, "cases": len(ids)}
    refused = may_act(services.ledger.history(), _command(services.ledger, actor, told))
    if refused is not None:
        raise GateRefused(refused.reason)
    done = services.store.eraser.erase(ids, told)
    copies = services.store.eraser.remove_what_no_longer_counts()
    kill_point("erase.removed")
    texts = _cleaned(services.home, ids)
    if services.shared is not None:
        texts += _cleaned_at(services.shared, ids)
    kill_point("erase.texts")
    if texts and not services.store.eraser.unfinished():
        services.store.eraser.note(ids, told)  # no row of theirs, but a dossier that named them
    entries = tuple(
        _entered(services.ledger, services.store, one, actor, at)
        for one in services.store.eraser.unfinished()
    )
    if not (done.found or texts or entries or copies):
        raise UserError(
            f"Nothing is kept here of any of these {len(ids):,} cases. Ids are told apart by case and "
            "every sign."
        )
    left = [
        *_files_that_name(services.home, ids),
        *_rows_that_name(services.home, ids, database_url),
    ]
    if services.shared is None:
        return Erased(done, entries, texts, tuple(left), copies)
    left += _shared_files_that_name(services.shared, ids)
    return Erased(done, entries, texts, tuple(left), copies, _ELSEWHERE)


def _entered(
    ledger: Ledger, store: EvidenceStore, told: dict[str, Any], actor: str, at: datetime
) -> Entry:
    """The ledger says what was done, then the note of it is closed."""
    entry = looking_again(lambda: submitted(ledger, _command(ledger, actor, told), at))
    kill_point("erase.entered")
    store.eraser.entered(str(told["erasure_id"]))
    return entry


def _command(ledger: Ledger, actor: str, told: dict[str, Any]) -> RecordErasure:
    kept = ("erasure_id", "salt", "cases", "rows", "quarantined", "parts")
    return RecordErasure(
        reason=str(told["reason"]),
        case_digests=tuple(told["case_digests"]),
        actor=actor,
        base_version=version_of(ledger.history(), LEDGER),
        dossier={
            **{name: told[name] for name in kept if name in told},
            "cannot_be_made_again": CANNOT_BE_MADE_AGAIN,
        },
    )


def _cleaned(home: Path, ids: Sequence[str]) -> int:
    """Write dossiers and alerts anew without the ids; how many files."""
    pattern, changed = tokens_of(ids), 0
    for path in (*sorted((home / "dossiers").glob("*")), *sorted(home.glob("alerts*.jsonl"))):
        if not path.is_file() or path.is_symlink():
            continue
        content = _without(pattern, path.read_bytes())
        if content is not None:
            write_atomically(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
            changed += 1
    return changed


def _cleaned_at(store: SharedStore, ids: Sequence[str]) -> int:
    """The same at a team's store."""
    pattern, changed = tokens_of(ids), 0
    for name in (*store.all_names(DOSSIERS), *store.all_names(ALERTS)):
        content = _without(pattern, store.get(name) or b"")
        if content is not None:
            store.put(name, content)
            changed += 1
    return changed


def _without(pattern: re.Pattern[str], content: bytes) -> bytes | None:
    """A text without the ids; None where it names none."""
    text = content.decode("utf-8", "surrogateescape")
    clean = pattern.sub(GONE, text)
    return None if clean == text else clean.encode("utf-8", "surrogateescape")


def _shared_files_that_name(store: SharedStore, ids: Sequence[str]) -> list[str]:
    """What MLflow keeps in the team's folder, and holds one of the ids."""
    if store.folder is None:
        return []
    pattern = tokens_of(ids)
    return [
        f"{name} (at the shared store)"
        for name in store.all_names(MLFLOW)
        if (store.folder / name).stat().st_size <= _LARGEST_TEXT
        and pattern.search((store.get(name) or b"").decode("latin-1"))
    ]


def _files_that_name(home: Path, ids: Sequence[str]) -> list[str]:
    """Files below the home that still hold one of the ids, as bytes."""
    pattern, found = tokens_of(ids), []
    for path in sorted(home.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix == ".parquet":
            continue
        if path.name.startswith("ledger.db") or path.stat().st_size > _LARGEST_TEXT:
            continue
        if pattern.search(path.read_bytes().decode("latin-1")):
            found.append(f"{path.relative_to(home)} (a file of this home)")
    return found


def _rows_that_name(home: Path, ids: Sequence[str], database_url: str | None) -> list[str]:
    """Rows of the ledger that hold one of the ids: they cannot be rewritten."""
    pattern = tokens_of(ids)
    address: str | URL = ledger_address(home, database_url)
    return [
        f"{table}, row {number} (the ledger cannot be rewritten)"
        for table, lines in exported(address, LEDGER_TABLES).items()
        for number, line in enumerate(lines.decode("ascii").splitlines(), start=1)
        if pattern.search(line)
    ]
