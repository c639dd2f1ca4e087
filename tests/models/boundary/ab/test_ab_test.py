"""An A/B judged from all its rows, at any look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.boundary import AbDesign, AbJudgement, AbRows, AbVerdict, judge_ab
from models.vocabulary import AbPlan, Boundary, Targets
from tests.models.boundary.ab_worlds import BLOCK, DESIGN, PASS, PLAN, REVIEW, WIDENED, ab_table

TABLE = ab_table(12_000, seed=1)


def judged(
    table: pd.DataFrame, days: float = 28.0, plan: AbPlan = PLAN, design: AbDesign = DESIGN
) -> AbJudgement:
    return judge_ab(plan, design, AbRows.from_frame(table), days)


def proofs(found: AbJudgement) -> dict[str, bool]:
    return {one.claim: one.proven for one in found.proofs}


def test_a_better_boundary_is_promoted_and_says_what_is_proven() -> None:
    """Simulated, 12,000 cases: all four claims are true by a wide margin."""
    found = judged(TABLE)
    assert found.verdict is AbVerdict.PROMOTE
    assert proofs(found) == dict.fromkeys(
        ("automation", "precision", "recall", "precision_margin"), True
    )
    assert found.arms == {
        "control": (TABLE["arm"] == "control").sum(),
        "treatment": (TABLE["arm"] == "treatment").sum(),
    }
    assert (found.days_judged, found.cases_judged, found.missing) == (28, 12_000, 0)
    assert len(found.reasons) == 4


def test_judging_all_rows_anew_each_day_is_the_sequential_process() -> None:
    """What rows known by a day show is what all rows show at that day, in any order of rows; the
    evidence never falls."""
    shuffled = TABLE.sample(frac=1.0, random_state=0)
    before = dict.fromkeys(PLAN.targets.named(), 0.0)
    for day in (1, 4, 9, 17, 28):
        known = judged(TABLE[TABLE["day"] < day], day)
        every = judged(shuffled, day)
        assert known.evidence == pytest.approx(dict(every.evidence))
        assert all(known.evidence[name] >= value for name, value in before.items())
        before = dict(known.evidence)


def test_looking_within_a_day_changes_nothing() -> None:
    """A day counts once it is over: at 9.0 and 9.99 the same is known, and nothing at 0.5."""
    assert judged(TABLE, 9.0).evidence == judged(TABLE, 9.99).evidence
    early = judged(TABLE, 0.5)
    assert (early.verdict, early.cases_judged) == (AbVerdict.CONTINUE, 0)
    assert set(early.evidence.values()) == {1.0}


def test_a_label_that_comes_late_only_adds() -> None:
    """Every fifth truth is missing at maturity and comes later."""
    short = TABLE.copy()
    short.loc[np.arange(len(short)) % 5 == 0, "bad"] = np.nan
    less, more = judged(short), judged(TABLE)
    assert less.missing > 1_000
    assert all(less.evidence[name] <= more.evidence[name] for name in more.evidence)
    assert less.evidence["recall"] < more.evidence["recall"]


@pytest.mark.parametrize(("action", "claim"), [(PASS, "recall"), (BLOCK, "precision")])
def test_a_missing_label_is_the_worst_case(action: str, claim: str) -> None:
    """Drawn and missing is as bad as an error: a miss where it was passed, a good one where blocked."""
    error = 1.0 if action == PASS else 0.0
    chosen = (TABLE["treatment_action"] == action) & (np.arange(len(TABLE)) % 7 == 0)
    missing, wrong = TABLE.copy(), TABLE.copy()
    missing.loc[chosen, "bad"] = np.nan
    wrong.loc[chosen & wrong["drawn"], "bad"] = error
    assert judged(missing).evidence[claim] == pytest.approx(judged(wrong).evidence[claim])


def test_outcomes_of_cases_nobody_drew_change_nothing() -> None:
    """They were seen because they were bad."""
    told = TABLE.copy()
    told.loc[~told["drawn"], "bad"] = 1.0
    assert judged(told).evidence == judged(TABLE).evidence


def test_immature_cases_count_for_the_split_alone() -> None:
    """Cases that mature after the horizon are assigned, and judged never."""
    later = pd.concat([TABLE, TABLE.assign(day=40.0)])
    found = judged(later, 50.0)
    assert found.evidence == judged(TABLE).evidence
    assert sum(found.arms.values()) == 24_000


@pytest.mark.parametrize(
    ("broken", "claim"),
    [
        (((REVIEW, PASS, 0.10, 0.60),), "recall"),
        (((REVIEW, BLOCK, 0.05, 0.10),), "precision"),
    ],
)
def test_a_broken_promise_stops_the_test(
    broken: tuple[tuple[str, str, float, float], ...], claim: str
) -> None:
    """A moved band full of misses, or of wrong blocks, is refuted by name before the horizon."""
    zones = tuple(next((one for one in broken if one[:2] == zone[:2]), zone) for zone in WIDENED)
    found = judged(ab_table(12_000, 2, zones), 20.0)
    assert found.verdict is AbVerdict.STOP
    assert found.refuted == (claim,)
    assert claim in found.reasons[0]


def test_where_the_control_blocks_nothing_there_is_no_precision_to_compare() -> None:
    """Automation is superior by construction; precision is held to its absolute target."""
    zones = tuple((REVIEW, *zone[1:]) if zone[0] == BLOCK else zone for zone in WIDENED)
    design = replace(DESIGN, control=Boundary(0.1, None))
    found = judged(ab_table(12_000, 3, zones), design=design)
    margin = next(one for one in found.proofs if one.claim == "precision_margin")
    assert not margin.tested
    assert found.verdict is AbVerdict.PROMOTE
    assert not any("as precise" in reason for reason in found.reasons)


def test_a_side_that_has_decided_nothing_yet_is_unproven() -> None:
    """The treatment may block, but no case came that high: that is no proof of precision."""
    zones = tuple(zone for zone in WIDENED if BLOCK not in zone)
    found = judged(ab_table(12_000, 4, zones))
    assert not proofs(found)["precision"]
    assert found.verdict is AbVerdict.STOP


def test_decisions_nobody_promised_anything_about_stop_the_test() -> None:
    """Blocks without a precision, passes without recall or a false omission rate."""
    only_recall = replace(PLAN, targets=Targets(recall=0.9))
    only_precision = replace(PLAN, targets=Targets(precision=0.9))
    assert "promises no precision" in judged(TABLE, plan=only_recall).reasons[0]
    assert "neither recall" in judged(TABLE, plan=only_precision).reasons[0]
    assert judged(TABLE, plan=only_recall).verdict is AbVerdict.STOP


def test_registered_looks_alone_are_taken_with_obrien_fleming() -> None:
    """Four looks in 28 days: what day 7 shows stands until day 14, and 28 promotes."""
    plan = replace(PLAN, method="obrien_fleming", looks=4)
    assert set(judged(TABLE, 6.0, plan).evidence.values()) == {0.0}
    assert judged(TABLE, 7.0, plan).evidence == judged(TABLE, 13.0, plan).evidence
    assert judged(TABLE, 7.0, plan).evidence != judged(TABLE, 14.0, plan).evidence
    last = judged(TABLE, 28.0, plan)
    assert last.verdict is AbVerdict.PROMOTE
    # Table 2.3 of Jennison and Turnbull 2000, two-sided .10.
    assert [round(one.needed, 3) for one in last.proofs] == [1.733] * 4


def test_rows_that_contradict_the_design_are_refused() -> None:
    """A rate below the designed one, an action a boundary cannot take, a time that is none."""
    with pytest.raises(ValueError, match=r"lowest designed rate 0\.5"):
        judged(TABLE, design=replace(DESIGN, lowest_pass_rate=0.5))
    with pytest.raises(ValueError, match="treated and moved"):
        judged(ab_table(2_000, 5, moved_rate=0.5))
    with pytest.raises(ValueError, match="control's boundary blocks nothing"):
        judged(TABLE, design=replace(DESIGN, control=Boundary(0.1, None)))
    with pytest.raises(ValueError, match="days since the registration"):
        judged(TABLE, float("nan"))
    with pytest.raises(ValueError, match="audit rate must lie in"):
        replace(DESIGN, lowest_block_rate=0.0)
