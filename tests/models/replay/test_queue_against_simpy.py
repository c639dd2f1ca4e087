"""Do our queue and a discrete-event model in simpy agree on every single case?"""

from __future__ import annotations

import math

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from models.replay.reviewer_queue import review_times
from models.vocabulary import Shift, Staffing

LEAVE, ARRIVE, ASK = 0, 2, 3
"""Turns within one moment of simulated time; simpy's own events, a completion among them, are 1."""


class Moment(simpy.Event):
    """A point in time with a turn of its own; what simpy's Timeout is, with the turn chosen."""

    def __init__(self, env, delay, turn):
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=turn, delay=delay)


class SimpyDesk:
    """The review desk as simpy processes: one for the arrivals, one for each reviewer.

    Cases lie in a PriorityStore, ordered by (class, arrival). A free reviewer waits with a `get`;
    simpy serves those requests in the order they were made, so whoever has been free longest comes
    first. At the shift's end a clock process interrupts a waiting reviewer, who takes the request
    back and goes home; a busy one finishes, then looks at the clock.
    """

    def __init__(self, arrivals, handling_hours, priority, shifts):
        # Two days ahead, so that everybody on shift at the first arrival has come as on any day.
        opens = 24.0 * math.floor(arrivals[0] / 24.0) - 48.0
        self.env = simpy.Environment(initial_time=opens)
        self.cases = simpy.PriorityStore(self.env)
        self.handling = handling_hours
        self.started = np.full(len(arrivals), np.nan)
        self.open = len(arrivals)
        self.done = self.env.event()
        self.idle = set()
        self.env.process(self.arrive(arrivals, priority))
        for place, shift in enumerate(shifts):
            for _ in range(shift.reviewers):
                self.env.process(self.work(shift, place, len(shifts)))

    def run(self):
        """When each case was taken up, in hours."""
        self.env.run(until=self.done)
        return self.started

    def arrive(self, arrivals, priority):
        for case, (hour, level) in enumerate(zip(arrivals, priority, strict=True)):
            if hour > self.env.now:
                yield Moment(self.env, hour - self.env.now, ARRIVE)
            self.cases.put((-level, case))

    def work(self, shift, place, shifts):
        while True:
            begins, ends = days_shift(shift, self.env.now)
            if begins > self.env.now:
                yield self.env.timeout(begins - self.env.now)
            if math.isfinite(ends):
                self.env.process(self.send_home(self.env.active_process, ends))
            # Of people free since the same moment: first who leaves first, then the list's order.
            last = int(min(ends, 1e9)) * shifts + place
            asking = ASK + last + 10**6
            while self.env.now < ends:
                yield Moment(self.env, 0, asking)
                request = self.cases.get()
                self.idle.add(self.env.active_process)
                try:
                    _, case = yield request
                except simpy.Interrupt:
                    request.cancel()
                    break
                self.idle.discard(self.env.active_process)
                self.started[case] = self.env.now
                yield self.env.timeout(self.handling[case])
                self.open -= 1
                if self.open == 0:
                    self.done.succeed()

    def send_home(self, reviewer, ends):
        yield Moment(self.env, ends - self.env.now, LEAVE)
        if reviewer in self.idle:
            self.idle.discard(reviewer)
            reviewer.interrupt()


def days_shift(shift, now):
    """This day's shift if it is not over at `now`, else the next day's: (begin, end) in hours."""
    length = (shift.end_hour - shift.start_hour) % 24 or 24
    if length == 24:
        return now, math.inf
    day = 24 * math.floor(now / 24) - 24
    while now >= day + shift.start_hour + length:
        day += 24
    return day + shift.start_hour, day + shift.start_hour + length


def both(arrivals, minutes, priority, shifts):
    """Start hours by simpy and by us."""
    levels = np.zeros(len(arrivals), dtype=int) if priority is None else np.asarray(priority)
    theirs = SimpyDesk(arrivals.tolist(), (minutes / 60.0).tolist(), levels.tolist(), shifts).run()
    staffing = Staffing(shifts, handling_minutes=60.0)
    ours = review_times(arrivals, staffing, minutes, priority=priority)
    assert np.isfinite(theirs).all()
    return theirs, ours


def week_of_cases(seed, cases, people, load, mean_minutes=12.0):
    """Arrivals with a day/night swing, exponential work, a tenth of key users (simulated)."""
    generator = np.random.default_rng(seed)
    days = cases * mean_minutes / 60.0 / (24.0 * people * load)
    hours = 24.0 * days * generator.random(4 * cases)
    by_day = generator.random(4 * cases) * 1.6 < 1 + 0.6 * np.sin(2 * np.pi * hours / 24)
    arrivals = np.sort(hours[by_day][:cases])
    minutes = generator.exponential(mean_minutes, cases)
    return arrivals, minutes, (generator.random(cases) < 0.1).astype(int)


OVERLAPPING = (Shift(0, 24, 2), Shift(6, 14, 7), Shift(12, 20, 6), Shift(22, 7, 4))
HANDING_OVER = (Shift(0, 8, 5), Shift(8, 16, 9), Shift(16, 24, 7))


@pytest.mark.parametrize("load", [0.6, 0.9, 1.05])
@pytest.mark.parametrize("shifts", [OVERLAPPING, HANDING_OVER])
def test_waits_with_shifts_and_key_users_are_those_of_simpy_case_by_case(shifts, load):
    """8,000 cases each, up to an overloaded desk: no wait differs by 1e-9 hours."""
    people = sum(
        shift.reviewers * ((shift.end_hour - shift.start_hour) % 24 or 24) / 24 for shift in shifts
    )
    arrivals, minutes, key = week_of_cases(int(100 * load), 8_000, people, load)
    theirs, ours = both(arrivals, minutes, key, shifts)
    assert np.abs((theirs - arrivals) - (ours.started - arrivals)).max() < 1e-9
    waits = ours.started - arrivals
    assert waits[key == 1].mean() < waits[key == 0].mean()


def test_waits_without_priorities_are_those_of_simpy_case_by_case():
    """First come, first served over three shifts that hand over to each other."""
    arrivals, minutes, _ = week_of_cases(5, 8_000, 7.0, 0.95)
    theirs, ours = both(arrivals, minutes, None, HANDING_OVER)
    assert np.abs(theirs - ours.started).max() < 1e-9


def test_any_number_of_classes_agrees_with_simpy():
    """Ten classes, negative ones among them: the highest goes first."""
    arrivals, minutes, _ = week_of_cases(6, 6_000, 9.1, 0.98)
    levels = np.random.default_rng(6).integers(-3, 7, 6_000)
    theirs, ours = both(arrivals, minutes, levels, OVERLAPPING)
    assert np.abs(theirs - ours.started).max() < 1e-9


# Quarter hours are exact in binary, so what coincides in one model coincides in the other.
rotas = st.lists(
    st.builds(Shift, st.integers(0, 23), st.integers(1, 24), st.integers(1, 3)),
    min_size=1,
    max_size=3,
).map(tuple)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(8 * 4, 54 * 4), st.integers(0, 12), st.integers(0, 2)),
        min_size=2,
        max_size=40,
    ).map(sorted),
    rotas,
)
def test_events_of_the_same_moment_take_the_same_order_in_both(cases, shifts):
    """Everything on a grid of quarter hours: completions, leavings, comings and cases coincide."""
    arrivals = np.array([quarter / 4 for quarter, _, _ in cases])
    minutes = np.array([15.0 * quarters for _, quarters, _ in cases])
    levels = np.array([level for _, _, level in cases])
    if (levels == levels[0]).all():
        levels[-1] += 1  # one class alone takes the other loop
    theirs, ours = both(arrivals, minutes, levels, shifts)
    assert ours.started.tolist() == theirs.tolist()
