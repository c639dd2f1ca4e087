"""Do the figures by hour of the day add up to what the queue did?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.replay.reviewer_queue import QueueOutcome, review_times, sla
from models.replay.reviewer_queue_hours import hours_of_day
from models.vocabulary import Shift, Staffing


def test_a_night_that_waits_for_the_morning_shows_hour_by_hour():
    """Two days, one person from 9 to 17, hour-long cases, as a table of (arrives, starts)."""
    table = [(7.50, 9.0), (8.00, 10.0), (32.5, 33.0)]
    arrives, begins = (np.array(column) for column in zip(*table, strict=True))
    services = Staffing((Shift(9, 17, 1),), 60.0)
    outcome = review_times(arrives, services, np.full(3, 60.0), horizon_hours=48.0)
    assert outcome.started.tolist() == begins.tolist()
    told = hours_of_day(outcome, 3.0)
    assert told.arrivals_per_hour[[6, 7, 8, 9]].tolist() == [0.0, 1 / 2, (1 + 1) / 2, 0.0]
    # Waiting in hour 7: the first case for half an hour; in hour 8 all three for 1, 1 and .5 h.
    assert told.waiting[[6, 7, 8, 9, 10]].tolist() == [0.0, 0.5 / 2, 2.5 / 2, 1.0 / 2, 0.0]
    # 7:30 -> 10:00 is 2.5 h; 8:00 -> 11:00 is 3 h exactly, a breach; 8:30 -> 10:00 is 1.5 h.
    assert told.within_sla[[7, 8]].tolist() == [1.0, 1 / 2]
    assert np.isnan(told.within_sla[9])


def test_a_case_nobody_took_up_waits_until_the_horizon_over_midnight():
    """From 22:30 to 1:00 the next day, where the watch ends; younger than the SLA, so undecided."""
    outcome = QueueOutcome(np.array([22.5]), np.array([np.nan]), np.array([np.nan]), 25.0, 0.0)
    told = hours_of_day(outcome, 4.0)
    # Hour 0 was watched twice, the others once.
    assert told.waiting[[21, 22, 23, 0, 1]].tolist() == [0.0, 0.5, 1.0, 1.0 / 2, 0.0]
    assert np.isnan(told.within_sla).all()


def test_an_hour_that_was_never_watched_has_no_mean():
    """Watched from 6 to 8 o'clock only."""
    outcome = QueueOutcome(np.array([6.0]), np.array([6.0]), np.array([7.0]), 8.0, 2.0)
    told = hours_of_day(outcome, 4.0, since_hours=6.0)
    assert told.arrivals_per_hour[[6, 7]].tolist() == [1.0, 0.0]
    assert np.isnan(np.delete(told.waiting, [6, 7])).all()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-30, 90), st.integers(0, 1)), max_size=40).map(sorted),
    st.integers(1, 3),
)
def test_waiting_and_cases_add_up_over_the_day(cases, people):
    """Summed over whole days: every case once, and every hour anybody waited once."""
    arrivals = np.array([hour for hour, _ in cases], dtype=float)
    level = np.array([one for _, one in cases], dtype=int)
    staffing = Staffing((Shift(8, 20, people),), 60.0)
    minutes = np.full(len(cases), 45.0)
    outcome = review_times(arrivals, staffing, minutes, horizon_hours=96.0, priority=level)
    told, days = hours_of_day(outcome, 4.0, since_hours=-48.0), 6
    left = np.where(np.isnan(outcome.started), 96.0, outcome.started)
    assert told.arrivals_per_hour.sum() * days == pytest.approx(len(cases))
    assert told.waiting.sum() * days == pytest.approx((left - arrivals).sum())
    assert (told.waiting >= -1e-9).all()


@pytest.mark.parametrize("hair", [5e-324, 1e-300, 1e-17, 1e-12])
@pytest.mark.parametrize("midnight", [-24.0, 0.0, 24.0])
def test_a_hair_before_midnight_is_no_day_less(hair, midnight):
    """A case that joins then and is taken up an hour after midnight waited an hour, not minus 23."""
    joined = midnight - hair
    outcome = QueueOutcome(
        np.array([joined]), np.array([midnight + 1.0]), np.array([midnight + 2.0]), 48.0, 0.0
    )
    told = hours_of_day(outcome, 4.0, since_hours=-48.0)
    assert told.waiting.sum() * 4 == pytest.approx(1.0)
    assert (told.waiting >= 0.0).all()


def test_shares_by_hour_weighted_by_settled_cases_give_the_share_of_the_day():
    """Everything resolved: cases an hour times share within the SLA sums to the total share."""
    generator = np.random.default_rng(2)
    arrivals = np.sort(generator.random(2_000) * 240)
    staffing = Staffing((Shift(7, 19, 3),), 12.0)
    outcome = review_times(arrivals, staffing, None, generator)
    told = hours_of_day(outcome, 4.0)
    joined = np.bincount((arrivals % 24).astype(int), minlength=24)
    share = (joined * told.within_sla).sum() / 2_000
    assert share == pytest.approx(sla(outcome, 4.0).within_sla)
    assert 0.0 < share < 1.0


def test_a_case_from_before_the_watch_is_refused():
    """The message says what to pass instead."""
    outcome = QueueOutcome(np.array([-1.0]), np.array([0.0]), np.array([1.0]), 24.0, 24.0)
    with pytest.raises(ValueError, match=r"1 cases joined before 0 h.*earlier `since_hours`"):
        hours_of_day(outcome, 4.0)
