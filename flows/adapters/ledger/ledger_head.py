"""Where does the ledger end, told outside its database, so that a cut tail shows?

A home of one machine keeps the head in a file of its own, a team at its shared store. How far a
machine has seen the ledger always stays with that machine.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import RowMapping

from configs.errors import ServiceUnreachable
from flows.adapters.files.files import sync_folder, write_atomically, written_beside
from flows.adapters.files.shared_store import SharedFile
from models.hub import GENESIS_HASH
from models.hub.policies.canonical import canonical_json, is_sha256, sha256_of

HeadFile: TypeAlias = Path | SharedFile


@dataclass(frozen=True, slots=True)
class RefusalTally:
    """The refusals up to the one numbered `last`, as one hash chain that only the head holds."""

    last: int = 0
    chain: str = GENESIS_HASH

    def continued(self, rows: Iterable[RowMapping]) -> RefusalTally:
        """The tally after these refusals, in order of their numbers."""
        last, chain = self.last, self.chain
        for row in rows:
            last, chain = row["id"], sha256_of(f"{chain}\n{canonical_json(dict(row))}")
        return RefusalTally(last, chain)

    def problems(self, rows: Sequence[RowMapping]) -> tuple[str, ...]:
        """What was done to the refusals since they were tallied; `rows` are all of them, in order."""
        tallied = [row for row in rows if row["id"] <= self.last]
        if RefusalTally().continued(tallied).chain == self.chain:
            return ()
        present = {row["id"] for row in tallied}
        gone = [
            f"Refusal {one} was removed." for one in range(1, self.last + 1) if one not in present
        ]
        return tuple(gone) or (
            f"A refusal among the first {self.last} was edited: together they no longer have the "
            "hash in the head file.",
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry's place and hash (0 and zeros for an empty ledger), and the refusals' tally;
    None in a head file that was written before refusals were tallied."""

    seq: int
    own_hash: str
    refusals: RefusalTally | None


def read_head(file: HeadFile) -> Head | None:
    """What the head file says; None when there is no readable one, or what it says is no head.

    Raises:
        ServiceUnreachable: the shared store that keeps it does not answer.
    """
    said = _read(file)
    told = said.get("refusals")
    mark = _mark(said)
    if mark is None or not (told is None or isinstance(told, dict)):
        return None
    if told is None:
        return Head(*mark, None)
    tally = _mark({"seq": told.get("last"), "hash": told.get("hash")})
    return None if tally is None else Head(*mark, RefusalTally(*tally))


def in_home(head_file: HeadFile) -> Path:
    """The head file of a home of one machine: where it is, or would be."""
    return head_file if isinstance(head_file, Path) else head_file.beside


def seen_file(head_file: HeadFile) -> Path:
    """Where this home writes down how far it has seen the ledger."""
    return in_home(head_file).with_suffix(".seen")


def read_seen(head_file: HeadFile) -> tuple[int, str] | None:
    """The furthest place and hash that this home has seen; None where nothing readable says it."""
    return _mark(_read(seen_file(head_file)))


def write_seen(head_file: HeadFile, seq: int, own_hash: str) -> None:
    """Write down how far this home has seen the ledger (raises as `write_head`).

    A second witness beside the head: an older copy of the head put back shows. It is not flushed to
    disk before it counts: what a power cut loses of it is written again with the next entry.
    """
    file = seen_file(head_file)
    # Two threads of one process write, too: each has a part of its own.
    part = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        part.write_text(canonical_json({"seq": seq, "hash": own_hash}), encoding="ascii")
        part.replace(file)
    except OSError as error:
        raise _unwritable(file, error) from None


def traces_beside(head_file: HeadFile) -> tuple[str, ...]:
    """What stands beside a head file only after a ledger was opened there."""
    home = in_home(head_file).parent
    names = [seen_file(head_file).name, "audit.key", "alerts.jsonl", "dossiers"]
    found = [name for name in names if (home / name).exists()]
    parts = next((home / "evidence").glob("**/*.parquet"), None)
    shared = [] if isinstance(head_file, Path) else _traces_at(head_file)
    return (*found, *(["evidence"] if parts is not None else []), *shared)


def write_head(file: HeadFile, head: Head) -> None:
    """Put a head in place of the old one (ServiceUnreachable: disk or folder cannot be written)."""
    if not isinstance(file, Path):
        _shared(file, lambda: file.store.put(file.name, _text(head)))
        return
    try:
        write_atomically(file, lambda opened: opened.write(_text(head)))
    except OSError as error:
        raise _unwritable(file, error) from None


def write_first_head(file: HeadFile) -> None:
    """The head of an empty ledger, never over one that is there (raises as above).

    An object store knows no "never over": of two first starts of a team at once one may put the head
    back to the beginning, which shows on other machines until the next entry writes it again.
    """
    if not isinstance(file, Path):
        begun = _text(Head(0, GENESIS_HASH, RefusalTally()))
        _shared(file, lambda: file.store.put_new(file.name, begun))
        return
    try:
        first = written_beside(
            file.parent, lambda opened: opened.write(_text(Head(0, GENESIS_HASH, RefusalTally())))
        )
        try:
            os.link(first, file)  # unlike a rename, never over an existing head
        except FileExistsError:
            return  # another first start was quicker, and its head may already be further on
        finally:
            first.unlink(missing_ok=True)
        sync_folder(file.parent)
    except OSError as error:
        raise _unwritable(file, error) from None


def _shared(file: SharedFile, write: Callable[[], None]) -> None:
    try:
        write()
    except ServiceUnreachable as silent:
        raise ServiceUnreachable(
            f"{silent} What the ledger already recorded stands, and the next entry repairs the head."
        ) from None


def _traces_at(head_file: SharedFile) -> list[str]:
    """What a team's store holds only after its ledger was used."""
    folders = ("alerts", "dossiers", "evidence", "models")
    return [f"{one} at the shared store" for one in folders if head_file.store.names(one)]


def _read(file: HeadFile) -> dict[str, Any]:
    """A JSON object in a file; empty where there is none."""
    try:
        if isinstance(file, Path):
            said = json.loads(file.read_text(encoding="ascii"))
        else:
            said = json.loads((file.store.get(file.name) or b"").decode("ascii"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _mark(said: Mapping[str, Any]) -> tuple[int, str] | None:
    """A place and a hash that can belong together: the beginning has zeros, and only it has."""
    seq, own_hash = said.get("seq"), said.get("hash")
    if isinstance(seq, bool) or not isinstance(seq, int) or seq < 0 or not is_sha256(own_hash):
        return None
    return (seq, str(own_hash)) if (seq == 0) == (own_hash == GENESIS_HASH) else None


def _text(head: Head) -> bytes:
    tally = head.refusals
    told = {} if tally is None else {"refusals": {"last": tally.last, "hash": tally.chain}}
    return canonical_json({"seq": head.seq, "hash": head.own_hash, **told}).encode("ascii")


def _unwritable(head_file: Path, error: OSError) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"The head file {head_file} cannot be written: {error.strerror}. What the ledger already "
        "recorded stands; free the disk or the folder, and the next entry repairs the head."
    )
