"""A pinned policy answers as the agent decides, to the bit, and is read only whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from data_contracts.decisions import DECISIONS
from models.boundary.decision.audit import audit_key, keyed_uniform, secret_check
from models.hub.policies.deciding import EXPIRED, HALTED
from models.hub.policies.pinned import PinnedPolicy
from models.risk import RiskModel
from models.vocabulary import Boundary, Pattern, PatternCondition
from tests.pinned_policies import NOW, SECRET, expired, pinned_policy, simulated_cases


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return simulated_cases(days=10)


@pytest.fixture(scope="module")
def pinned(cases: pd.DataFrame) -> PinnedPolicy:
    return pinned_policy(cases[:2400])


@pytest.fixture(scope="module")
def new(cases: pd.DataFrame) -> pd.DataFrame:
    return cases[2400:].reset_index(drop=True)


def read_again(pinned: PinnedPolicy, **changed: object) -> PinnedPolicy:
    told = {
        "policy_id": pinned.policy.policy_id,
        "policy_text": pinned.policy.canonical(),
        "ubj": pinned.model.ubj,
        "costs": pinned.costs,
        "key": pinned.key,
        **changed,
    }
    return PinnedPolicy.checked(**told)  # type: ignore[arg-type]


def test_an_answer_is_the_decision_to_the_bit(pinned: PinnedPolicy, new: pd.DataFrame) -> None:
    """One at a time, all together, or read again from text and bytes: the same values."""
    decided = pinned.decisions(new, NOW)
    told = pd.DataFrame(read_again(pinned).answers(new, NOW))
    for name in decided:
        np.testing.assert_array_equal(told[name].to_numpy(), decided[name].to_numpy(), name)
    assert set(told["action"]) == {"auto_pass", "auto_block", "escalate"}
    assert told["audited"].any()
    singly = [pinned.answers(new[row : row + 1], NOW)[0] for row in range(0, len(new), 37)]
    assert singly == pinned.answers(new, NOW)[::37]


def test_the_score_and_its_parts_are_those_of_the_model(
    pinned: PinnedPolicy, new: pd.DataFrame
) -> None:
    """Reading the cases once changes no bit; the five largest parts stand first."""
    scores, reason, told = pinned.model.score_and_contributions(new)
    np.testing.assert_array_equal(scores, pinned.model.score(new)[0])
    np.testing.assert_array_equal(told.values, pinned.model.contributions(new).values)
    assert (reason == "").all()
    first = pinned.answers(new, NOW)[7]["top_contributions"]
    values = dict(zip(told.features, told.values[7].tolist(), strict=True))
    largest = sorted(values, key=lambda name: -abs(values[name]))[:5]
    assert first == [{"feature": name, "contribution": values[name]} for name in largest]


def test_an_audit_is_the_one_that_the_deployments_secret_draws(
    pinned: PinnedPolicy, new: pd.DataFrame
) -> None:
    """Below its designed rate a case is drawn; the key is the case type's."""
    told = pd.DataFrame(pinned.answers(new, NOW))
    drawn = keyed_uniform(new["case_id"], audit_key(SECRET, "audit|ato")) < told["propensity"]
    automatic = told["action"] != "escalate"
    assert (told["audited"] == (drawn & automatic)).all()


def test_from_the_moment_a_certificate_expires_everything_goes_to_a_person(
    pinned: PinnedPolicy, new: pd.DataFrame
) -> None:
    """At the very moment, and not a microsecond before; scores are still told."""
    short = expired(pinned)
    told = pd.DataFrame(short.answers(new, NOW))
    assert set(told["action"]) == {"escalate"}
    assert set(told["override"]) == {EXPIRED}
    assert set(told["propensity"]) == {1.0}
    assert told["score"].notna().all()
    before = pd.DataFrame(short.answers(new, NOW - timedelta(microseconds=1)))
    assert set(before["action"]) == {"auto_pass", "auto_block", "escalate"}


def test_what_cannot_be_scored_is_escalated_by_name(
    pinned: PinnedPolicy, new: pd.DataFrame
) -> None:
    """An unseen category, a missing value, a column nobody sent (even one that may be missing)."""
    one = new[:1]
    unseen = pinned.answers(one.assign(network_type="satellite"), NOW)[0]
    missing = pinned.answers(one.assign(battery_level=None), NOW)[0]
    not_sent = pinned.answers(one.drop(columns="typing_rhythm_distance"), NOW)[0]
    bare = pinned.answers(one[["case_id"]], NOW)[0]
    found = [(each["action"], each["override"], each["score"]) for each in (unseen, missing)]
    assert found == [
        ("escalate", "known_category", None),
        ("escalate", "features_are_present", None),
    ]
    for each in (not_sent, bare):
        assert (each["action"], each["override"]) == ("escalate", "features_are_present")
        assert (each["score"], each["propensity"], each["top_contributions"]) == (None, 1.0, [])
    may_be_missing = pinned.answers(one.assign(typing_rhythm_distance=None), NOW)[0]
    assert may_be_missing["score"] is not None


def test_an_unknown_priority_or_amount_may_be_any(pinned: PinnedPolicy, new: pd.DataFrame) -> None:
    """Without a priority a case is a key user's; without an amount it is not passed."""
    passed = pinned.decisions(new, NOW)["action"] == "auto_pass"
    one = new[passed.to_numpy()][:1]
    no_priority = pinned.answers(one.drop(columns="priority"), NOW)[0]
    no_amount = pinned.answers(one.drop(columns="amount_usd"), NOW)[0]
    assert (no_priority["action"], no_priority["override"]) == (
        "escalate",
        "key_user_was_escalated",
    )
    assert (no_amount["action"], no_amount["override"]) == ("escalate", "never_auto_pass_above_usd")


def test_no_case_has_no_answer(pinned: PinnedPolicy, new: pd.DataFrame) -> None:
    """An empty table is answered by an empty list."""
    assert pinned.answers(new[:0], NOW) == []
    assert pinned.answers(pd.DataFrame(), NOW) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.drop(columns="case_id"), "no column 'case_id'"),
        (lambda one: pd.concat([one, one["priority"]], axis=1), "a column was sent twice"),
    ],
)
def test_what_is_no_case_is_refused_without_quoting_it(
    pinned: PinnedPolicy, new: pd.DataFrame, change, said: str
) -> None:
    """One sentence names the column, and never a value."""
    with pytest.raises(ValueError, match=said) as refused:
        pinned.answers(change(new[:1]), NOW)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda one: one.assign(case_id=None), "case_id_is_plain"),
        (lambda one: one.assign(case_id=7), "case_id_is_plain"),
        (lambda one: one.assign(case_id="../../x"), "case_id_is_plain"),
        (lambda one: one.assign(case_type="kyc_audit"), "known_case_type"),
        (lambda one: one.assign(opened_at=None), "stamps_are_present"),
        (lambda one: one.assign(opened_at=1_700_000_000), "stamps_are_present"),
        (lambda one: one.assign(opened_at="2099-01-01T00:00:00Z"), "no_stamp_from_the_future"),
        (lambda one: one.assign(priority=101), "priority_in_range"),
        (lambda one: one.assign(amount_usd=-0.01), "amount_is_not_negative"),
        (lambda one: one.assign(priority="canary"), "cells_are_readable"),
        (lambda one: one.assign(battery_level=[{"canary": 1}]), "cells_are_readable"),
        (lambda one: one.assign(new_device="perhaps"), "cells_are_readable"),
    ],
)
def test_what_decide_would_refuse_is_escalated_by_that_rule(
    pinned: PinnedPolicy, new: pd.DataFrame, change, rule: str
) -> None:
    """One wrong row among others: it alone is escalated, without a score or a part of it."""
    good = new[1:4]
    wrong = pd.concat([change(new[:1]).astype(object), good.astype(object)], ignore_index=True)
    told = pinned.answers(wrong, NOW)
    assert (told[0]["action"], told[0]["override"], told[0]["score"]) == ("escalate", rule, None)
    assert (told[0]["propensity"], told[0]["top_contributions"]) == (1.0, [])
    alone = pinned.answers(good, NOW)
    assert told[1:] == alone


def test_an_id_sent_twice_in_one_request_is_decided_by_nobody(
    pinned: PinnedPolicy, new: pd.DataFrame
) -> None:
    """Both rows are escalated; a request later it is one case."""
    told = pinned.answers(new.iloc[[0, 1, 0]], NOW)
    assert [each["override"] for each in told[::2]] == ["case_id_appears_once"] * 2
    assert told[1] == pinned.answers(new.iloc[[1]], NOW)[0]


def test_an_answer_is_a_whole_decision(pinned: PinnedPolicy, new: pd.DataFrame) -> None:
    """Every column that the contract asks for, the features as they were sent."""
    told = pd.DataFrame(pinned.answers(new, NOW))
    assert set(DECISIONS.required) <= set(told)
    for name in pinned.model.feature_names:
        sent, said = new[name].tolist(), told[name].tolist()
        assert [one for one in said if one == one] == [one for one in sent if one == one], name
    assert pd.to_datetime(told["opened_at"]).tolist() == new["opened_at"].tolist()
    assert set(told["arm"]) == {"control"}


def test_withheld_from_outside_everything_goes_to_a_person(
    pinned: PinnedPolicy, new: pd.DataFrame
) -> None:
    """The reason stands in the answer; scores are still told."""
    told = pd.DataFrame(pinned.answers(new, NOW, HALTED))
    assert set(told["action"]) == {"escalate"}
    assert set(told["override"]) == {HALTED}
    assert told["score"].notna().all()


def test_a_changed_policy_or_model_is_refused_before_it_is_read(
    pinned: PinnedPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wider boundary in the text, and any single bit of the model."""
    wider = replace(pinned.policy, boundary=Boundary(0.9, 0.95)).canonical()
    with pytest.raises(ValueError, match="was not read"):
        read_again(pinned, policy_text=wider)

    def parse(ubj: bytes) -> RiskModel:
        raise AssertionError("a model was parsed before its digest was checked")

    monkeypatch.setattr(RiskModel, "from_bytes", parse)
    for place in np.random.default_rng(1).integers(0, len(pinned.model.ubj), 40):
        flipped = bytearray(pinned.model.ubj)
        flipped[place] ^= 1
        with pytest.raises(ValueError, match="was not loaded"):
            read_again(pinned, ubj=bytes(flipped))


def test_a_policy_without_a_model_has_nothing_to_answer_with(pinned: PinnedPolicy) -> None:
    """Such a policy reviews everything, which takes no server."""
    empty = type(pinned.policy).review_everything("ato", 0.1)
    with pytest.raises(ValueError, match="names no model"):
        read_again(pinned, policy_id=empty.policy_id, policy_text=empty.canonical())


def test_a_secret_is_recognised_and_not_told() -> None:
    """Another secret, or the same one under another policy, has another check."""
    check = secret_check(SECRET, "policy")
    assert check == secret_check(SECRET, "policy")
    assert check not in {secret_check("other", "policy"), secret_check(SECRET, "other")}
    assert SECRET not in check


def test_a_high_risk_pattern_whose_column_was_not_sent_is_met(
    pinned: PinnedPolicy, new: pd.DataFrame
) -> None:
    """What is not known may be the very thing the pattern is about: such a case goes to a senior."""
    listed = Pattern("on_a_list", (PatternCondition("list_match", "is", True),))
    overrides = replace(pinned.policy.overrides, senior_patterns=(listed,))
    watchful = replace(pinned, policy=replace(pinned.policy, overrides=overrides))
    one = new[new["priority"] < 75][:1]
    not_sent = watchful.answers(one, NOW)[0]
    clear = watchful.answers(one.assign(list_match=False), NOW)[0]
    assert (not_sent["action"], not_sent["override"], not_sent["queue"]) == (
        "escalate", "on_a_list", "senior",
    )  # fmt: skip
    assert clear["override"] != "on_a_list"
