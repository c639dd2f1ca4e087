"""Who has the last word on a case, and when does its truth count?"""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from models.truth import matured_before, settle

NOON = pd.Timestamp("2026-03-02T12:00:00Z").as_unit("us")


def review(case_id: str, kind: str, verdict: str, hour: int) -> dict[str, object]:
    return {
        "case_id": case_id, "kind": kind, "verdict": verdict,
        "resolved_at": NOON + pd.Timedelta(hours=hour),
    }  # fmt: skip


def settled(
    reviews: list[dict[str, object]], outcomes: list[tuple[str, bool, int]]
) -> dict[str, bool]:
    facts = pd.DataFrame(
        [(c, b, NOON + pd.Timedelta(hours=h)) for c, b, h in outcomes],
        columns=["case_id", "bad", "observed_at"],
    )
    opinions = pd.DataFrame(reviews, columns=["case_id", "kind", "verdict", "resolved_at"])
    truth = settle(opinions, facts)
    return dict(zip(truth["case_id"], truth["bad"], strict=True))


def test_a_second_review_overrules_the_first_and_a_senior_both() -> None:
    """Rank before time: the senior spoke earlier here and still counts."""
    assert settled([review("a", "escalation", "block", 1)], []) == {"a": True}
    two = [review("a", "escalation", "block", 1), review("a", "second", "pass", 2)]
    assert settled(two, []) == {"a": False}
    assert settled([review("a", "senior", "block", 0), *two], []) == {"a": True}


def test_an_outcome_overrules_every_opinion_and_a_later_outcome_an_earlier() -> None:
    """What happened beats what somebody thought."""
    opinion = [review("a", "senior", "pass", 1)]
    assert settled(opinion, [("a", True, 5)]) == {"a": True}
    assert settled(opinion, [("a", True, 5), ("a", False, 9)]) == {"a": False}


def test_among_equals_the_latest_word_counts_whatever_the_order_of_rows() -> None:
    """Two second reviews, three hours apart, delivered in either order."""
    early, late = review("a", "second", "block", 1), review("a", "second", "pass", 4)
    assert settled([early, late], []) == settled([late, early], []) == {"a": False}


def test_a_senior_who_passes_a_case_on_leaves_the_earlier_word_standing() -> None:
    """`escalate` decides nothing, so it overrules nothing."""
    said = [review("a", "escalation", "block", 1), review("a", "senior", "escalate", 2)]
    assert settled(said, []) == {"a": True}


def test_each_case_is_settled_once_and_at_the_time_of_the_word_that_counts() -> None:
    """Three cases, four opinions and a fact: three rows, no truth carried across cases."""
    reviews = pd.DataFrame(
        [
            review("a", "escalation", "block", 1),
            review("a", "second", "pass", 2),
            review("b", "audit", "block", 3),
            review("c", "gold", "pass", 4),
        ]
    )
    outcomes = pd.DataFrame(
        {"case_id": ["c"], "bad": [True], "observed_at": [NOON + pd.Timedelta(hours=9)]}
    )
    found = settle(reviews, outcomes).set_index("case_id").sort_index()
    assert found["bad"].to_dict() == {"a": False, "b": True, "c": True}
    hours = (found["settled_at"] - NOON) / pd.Timedelta(hours=1)
    assert hours.to_dict() == {"a": 2.0, "b": 3.0, "c": 9.0}


def test_a_case_is_confirmed_by_agreement_a_senior_a_gold_case_or_an_outcome() -> None:
    """One case a rank, and what two people may say of one."""
    said = {
        "first": [review("first", "escalation", "block", 1)],
        "audit": [review("audit", "audit", "pass", 1)],
        "gold": [review("gold", "gold", "block", 1)],
        "second": [review("second", "second", "block", 1)],
        "agreed_bad": [review("agreed_bad", kind, "block", 1) for kind in ("escalation", "second")],
        "agreed_good": [review("agreed_good", kind, "pass", 1) for kind in ("audit", "second")],
        "torn": [review("torn", "escalation", "block", 1), review("torn", "second", "pass", 2)],
        "two_first": [review("two_first", "escalation", "block", hour) for hour in (1, 2)],
        "senior": [review("senior", "senior", "pass", 1)],
        "overruled": [
            review("overruled", "escalation", "block", 1),
            review("overruled", "second", "block", 2),
            review("overruled", "senior", "pass", 3),
        ],
    }
    outcomes = pd.DataFrame(
        {"case_id": ["outcome"], "bad": [True], "observed_at": [NOON + pd.Timedelta(hours=9)]}
    )
    reviews = pd.DataFrame([one for each in said.values() for one in each])
    found = settle(reviews, outcomes).set_index("case_id")[["bad", "confirmed", "rank"]]
    assert {case: tuple(row) for case, row in zip(found.index, found.to_numpy(), strict=True)} == {
        "first": (True, False, 1.0),
        "audit": (False, False, 1.0),
        "gold": (True, True, 2.0),
        "second": (True, False, 3.0),
        "agreed_bad": (True, True, 3.0),
        "agreed_good": (False, True, 3.0),
        "torn": (False, False, 3.0),
        "two_first": (True, False, 1.0),
        "senior": (False, True, 4.0),
        "overruled": (False, True, 4.0),
        "outcome": (True, True, 5.0),
    }


def test_a_senior_who_speaks_after_the_outcome_changes_nothing() -> None:
    """What happened is not a matter of who speaks last."""
    reviews = pd.DataFrame([review("a", "senior", "pass", 9)])
    outcomes = pd.DataFrame(
        {"case_id": ["a"], "bad": [True], "observed_at": [NOON + pd.Timedelta(hours=5)]}
    )
    (row,) = settle(reviews, outcomes).to_dict("records")
    assert (row["bad"], row["confirmed"], row["rank"]) == (True, True, 5.0)
    assert row["settled_at"] == NOON + pd.Timedelta(hours=5)


def test_an_escalated_review_settles_nothing() -> None:
    """The case stays open."""
    assert settled([review("a", "escalation", "escalate", 1)], []) == {}


def test_nothing_known_settles_nothing() -> None:
    """Two empty tables give an empty one with its columns."""
    assert settled([], []) == {}


def test_maturity_is_a_matter_of_age_alone() -> None:
    """As of noon on the 10th with seven days, cases opened before noon on the 3rd count."""
    as_of = datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert matured_before(as_of, 7) == datetime(2026, 3, 3, 12, tzinfo=UTC)
