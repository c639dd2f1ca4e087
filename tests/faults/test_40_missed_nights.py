"""Two, three, ten missed nights at steady volume: the next night admits them all.

Injected: nights left out at a steady volume, then one night that delivers all missed days with two days
of overlap; a doubled delivery; a second run of the same night.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from flows.verbs.services import Services
from tests.faults.nights import holds, night, quiet_nights, stored
from tests.flows.verbs.hub_desk import DAY, NOW, hub_desk
from tests.outside_agent import decided, reviewed


@pytest.fixture
def steady(tmp_path: Path) -> Services:
    services = hub_desk(tmp_path)
    quiet_nights(services, NOW - 8 * DAY, 8)
    return services


@pytest.mark.parametrize("missed", [1, 2, 3, 10])
def test_the_next_night_admits_all_missed_days(steady: Services, missed: int) -> None:
    """A hundred cases a day, whatever the number of days; the overlap counts for nothing."""
    days = [
        decided(NOW + day * DAY) for day in range(-3, missed)
    ]  # the first two lie in the overlap
    cases = pd.concat(days, ignore_index=True)
    told = night(steady, NOW + missed * DAY, decisions=cases, reviews=reviewed(cases))
    assert told["verdict"] == "Everything was done; nothing is held."
    assert told["rows_new"] == 2 * 100 * (missed + 1)
    assert holds(steady) == ()
    after = decided(NOW + missed * DAY)
    later = night(steady, NOW + (missed + 1) * DAY, decisions=after, reviews=reviewed(after))
    assert later["verdict"] == "Everything was done; nothing is held."


def test_a_doubled_delivery_is_no_volume(steady: Services) -> None:
    """Every row twice: the copies are quarantined by name, and nothing is held."""
    cases = decided(NOW - DAY, name="d")
    twice = pd.concat([cases, cases], ignore_index=True)
    told = night(steady, NOW, decisions=twice, reviews=reviewed(cases))
    assert told["verdict"] == "Everything was done; nothing is held."
    (decisions,) = [one for one in told["batches"] if one["table"] == "decisions"]
    assert decisions["rejections"] == {"not_delivered_twice_in_one_batch": 100}


def test_the_same_night_again_changes_nothing(steady: Services) -> None:
    """What is stored is no new row, and no new day."""
    cases = decided(NOW - DAY, name="d")
    for _ in range(2):
        told = night(steady, NOW, decisions=cases, reviews=reviewed(cases))
        assert told["verdict"] == "Everything was done; nothing is held."
    assert told["rows_new"] == 0
    assert stored(steady, "decisions") == 900


def test_a_volume_that_is_far_off_is_held_and_not_refused(steady: Services) -> None:
    """Twelve times as many cases in one day: stored, and their labels wait."""
    cases = decided(NOW - DAY, 1_200, name="d")
    told = night(steady, NOW, decisions=cases, reviews=reviewed(cases))
    assert told["rows_new"] == 2_400
    (hold,) = holds(steady)
    assert (hold.rule, hold.table) == ("volume_near_trailing", "decisions")
    assert hold.reason == "1,200 cases came in 1.0 days, where 100 a day came before."
