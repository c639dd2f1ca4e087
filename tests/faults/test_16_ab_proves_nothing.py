"""An A/B too small, peeked at, tied, or with a broken split: "not proven", no promotion (FAULTS 16).

Injected: simulated trials of each kind, one of them looked at every day.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.boundary import AbRows, AbVerdict, SequentialComparison, judge_ab
from models.vocabulary import AbPlan
from tests.models.boundary.ab_worlds import DESIGN, PLAN, REVIEW, WIDENED, ab_table

NOT_WIDER = tuple((zone[0], zone[0], *zone[2:]) for zone in WIDENED)
LOOKS = replace(PLAN, method="obrien_fleming", looks=4)


@pytest.mark.parametrize("plan", [PLAN, LOOKS], ids=["betting", "looks"])
def test_too_small(plan: AbPlan) -> None:
    """200 flawless cases continue until the horizon, and are then not proven."""
    rows = AbRows.from_frame(ab_table(200, seed=1))
    assert judge_ab(plan, DESIGN, rows, 27.0).verdict is AbVerdict.CONTINUE
    last = judge_ab(plan, DESIGN, rows, 28.0)
    assert last.verdict is AbVerdict.STOP
    assert "horizon of 28 days is over" in last.reasons[0]
    assert all(reason.startswith("Not proven") for reason in last.reasons[1:])


@pytest.mark.parametrize("plan", [PLAN, LOOKS], ids=["betting", "looks"])
@pytest.mark.parametrize("margin", [0.0, 0.15])
def test_a_tie(plan: AbPlan, margin: float) -> None:
    """A policy like today's, or one that gains its margin exactly (.15), is looked at on every
    day and never promoted. At the exact margin either method may err once in twenty; not here."""
    zones = WIDENED if margin else NOT_WIDER
    rows = AbRows.from_frame(ab_table(12_000, 2, zones))
    tied = replace(plan, automation_margin=margin)
    verdicts = [judge_ab(tied, DESIGN, rows, day).verdict for day in range(29)]
    assert AbVerdict.PROMOTE not in verdicts
    assert verdicts[-1] is AbVerdict.STOP


def test_peeked_at() -> None:
    """400 simulated tests without an effect on a plain outcome, looked at 28 times each: a
    z-test asked at every look would promote about a quarter (more than 60), a comparison here one in
    twenty at most (fewer than 36: probability .0005 otherwise)."""
    rng = np.random.default_rng(16)
    cases = 50 * np.arange(1, 29)
    by_z = by_betting = 0
    for _ in range(400):
        control, treatment = rng.random((2, 28, 50)) < 0.3
        low, high = (arm.sum(axis=1).cumsum() / cases for arm in (control, treatment))
        spread = np.sqrt((low * (1 - low) + high * (1 - high)) / cases)
        by_z += bool(((high - low) > 1.645 * spread).any())
        # One look at all of them reads the capital after every pair: no schedule peeks more.
        shown = SequentialComparison().observe(control.ravel(), treatment.ravel())
        by_betting += shown.verdict is AbVerdict.PROMOTE
    assert by_z > 60
    assert by_betting < 36


def test_a_peeked_z_test_cannot_be_asked_for() -> None:
    """Neither by its name nor as O'Brien-Fleming without looks registered in advance."""
    with pytest.raises(ValueError, match=r"looked at daily errs in \.23"):
        replace(PLAN, method="z_test")
    with pytest.raises(ValueError, match="looks are given with obrien_fleming"):
        replace(PLAN, method="obrien_fleming")


def test_a_broken_split() -> None:
    """Every claim is proven, but treated cases whose review was hard were lost: it stops, and the
    reason names the split."""
    table = ab_table(12_000, seed=1)
    sound = judge_ab(PLAN, DESIGN, AbRows.from_frame(table), 28.0)
    hard = (table["arm"] == "treatment") & (table["treatment_action"] == REVIEW)
    table = table[~(hard & (np.arange(len(table)) % 4 == 0))]
    found = judge_ab(PLAN, DESIGN, AbRows.from_frame(table), 28.0)
    assert sound.verdict is AbVerdict.PROMOTE
    assert all(one.proven for one in found.proofs)
    assert found.verdict is AbVerdict.STOP
    assert found.split_p_value < 0.001
    assert "split is broken" in found.reasons[0]


def test_labels_that_never_came() -> None:
    """With half of the treated moved cases still unlabelled at the horizon nothing is promoted."""
    table = ab_table(12_000, seed=1)
    moved = table["control_action"] != table["treatment_action"]
    table.loc[moved & (np.arange(len(table)) % 2 == 0), "bad"] = np.nan
    found = judge_ab(PLAN, DESIGN, AbRows.from_frame(table), 28.0)
    assert found.verdict is AbVerdict.STOP
    assert found.refuted == ()
