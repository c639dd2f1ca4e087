"""Which boundary, and which policy, decides less than another?"""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.boundary.decision.audit import audit_key
from models.boundary.decision.decide import decide
from models.hub import AuditPlan, Overrides, decides_nothing, is_narrower, why_wider
from models.hub.policies.deciding import rule_of, why_withheld
from models.vocabulary import Boundary, Costs, Pattern
from models.vocabulary.pattern import PatternCondition
from tests.hub import MIDDLE, NOW, THIN, WIDE

DAY = timedelta(days=1)
NIGHT_ABROAD = Pattern(
    "night_abroad", (PatternCondition("hour", "at_most", 5), PatternCondition("far", "is", True))
)
ABROAD = Pattern("abroad", (PatternCondition("far", "is", True),))
TODAY = replace(
    MIDDLE,
    audit=AuditPlan(0.1, steps=((0.1, 0.2),), block_rate=0.3),
    overrides=Overrides(70, 1_000.0, (NIGHT_ABROAD,)),
    valid_until=NOW + 30 * DAY,
)


def of(**changes):
    return replace(TODAY, **changes)


WIDER = {
    "passes more": (of(boundary=Boundary(0.21, 0.8)), "it passes more"),
    "blocks more": (of(boundary=Boundary(0.2, 0.79)), "it blocks more"),
    "a side it has not": (of(boundary=Boundary(0.1, 0.5)), "it blocks more"),
    "another model": (of(model_digest="b" * 64), "another model's"),
    "another calibration": (of(calibration={"slope": 2.0}), "calibrated in another way"),
    "lasts longer": (of(valid_until=NOW + 31 * DAY), "its certificate lasts longer"),
    "never expires": (of(valid_until=None), "its certificate never expires"),
    "fewer key users": (of(overrides=replace(TODAY.overrides, key_user_priority=71)), "key users"),
    "larger amounts": (
        of(overrides=replace(TODAY.overrides, never_auto_pass_above_usd=1_001.0)),
        "it passes larger amounts",
    ),
    "any amount": (
        of(overrides=replace(TODAY.overrides, never_auto_pass_above_usd=None)),
        "it passes larger amounts",
    ),
    "a pattern less": (of(overrides=replace(TODAY.overrides, senior_patterns=())), "night_abroad"),
    "a lower rate": (of(audit=AuditPlan(0.09, steps=((0.1, 0.2),), block_rate=0.3)), "audited"),
    "a lower step": (of(audit=AuditPlan(0.1, steps=((0.1, 0.15),), block_rate=0.3)), "audited"),
    "a shorter step": (of(audit=AuditPlan(0.1, steps=((0.09, 0.2),), block_rate=0.3)), "audited"),
    "blocks audited less": (of(audit=AuditPlan(0.1, steps=((0.1, 0.2),))), "audited"),
}
NOT_WIDER = {
    "itself": TODAY,
    "decides nothing": of(model_digest="b" * 64, boundary=Boundary.everything_reviewed()),
    "expired": of(model_digest="b" * 64, valid_until=NOW),
    "narrower": of(boundary=Boundary(0.19, 0.81)),
    "one side": of(boundary=Boundary(None, 0.8)),
    "more key users": of(overrides=replace(TODAY.overrides, key_user_priority=50)),
    "smaller amounts": of(overrides=replace(TODAY.overrides, never_auto_pass_above_usd=10.0)),
    "a broader pattern": of(overrides=replace(TODAY.overrides, senior_patterns=(ABROAD,))),
    "audited more": of(audit=AuditPlan(0.5)),
    "expires sooner": of(valid_until=NOW + DAY),
    "less audited where it decides nothing": of(
        boundary=Boundary(None, 0.8), audit=AuditPlan(0.05, block_rate=0.3)
    ),
}


@pytest.mark.parametrize(("policy", "said"), WIDER.values(), ids=WIDER)
def test_each_respect_in_which_a_policy_is_wider_is_named(policy, said):
    (found,) = why_wider(policy, than=TODAY, at=NOW)
    assert said in found


@pytest.mark.parametrize("policy", NOT_WIDER.values(), ids=NOT_WIDER)
def test_what_is_shown_to_be_no_wider_is_not_called_so(policy):
    assert why_wider(policy, than=TODAY, at=NOW) == ()


def test_whatever_decides_is_wider_than_a_policy_that_has_expired():
    """Today every case is reviewed, whichever boundary the expired policy has."""
    today = replace(TODAY, valid_until=NOW)
    assert decides_nothing(today, NOW)
    assert why_wider(replace(THIN, valid_until=NOW + DAY), than=today, at=NOW) == (
        "it decides cases by itself, and today every case is reviewed",
    )


RATES = st.sampled_from([0.1, 0.3, 0.6])
SIDES = st.one_of(st.none(), st.sampled_from([0.1, 0.2, 0.3]))


@st.composite
def policies(draw):
    """Of one model; boundaries, audits and overrides out of a small grid."""
    low, high = draw(SIDES), draw(SIDES)
    rate = draw(RATES)
    step = draw(st.one_of(st.none(), RATES.filter(lambda one: one != rate)))
    block = draw(st.one_of(st.none(), RATES.filter(lambda one: one != rate)))
    patterns = draw(st.sampled_from([(), (ABROAD,), (NIGHT_ABROAD,), (ABROAD, NIGHT_ABROAD)]))
    return replace(
        MIDDLE,
        boundary=Boundary(low, None if high is None else 1.0 - high),
        audit=AuditPlan(rate, steps=() if step is None else ((0.15, step),), block_rate=block),
        overrides=Overrides(
            draw(st.sampled_from([60, 75])), draw(st.sampled_from([None, 50.0, 100.0])), patterns
        ),
        valid_until=draw(st.sampled_from([None, NOW, NOW + DAY, NOW + 2 * DAY])),
    )


CASES = pd.DataFrame(
    {
        "case_id": [f"c{number:04d}" for number in range(600)],
        "priority": np.tile([10, 65, 80], 200),
        "amount_usd": np.tile([20.0, 70.0, 20.0, 200.0], 150),
        "hour": np.tile([3.0, 12.0], 300),
        "far": np.tile([False, True, True, False, False], 120),
    }
)
SCORES = np.linspace(0.0, 1.0, len(CASES))


def automatic(policy, at):
    """Which cases the policy decides by itself at a moment, and how probably each is audited."""
    stamps = pd.Series([pd.Timestamp(at)] * len(CASES))
    withheld = why_withheld(policy, stamps)
    key = audit_key("secret", "audit|ato")
    rule = rule_of(policy, SCORES, decided_at=stamps, key=key, costs=Costs(), withheld=withheld)
    reason = np.full(len(CASES), "", dtype="U24")
    told = decide(CASES, SCORES, reason, rule)
    return (told["action"] != "escalate").to_numpy(), told["propensity"].to_numpy()


@given(one=policies(), other=policies())
def test_a_policy_that_is_not_called_wider_decides_no_other_case_and_audits_no_less(one, other):
    """By the second road: the decisions themselves, today and on the days after."""
    if why_wider(one, than=other, at=NOW):
        return
    for at in (NOW, NOW + DAY, NOW + 3 * DAY):
        (decided, audited), (today, audited_today) = automatic(one, at), automatic(other, at)
        assert not (decided & ~today).any()
        assert (audited >= audited_today)[decided].all()


def test_a_narrower_boundary_moves_no_side_out():
    assert is_narrower(THIN.boundary, than=MIDDLE.boundary)
    assert not is_narrower(WIDE.boundary, than=MIDDLE.boundary)
    assert not is_narrower(Boundary(0.1, 0.7), than=MIDDLE.boundary)
    assert not is_narrower(MIDDLE.boundary, than=MIDDLE.boundary)
