"""Which boundaries fell for cause, what took their place, and since when had the fallen one passed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.hub.record.entries import CHANGES_THE_LIVE_POLICY, Entry, EntryKind
from models.hub.record.readers import of

REFUTED = "incumbent_uncertified"
"""In a narrowing's dossier: the verdict that narrowed it. An expiry and audits without labels narrow,
too, and find nothing against what was decided."""


@dataclass(frozen=True, slots=True)
class Fall:
    """A boundary that was refuted, rolled back, or narrowed because it was refuted.

    Attributes:
        seq, at, kind, actor: of the ledger entry that left it.
        fallen, left: the policies before and after.
        why: what the entry says.
        lives: the policies that were live before, newest first, each with the moment it became so; the
            fallen one is the first.
    """

    seq: int
    at: datetime
    kind: EntryKind
    actor: str
    fallen: str
    left: str
    why: str
    lives: tuple[tuple[str, datetime], ...]


def falls_of(history: Sequence[Entry], case_type: str) -> tuple[Fall, ...]:
    """The falls of one case type, oldest first."""
    falls: list[Fall] = []
    lives: list[tuple[str, datetime]] = []
    for entry in of(history, case_type):
        if entry.kind not in CHANGES_THE_LIVE_POLICY or entry.policy_id is None:
            continue
        if lives and _for_cause(entry):
            falls.append(
                Fall(
                    seq=entry.seq,
                    at=entry.at,
                    kind=entry.kind,
                    actor=entry.actor,
                    fallen=lives[-1][0],
                    left=entry.policy_id,
                    why=str(
                        entry.dossier.get("reason") or " ".join(entry.dossier.get("reasons", []))
                    ),
                    lives=tuple(reversed(lives)),
                )
            )
        lives.append((entry.policy_id, entry.at))
    return tuple(falls)


def _for_cause(entry: Entry) -> bool:
    if entry.kind is EntryKind.NARROWED:
        return bool(entry.dossier.get("verdict") == REFUTED)
    return entry.kind is EntryKind.ROLLED_BACK
