"""Is a plan of audits spelled in one way, kept whole by a policy, and read case by case?"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hub import AuditPlan, Policy
from models.vocabulary import Boundary
from tests.models.hub.policies.test_policy import SHARES, a_policy

END = datetime(2026, 3, 1, tzinfo=UTC)
STEPPED = AuditPlan(0.1, "audit-1", steps=((0.02, 0.03),), block_rate=0.5)


def test_a_plan_of_one_rate_is_spelled_as_before_there_were_steps():
    """Policies in ledgers hold rate and key alone; their names must not change."""
    document = a_policy().document()
    assert document["audit"] == {"rate": 0.05, "salt_id": "audit-1"}
    assert Policy.from_document(document).policy_id == a_policy().policy_id


def test_a_plan_with_steps_round_trips_and_has_a_name_of_its_own():
    """Steps and the blocks' rate are part of the policy's name."""
    policy = a_policy(audit=STEPPED)
    assert '"audit":{"block_rate":0.5,"rate":0.1,"salt_id":"audit-1","steps":[[0.02,0.03]]}' in (
        policy.canonical()
    )
    assert Policy.from_canonical(policy.canonical()) == policy
    assert policy.policy_id != a_policy(audit=AuditPlan(0.1)).policy_id


@given(
    st.lists(SHARES, unique=True, max_size=4).map(sorted),
    st.lists(st.floats(0.0, 1.0, exclude_min=True), unique=True, min_size=6, max_size=6),
    st.lists(SHARES, min_size=1, max_size=20),
)
def test_each_case_takes_the_first_step_that_reaches_its_score(tops, rates, scores):
    """Against the plain reading of the plan, case by case; blocks have their own rate."""
    plan = AuditPlan(rates[4], steps=tuple(zip(tops, rates, strict=False)), block_rate=rates[5])
    scores = [*scores, *tops, 0.8]  # the edges themselves
    found = plan.rates(np.array(scores), Boundary(None, 0.8))
    for score, rate in zip(scores, found, strict=True):
        step = next((one for top, one in plan.steps if score <= top), plan.rate)
        assert rate == (plan.block_rate if score >= 0.8 else step)
    again = AuditPlan.from_document(json.loads(json.dumps(plan.document())))
    assert again == plan


def test_a_case_without_a_score_has_the_plain_rate():
    """It is never decided automatically, so the rate is only there to be a probability."""
    assert STEPPED.rates(np.array([np.nan]), Boundary(0.1, 0.9)).tolist() == [0.1]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"steps": ((0.2, 0.1), (0.2, 0.3))}, "rising"),
        ({"steps": ((0.1, 0.05),)}, "repeat a rate"),
        ({"steps": ((1.5, 0.1),)}, "score in"),
        ({"steps": ((0.1, 0.0),)}, "must lie in"),
        ({"steps": ((0.1,),)}, "a pair"),
        ({"block_rate": 0.05}, "leave it out"),
        ({"block_rate": 1.5}, "must lie in"),
    ],
)
def test_steps_that_do_not_rise_or_say_nothing_are_refused(said, why):
    """One plan, one spelling, one policy name."""
    with pytest.raises(ValueError, match=why):
        AuditPlan(0.05, **said)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"steps": []}, "missing key 'block_rate'"),
        ({"steps": [], "block_rate": None}, "written without them"),
        ({"steps": 3, "block_rate": None}, "list of pairs"),
    ],
)
def test_a_document_with_half_a_plan_is_refused(more, why):
    """Either both keys or none, and never both empty."""
    document = a_policy().document()
    document["audit"] |= more
    with pytest.raises(ValueError, match=why):
        Policy.from_document(document)


def test_a_sprint_stands_in_the_name_of_its_policy_and_in_no_other():
    """Written only where there is one; a moment in another zone is the same moment."""
    plan = AuditPlan(0.05, sprint_rate=0.5, sprint_until=END)
    policy = a_policy(audit=plan)
    assert policy.document()["audit"] == {
        "rate": 0.05,
        "salt_id": "audit-1",
        "sprint_rate": 0.5,
        "sprint_until": "2026-03-01T00:00:00.000000+00:00",
    }
    assert Policy.from_canonical(policy.canonical()) == policy
    both = a_policy(audit=replace(STEPPED, sprint_rate=0.5, sprint_until=END))
    assert Policy.from_canonical(both.canonical()) == both


def test_the_rate_in_force_is_that_of_the_moment_of_the_decision():
    """Raised to the sprint's rate before its end, whatever the score; at the end it is over."""
    plan = replace(STEPPED, sprint_rate=0.4, sprint_until=END)
    decided_at = pd.Series([END - timedelta(microseconds=1), END]).astype("datetime64[us, UTC]")
    assert plan.sprints(decided_at).tolist() == [True, False]
    assert (plan.sprints_at(END - timedelta(seconds=1)), plan.sprints_at(END)) == (True, False)
    boundary, scores = Boundary(0.1, 0.9), np.array([0.01, 0.05, 0.95])
    assert plan.rates(scores, boundary).tolist() == [0.03, 0.1, 0.5]
    assert plan.rates(scores, boundary, True).tolist() == [0.4, 0.4, 0.5]
    assert plan.rates(scores, boundary, np.array([True, False, True])).tolist() == [0.4, 0.1, 0.5]
    assert STEPPED.rates(scores, boundary, True).tolist() == [0.03, 0.1, 0.5]


@given(
    st.lists(st.floats(0.01, 1.0), unique=True, min_size=3, max_size=3),
    st.floats(0.01, 1.0),
    st.booleans(),
    st.sampled_from([Boundary(0.3, 0.8), Boundary(0.3, None), Boundary(None, 0.8)]),
)
def test_below_the_cohorts_rate_every_automatic_decision_is_audited(
    rates, sprint, within, boundary
):
    """By the second road: the least designed rate over all scores that the boundary decides, and over
    those that it blocks, is never below the cohort's."""
    plain, step, block = rates
    plan = AuditPlan(plain, steps=((0.1, step),), block_rate=block)
    if sprint > min(rates):
        plan = replace(plan, sprint_rate=sprint, sprint_until=END)
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    scores = np.linspace(0.0, 1.0, 101)
    passed = scores <= (-1.0 if low is None else low)
    blocked = scores >= (2.0 if high is None else high)
    designed = plan.rates(scores, boundary, within)
    cohort, of_blocks = plan.cohort_rates(boundary, sprinting=within)
    assert cohort <= designed[passed | blocked].min()
    assert of_blocks <= designed[blocked].min(initial=1.0)
    if passed.any():
        assert cohort == designed[passed | blocked].min()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"sprint_rate": 0.5}, "needs both"),
        ({"sprint_until": END}, "needs both"),
        ({"sprint_rate": 0.05, "sprint_until": END}, "raises no rate"),
        ({"sprint_rate": 1.5, "sprint_until": END}, "must lie in"),
        ({"sprint_rate": 0.5, "sprint_until": END.replace(tzinfo=None)}, "no time zone"),
    ],
)
def test_a_sprint_without_an_end_or_an_effect_is_refused(said, why):
    with pytest.raises(ValueError, match=why):
        AuditPlan(0.05, **said)


def test_a_document_with_half_a_sprint_is_refused():
    document = a_policy().document()
    document["audit"] |= {"sprint_rate": 0.5}
    with pytest.raises(ValueError, match="missing key 'sprint_until'"):
        Policy.from_document(document)
    document["audit"] |= {"sprint_until": 3}
    with pytest.raises(ValueError, match="UTC stamp as text"):
        Policy.from_document(document)
