"""Which stored cases must a night read: those that may speak for any model under test, and those that the watches look back to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from flows.verbs.certify.generation import champion_generation, current_generation
from flows.verbs.evidence.cohort_rows import reads_from
from flows.verbs.evidence.review_marks import WINDOW_DAYS as MARKS_DAYS
from flows.verbs.intake.population_watch import opened_since
from flows.verbs.ports import Ledger
from models.drift.levels import HoldPlan
from models.vocabulary import CaseType


def earliest_evidence(
    ledger: Ledger, case_types: Mapping[str, CaseType], hold_plan: HoldPlan, as_of: datetime
) -> datetime | None:
    """Before this instant no case speaks for or against any model under test; None: all may."""
    generations = [current_generation(ledger, case_types, case_type) for case_type in case_types]
    champions = [champion_generation(ledger, case_types, case_type) for case_type in case_types]
    if None in generations:
        return None
    models = [one for one in [*generations, *champions] if one is not None]
    since = [min(one.evidence_since, reads_from(ledger, one)) for one in models]
    # Marks and the review desk look four weeks back whatever the evidence; a new generation moves
    # neither a hold's rows nor what they are compared with out of sight (FAULTS 42).
    return min(
        *since,
        as_of - timedelta(days=MARKS_DAYS),
        opened_since(ledger, case_types, hold_plan, as_of),
    )
