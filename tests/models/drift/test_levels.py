"""When is a delivery's level far from its past, and when has a new level lasted?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.drift.levels import (
    Delivered,
    HoldPlan,
    far_rate,
    far_volume,
    first_far,
    lasted,
    rate_is_far,
    volume_is_far,
)

DAY = timedelta(days=1)
START = datetime(2026, 3, 1, 2, tzinfo=UTC)
PLAN = HoldPlan(lasts=7 * DAY, rows=500)


def nights(*rows_and_bad, first=0, epoch=""):
    """One delivery a night: (rows, bad)."""
    return [
        Delivered(START + (first + at) * DAY, rows, bad, epoch=epoch)
        for at, (rows, bad) in enumerate(rows_and_bad)
    ]


def days(*rows, gap=1.0):
    return [Delivered(START + at * DAY, count, days=gap) for at, count in enumerate(rows)]


@pytest.mark.parametrize(
    ("bad", "rows", "before", "rows_before", "far"),
    [
        (0, 212, 0.075, 241, True),  # the hypergeometric chance of none is 7e-8
        (12, 200, 0.06, 1000, False),
        (25, 200, 0.06, 1000, False),  # twice as many, and 1 in 3,000 by chance
        (40, 200, 0.06, 1000, True),
        (110, 200, 0.30, None, False),  # 8 standard deviations, but no factor of 2
        (0, 200, 0.0, 1000, False),
        (20, 200, 0.0, 1000, True),
        (0, 0, 0.5, 100, False),
    ],
)
def test_a_share_is_far_beyond_chance_and_a_factor_of_two(bad, rows, before, rows_before, far):
    """Both at once, by an exact tail."""
    assert rate_is_far(bad, rows, before, rows_before) is far


@given(st.integers(1, 400), st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_the_same_share_is_never_far(rows, share):
    """Whatever the share."""
    bad = round(share * rows)
    assert not rate_is_far(bad, rows, bad / rows, rows)


@pytest.mark.parametrize(
    ("rows", "expected", "far"),
    [(101, 20.0, True), (100, 20.0, False), (10, 60.0, True), (12, 60.0, False), (0, 2.0, False)],
)
def test_a_volume_is_far_beyond_chance_and_a_factor_of_five(rows, expected, far):
    """Two cases a day and then none are nothing strange."""
    assert volume_is_far(rows, expected) is far


def test_a_factor_of_two_is_within_four_standard_deviations_on_an_ordinary_small_batch():
    """9 bad of 200 against 4 % is no finding, 3 of 200 neither."""
    assert not rate_is_far(17, 200, 0.04, 1000)
    assert not rate_is_far(3, 200, 0.04, 1000)


def test_missed_nights_change_nothing_about_a_volume():
    """Ten days at once are ten days' rows."""
    past = days(*[100] * 10)
    ten_days = [Delivered(START + 20 * DAY, 1_000, days=10.0)]
    assert far_volume(ten_days, past) == ""
    assert far_volume([Delivered(START + 20 * DAY, 1_000, days=1.0)], past).startswith(
        "1,000 cases"
    )


def test_a_second_run_of_one_night_and_a_week_end_are_nothing_strange():
    """Under half a day nothing is said, and what was seen twice before is usual."""
    past = days(*[100, 100, 100, 100, 100, 0, 0] * 2)
    assert far_volume([Delivered(START + 20 * DAY, 2, days=0.1)], past) == ""
    assert far_volume([Delivered(START + 20 * DAY, 0, days=1.0)], past) == ""
    assert far_volume([Delivered(START + 20 * DAY, 0, days=1.0)], days(*[100] * 8)) != ""


def test_a_jump_is_found_on_the_night_it_comes():
    """Swapped labels: 95 % for 5 %."""
    found = first_far(nights((400, 20), (400, 21), (400, 380)), far_rate, PLAN)
    assert found is not None
    since, why = found
    assert since == START + 2 * DAY
    assert why == "95.00% of 400 labels are bad, 5.12% of the 800 before."


def test_a_small_case_type_is_judged_by_several_nights_together():
    """40 labels a night at 30 %, then none bad: three nights show it in a pool of 200 labels, and
    the hold begins with the pool."""
    found = first_far(nights(*[(40, 12)] * 20, *[(40, 0)] * 5), far_rate, PLAN)
    assert found is not None
    assert found[0] == START + 18 * DAY


def test_a_smaller_move_shows_in_more_rows():
    """From 5 % to 2 %: 200 labels never show it, 1,600 do."""
    quiet, moved = [(200, 10)] * 20, [(200, 4)] * 8
    assert first_far(nights(*quiet, *moved[:1]), far_rate, PLAN) is None
    assert first_far(nights(*quiet, *moved), far_rate, PLAN) is not None


def test_labels_of_cases_that_another_policy_drew_are_not_compared():
    """After a promotion the escalated cases are others, so their labels have another level."""
    past = nights(*[(300, 15)] * 5, epoch="everything reviewed")
    narrow = nights((300, 150), (300, 150), first=5, epoch="policy")
    assert far_rate(narrow, past) == ""
    assert first_far(narrow, far_rate, PLAN) is None


def test_one_class_alone_is_strange_without_a_past():
    """200 of them, whichever they are; nothing can be learned from one class."""
    assert far_rate(nights((200, 200)), []) == "All 200 labels are bad, and few came before."
    decided = [replace(one, decided_alone=True) for one in nights((200, 0))]
    assert far_rate(decided, []) == ""  # what a sound boundary passed
    assert far_rate([replace(one, bad=200) for one in decided], []) != ""
    assert far_rate(nights((199, 0)), []) == ""
    assert far_rate(nights((200, 0)), []).startswith("All 200 labels are good")


def test_a_level_lasts_when_it_has_been_kept_for_the_stated_days_and_rows():
    """Seven days and 500 rows; six days, or 490 rows, are too few."""
    on_hold = nights(*[(100, 78)] * 8)
    assert lasted(on_hold, far_rate, START + 6 * DAY, PLAN) is None
    assert lasted(on_hold[:4], far_rate, START + 7 * DAY, PLAN) is None
    level = lasted(on_hold, far_rate, START + 7 * DAY, PLAN)
    assert level is not None
    assert (level.since, level.rows, level.whole) == (START, 800, True)


def test_a_level_that_still_moves_has_not_lasted():
    """Its later half is far from its earlier one."""
    moving = nights(*[(200, 10)] * 4, *[(200, 80)] * 4)
    assert lasted(moving, far_rate, START + 7 * DAY, PLAN) is None


def test_what_came_before_a_lasting_level_and_is_unlike_it_stays_on_hold():
    """One night of swapped labels, then a sound week: only the week counts again."""
    on_hold = nights((400, 380), *[(200, 10)] * 9)
    level = lasted(on_hold, far_rate, START + 9 * DAY, PLAN)
    assert level is not None
    assert (level.whole, level.since, level.rows) == (False, START + DAY, 1_800)


def test_how_often_a_sound_history_is_held(record_property):
    """Simulated: 5 % bad, 120 labels a night for 60 nights, 200 histories. Each night judges pools
    of about 1, 2, 4, ... hundred labels at 6.3e-5, and they overlap: 60 * 4 * 6.3e-5 = .015 a
    history at most; the bound is five of 200 (expected at most 3)."""
    rng = np.random.default_rng(20261130)
    held = 0
    for _ in range(200):
        bad = rng.binomial(120, 0.05, 60)
        held += first_far(nights(*[(120, int(one)) for one in bad]), far_rate, PLAN) is not None
    record_property("held", held)
    assert held <= 5
