"""How much audit does the next proof take, what does the budget allow, and does the plan keep its word?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boundary import Evidence, certify
from models.boundary.audit_plan import PlannedAudit, plan_audit
from models.hub import AuditPlan
from models.vocabulary import AuditBudget, Boundary, CertificateVerdict, Targets
from tests.models.boundary.worlds import audited, cut_where, seen_as, true_recall, world

RECALL = Targets(recall=0.99)
CUT = cut_where(true_recall, 0.997)
"""Three tenths of what is allowed is missed at this cut."""

PAST = Evidence.from_frame(world(np.random.default_rng(1), 30_000))
"""30,000 simulated cases, all reviewed; taken as 30 days of 1,000 a day."""


def planned(
    reviews: float,
    days: float,
    levels: int = 1,
    targets: Targets = RECALL,
    boundary: Boundary | None = None,
) -> PlannedAudit:
    budget = AuditBudget(reviews, days, levels)
    return plan_audit(PAST, targets, boundary or Boundary(CUT, None), budget, 30.0)


def test_the_floor_certifies_in_four_of_five_worlds_within_the_days_asked() -> None:
    """50 simulated worlds audited at the floor for the 24 days asked (24,000 cases). At a power of
    .8 fewer than 33 successes have a probability of 1 %."""
    plan = planned(reviews=2_000, days=24)
    assert plan.pass_floor == plan.rate
    assert plan.within_budget
    certified = 0
    for seed in range(50):
        generator = np.random.default_rng(1_000 + seed)
        seen = audited(world(generator, 24_000), CUT, plan.rate, generator)
        found = certify(seen, RECALL, Boundary(CUT, None))
        certified += found.verdict is CertificateVerdict.CERTIFIED
    assert certified >= 33


def test_half_the_floor_fails_in_most_worlds() -> None:
    """The lowest rate is not just *a* sufficient one. The plan's own reckoning: half of it takes
    twice the days, and within the days asked 20 simulated worlds rarely succeed."""
    rate = planned(reviews=2_000, days=24).rate / 2
    certified = 0
    for seed in range(20):
        generator = np.random.default_rng(2_000 + seed)
        seen = audited(world(generator, 24_000), CUT, rate, generator)
        found = certify(seen, RECALL, Boundary(CUT, None))
        certified += found.verdict is CertificateVerdict.CERTIFIED
    assert certified <= 10


def test_a_budget_below_the_floor_is_said_plainly_with_the_days_it_takes() -> None:
    """The rate is what the budget buys, and the days grow in proportion: labels are the price."""
    enough = planned(reviews=2_000, days=30)
    short = planned(reviews=enough.reviews_per_day / 2, days=30)
    assert not short.within_budget
    assert short.rate == pytest.approx(enough.rate / 2, abs=0.001)
    assert short.pass_floor == enough.pass_floor
    assert short.reviews_per_day <= enough.reviews_per_day / 2
    assert short.days["pass"] == pytest.approx(2 * enough.days["pass"], rel=0.1)
    assert "does not allow" in short.sentences[1]
    assert f"after {short.days['pass']:,.0f} days, later than asked" in short.sentences[2]


def test_days_that_even_full_review_cannot_keep_have_no_floor() -> None:
    """Three days bring some 240 bad cases; no rate proves 99 % on them."""
    plan = planned(reviews=2_000, days=3)
    assert (plan.rate, plan.pass_floor) == (1.0, None)
    assert plan.days["pass"] > 3
    assert "later than asked" in plan.sentences[-1]


def test_blocks_have_a_floor_of_their_own() -> None:
    """Precision needs few labels a block, recall many a pass; one rate for both would waste."""
    both = Targets(precision=0.95, recall=0.99)
    plan = planned(2_000, 60, targets=both, boundary=Boundary(CUT, 0.95))
    assert plan.pass_floor is not None
    assert plan.block_floor is not None
    assert plan.block_floor < plan.pass_floor
    assert (plan.rate, plan.block_rate) == (plan.pass_floor, plan.block_floor)
    blocks = planned(2_000, 60, targets=both, boundary=Boundary(None, 0.95))
    assert (blocks.steps, blocks.block_rate, blocks.rate) == ((), None, blocks.block_floor)
    assert set(blocks.days) == {"block"}


def test_two_levels_spend_the_rest_where_misses_are_likelier_and_prove_no_sooner_for_it() -> None:
    """Both levels lie at or above the floor and within the budget; as the stratified test must take
    every error as made where sampling is thinnest, one rate at the same cost proves sooner."""
    one = planned(reviews=2_000, days=60)
    budget = 1.5 * one.reviews_per_day
    two = planned(reviews=budget, days=60, levels=2)
    ((top, low),) = two.steps
    assert 0.0 < top < CUT
    assert one.rate <= low < two.rate
    assert two.reviews_per_day == pytest.approx(budget, rel=0.01)
    assert two.reviews_per_day <= budget
    flat = planned(reviews=budget, days=one.days["pass"] * one.reviews_per_day / budget)
    assert flat.reviews_per_day == pytest.approx(budget, rel=0.05)
    assert flat.days["pass"] < two.days["pass"]


def test_key_users_are_neither_sampled_nor_counted() -> None:
    """Half of the cases become key users': the same number of audits is paid for half the cases,
    and no review of theirs is part of the budget."""
    key_users = np.arange(len(PAST)) % 2 == 0
    half = replace(PAST, automatable=~key_users)
    plan = plan_audit(half, RECALL, Boundary(CUT, None), AuditBudget(2_000, 90), 30.0)
    free = int((half.automatable & (half.score <= CUT)).sum())
    assert plan.reviews_per_day == pytest.approx(plan.rate * free / 30.0)


@settings(max_examples=6, deadline=None)
@given(
    st.floats(1.0, 3_000.0),
    st.floats(5.0, 400.0),
    st.sampled_from([1, 2]),
    st.sampled_from([(CUT, None), (None, 0.9), (CUT, 0.9)]),
)
def test_every_plan_is_a_valid_plan_within_its_budget(
    reviews: float, days: float, levels: int, sides: tuple[float | None, float | None]
) -> None:
    """Whatever is asked, a policy can hold the answer, and a budget is not overrun (a rate of a
    thousandth is never cut: some 1.5 cases a day)."""
    both = Targets(precision=0.95, recall=0.99)
    plan = planned(reviews, days, levels, both, Boundary(*sides))
    AuditPlan(plan.rate, steps=plan.steps, block_rate=plan.block_rate)
    assert plan.reviews_per_day <= max(reviews, 1.5) + 1e-9
    assert all(count > 0.0 for count in plan.days.values())
    assert plan.within_budget or "does not allow" in plan.sentences[1]


@pytest.mark.parametrize(
    ("evidence", "boundary", "days", "why"),
    [
        (PAST, Boundary.everything_reviewed(), 30.0, "nothing to sample"),
        (PAST, Boundary(CUT, None), 0.0, "traffic is unknown"),
        (seen_as([0.1, 0.9], [None, None], 0.5), Boundary(0.2, None), 30.0, "none is labelled"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_what_would_work(
    evidence: Evidence, boundary: Boundary, days: float, why: str
) -> None:
    """No cases to sample, no traffic, no truth."""
    with pytest.raises(ValueError, match=why):
        plan_audit(evidence, RECALL, boundary, AuditBudget(100), days)
