"""Which windows end a model's evidence, and what does the ledger keep of why? Windows by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.verbs.certify import drift_watch
from flows.verbs.certify.drift_watch import watch_drift
from flows.verbs.certify.drift_windows import WholeWindows
from flows.verbs.certify.generation import current_generation
from flows.verbs.evidence.truth import EvidenceSnapshot, load_snapshot
from flows.verbs.services import Services
from models.drift import CohortWindows
from models.hub.record.entries import Entry, EntryKind
from models.vocabulary import Boundary, Targets
from tests.flows.verbs.hub_desk import DAY, NAME, NOW, hub_desk
from tests.models.drift.cohorts import cohort

WEEK = 7 * DAY
BEGINS = NOW - 12 * WEEK
HOPED = Boundary(0.05, 0.9)
MOVES = [0.0] * 6 + [0.6] * 6


def simulated(**moves: list[float]) -> CohortWindows:
    """Twelve simulated weeks of 2,000 cases."""
    return cohort(np.random.default_rng(1), 2_000, 12, **moves)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return hub_desk(tmp_path)


@pytest.fixture
def snapshot(services: Services) -> EvidenceSnapshot:
    return load_snapshot(services, NOW)


def given(
    monkeypatch: pytest.MonkeyPatch,
    services: Services,
    cases: CohortWindows,
    begins: datetime = BEGINS,
) -> None:
    """The whole windows are these cases', the first of which begins then; nothing is told."""
    rows = pd.DataFrame(
        {
            "score": cases.score,
            "bad": cases.bad.astype(float),
            "automatable": cases.automatable,
            "in_cohort": cases.member,
            "in_block_cohort": cases.block_member,
            "window": cases.window,
        }
    )
    windows = WholeWindows(services, rows, pd.Timestamp(begins), cases.windows, begins, HOPED)
    monkeypatch.setattr(drift_watch, "whole_windows", lambda *_: windows)
    monkeypatch.setattr(drift_watch, "told_tonight", lambda *_: [])


def restarted(services: Services, snapshot: EvidenceSnapshot) -> Entry:
    entry = watch_drift(services, snapshot, NAME).entry
    assert entry is not None
    assert entry.kind is EntryKind.EVIDENCE_RESTARTED
    return entry


def test_the_entry_says_what_became_worse_from_when_on(
    monkeypatch: pytest.MonkeyPatch, services: Services, snapshot: EvidenceSnapshot
) -> None:
    given(monkeypatch, services, simulated(towards=MOVES))
    told = restarted(services, snapshot).dossier
    since = datetime.fromisoformat(told["evidence_since"])
    assert abs(since - (BEGINS + 6 * WEEK)) <= WEEK
    assert told["reason_code"] == "recall"
    assert told["why"].startswith(
        f"Evidence starts again at {since:%Y-%m-%d}, as what is certified became worse. Bad cases "
        "moved towards the pass side: "
    )
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation is not None
    assert generation.cohort_from == since
    assert generation.comparisons == told["comparisons"] >= 6


@pytest.mark.parametrize(
    "moves",
    [{}, {"towards": [0.0] * 6 + [-0.6] * 6}],
    ids=["nothing moves", "bad cases move away"],
)
def test_what_is_no_worse_leaves_no_entry(
    monkeypatch: pytest.MonkeyPatch,
    services: Services,
    snapshot: EvidenceSnapshot,
    moves: dict[str, list[float]],
) -> None:
    given(monkeypatch, services, simulated(**moves))
    assert watch_drift(services, snapshot, NAME).entry is None
    assert watch_drift(services, snapshot, NAME).entry is None


@pytest.mark.parametrize(
    ("targets", "ends"),
    [
        (Targets(recall=0.9), False),
        (Targets(false_omission_rate=0.1), True),
        (Targets(precision=0.7), False),
    ],
    ids=["recall", "false omission", "precision"],
)
def test_twice_as_many_bad_cases_end_evidence_for_false_omission_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, targets: Targets, ends: bool
) -> None:
    services = hub_desk(tmp_path, targets=targets)
    given(monkeypatch, services, simulated(base_rate=[0.1] * 6 + [0.25] * 6))
    assert (watch_drift(services, load_snapshot(services, NOW), NAME).entry is not None) is ends


def test_comparisons_of_earlier_sequences_have_been_paid_for(
    monkeypatch: pytest.MonkeyPatch, services: Services, snapshot: EvidenceSnapshot
) -> None:
    """A small move that a first sequence finds; one that comes after 100,000 comparisons does not."""
    given(monkeypatch, services, simulated(towards=[0.0] * 6 + [0.35] * 6))
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation is not None
    late = replace(generation, comparisons=100_000)
    monkeypatch.setattr(drift_watch, "current_generation", lambda *_: late)
    assert watch_drift(services, snapshot, NAME).entry is None
    monkeypatch.setattr(drift_watch, "current_generation", lambda *_: replace(late, comparisons=0))
    drift_watch._QUIET.clear()
    restarted(services, snapshot)


def test_evidence_on_its_last_day_stays_and_a_day_later_its_newer_half_goes_on(
    monkeypatch: pytest.MonkeyPatch, services: Services, snapshot: EvidenceSnapshot
) -> None:
    assert services.evidence_age == timedelta(days=365)
    given(monkeypatch, services, simulated(), NOW - services.evidence_age)
    assert watch_drift(services, snapshot, NAME).entry is None
    given(monkeypatch, services, simulated(), NOW - services.evidence_age - DAY)
    told = restarted(services, snapshot).dossier
    assert datetime.fromisoformat(told["evidence_since"]) == NOW - timedelta(days=182.5)
    assert told["reason_code"] == "age"
    assert "its oldest case was opened on 2025-05-03, more than 365 days ago" in told["why"]
    assert told["comparisons"] == 11


def test_a_case_type_without_a_model_or_a_case_is_not_watched(
    monkeypatch: pytest.MonkeyPatch, services: Services, snapshot: EvidenceSnapshot
) -> None:
    monkeypatch.setattr(drift_watch, "whole_windows", lambda *_: None)
    assert watch_drift(services, snapshot, NAME) == drift_watch.Drift()
    monkeypatch.setattr(drift_watch, "current_generation", lambda *_: None)
    assert watch_drift(services, snapshot, NAME) == drift_watch.Drift()
