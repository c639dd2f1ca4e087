"""Is a plan of audits spelled in one way, kept whole by a policy, and read case by case?"""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hub import AuditPlan, Policy
from models.vocabulary import Boundary
from tests.models.hub.test_policy import SHARES, a_policy

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
