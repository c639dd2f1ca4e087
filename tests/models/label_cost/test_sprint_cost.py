"""What more audits for a time cost, and how far they bring a notch (METHODS 2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.boundary.price.notch_price import NotchPrice
from models.label_cost.sprint_cost import Traffic, days_to_pay, sprint_cost

TRAFFIC = Traffic(cases_per_day=1_000.0, decided=0.6, handling_minutes=10.0)
PASS = NotchPrice("pass", 0.02, 0.02, 0.1, True, 900, cases=4_000, labels=2_400)
BLOCK = NotchPrice("block", 0.02, 0.02, None, False, 900)


def test_every_figure_follows_from_the_days():
    """5 days of 1,000 cases, of which .6 are decided, audited at .4 instead of .1."""
    cost = sprint_cost({"pass": PASS, "block": BLOCK}, TRAFFIC, rate=0.4, today=0.1, days=5.0)
    assert cost.cases == 5 * 1_000 * 0.4
    assert cost.labels == pytest.approx(5 * 600 * 0.4)
    assert cost.more == pytest.approx(5 * 600 * (0.4 - 0.1))
    assert cost.hours == pytest.approx(5 * 600 * 0.4 * 10 / 60)
    assert cost.brings == {"pass": 2_000 / 4_000, "block": None}
    assert cost.sentences[0] == (
        "1,200 audits within 5 days at 40 %, 900 more than at today's 10 %: 200 reviewer hours, "
        "40.0 a day."
    )
    assert "it brings 50 % of the labels" in cost.sentences[1]
    assert "no number of labels within reach" in cost.sentences[2]


def test_a_sprint_as_long_as_the_price_brings_the_notch():
    days = days_to_pay({"pass": PASS, "block": BLOCK}, TRAFFIC, 0.5)
    assert days == 4_000 / (1_000 * 0.5)
    cost = sprint_cost({"pass": PASS}, TRAFFIC, 0.5, 0.1, days)
    assert cost.brings["pass"] == 1.0
    assert cost.labels == pytest.approx(PASS.labels)
    assert TRAFFIC.days(cost.labels, 0.5) == pytest.approx(days)


def test_labels_that_come_by_themselves_are_not_bought():
    """A block side of which every case is reviewed: ten times dearer, and no audit brings it nearer."""
    block = NotchPrice(
        "block", 0.01, 0.02, 0.9, True, 900, cases=40_000, labels=40_000, comes_by_itself=True
    )
    assert days_to_pay({"pass": PASS, "block": block}, TRAFFIC, 0.5) == 4_000 / (1_000 * 0.5)
    assert days_to_pay({"block": block}, TRAFFIC, 0.5) is None
    cost = sprint_cost({"pass": PASS, "block": block}, TRAFFIC, 0.5, 0.1, 800.0)
    assert cost.brings == {"pass": 1.0, "block": 0.0}
    assert cost.sentences[2] == (
        "1 point more on the block side: every case of it is reviewed as it is, so more audits bring it "
        "none of its labels."
    )


@pytest.mark.parametrize("cases", range(3_990, 4_010))
def test_no_rounding_leaves_a_paid_notch_unpaid(cases: int):
    """Days made of cases make a little less than those cases again: 100 % with a rest to come."""
    price = replace(PASS, cases=cases)
    days = days_to_pay({"pass": price}, Traffic(617.9, 0.4, 8.0), 0.37)
    assert days is not None
    cost = sprint_cost({"pass": price}, Traffic(617.9, 0.4, 8.0), 0.37, 0.1, days)
    assert cost.brings == {"pass": 1.0}
    assert "100 %" not in cost.sentences[1]


def test_without_a_provable_notch_there_is_nothing_to_pay():
    assert days_to_pay({"block": BLOCK}, TRAFFIC, 1.0) is None
    in_hand = NotchPrice("pass", 0.02, 0.02, 0.1, True, 900, cases=0, labels=0)
    assert days_to_pay({"pass": in_hand}, TRAFFIC, 1.0) is None
    cost = sprint_cost({"pass": in_hand}, TRAFFIC, 1.0, 0.1, 1.0)
    assert "likely to prove it as it is" in cost.sentences[1]


@pytest.mark.parametrize(
    ("rate", "days", "why"),
    [(0.1, 1.0, "above today's 10 %"), (1.2, 1.0, "100 %"), (0.5, 0.0, "lasts")],
)
def test_a_sprint_raises_the_rate_for_some_time(rate: float, days: float, why: str):
    with pytest.raises(ValueError, match=why):
        sprint_cost({}, TRAFFIC, rate, 0.1, days)


@pytest.mark.parametrize("wrong", [(0.0, 0.5), (10.0, 0.0), (10.0, 1.1)])
def test_audits_are_drawn_from_some_traffic(wrong: tuple[float, float]):
    with pytest.raises(ValueError, match="got"):
        Traffic(*wrong, handling_minutes=10.0)
