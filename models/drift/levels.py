"""Has the level of what is delivered moved, and has a new level lasted?

A level is the share of bad labels, or the number of rows a day, of one case type. Deliveries are
compared with those before them. One that is far off puts its labels on hold; once the new level has
lasted, it is the level (issue 12, FAULTS 42).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scipy import stats

FEWEST_TO_JUDGE = 200
"""Under this many labels nothing is said about their share of bad (DESIGN 4)."""
EXPECTED_BAD = 10
"""Labels are pooled until so many bad ones are to be expected: with fewer, a pool without a single
bad case would be nothing strange (probability e^-10 at the trailing rate)."""
FEWEST_DELIVERIES = 5
FARTHEST_RATE_FACTOR = 2.0
FARTHEST_VOLUME_FACTOR = 5.0
STANDARD_DEVIATIONS = 4.0
BEYOND_CHANCE = 6.3e-5
"""The two-sided tail of a normal law beyond 4 standard deviations."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one delivery brought of one case type.

    Attributes:
        received_at: when it was stored.
        rows: labels (or, of decisions, cases) that were new.
        bad: labels that say bad; 0 where volume is judged.
        days: days since the delivery before, for volume; 0 where that is not judged.
        epoch: what drew its cases: shares of bad are compared within one epoch only.
        decided_alone: none of its cases was escalated. What a sound boundary passes is all but good, so
            that no bad label among some hundreds is nothing strange.
    """

    received_at: datetime
    rows: int
    bad: int = 0
    days: float = 0.0
    epoch: str = ""
    decided_alone: bool = False


@dataclass(frozen=True, slots=True)
class HoldPlan:
    """What ends a hold by itself: its level must have lasted so many days and rows.

    `trailing`: how far back cases a day are compared with.
    """

    lasts: timedelta
    rows: int
    trailing: timedelta = timedelta(days=28)


Judge = Callable[[Sequence[Delivered], Sequence[Delivered]], str]
"""(new, past) -> why the new deliveries are far from the past ones, or "" (also: too few)."""


def rate_is_far(bad: int, rows: int, before: float, rows_before: int | None = None) -> bool:
    """Whether a share of bad is beyond chance *and* a factor of 2 from the one before.

    Chance is the exact two-sided tail of 4 standard deviations: a normal tail would never find a
    fall from twelve bad cases to none. A past without a bad case is read as at most one in as many.

    Args:
        before: the share of bad before, in [0, 1].
        rows_before: how many rows that rests on; None: it is taken as known exactly.
    """
    if not rows:
        return False
    share, factor = bad / rows, FARTHEST_RATE_FACTOR
    if before / factor <= share <= before * factor:
        return False
    if rows_before is None:
        known = min(max(before, 1.0 / rows), 1.0 - 1.0 / rows)
        few, many = stats.binom.cdf(bad, rows, known), stats.binom.sf(bad - 1, rows, known)
    else:
        every, bads = rows + rows_before, bad + round(before * rows_before)
        few = stats.hypergeom.cdf(bad, every, bads, rows)
        many = stats.hypergeom.sf(bad - 1, every, bads, rows)
    return bool(2.0 * min(few, many) < BEYOND_CHANCE)


def volume_is_far(rows: int, expected: float) -> bool:
    """Whether a number of rows is beyond 4 Poisson standard deviations *and* a factor of 5."""
    beyond_chance = abs(rows - expected) > STANDARD_DEVIATIONS * math.sqrt(expected)
    factor = FARTHEST_VOLUME_FACTOR
    return beyond_chance and (rows > expected * factor or rows < expected / factor)


def far_rate(new: Sequence[Delivered], past: Sequence[Delivered]) -> str:
    """Why the new labels' share of bad is far from the past ones', or ""; a `Judge`.

    A first delivery has no past; one class alone is strange all the same.
    """
    for epoch in dict.fromkeys(one.epoch for one in new):
        why = _far_rate(
            [one for one in new if one.epoch == epoch], [one for one in past if one.epoch == epoch]
        )
        if why:
            return why
    return ""


def _far_rate(new: Sequence[Delivered], past: Sequence[Delivered]) -> str:
    rows, bad = sum(one.rows for one in new), sum(one.bad for one in new)
    before, bad_before = sum(one.rows for one in past), sum(one.bad for one in past)
    if before < FEWEST_TO_JUDGE:
        one_class = bad == rows or (bad == 0 and not any(one.decided_alone for one in new))
        if rows >= FEWEST_TO_JUDGE and one_class:
            return f"All {rows:,} labels are {'bad' if bad else 'good'}, and few came before."
        return ""
    if rows < FEWEST_TO_JUDGE or not rate_is_far(bad, rows, bad_before / before, before):
        return ""
    return (
        f"{bad / rows:.2%} of {rows:,} labels are bad, {bad_before / before:.2%} of the "
        f"{before:,} before."
    )


def far_volume(new: Sequence[Delivered], past: Sequence[Delivered]) -> str:
    """Why the new deliveries' rows a day are far from the past ones', or ""; a `Judge`.

    Rows are compared with what the days they cover should have brought, so that missed nights
    change nothing. Under half a day nothing is said (a second run of one night is no new day), and
    what the past has seen twice is nothing strange (a week-end).
    """
    days, past_days = sum(one.days for one in new), sum(one.days for one in past)
    if days < 0.5 or len(past) < FEWEST_DELIVERIES or past_days <= 0.0:
        return ""
    rows, a_day = sum(one.rows for one in new), sum(one.rows for one in past) / past_days
    # What arrives at some other hour than usual may bring a whole day's rows after half a day.
    covered = max(days, 1.0) if rows > a_day * days else days
    if a_day <= 0.0 or not volume_is_far(rows, a_day * covered):
        return ""
    seen = sorted(one.rows / one.days for one in past)
    if seen[1] <= rows / covered <= seen[-2]:
        return ""
    return f"{rows:,} cases came in {days:.1f} days, where {a_day:,.0f} a day came before."


def first_far(
    deliveries: Sequence[Delivered],
    judge: Judge,
    plan: HoldPlan,
    *,
    judged_after: datetime | None = None,
    pooled: bool = True,
) -> tuple[datetime, str] | None:
    """The first delivery that is far from its past, and why; None: none is.

    Small deliveries are pooled with those before them until they can be judged, and in pools of
    twice and four times as many rows, and so on (`pooled`): a level that moved by less shows in more
    rows. Where a pool is far, the hold begins at its first delivery.

    Args:
        deliveries: oldest first, none of them on hold, from the first that may be compared with.
        judged_after: deliveries up to this moment are not judged again.
    """
    for at, newest in enumerate(deliveries):
        if judged_after is not None and newest.received_at <= judged_after:
            continue
        for first in _pools(deliveries, at) if pooled else [at]:
            since = newest.received_at - plan.trailing
            past = _trailing(deliveries[:first], since, pooled)
            why = judge(deliveries[first : at + 1], past)
            if why:
                return deliveries[first].received_at, why
    return None


@dataclass(frozen=True, slots=True)
class Lasted:
    """A level that has lasted: since when, in how many rows, and whether all that is on hold shares
    it (else what came before `since` does not)."""

    since: datetime
    rows: int
    whole: bool


def lasted(
    on_hold: Sequence[Delivered], judge: Judge, now: datetime, plan: HoldPlan
) -> Lasted | None:
    """The level that the newest deliveries on hold have kept for the plan's days and rows.

    Of the shortest stretch of newest deliveries that is long enough, the later half must not be far
    from the earlier one; the later half is the level, and what came before it and is not far from it
    belongs to it. None: no level has lasted yet.
    """
    for first in range(len(on_hold) - 1, -1, -1):
        rows = sum(one.rows for one in on_hold[first:])
        if rows < plan.rows or now - on_hold[first].received_at < plan.lasts:
            continue
        half = first + _half(on_hold[first:])
        if judge(on_hold[half:], on_hold[first:half]):
            return None
        begins = _kept_since(on_hold, half, judge)
        kept = sum(one.rows for one in on_hold[begins:])
        return Lasted(on_hold[begins].received_at, kept, whole=begins == 0)
    return None


def _kept_since(on_hold: Sequence[Delivered], half: int, judge: Judge) -> int:
    """The first delivery of the level that those from `half` on have: going back from there, as many
    at a time as can be judged, until some are far from it."""
    begins = at = half
    while at > 0:
        at -= 1
        chunk = on_hold[at:begins]
        few = not chunk[0].days and sum(one.rows for one in chunk) < FEWEST_TO_JUDGE
        if few and at > 0:
            continue
        if judge(chunk, on_hold[half:]):
            return begins
        begins = at
    return begins


def _pools(deliveries: Sequence[Delivered], newest: int) -> list[int]:
    """Where the pools that end with the newest delivery begin, the smallest pool first; each leaves
    at least as many rows before it as it has."""
    rows_before = sum(one.rows for one in deliveries[:newest])
    bad_before = sum(one.bad for one in deliveries[:newest])
    first, rows = newest, deliveries[newest].rows
    wanted, found = 0, list[int]()
    while True:
        if rows >= max(wanted, _wanted(bad_before, rows_before)):
            found.append(first)
            wanted = 2 * rows
        if first == 0 or (found and rows > rows_before):
            return found or [0]
        first -= 1
        rows += deliveries[first].rows
        rows_before -= deliveries[first].rows
        bad_before -= deliveries[first].bad


def _wanted(bad_before: int, rows_before: int) -> int:
    """How many labels a pool needs beside such a past."""
    if not bad_before or not rows_before:
        return FEWEST_TO_JUDGE
    return max(FEWEST_TO_JUDGE, math.ceil(EXPECTED_BAD * rows_before / bad_before))


def _trailing(past: Sequence[Delivered], since: datetime, pooled: bool) -> Sequence[Delivered]:
    """Shares of bad are compared with all that came before (the more, the less a change escapes);
    rows a day, which grow with a business, with the deliveries since a moment."""
    if pooled:
        return past
    recent = [one for one in past if one.received_at >= since]
    return recent if len(recent) >= FEWEST_DELIVERIES else past


def _half(stretch: Sequence[Delivered]) -> int:
    """Where the later half of the rows begins; at least one delivery stands on either side."""
    total, seen = sum(one.rows for one in stretch), 0
    for at, one in enumerate(stretch):
        seen += one.rows
        if 2 * seen >= total:
            return min(max(at, 1), max(len(stretch) - 1, 1))
    return max(len(stretch) - 1, 1)
