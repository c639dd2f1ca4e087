"""Which findings were told to others, and which challenger was fitted to answer each of them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from flows.verbs.ports import EvidenceStore, Ledger
from models.hub.record.entries import Entry, EntryKind
from models.vocabulary import CaseType
from models.vocabulary.finding import Finding

ANNOUNCED = "announcements"
_KEY = ("pattern_id", "generation")


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest challenger that was fitted to answer a pattern.

    Attributes:
        version: in the registry.
        at: when it was filed.
        settled_at: when it went live or a newer challenger took its place; None: it is on trial.
    """

    version: str
    at: datetime
    settled_at: datetime | None

    def stands(self, last_seen: datetime) -> bool:
        """Whether the pattern is answered: the challenger is on trial, or the pattern was not seen
        again after its trial ended."""
        return self.settled_at is None or last_seen <= self.settled_at


def answers(
    ledger: Ledger, case_types: Mapping[str, CaseType], as_of: datetime | None = None
) -> dict[str, Answer]:
    """By pattern id: the newest challenger whose lineage names it, as the ledger knew by `as_of`."""
    found = {}
    for case_type in case_types:
        entries = ledger.history(case_type, as_of)
        for entry in entries:
            if entry.kind is EntryKind.GENERATION_STARTED:
                for pattern_id in entry.dossier.get("lineage", {}).get("answers", ()):
                    settled = _settled_at(ledger, entry, entries)
                    found[str(pattern_id)] = Answer(
                        str(entry.dossier["model_version"]), entry.at, settled
                    )
    return found


def generation_number(ledger: Ledger, case_type: str) -> int:
    """The ledger version at which the newest generation of a case type was started; 0 = none."""
    started = [
        entry.version
        for entry in ledger.history(case_type)
        if entry.kind is EntryKind.GENERATION_STARTED
    ]
    return max(started, default=0)


def record_announced(
    ledger: Ledger, store: EvidenceStore, findings: Sequence[Finding], as_of: datetime
) -> None:
    """Write down that these findings were told, once per pattern and generation."""
    if not findings:
        return
    rows = pd.DataFrame(
        {
            "pattern_id": [one.pattern_id for one in findings],
            "case_type": [one.case_type for one in findings],
            "generation": [generation_number(ledger, one.case_type) for one in findings],
        }
    )
    nothing = rows.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
    store.append(ANNOUNCED, rows, nothing, key=_KEY, source="announcements", received_at=as_of)


def announced(store: EvidenceStore, as_of: datetime | None = None) -> pd.DataFrame:
    """pattern_id, generation (a ledger version) and received_at of every announcement by `as_of`."""
    return store.read(ANNOUNCED, columns=["pattern_id", "generation", "received_at"], as_of=as_of)


def _settled_at(ledger: Ledger, started: Entry, entries: Sequence[Entry]) -> datetime | None:
    """When a challenger's trial ended: it was promoted, or the next one was filed."""
    for entry in entries:
        if entry.version <= started.version:
            continue
        if entry.kind is EntryKind.GENERATION_STARTED:
            return entry.at
        if entry.kind is EntryKind.PROMOTED:
            live = ledger.policy(str(entry.policy_id))
            if live.model_digest == started.evidence_digest:
                return entry.at
    return None
