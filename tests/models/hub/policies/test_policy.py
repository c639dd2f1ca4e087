"""Is a policy named by its content, and does it say no to what cannot be decided by?"""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hub import AuditPlan, Overrides, Policy
from models.vocabulary import AbPlan, Boundary, Pattern, PatternCondition, Targets

SHARES = st.floats(0.0, 1.0)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def a_policy(**changes):
    said = {
        "case_type": "ato",
        "model_name": "ato-risk",
        "model_version": "7",
        "model_digest": "a" * 64,
        "calibration": {"slope": 1.1, "intercept": -0.25},
        "boundary": Boundary(0.1, 0.9),
        "audit": AuditPlan(0.05, "audit-1"),
        "valid_until": datetime(2026, 3, 1, tzinfo=UTC),
    }
    return Policy(**{**said, **changes})


CONDITIONS = st.builds(
    PatternCondition, st.text(min_size=1), st.just("at_least"), st.floats(-1e9, 1e9)
) | st.builds(PatternCondition, st.text(min_size=1), st.just("is"), st.text() | st.booleans())
AB_PLANS = st.builds(
    AbPlan,
    st.builds(Targets, st.none() | st.just(0.95), st.just(0.99)),
    treatment_share=st.floats(0.1, 0.9),
    moved_audit=st.sampled_from([((0.0, 1.0),), ((0.0, 1.0), (7.0, 0.5))]),
)


@st.composite
def policies(draw):
    low, high = sorted(draw(st.lists(SHARES, min_size=2, max_size=2, unique=True)))
    sides = [draw(st.sampled_from([low, None])), draw(st.sampled_from([high, None]))]
    limit = draw(st.none() | st.floats(0, 1e12))
    names = draw(st.lists(st.text(min_size=1), max_size=3, unique=True))
    patterns = tuple(Pattern(name, (draw(CONDITIONS),)) for name in names)
    moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]))
    return a_policy(
        case_type=draw(st.text(min_size=1)),
        calibration=draw(st.dictionaries(st.text(), NUMBERS, max_size=4)),
        boundary=Boundary(*sides),
        overrides=Overrides(draw(st.integers(0, 75)), limit, patterns),
        audit=AuditPlan(draw(st.floats(0.0, 1.0, exclude_min=True))),
        valid_until=draw(
            st.none()
            | moments.filter(lambda at: 2 < at.year < 9998)  # a shift to UTC must stay in range
        ),
        ab_plan=draw(st.none() | AB_PLANS),
    )


@given(policies())
def test_canonical_text_round_trips_to_an_equal_policy_of_the_same_id(policy):
    """Whatever the numbers, text and zone, the document alone rebuilds the policy."""
    again = Policy.from_canonical(policy.canonical())
    assert again == policy
    assert again.canonical() == policy.canonical()
    assert again.policy_id == policy.policy_id


def test_the_canonical_text_is_sorted_and_without_spaces():
    """The bytes are pinned: a change of spelling would rename every policy."""
    assert a_policy().canonical() == (
        '{"audit":{"rate":0.05,"salt_id":"audit-1"},'
        '"boundary":{"block_at_or_above":0.9,"pass_at_or_below":0.1},'
        '"calibration":{"intercept":-0.25,"slope":1.1},"case_type":"ato",'
        f'"model_digest":"{"a" * 64}","model_name":"ato-risk","model_version":"7",'
        '"overrides":{"key_user_priority":75,"never_auto_pass_above_usd":null,'
        '"senior_patterns":[]},"valid_until":"2026-03-01T00:00:00.000000+00:00"}'
    )


def test_one_instant_and_one_number_have_one_name_however_they_are_written():
    """Zones, the sign of zero, and 1 against 1.0 do not rename a policy."""
    east = datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    written = a_policy(valid_until=east, calibration={"slope": 1, "intercept": -0.0})
    assert written.policy_id == a_policy(calibration={"slope": 1.0, "intercept": 0}).policy_id


def test_any_change_renames_the_policy():
    """The id covers the boundary, the audit rate and the model."""
    changed = [
        a_policy(boundary=Boundary(0.1000001, 0.9)),
        a_policy(audit=AuditPlan(0.06)),
        a_policy(model_digest="b" * 64),
        a_policy(valid_until=None),
    ]
    assert len({policy.policy_id for policy in [a_policy(), *changed]}) == 1 + 4


def test_an_unknown_key_is_refused_by_name():
    """A document from a newer or forged version is not half understood."""
    document = {**a_policy().document(), "colour": "red"}
    with pytest.raises(ValueError, match="unknown key 'colour'"):
        Policy.from_document(document)
    nested = json.loads(a_policy().canonical())
    nested["audit"]["seed"] = 1
    with pytest.raises(ValueError, match="audit plan: unknown key 'seed'"):
        Policy.from_document(nested)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "0.5", True])
def test_what_is_not_a_finite_number_is_refused(number):
    """NaN compares false with everything: no boundary, rate or calibration may hold it."""
    with pytest.raises(ValueError, match="number"):
        a_policy(calibration={"slope": number})
    with pytest.raises(ValueError, match="number"):
        AuditPlan(number)
    document = a_policy().document()
    document["boundary"]["pass_at_or_below"] = number
    with pytest.raises(ValueError, match="number"):
        Policy.from_document(document)


def test_without_a_model_everything_is_reviewed():
    """The first policy of a case type decides nothing by itself, and cannot be made to."""
    assert Policy.review_everything("ato", 0.05).boundary.automates_nothing
    with pytest.raises(ValueError, match="must review everything"):
        a_policy(model_digest=None)


def test_key_users_are_never_given_up():
    """The priority above which people decide may be lowered, not raised."""
    assert Overrides(key_user_priority=60).key_user_priority == 60
    with pytest.raises(ValueError, match="never decided automatically"):
        Overrides(key_user_priority=76)


def test_a_stamp_without_a_zone_is_refused():
    """An expiry must be one instant."""
    with pytest.raises(ValueError, match="no time zone"):
        a_policy(valid_until=datetime(2026, 3, 1))
