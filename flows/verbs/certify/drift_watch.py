"""Has what is certified become worse, or is its evidence too old? (METHODS 1.2, "Drift")

Then the evidence starts again, by an entry in the ledger that says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from configs.errors import GateRefused
from flows.verbs.certify.drift_told import told_tonight
from flows.verbs.certify.drift_windows import WholeWindows, whole_windows
from flows.verbs.certify.generation import COMPARISONS, Generation, current_generation, last_version
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.govern.submit import answered
from flows.verbs.ports import EvidenceServices, Ledger
from models.drift import certified_laws, first_change
from models.hub import Refusal, RestartEvidence
from models.hub.record.entries import Entry
from models.hub.rules.people import NIGHT
from models.vocabulary import CaseType

KEPT_OF_OLD = 0.5
"""Of `evidence_days`: how old the evidence may be that goes on where all of it became too old. Its
beginning is chosen by the clock and by no outcome, so it may speak again, in a new sequence."""


@dataclass(frozen=True)
class Drift:
    """What moved, of one case type on one night: the ledger's entry where the evidence starts again,
    and a sentence for each change that is told and ends nothing."""

    entry: Entry | None = None
    told: tuple[str, ...] = ()


def watch_drift(services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str) -> Drift:
    """Compare the whole windows of a case type's cohort, one with what came before it.

    Evidence starts again where a promise's own share has become worse (`certified_laws`), with one
    alpha for the model's whole life, or where it is older than `night.evidence_days`. Whatever else
    moved is told once.
    """
    generation = current_generation(services.ledger, services.case_types, case_type)
    windows = (
        None if generation is None else whole_windows(services, snapshot, case_type, generation)
    )
    if generation is None or windows is None:
        return Drift()
    # Before a restart, or the same change would be told of what is left and not of what was.
    told = told_tonight(services, snapshot, case_type, windows)
    found = _moved(services.ledger, services.case_types, case_type, generation, windows) or _aged(
        services.case_types, services.evidence_age, snapshot, generation, windows
    )
    return Drift(
        None if found is None else _restart(services.ledger, snapshot, generation, *found),
        tuple(told),
    )


def _moved(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    case_type: str,
    generation: Generation,
    windows: WholeWindows,
) -> tuple[datetime, dict[str, Any]] | None:
    """Where the evidence starts again as the law under test moved, and what the ledger is told."""
    hoped = windows.hoped
    low, high = hoped.pass_at_or_below, hoped.block_at_or_above
    asked = (case_type, generation.digest, generation.cohort_from, windows.number, low, high)
    quiet = _QUIET.setdefault(ledger.written, set())
    if asked in quiet:
        return None
    cases = windows.cases
    laws = certified_laws(cases, case_types[case_type].targets.named(), low, high)
    moved, made = first_change(laws, cases.sizes, made=generation.comparisons)
    if moved is None:
        quiet.add(asked)
        return None
    begins = windows.start_of(moved.window)
    why = (
        f"Evidence starts again at {begins:%Y-%m-%d}, as what is certified became worse. "
        f"{moved.sentence}"
    )
    return begins, {"why": why, "reason_code": moved.law, COMPARISONS: made}


def _aged(
    case_types: Mapping[str, CaseType],
    evidence_age: timedelta,
    snapshot: EvidenceSnapshot,
    generation: Generation,
    windows: WholeWindows,
) -> tuple[datetime, dict[str, Any]] | None:
    """The same, where the oldest evidence is older than evidence may be."""
    if snapshot.as_of - windows.oldest <= evidence_age:
        return None
    begins = snapshot.as_of - KEPT_OF_OLD * evidence_age
    cases = windows.cases
    laws = certified_laws(cases, case_types[generation.case_type].targets.named(), None, None)
    _, made = first_change(laws, cases.sizes, made=generation.comparisons)
    why = (
        f"Evidence starts again at {begins:%Y-%m-%d}: its oldest case was opened on "
        f"{windows.oldest:%Y-%m-%d}, more than {evidence_age.days} days ago "
        "(night.evidence_days)."
    )
    return begins, {"why": why, "reason_code": "age", COMPARISONS: made}


def _restart(
    ledger: Ledger,
    snapshot: EvidenceSnapshot,
    generation: Generation,
    begins: datetime,
    dossier: dict[str, Any],
) -> Entry:
    said = answered(
        ledger,
        RestartEvidence(
            case_type=generation.case_type,
            actor=NIGHT,
            base_version=last_version(ledger, generation.case_type),
            evidence_since=begins,
            dossier=dossier,
        ),
        snapshot.as_of,
    )
    if isinstance(said, Refusal):
        raise GateRefused(
            f"The evidence of {generation.case_type} was not restarted: {said.reason}"
        )
    return said


# Whole windows stay what they are, so a comparison that found nothing need not be made again.
_QUIET: WeakKeyDictionary[object, set[tuple[object, ...]]] = WeakKeyDictionary()
