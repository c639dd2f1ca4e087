"""The night: admit what came in, establish the truth, certify, propose, and file the dossier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from flows.verbs.admit import AdmittedBatch, admit_batch
from flows.verbs.certify import Judged, certify_case_type
from flows.verbs.desk import Desk
from flows.verbs.drift_watch import watch_drift
from flows.verbs.expiry import expire
from flows.verbs.generation import champion_generation, current_generation
from flows.verbs.guardrail import guard_live_policies
from flows.verbs.propose import act_on, waiting
from flows.verbs.review_desk import review_desk
from flows.verbs.review_marks import WINDOW_DAYS as MARKS_DAYS
from flows.verbs.review_marks import review_marks
from flows.verbs.second_reviews import second_reviews
from flows.verbs.tickets import file_findings, last_triage, open_tickets
from flows.verbs.triage import Triaged, triage
from flows.verbs.truth import Book, load_book
from models.hub.entries import Entry, EntryKind


@dataclass(frozen=True)
class Delivery:
    """Rows for one table from one named source, and how far that source was read."""

    table: str
    rows: pd.DataFrame = field(repr=False)
    source: str
    watermark: datetime | None = None


@dataclass(frozen=True)
class Guarded:
    """What the guard found and did: the alarms, and the ledger entries that answered."""

    alarms: tuple[Judged, ...] = ()
    entries: tuple[Entry, ...] = ()


# Reviews and outcomes refer to decisions, so those come first.
TABLES = ("decisions", "outcomes", "reviews")


def admit_deliveries(
    desk: Desk,
    deliveries: Sequence[Delivery],
    as_of: datetime,
) -> list[AdmittedBatch]:
    """Admit what was delivered, in the order the tables refer to each other."""
    return [
        admit_batch(desk, one.table, one.rows, as_of, source=one.source, watermark=one.watermark)
        for one in sorted(deliveries, key=lambda one: TABLES.index(one.table))
        if len(one.rows)
    ]


def earliest_evidence(desk: Desk, as_of: datetime) -> datetime | None:
    """Before this instant no case speaks for or against any model under test; None: all may."""
    generations = [current_generation(desk, case_type) for case_type in desk.case_types]
    champions = [champion_generation(desk, case_type) for case_type in desk.case_types]
    if None in generations:
        return None
    since = [one.evidence_since for one in [*generations, *champions] if one is not None]
    # Marks and the review desk look four weeks back whatever the evidence.
    return min(*since, as_of - timedelta(days=MARKS_DAYS))


def guard(desk: Desk, book: Book) -> Guarded:
    """What protects the live policies, before anything is widened: evidence starts again where it
    drifted, an expired certificate narrows, a refuted boundary is rolled back."""
    for case_type in desk.case_types:
        watch_drift(desk, book, case_type)
    expired = expire(desk, book.as_of)
    tripped = guard_live_policies(desk, book)
    answers = [entry for one in tripped for entry in one.entries]
    return Guarded(tuple(one.alarm for one in tripped), (*expired, *answers))


def judge_case_types(desk: Desk, book: Book) -> list[Judged]:
    """One certificate for every case type."""
    return [certify_case_type(desk, book, case_type) for case_type in desk.case_types]


def find_causes(desk: Desk, book: Book) -> list[Triaged]:
    """Why each case type's model erred, filed as findings; nothing while triage is not due."""
    last = last_triage(desk, book.as_of)
    days = None if last is None else book.as_of.date() - last.date()
    # The same night again is triaged again: rows may have come since.
    if days is not None and timedelta(0) < days < desk.triage_every:
        return []
    causes = triage(desk, book)
    file_findings(desk, [finding for one in causes for finding in one.findings], book.as_of)
    return causes


def run_night(
    desk: Desk,
    deliveries: Sequence[Delivery],
    as_of: datetime,
    *,
    before_judging: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """One whole night in plain calls; the flow runs the same verbs as tasks.

    A failed batch stops the night: what was sound stays stored, nothing is trained or certified.

    Args:
        before_judging: called once everything is admitted (a walk retrains there).
    """
    batches = admit_deliveries(desk, deliveries, as_of)
    if any(batch.failed for batch in batches):
        return stopped_dossier(as_of, batches)
    if before_judging is not None:
        before_judging()
    book = load_book(desk, as_of, earliest_evidence(desk, as_of))
    guarded = guard(desk, book)
    judged = judge_case_types(desk, book)
    changes = [act_on(desk, one, as_of) for one in judged]
    causes = find_causes(desk, book)
    filed = [entry for entry in changes if entry is not None]
    return dossier(desk, book, batches, guarded, judged, filed, causes)


def dossier(
    desk: Desk,
    book: Book,
    batches: list[AdmittedBatch],
    guarded: Guarded,
    judged: list[Judged],
    changes: list[Any],
    causes: Sequence[Triaged] = (),
) -> dict[str, Any]:
    """The night's result as plain values: counts, certificates, findings, proposals."""
    return {
        "as_of": book.as_of.isoformat(),
        "stopped": False,
        "rows_admitted": sum(batch.admitted for batch in batches),
        "rows_quarantined": sum(batch.quarantined for batch in batches),
        "batches": [batch.counts() for batch in batches],
        "certificates": [
            *(one.summary() for one in guarded.alarms),
            *(one.summary() for one in judged),
        ],
        "entries": [
            {"case_type": e.case_type, "kind": e.kind.value, "policy_id": e.policy_id}
            for e in (*guarded.entries, *changes)
        ],
        "drift": [
            {
                "case_type": e.case_type,
                "since": e.dossier["evidence_since"],
                "why": e.dossier["why"],
            }
            for case_type in desk.case_types
            for e in desk.ledger.history(case_type)
            if e.kind is EntryKind.EVIDENCE_RESTARTED and e.at == book.as_of
        ],
        "second_reviews": second_reviews(desk, book).to_dict("records"),
        "waiting": [
            {"case_type": e.case_type, "policy_id": e.policy_id, "proposer": e.actor}
            for case_type in desk.case_types
            for e in waiting(desk, case_type)
        ],
        "marks": review_marks(desk, book),
        "triage": [one.summary() for one in causes],
        "tickets": open_tickets(desk, book.as_of),
        "reviews": review_desk(desk, book),
    }


def stopped_dossier(as_of: datetime, batches: list[AdmittedBatch]) -> dict[str, Any]:
    """What a night says that a failed batch stopped."""
    return {
        "as_of": as_of.isoformat(),
        "stopped": True,
        "reasons": [sentence for batch in batches for sentence in batch.failed],
        "rows_admitted": sum(batch.admitted for batch in batches),
        "rows_quarantined": sum(batch.quarantined for batch in batches),
        "batches": [batch.counts() for batch in batches],
        "certificates": [],
        "entries": [],
        "waiting": [],
        "drift": [],
        "second_reviews": [],
        "marks": [],
        "triage": [],
        "tickets": [],
        "reviews": [],
    }
