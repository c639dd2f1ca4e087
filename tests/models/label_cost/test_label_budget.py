"""Where the next reviewer hour buys the most certified automation (METHODS 2)."""

from __future__ import annotations

from models.boundary.price.notch_price import NotchPrice
from models.label_cost.label_budget import Offer, ranked, recommendation

DAYS = {0.1: 40.0, 0.05: 80.0, 0.2: 20.0, 1.0: 4.0}


def offer(case_type: str, labels: int | None, traffic: float = 1_000.0, **said: object) -> Offer:
    """Two points of 1,000 cases a day: 20 a day; a review takes six minutes."""
    fields = {
        "zone": "pass",
        "notch": 0.02,
        "asked": 0.02,
        "cut": 0.1,
        "provable": labels is not None,
        "in_hand": 500,
        "cases": labels,
        "labels": labels,
        "days": {} if labels is None else DAYS,
        "payback_days": None if labels is None else labels / (0.02 * traffic),
        **said,
    }
    return Offer(case_type, NotchPrice(**fields), traffic, handling_minutes=6.0)


CHEAP, DEAR, BUSY = offer("cheap", 200), offer("dear", 2_000), offer("busy", 1_000, 10_000.0)
FREE = offer("free", 300, days={1.0: 3.0}, payback_days=None, reviewed_anyway=True)
BEYOND = offer("beyond", None)


def test_an_hour_is_worth_the_cases_a_day_that_it_buys():
    """200 labels are 20 hours, and buy 20 cases a day: one an hour."""
    assert (CHEAP.gained, CHEAP.hours, CHEAP.per_hour) == (20.0, 20.0, 1.0)
    assert (DEAR.per_hour, BUSY.per_hour) == (20.0 / 200.0, 200.0 / 100.0)
    assert (FREE.hours, FREE.per_hour, BEYOND.hours, BEYOND.per_hour) == (0.0, None, None, None)


def test_the_best_buy_comes_first_then_what_is_free_then_what_nothing_buys():
    found = ranked([BEYOND, DEAR, FREE, CHEAP, BUSY])
    assert [one.case_type for one in found] == ["busy", "cheap", "dear", "free", "beyond"]


def test_the_recommendation_names_all_three_roads_with_figures():
    told = recommendation([BEYOND, DEAR, FREE, CHEAP])
    assert told.startswith(
        "The next reviewer hour buys the most in cheap, pass side: 2 points more, 20 cases a day, for 200 "
        "labels (20 reviewer hours). A sprint proves it within 4 days, patience at 10 % within 40 days, "
        "for the same hours. A sprint is the cheapest road"
    )
    assert "Patience alone brings free, pass side" in told
    assert "A better model is the road for 1 of 4 sides (beyond, pass side)" in told


def test_where_no_hour_buys_anything_that_is_said():
    assert recommendation([]).startswith("No case type has a model")
    assert recommendation([BEYOND]).startswith("No reviewer hour buys a notch today.")


def test_a_side_is_plain_for_json():
    told = CHEAP.plain()
    assert told["days"] == {"0.1": 40.0, "0.05": 80.0, "0.2": 20.0, "1": 4.0}
    assert (told["reviewer_hours"], told["road"]) == (20.0, "sprint")
