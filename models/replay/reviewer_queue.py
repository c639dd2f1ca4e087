"""How long do escalated cases wait for the people on shift, and how many break the SLA?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.replay.queue_loop import serve_by_class, serve_in_order, staffed_hours
from models.vocabulary import Staffing

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Distribution = Literal["exponential", "lognormal"]

LOGNORMAL_SIGMA = 0.5
"""Spread of log handling time: the slowest twentieth takes at least 2.0 times the mean."""


FARTHEST_HOURS = 1e9
"""From the midnight that hours are counted from, some 100,000 years: farther off, a float64 of hours no
longer tells milliseconds apart, and none tells one day's shift from the next's."""


@dataclass(frozen=True, slots=True)
class QueueOutcome:
    """When each case was taken up and resolved, in hours since the arrivals' UTC midnight.

    Attributes:
        arrivals: when each case joined the queue, shape (n,), sorted.
        started: when a reviewer took it up, shape (n,); NaN: not by the horizon.
        finished: when it was resolved, shape (n,); NaN: still open at the horizon.
        horizon_hours: the moment up to which the queue was watched.
        staffed_hours: person-hours on shift between the first arrival and the horizon.
    """

    arrivals: FloatArray
    started: FloatArray
    finished: FloatArray
    horizon_hours: float
    staffed_hours: float


@dataclass(frozen=True, slots=True)
class SlaFigures:
    """What the queue did to resolution times (from joining the queue to resolution).

    Attributes:
        cases: cases that joined the queue.
        within_sla: share resolved in less than the SLA, among the cases whose fate is settled
            (resolved, or open for at least the SLA); None when none is.
        p50_hours, p95_hours: Kaplan-Meier quantiles of the resolution time, open cases censored at
            the horizon; None when too many are open to tell.
        utilisation: hours worked per person-hour on shift; a case finished after the shift's end
            counts as worked, so overtime can carry it past 1. None when nobody was on shift.
        still_open: cases unresolved at the horizon.
        undecided: those of them that are younger than the SLA, so neither kept nor broken.
    """

    cases: int
    within_sla: float | None
    p50_hours: float | None
    p95_hours: float | None
    utilisation: float | None
    still_open: int
    undecided: int


def review_times(
    arrivals_hours: FloatArray,
    staffing: Staffing,
    handling_minutes: FloatArray | None = None,
    seed: int | np.random.Generator | None = None,
    *,
    distribution: Distribution = "lognormal",
    horizon_hours: float | None = None,
    priority: npt.ArrayLike | None = None,
) -> QueueOutcome:
    """Replay a queue: highest class first, then first come first served, nobody interrupted.

    A case goes to whoever on shift has been free longest; of people free equally long, to the one
    whose shift ends first, then to the shift listed first. A person starts no case at or after the
    shift's end, but finishes the one in hand. Shifts repeat every 24 hours; a 24-hour shift is a
    chair that is always occupied (hand-over takes no time). Without classes, and only where shifts
    with different ends overlap, "longest" is counted as `serve_in_order` says.

    Events of the same moment take this order: cases in hand are finished, people whose shift ends
    leave, people whose shift begins come, new cases join, and only then are cases handed out. So a
    key user who comes the moment somebody is free goes before every other case that waits.

    Args:
        arrivals_hours: shape (n,), sorted, hours since a UTC midnight.
        staffing: shifts and mean handling time.
        handling_minutes: shape (n,), minutes of work per case; None draws them with `seed`.
        seed: an integer or a Generator; needed only when `handling_minutes` is None.
        distribution: what the handling times are drawn from.
        horizon_hours: when to stop watching; None runs until the last case is resolved.
        priority: shape (n,), whole numbers or truth values, a higher class goes first (METHODS 3:
            key users); None, or one class for all, is first come first served.

    Raises:
        ValueError: nobody is ever on shift, arrivals are unsorted, not finite, beyond
            `FARTHEST_HOURS` or after the horizon,
            handling times or priorities do not match, or there is neither a seed nor handling
            times.
    """
    arrivals = _checked_arrivals(arrivals_hours, horizon_hours)
    if not any(shift.reviewers > 0 for shift in staffing.shifts):
        raise ValueError(
            f"nobody reviews: all {len(staffing.shifts)} shifts have 0 reviewers, so no case would "
            "ever be resolved. Give at least one shift a reviewer."
        )
    if handling_minutes is None:
        if seed is None:
            raise ValueError(
                "handling times are to be drawn but no seed was given; pass `seed`, or pass "
                "`handling_minutes` with one value per case"
            )
        generator = np.random.default_rng(seed)
        handling_minutes = draw_handling_minutes(
            arrivals.size, staffing.handling_minutes, generator, distribution
        )
    handling_hours = _checked_handling(handling_minutes, arrivals.size) / 60.0
    stop = math.inf if horizon_hours is None else float(horizon_hours)
    classes = _checked_priority(priority, arrivals.size)
    if classes is None:
        started, finished = serve_in_order(arrivals, handling_hours, staffing.shifts, stop)
    else:
        started, finished = serve_by_class(arrivals, handling_hours, classes, staffing.shifts, stop)
    finished[finished > stop] = np.nan
    if arrivals.size == 0:
        return QueueOutcome(arrivals, started, finished, horizon_hours or 0.0, 0.0)
    horizon = float(finished.max()) if horizon_hours is None else stop
    staffed = staffed_hours(staffing.shifts, float(arrivals[0]), horizon)
    return QueueOutcome(arrivals, started, finished, horizon, staffed)


def sla(outcome: QueueOutcome, sla_hours: float) -> SlaFigures:
    """Judge a replayed queue against an SLA: resolved in *less* than `sla_hours`, else a breach.

    Exactly `sla_hours` is a breach, and so is a case that has been open that long at the horizon.

    Raises:
        ValueError: `sla_hours` is not positive.
    """
    kept, settled = sla_verdicts(outcome, sla_hours)
    is_open = np.isnan(outcome.finished)
    seconds = _ages_in_seconds(outcome)
    return SlaFigures(
        cases=int(outcome.arrivals.size),
        within_sla=float(kept.sum() / settled.sum()) if settled.any() else None,
        p50_hours=_survival_quantile(seconds, is_open, 0.50),
        p95_hours=_survival_quantile(seconds, is_open, 0.95),
        utilisation=_utilisation(outcome),
        still_open=int(is_open.sum()),
        undecided=int((~settled).sum()),
    )


def sla_verdicts(outcome: QueueOutcome, sla_hours: float) -> tuple[BoolArray, BoolArray]:
    """Which cases kept the SLA, and whose fate is settled at the horizon; both of shape (n,).

    Exactly `sla_hours` is a breach; an open case is settled (a breach) once it is that old.

    Raises:
        ValueError: `sla_hours` is not positive.
    """
    if not sla_hours > 0:
        raise ValueError(f"the SLA must be a positive number of hours, got {sla_hours!r}")
    young = _ages_in_seconds(outcome) < round(sla_hours * 3600.0, 3)
    is_open = np.isnan(outcome.finished)
    return young & ~is_open, ~(young & is_open)


def draw_handling_minutes(
    cases: int,
    mean_minutes: float,
    generator: np.random.Generator,
    distribution: Distribution = "lognormal",
) -> FloatArray:
    """Draw handling times with the given mean, shape (cases,), in minutes.

    Raises:
        ValueError: the distribution is neither "exponential" nor "lognormal".
    """
    if distribution == "exponential":
        return generator.exponential(mean_minutes, cases)
    if distribution == "lognormal":
        # The mean of a log-normal is exp(mu + sigma^2 / 2).
        mu = math.log(mean_minutes) - LOGNORMAL_SIGMA**2 / 2.0
        return generator.lognormal(mu, LOGNORMAL_SIGMA, cases)
    raise ValueError(
        f"handling times cannot be drawn from {distribution!r}; use 'exponential' or 'lognormal'"
    )


def _utilisation(outcome: QueueOutcome) -> float | None:
    if outcome.staffed_hours <= 0.0:
        return None
    ends = np.where(np.isnan(outcome.finished), outcome.horizon_hours, outcome.finished)
    worked = float(np.nansum(ends - outcome.started))
    return worked / outcome.staffed_hours


def _ages_in_seconds(outcome: QueueOutcome) -> FloatArray:
    """From joining the queue to resolution, or to the horizon for a case that is still open."""
    ends = np.where(np.isnan(outcome.finished), outcome.horizon_hours, outcome.finished)
    # Whole milliseconds: 4.1 h - 0.1 h is 3.9999999999999996 h in floating point, yet a breach.
    ages: FloatArray = np.round((ends - outcome.arrivals) * 3600.0, 3)
    return ages


def _survival_quantile(seconds: FloatArray, is_open: BoolArray, q: float) -> float | None:
    """The Kaplan-Meier quantile of the resolution time, in hours; None when it lies in the open."""
    # At the same age, resolutions come before censorings (Kaplan and Meier's convention).
    order = np.lexsort((is_open, seconds))
    at_risk = seconds.size - np.arange(seconds.size)
    survival = np.cumprod(np.where(is_open[order], 1.0, 1.0 - 1.0 / at_risk))
    # A hair of slack: the product of n factors (1 - 1/k) is a round share only up to rounding.
    reached = np.flatnonzero((survival <= 1.0 - q + 1e-9) & ~is_open[order])
    return float(seconds[order[reached[0]]] / 3600.0) if reached.size else None


def _checked_arrivals(arrivals_hours: FloatArray, horizon_hours: float | None) -> FloatArray:
    arrivals = np.asarray(arrivals_hours, dtype=np.float64)
    if arrivals.ndim != 1 or not np.isfinite(arrivals).all():
        raise ValueError("arrivals must be one list of finite hours since a UTC midnight")
    _refuse_far("cases arrive", arrivals)
    backwards = np.flatnonzero(np.diff(arrivals) < 0)
    if backwards.size:
        raise ValueError(
            f"arrivals must be sorted; case {backwards[0] + 1} arrives before the one ahead of it"
        )
    if horizon_hours is None:
        return arrivals
    if not math.isfinite(horizon_hours):
        raise ValueError(f"the horizon must be a finite number of hours, got {horizon_hours!r}")
    _refuse_far("horizons lie", np.array([horizon_hours]))
    late = int((arrivals > horizon_hours).sum())
    if late:
        raise ValueError(
            f"{late} cases arrive after the horizon of {horizon_hours:g} h; leave them out or move "
            "the horizon"
        )
    return arrivals


def _checked_handling(handling_minutes: FloatArray, cases: int) -> FloatArray:
    handling = np.asarray(handling_minutes, dtype=np.float64)
    if handling.shape != (cases,):
        raise ValueError(
            f"handling times must be one per case: {cases} arrivals, shape {handling.shape} given"
        )
    if not (np.isfinite(handling).all() and (handling >= 0.0).all()):
        raise ValueError("handling times must be finite minutes, zero or more")
    _refuse_far("cases are worked on", handling / 60.0)
    return handling


def _refuse_far(what: str, hours: FloatArray) -> None:
    far = int((np.abs(hours) > FARTHEST_HOURS).sum())
    if far:
        raise ValueError(
            f"{far} {what} more than {FARTHEST_HOURS:g} hours from the midnight that hours are counted "
            "from (or for so long); give hours, not seconds or nanoseconds, since a midnight close by"
        )


def _checked_priority(priority: npt.ArrayLike | None, cases: int) -> IntArray | None:
    """The classes, or None where they make no difference."""
    if priority is None:
        return None
    classes = np.asarray(priority)
    if classes.shape != (cases,):
        raise ValueError(
            f"priorities must be one per case: {cases} arrivals, shape {classes.shape} given"
        )
    if cases == 0:
        return None
    if classes.dtype.kind not in "iub":
        raise ValueError(
            f"priorities must be whole numbers or truth values (a higher class goes first), got "
            f"{classes.dtype}; pass for instance `priority >= 75`"
        )
    return None if (classes == classes[0]).all() else classes.astype(np.int64)
