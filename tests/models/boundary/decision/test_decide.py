"""What the agent does with each case, and which automatic decisions are reviewed all the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.boundary.decision.audit import audit_key, keyed_uniform
from models.boundary.decision.decide import DecisionRule, decide
from models.boundary.proof.hindsight import HindsightCounts, plug_in_boundary
from models.boundary.sequence.looks import delta_of_look
from models.vocabulary import Boundary, Costs, Pattern, PatternCondition, Targets

KEY = audit_key("secret", "audit|kyc_audit")
COSTS = Costs(review_usd=1.0, false_positive_usd=10.0, false_negative_usd=40.0)  # leans at 0.2


def decided(rows: list[tuple[float, float | None, float]], **options: object) -> pd.DataFrame:
    """rows: (score or NaN, priority, amount)."""
    cases = pd.DataFrame(
        {
            "case_id": [f"c{place}" for place in range(len(rows))],
            "priority": pd.array([row[1] for row in rows], dtype="Int64"),
            "amount_usd": [row[2] for row in rows],
        }
    )
    scores = np.array([row[0] for row in rows])
    reason = np.where(np.isnan(scores), "known_category", "")
    rule = DecisionRule(
        boundary=Boundary(0.1, 0.9), audit_rate=0.25, key=KEY, costs=COSTS, **options
    )
    return decide(cases, scores, reason, rule)


def test_a_score_on_a_side_is_decided_there_and_overrides_come_first() -> None:
    """Equal to a side is inside it; key users, missing priority, amounts and unscored go to people."""
    found = decided(
        [
            (0.10, 10, 50.0),
            (0.11, 10, 50.0),
            (0.89, 10, 50.0),
            (0.90, 10, 50.0),
            (0.05, 75, 50.0),
            (0.05, 74, 50.0),
            (0.05, None, 50.0),
            (0.05, 10, 900.0),
            (0.95, 10, 900.0),
            (float("nan"), 10, 50.0),
        ],
        never_auto_pass_above_usd=500.0,
    )
    assert found["action"].tolist() == [
        "auto_pass", "escalate", "escalate", "auto_block", "escalate",
        "auto_pass", "escalate", "escalate", "auto_block", "escalate",
    ]  # fmt: skip
    assert found["override"].tolist() == [
        "", "", "", "", "key_user_was_escalated",
        "", "key_user_was_escalated", "never_auto_pass_above_usd", "", "known_category",
    ]  # fmt: skip
    assert found["propensity"].tolist() == [
        0.25, 1.0, 1.0, 0.25, 1.0, 0.25, 1.0, 1.0, 0.25, 1.0,
    ]  # fmt: skip
    assert found["recommendation"].tolist() == [
        "pass", "pass", "block", "block", "pass", "pass", "pass", "pass", "block", "block",
    ]  # fmt: skip
    assert not found.loc[found["action"] == "escalate", "audited"].any()


def test_before_a_boundary_everything_is_escalated() -> None:
    """None on both sides: no score is low or high enough."""
    cases = pd.DataFrame({"case_id": ["a", "b"], "priority": [1, 1], "amount_usd": [1.0, 1.0]})
    rule = DecisionRule(
        boundary=Boundary.everything_reviewed(), audit_rate=0.1, key=KEY, costs=COSTS
    )
    found = decide(cases, np.array([0.0, 1.0]), np.array(["", ""]), rule)
    assert found["action"].tolist() == ["escalate", "escalate"]
    assert found["propensity"].tolist() == [1.0, 1.0]


def test_audit_draws_are_uniform_reproducible_and_keyed() -> None:
    """Chi-square over 20 bins (rejects a uniform one time in a thousand); another key, other draws."""
    ids = pd.Series([f"case-{place}" for place in range(40_000)])
    draws = keyed_uniform(ids, KEY)
    assert ((draws >= 0.0) & (draws < 1.0)).all()
    assert stats.chisquare(np.histogram(draws, bins=20, range=(0, 1))[0]).pvalue > 0.001
    np.testing.assert_array_equal(draws[100:200], keyed_uniform(ids[100:200], KEY))
    other = keyed_uniform(ids, audit_key("secret", "audit|ato"))
    assert abs(np.corrcoef(draws, other)[0, 1]) < 0.02
    with pytest.raises(ValueError, match="16 bytes"):
        keyed_uniform(ids, "short")


def test_the_shares_of_all_looks_and_case_types_stay_within_delta() -> None:
    """The Basel series: a thousand looks of five case types spend no more than delta."""
    spent = sum(delta_of_look(0.05, 5, look) for look in range(1, 1001)) * 5
    assert 0.049 < spent <= 0.05
    with pytest.raises(ValueError, match="count from 1"):
        delta_of_look(0.05, 5, 0)


def test_the_plug_in_boundary_meets_the_targets_on_its_own_cases() -> None:
    """Ten cases; recall 0.75 lets one of four bad cases pass, precision 1 blocks the top three."""
    scores = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    bad = np.array([0, 0, 1, 0, 0, 0, 0, 1, 1, 1], dtype=bool)
    found = plug_in_boundary(scores, bad, Targets(recall=0.75, precision=0.99))
    assert found == Boundary(0.6, 0.7)
    tied = plug_in_boundary(
        np.array([0.2, 0.2, 0.9]), np.array([False, True, True]), Targets(recall=0.9)
    )
    assert tied.pass_at_or_below is None, "ties move together"


def test_a_tally_counts_and_names_what_truth_rejects() -> None:
    """Sums left unsimplified; 5 misses of 100 bad cases reject recall 99 % at 95 %."""
    passed = np.array([True] * 50 + [False] * 150)
    bad = np.array([True] * 5 + [False] * 45 + [True] * 95 + [False] * 55)
    blocked = np.array([False] * 50 + [True] * 90 + [False] * 60)
    tally = HindsightCounts.of(passed, blocked, bad)
    assert (tally.cases, tally.bad, tally.escalated) == (200, 5 + 95, 200 - 50 - 90)
    assert tally.rates() == {
        "automation_rate": (50 + 90) / 200,
        "true_precision": 1.0,
        "true_recall": 1 - 5 / 100,
        "true_false_omission": 5 / 50,
    }
    assert tally.broken_promises(Targets(recall=0.99, precision=0.95)) == ("recall",)
    assert HindsightCounts().rates()["true_recall"] is None


def test_a_missing_amount_may_be_any_amount() -> None:
    """Under a limit for automatic passes a case without an amount goes to a person."""
    found = decided(
        [(0.05, 10, float("nan")), (0.95, 10, float("nan"))], never_auto_pass_above_usd=500.0
    )
    assert found["action"].tolist() == ["escalate", "auto_block"]
    assert found["override"].tolist() == ["never_auto_pass_above_usd", ""]


def test_one_rate_for_all_cases_and_the_same_rate_for_each_decide_alike() -> None:
    """Policies of one rate must go on deciding as before, to the byte."""
    generator = np.random.default_rng(4)
    cases = pd.DataFrame(
        {"case_id": [f"c{n}" for n in range(500)], "priority": 10, "amount_usd": 5.0}
    )
    scores, reason = generator.random(500), np.full(500, "")
    one, each = (
        decide(
            cases,
            scores,
            reason,
            DecisionRule(boundary=Boundary(0.4, 0.9), audit_rate=rate, key=KEY, costs=COSTS),
        )
        for rate in (0.25, np.full(500, 0.25))
    )
    pd.testing.assert_frame_equal(one, each, check_exact=True)


def test_a_rate_by_case_is_the_propensity_and_the_share_drawn() -> None:
    """10,000 cases a rate: the share drawn lies within four standard errors, and an escalated case
    has propensity 1 whatever its rate."""
    cases = pd.DataFrame(
        {"case_id": [f"c{n}" for n in range(30_000)], "priority": 10, "amount_usd": 5.0}
    )
    scores = np.repeat([0.1, 0.3, 0.6], 10_000)
    rates = np.repeat([0.03, 0.2, 0.5], 10_000)
    rule = DecisionRule(boundary=Boundary(0.4, 0.9), audit_rate=rates, key=KEY, costs=COSTS)
    found = decide(cases, scores, np.full(30_000, ""), rule)
    assert found["propensity"].tolist() == [0.03] * 10_000 + [0.2] * 10_000 + [1.0] * 10_000
    for rate in (0.03, 0.2):
        share = found.loc[found["propensity"] == rate, "audited"].mean()
        assert abs(share - rate) < 4 * np.sqrt(rate * (1 - rate) / 10_000)
    assert not found.loc[scores == 0.6, "audited"].any()


ODD_HOSTING = Pattern(
    "takeover_from_hosting",
    (PatternCondition("network", "is", "hosting"), PatternCondition("failures", "at_least", 3)),
)
NEW_SIM = Pattern("new_sim", (PatternCondition("sim_days", "at_most", 1),))


def patterned(rows: list[tuple[float, int, str | None, float, float]]) -> pd.DataFrame:
    """rows: (score, priority, network, failures, days since the SIM changed)."""
    cases = pd.DataFrame(rows, columns=["score", "priority", "network", "failures", "sim_days"])
    cases = cases.assign(case_id=[f"c{place}" for place in range(len(rows))], amount_usd=1.0)
    rule = DecisionRule(
        boundary=Boundary(0.1, 0.9), audit_rate=1.0, key=KEY, costs=COSTS,
        senior_patterns=(ODD_HOSTING, NEW_SIM),
    )  # fmt: skip
    return decide(cases, cases["score"].to_numpy(), np.full(len(rows), ""), rule)


def test_a_high_risk_pattern_goes_to_a_senior_under_its_own_name() -> None:
    """All conditions must hold, limits included; a missing value meets any; key users come first."""
    nan = float("nan")
    found = patterned(
        [
            (0.05, 10, "hosting", 3.0, 50.0),
            (0.95, 10, "hosting", 2.0, 50.0),
            (0.05, 10, "home", 9.0, 50.0),
            (0.05, 10, "home", 0.0, 1.0),
            (0.05, 10, "hosting", 3.0, 0.5),
            (0.05, 10, None, nan, 50.0),
            (0.95, 10, "home", 0.0, nan),
            (0.05, 80, "hosting", 3.0, 50.0),
            (0.50, 10, "home", 0.0, 50.0),
        ]
    )
    assert found["override"].tolist() == [
        "takeover_from_hosting", "", "", "new_sim", "takeover_from_hosting",
        "takeover_from_hosting", "new_sim", "key_user_was_escalated", "",
    ]  # fmt: skip
    assert found["action"].tolist() == [
        "escalate", "auto_block", "auto_pass", "escalate", "escalate",
        "escalate", "escalate", "escalate", "escalate",
    ]  # fmt: skip
    assert found["queue"].tolist() == [
        "senior", "desk", "desk", "senior", "senior", "senior", "senior", "senior", "desk",
    ]  # fmt: skip
    assert (found.loc[found["queue"] == "senior", "propensity"] == 1.0).all()


def test_a_pattern_about_a_missing_column_is_refused_by_name() -> None:
    """A column that is not there could hide every case of the pattern; so could text for numbers."""
    cases = pd.DataFrame({"case_id": ["a"], "priority": [1], "amount_usd": [1.0], "sim_days": "x"})
    rule = DecisionRule(
        boundary=Boundary(0.1, 0.9), audit_rate=1.0, key=KEY, costs=COSTS,
        senior_patterns=(ODD_HOSTING, NEW_SIM),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"'network' \(pattern 'takeover_from_hosting'\)"):
        decide(cases, np.array([0.5]), np.array([""]), rule)
    with pytest.raises(ValueError, match="'sim_days' holds no numbers"):
        decide(cases, np.array([0.5]), np.array([""]), replace(rule, senior_patterns=(NEW_SIM,)))


def test_what_is_withheld_goes_to_people_and_still_has_its_score() -> None:
    """One word for all cases or one a case; key users stay with the senior."""
    rows = [(0.05, 10, 1.0), (0.95, 10, 1.0), (0.05, 80, 1.0)]
    halted = decided(rows, withheld="halted")
    assert halted["action"].tolist() == ["escalate"] * 3
    assert halted["override"].tolist() == ["halted"] * 3
    assert halted["propensity"].tolist() == [1.0] * 3
    assert halted["queue"].tolist() == ["desk", "desk", "senior"]
    assert halted["score"].tolist() == [0.05, 0.95, 0.05]
    some = decided(rows, withheld=np.array(["", "certificate_expired", ""], dtype=object))
    assert some["action"].tolist() == ["auto_pass", "escalate", "escalate"]
    assert some["override"].tolist() == ["", "certificate_expired", "key_user_was_escalated"]


@given(
    scores=st.lists(st.floats(0, 1) | st.just(float("nan")), min_size=1, max_size=40),
    priority=st.lists(st.integers(0, 100) | st.none(), min_size=40, max_size=40),
    withheld=st.sampled_from(["", "halted"]),
    limit=st.none() | st.floats(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_no_override_is_ever_decided_automatically(
    scores: list[float], priority: list[int | None], withheld: str, limit: float | None
) -> None:
    """An override means escalated, and a case goes to nobody exactly when nobody is to see it."""
    rows = [(score, priority[place], 50.0) for place, score in enumerate(scores)]
    found = decided(rows, withheld=withheld, never_auto_pass_above_usd=limit)
    by_person = found["action"] == "escalate"
    assert by_person[found["override"] != ""].all()
    assert (found.loc[by_person, "propensity"] == 1.0).all()
    assert ((found["queue"] == "") == ~(by_person | found["audited"])).all()
    key_users = [level is None or level >= 75 for level in priority[: len(rows)]]
    assert ((found["queue"] == "senior") == key_users).all()
