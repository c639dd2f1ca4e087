"""The registration of an A/B: what it refuses, and that it travels unchanged."""

from __future__ import annotations

import json
import math

import pytest

from models.vocabulary import AbPlan, Targets

PROMISED = Targets(precision=0.95, recall=0.99)


@pytest.mark.parametrize(
    "wrong",
    [
        {"treatment_share": 0.0},
        {"treatment_share": 1.0},
        {"horizon_days": 0.5},
        {"horizon_days": math.inf},
        {"automation_margin": -0.1},
        {"precision_margin": 1.0},
        {"looks": 5},
        {"method": "obrien_fleming", "looks": None},
        {"method": "obrien_fleming", "looks": 0},
        {"method": "obrien_fleming", "looks": 29},
        {"moved_audit": ()},
        {"moved_audit": ((1.0, 1.0),)},
        {"moved_audit": ((0.0, 0.5), (7.0, 0.5))},
        {"moved_audit": ((0.0, 0.5), (0.0, 0.4))},
        {"moved_audit": ((0.0, 1.2),)},
        {"salt": ""},
    ],
)
def test_a_plan_outside_its_ranges_is_refused(wrong: dict) -> None:
    """Shares, days, margins, looks, audit steps and the salt; each by its name."""
    with pytest.raises(ValueError, match=list(wrong)[-1]):
        AbPlan(PROMISED, **wrong)


@pytest.mark.parametrize("method", ["z_test", "peeked", "", "BETTING"])
def test_a_z_test_looked_at_daily_is_not_on_offer(method: str) -> None:
    """There is no word for it, and the refusal says why (METHODS 5)."""
    with pytest.raises(ValueError, match=r"looked at daily errs in \.23"):
        AbPlan(PROMISED, method=method)  # type: ignore[arg-type]


@pytest.mark.parametrize("targets", [Targets(accuracy=0.98), Targets(expected_loss=1.0)])
def test_a_plan_that_promises_nothing_testable_is_refused(targets: Targets) -> None:
    """Precision, recall or a false omission rate must be among the promises."""
    with pytest.raises(ValueError, match="promise none of them"):
        AbPlan(targets)


def test_the_moved_band_is_reviewed_at_the_rate_of_the_day() -> None:
    """A step holds from its day on; before the start the first one does."""
    plan = AbPlan(PROMISED, moved_audit=((0.0, 1.0), (7.0, 0.5), (14.0, 0.2)))
    days = (-1.0, 0.0, 6.99, 7.0, 13.0, 14.0, 400.0)
    assert [plan.moved_rate(day) for day in days] == [1.0, 1.0, 1.0, 0.5, 0.5, 0.2, 0.2]
    assert plan.lowest_moved_rate == 0.2


def test_a_plan_travels_as_json_and_comes_back_equal() -> None:
    """Lists for tuples, every field spelled out."""
    plan = AbPlan(
        Targets(precision=0.95, false_omission_rate=0.002, delta=0.1),
        method="obrien_fleming",
        looks=4,
        moved_audit=((0.0, 1.0), (3.0, 0.5)),
    )
    assert AbPlan.from_document(json.loads(json.dumps(plan.document()))) == plan


@pytest.mark.parametrize("change", [{"margin": 0.1}, {"salt": None}])
def test_a_document_with_another_key_or_value_is_refused(change: dict) -> None:
    """Neither an unknown key nor an empty one is guessed at."""
    with pytest.raises(ValueError, match=r"salt|unknown or missing key margin"):
        AbPlan.from_document({**AbPlan(PROMISED).document(), **change})
