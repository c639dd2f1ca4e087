"""At which hours of the day does the queue grow, and whose cases break the SLA?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.replay.reviewer_queue import QueueOutcome, sla_verdicts

FloatArray = npt.NDArray[np.float64]

HOURS = 24


@dataclass(frozen=True, slots=True)
class HoursOfDay:
    """A replayed queue by hour of the day (UTC), each array of shape (24,); NaN: nothing to tell.

    Attributes:
        arrivals_per_hour: mean number of cases that joined in such an hour.
        waiting: mean number of cases that waited (not in anybody's hands), over time; NaN where
            such an hour was never watched.
        within_sla: of the cases that joined in such an hour and whose fate is settled, the share
            that kept the SLA; NaN where there is none.
    """

    arrivals_per_hour: FloatArray
    waiting: FloatArray
    within_sla: FloatArray


def hours_of_day(outcome: QueueOutcome, sla_hours: float, since_hours: float = 0.0) -> HoursOfDay:
    """Average a replayed queue over the days from `since_hours` to its horizon.

    Args:
        outcome: a replayed queue, shape (n,).
        sla_hours: resolved in less than this keeps the SLA; exactly this is a breach.
        since_hours: from when on the queue was watched, in hours since the arrivals' UTC midnight.

    Raises:
        ValueError: a case joined before `since_hours`, or `sla_hours` is not positive.
    """
    if (outcome.arrivals < since_hours).any():
        raise ValueError(
            f"{int((outcome.arrivals < since_hours).sum())} cases joined before {since_hours:g} h, "
            "from when on the queue is said to be watched; pass an earlier `since_hours`"
        )
    horizon = outcome.horizon_hours
    kept, settled = sla_verdicts(outcome, sla_hours)
    joined_at = _hour(outcome.arrivals)
    joined = np.bincount(joined_at, minlength=HOURS)
    left = np.where(np.isnan(outcome.started), horizon, outcome.started)
    waited = _hours_until(left) - _hours_until(outcome.arrivals)
    watched = _hours_until(np.array([horizon])) - _hours_until(np.array([since_hours]))
    return HoursOfDay(
        arrivals_per_hour=_ratio(joined, watched),
        waiting=_ratio(waited, watched),
        within_sla=_ratio(
            np.bincount(joined_at[kept], minlength=HOURS),
            np.bincount(joined_at[settled], minlength=HOURS),
        ),
    )


def _hours_until(moments: FloatArray) -> FloatArray:
    """Time spent in each hour of the day from hour 0 to each moment, summed over moments: (24,).

    The difference of two such sums is the time between two sets of moments, whichever days they
    span; no pair is ever laid out hour by hour.
    """
    # Of one division with the remainder: a hair below midnight, `moments / HOURS` rounds up to 0.
    days = np.floor_divide(moments, HOURS).sum()
    hour = _hour(moments)
    passed = moments.size - np.cumsum(np.bincount(hour, minlength=HOURS))
    part = np.bincount(hour, weights=moments % HOURS - hour, minlength=HOURS)
    total: FloatArray = days + passed + part
    return total


def _hour(moments: FloatArray) -> npt.NDArray[np.int64]:
    """The hour of the day, 0..23."""
    # A hair below midnight, the remainder of a negative moment may round up to 24 itself.
    hour: npt.NDArray[np.int64] = np.minimum(moments % HOURS, HOURS - 1).astype(np.int64)
    return hour


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> FloatArray:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    ratio = np.full(HOURS, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
