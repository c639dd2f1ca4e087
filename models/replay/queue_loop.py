"""Who takes up which case when, given when cases come and when people are on shift?"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush, heapreplace

import numpy as np
import numpy.typing as npt

from models.vocabulary import Shift

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DAY_HOURS = 24.0


def serve_in_order(
    arrivals: FloatArray, handling: FloatArray, shifts: tuple[Shift, ...], stop: float
) -> tuple[FloatArray, FloatArray]:
    """Start and finish of each case, first come first served; NaN for cases not taken up by `stop`.

    A loop over cases, since each start depends on the one before. It stays on plain floats and one
    heap of people, ordered by when they are next free: 100,000 cases take some 0.15 s. Somebody
    back from home counts as free from when the next case asks for them, not from their shift's
    start; it decides who takes a case only where shifts with different ends overlap.
    """
    started = [math.nan] * arrivals.size
    finished = [math.nan] * arrivals.size
    spans = _spans(shifts)
    first = float(arrivals[0]) if arrivals.size else 0.0
    people = [
        (*_next_on_shift(first, *spans[number]), number)
        for number, shift in enumerate(shifts)
        for _ in range(shift.reviewers)
    ]
    heapify(people)
    pairs = zip(arrivals.tolist(), handling.tolist(), strict=True)
    for case, (arrival, work) in enumerate(pairs):
        while True:
            free, shift_end, number = people[0]
            start = arrival if arrival > free else free
            if start < shift_end:
                break
            # Gone home before this case came, and so for every later one: back at the next shift.
            heapreplace(people, (*_next_on_shift(start, *spans[number]), number))
        if start > stop:  # starts never decrease, so nothing later is taken up either
            break
        end = start + work
        started[case], finished[case] = start, end
        if end < shift_end:
            heapreplace(people, (end, shift_end, number))
        else:
            heapreplace(people, (*_next_on_shift(end, *spans[number]), number))
    return np.array(started, dtype=np.float64), np.array(finished, dtype=np.float64)


def serve_by_class(
    arrivals: FloatArray,
    handling: FloatArray,
    priority: IntArray,
    shifts: tuple[Shift, ...],
    stop: float,
) -> tuple[FloatArray, FloatArray]:
    """Start and finish of each case, highest class first; NaN for cases not taken up by `stop`.

    Non-pre-emptive: a case in hand is finished whatever comes. One turn of the loop hands out one
    case. The lowest class needs no heap, since it is served in order of arrival; waiting cases of
    the others lie in a heap of integers that say class and case, people in a heap of (free since,
    end of shift, place of the shift in the list).
    """
    cases = int(arrivals.size)
    if cases == 0:
        return np.zeros(0), np.zeros(0)
    started = [math.nan] * cases
    works, spans = handling.tolist(), _spans(shifts)
    lowest = priority == priority.min()
    low_cases = np.flatnonzero(lowest).tolist()
    high_places = _places_in_line(priority, np.flatnonzero(~lowest))
    # Nobody comes after the last.
    low_comes = [*arrivals[lowest].tolist(), math.inf]
    high_comes = [*arrivals[~lowest].tolist(), math.inf]
    low, high, low_come, high_come = 0, 0, low_comes[0], high_comes[0]
    people = [
        (*_shift_around(float(arrivals[0]), *spans[number]), number)
        for number, shift in enumerate(shifts)
        for _ in range(shift.reviewers)
    ]
    heapify(people)
    waiting: list[int] = []
    now = -math.inf
    for _ in range(cases):
        if not waiting:
            come = low_come if low_come < high_come else high_come
            if come > now:
                now = come
        while True:
            free, shift_end, number = people[0]
            start = free if free > now else now
            if start < shift_end:
                break
            heapreplace(people, (*_shift_around(start, *spans[number]), number))
        if start > stop:  # starts never decrease, so nothing later is taken up either
            break
        while high_come <= start:
            heappush(waiting, high_places[high])
            high += 1
            high_come = high_comes[high]
        if waiting:
            case = heappop(waiting) % cases
        else:
            case = low_cases[low]
            low += 1
            low_come = low_comes[low]
        started[case] = now = start
        end = start + works[case]
        if end < shift_end:
            heapreplace(people, (end, shift_end, number))
        else:
            heapreplace(people, (*_next_on_shift(end, *spans[number]), number))
    starts = np.array(started, dtype=np.float64)
    return starts, starts + handling


def staffed_hours(shifts: tuple[Shift, ...], begin: float, end: float) -> float:
    """Person-hours on shift in [begin, end]."""

    def hours_until(hour: float, shift: Shift) -> float:
        days, rest = divmod(hour - shift.start_hour, DAY_HOURS)
        return days * _length(shift) + min(rest, _length(shift))

    return sum(
        shift.reviewers * (hours_until(end, shift) - hours_until(begin, shift)) for shift in shifts
    )


def _places_in_line(priority: IntArray, chosen: IntArray) -> list[int]:
    """One integer a chosen case, smaller is sooner: rank of its class (highest 0) times n plus case."""
    _, rank = np.unique(priority[chosen], return_inverse=True)
    places: list[int] = ((rank.max(initial=0) - rank) * priority.size + chosen).tolist()
    return places


def _shift_around(hour: float, start_hour: float, length: float) -> tuple[float, float]:
    """Begin and end of this shift's first day that ends after `hour`; it may have begun before."""
    if length == DAY_HOURS:
        return -math.inf, math.inf
    begins = start_hour + DAY_HOURS * math.floor((hour - start_hour) / DAY_HOURS)
    if hour < begins + length:
        return begins, begins + length
    return begins + DAY_HOURS, begins + DAY_HOURS + length


def _next_on_shift(hour: float, start_hour: float, length: float) -> tuple[float, float]:
    """The first moment at or after `hour` on this shift, and when that shift ends."""
    begins, ends = _shift_around(hour, start_hour, length)
    return max(hour, begins), ends


def _spans(shifts: tuple[Shift, ...]) -> list[tuple[float, float]]:
    return [(float(shift.start_hour), _length(shift)) for shift in shifts]


def _length(shift: Shift) -> float:
    """Hours from a shift's start to its end, over midnight if need be."""
    hours = shift.end_hour - shift.start_hour
    return float(hours if hours > 0 else hours + 24)
