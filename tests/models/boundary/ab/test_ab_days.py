"""Are the days that are named for an A/B test those that such tests take?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.boundary import AbDesign, AbRows, AbVerdict, judge_ab
from models.boundary.ab.ab_days import AB_POWER, TrialCases, trial_outlook
from models.boundary.ab.ab_rows import BLOCKED, ESCALATED, PASSED
from models.vocabulary import AbPlan, Boundary
from tests.models.boundary.ab_worlds import AUDIT, BLOCK, DESIGN, PASS, PLAN, WIDENED, ab_table

LOOKS = replace(PLAN, method="obrien_fleming", looks=4)
PLACES = {PASS: PASSED, BLOCK: BLOCKED}
HARMFUL = tuple((c, t, share, 0.6 if (c, t) == ("escalate", PASS) else bad) for c, t, share, bad in WIDENED)  # fmt: skip


def a_sample(zones: tuple = WIDENED, per_day: float = 400.0, maturity: float = 0.0) -> TrialCases:
    """10,000 cases in the zones' own proportions, all of them known."""
    parts = [
        (PLACES.get(c, ESCALATED), PLACES.get(t, ESCALATED), round(10_000 * share), bad)
        for c, t, share, bad in zones
    ]
    control, treatment = (np.repeat([part[at] for part in parts], [part[2] for part in parts]) for at in (0, 1))  # fmt: skip
    bad = np.concatenate([np.arange(count) < round(count * share) for _, _, count, share in parts])
    return TrialCases(
        control_action=control,
        treatment_action=treatment,
        known=np.ones(len(bad), dtype=bool),
        bad=bad,
        control_rate=AUDIT,
        treatment_rate=AUDIT,
        cases_per_day=per_day,
        maturity_days=maturity,
    )


@pytest.mark.parametrize(
    ("plan", "per_day"), [(PLAN, 80.0), (LOOKS, 60.0)], ids=["betting", "looks"]
)
def test_it_agrees_with_tests_that_are_judged_case_by_case(plan: AbPlan, per_day: float) -> None:
    """60 simulated tests of 28 days, judged by `judge_ab` on rows: a share of .5 has a standard error of
    .065 there and .035 here, so the two are within .22 (3 standard errors). At this traffic neither
    none nor all of them are proven."""
    planned = trial_outlook(plan, DESIGN, a_sample(per_day=per_day)).by_horizon
    judged = [
        judge_ab(plan, DESIGN, AbRows.from_frame(ab_table(int(28 * per_day), seed)), 28.0).verdict
        for seed in range(60)
    ]
    share = float(np.mean([one is AbVerdict.PROMOTE for one in judged]))
    assert 0.05 < share < 0.95
    assert planned == pytest.approx(share, abs=0.22)


@pytest.mark.parametrize("plan", [PLAN, LOOKS], ids=["betting", "looks"])
def test_the_days_named_have_the_power_promised(plan: AbPlan) -> None:
    """A plan of that horizon, asked anew with other draws: .8 within 4 standard errors (.12)."""
    days = trial_outlook(plan, DESIGN, a_sample()).days
    assert days is not None
    again = trial_outlook(replace(plan, horizon_days=days), DESIGN, a_sample(), seed=7)
    assert again.by_horizon == pytest.approx(AB_POWER, abs=0.12)


def test_more_traffic_takes_fewer_days() -> None:
    """Evidence is a matter of cases: with four times the traffic a quarter of the days, within the 5 %
    to which each is found and the noise of 200 runs."""
    slow, fast = (trial_outlook(PLAN, DESIGN, a_sample(per_day=rate)).days for rate in (50, 200))
    assert slow is not None
    assert fast is not None
    assert slow / fast == pytest.approx(4.0, rel=0.2)


def test_maturity_comes_on_top() -> None:
    """Cases of the last days before the horizon have no truth."""
    quick, late = (
        trial_outlook(PLAN, DESIGN, a_sample(maturity=days)).days for days in (0.0, 10.0)
    )
    assert quick is not None
    assert late is not None
    assert late == pytest.approx(quick + 10.0, rel=0.2)


def test_what_breaks_its_promise_is_never_proven() -> None:
    """60 % of the moved pass band are bad: no horizon helps, and recall is what lacks."""
    found = trial_outlook(PLAN, DESIGN, a_sample(HARMFUL, per_day=5_000.0))
    assert found.days is None
    assert found.by_horizon == 0.0
    assert found.hardest == "recall"


def test_what_is_left_to_people_is_not_waited_for() -> None:
    """A treatment that only passes has nothing to prove of blocks."""
    passes = tuple((c, t, s, b) for c, t, s, b in WIDENED if BLOCK not in (c, t))
    design = AbDesign(Boundary(0.1, None), Boundary(0.2, None), lowest_pass_rate=AUDIT)
    found = trial_outlook(PLAN, design, a_sample(passes))
    assert set(found.by_claim) == {"automation", "recall"}


def test_no_case_or_no_rate_is_refused() -> None:
    cases = a_sample()
    with pytest.raises(ValueError, match="no case shows"):
        trial_outlook(PLAN, DESIGN, replace(cases, known=cases.known[:0]))
    with pytest.raises(ValueError, match="audit rate"):
        trial_outlook(PLAN, DESIGN, replace(cases, control_rate=0.0))
