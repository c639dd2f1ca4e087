"""Does the replayed review desk put key users first and tell the hours of the day apart?"""

import json

import numpy as np
import pandas as pd
import pytest

from flows.verbs.whatif.queue_replay import desk_figures
from models.vocabulary import CaseType, Feature, Shift, Staffing, Targets

MIDNIGHT = pd.Timestamp("2024-03-01", tz="UTC")


def a_case_type(staffing):
    return CaseType(
        "desk_test", (Feature("x"),), Targets(precision=0.95), maturity_days=1.0, staffing=staffing
    )


def cases(count, days, seed=1):
    generator = np.random.default_rng(seed)
    hours = pd.to_timedelta(generator.random(count) * 24 * days, unit="h")
    return pd.DataFrame(
        {
            "case_id": [f"case-{number}" for number in range(count)],
            "case_type": "desk_test",
            "opened_at": (MIDNIGHT + hours).as_unit("us"),
            "priority": generator.integers(0, 100, count),
        }
    )


BUSY = {"desk_test": a_case_type(Staffing((Shift(6, 18, 2),), 20.0, sla_hours=4.0))}


def test_key_users_go_first_so_the_others_break_the_sla_more_often():
    """With everybody from priority 75 on ahead, shares differ from those without a priority."""
    decided = cases(600, days=10)
    reviewed = pd.Series(True, index=decided.index)
    ranked = desk_figures(decided, reviewed, BUSY)["desk_test"]
    absent = desk_figures(decided.drop(columns="priority"), reviewed, BUSY)["desk_test"]
    nobody = desk_figures(decided.assign(priority=0), reviewed, BUSY)["desk_test"]
    assert absent == nobody
    assert ranked["within_sla"] != absent["within_sla"]
    assert ranked["reviewed"] == absent["reviewed"] == 600


@pytest.mark.parametrize(
    ("priority", "first"), [(74, False), (75, True), (100, True), (None, True)]
)
def test_a_key_user_begins_at_75_and_a_missing_priority_is_one(priority, first):
    """Three cases wait for 6 o'clock; the last goes first exactly where it is a key user's."""
    decided = pd.DataFrame(
        {
            "case_id": ["a", "b", "c"],
            "case_type": "desk_test",
            "opened_at": (MIDNIGHT + pd.to_timedelta([1.0, 2.0, 5.0], unit="h")).as_unit("us"),
            "priority": pd.array([0, 0, priority], dtype="Int64"),
        }
    )
    one_chair = {"desk_test": a_case_type(Staffing((Shift(6, 18, 1),), 30.0, sla_hours=4.0))}
    told = desk_figures(decided, pd.Series(True, index=decided.index), one_chair)["desk_test"]
    # Hours 1, 2 and 5 hold one case each; who waits is in line before 6, whatever the order.
    assert [row["waiting"] for row in told["by_hour"][:6]] == [0.0, 1.0, 2.0, 2.0, 2.0, 3.0]
    last_first = desk_figures(decided.assign(priority=[0, 0, 99]), pd.Series([True] * 3), one_chair)
    assert (told == last_first["desk_test"]) is first


def test_by_hour_has_24_rows_that_can_be_filed_as_json_and_add_up():
    """Mean arrivals an hour over ten days sum to the cases a day; at night everybody waits."""
    decided = cases(600, days=10)
    decided["opened_at"] = decided["opened_at"].where(
        decided["opened_at"].dt.hour != 3, decided["opened_at"] + pd.Timedelta(hours=1)
    )
    reviewed = pd.Series(True, index=decided.index)
    rows = desk_figures(decided, reviewed, BUSY)["desk_test"]["by_hour"]
    assert [row["hour"] for row in rows] == list(range(24))
    assert sum(row["arrivals_per_hour"] for row in rows) == pytest.approx(600 / 10)
    assert rows[5]["waiting"] > rows[12]["waiting"]
    assert rows[3]["within_sla"] is None
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_a_case_type_without_a_review_has_an_empty_desk():
    """Nobody came: no share, no utilisation, and nobody waiting at any hour."""
    decided = cases(5, days=1)
    told = desk_figures(decided, pd.Series(False, index=decided.index), BUSY)["desk_test"]
    assert (told["reviewed"], told["within_sla"], told["utilisation"]) == (0, None, None)
    assert {(row["waiting"], row["within_sla"]) for row in told["by_hour"]} == {(0.0, None)}
