"""How much has a bet against a live promise won by tonight, whenever the promise was broken?

One bet over all the evidence loses in the good days what it must first win back when the bad ones
come. So a share of the capital waits in cash and a part of it is staked anew every week: the sum is
a mixture of bets that begin in different weeks (as an e-detector mixes them: Shin, Ramdas and
Rinaldo 2024). Shares and stakes are fixed in advance and the shares add up to one, so a kept promise
is refuted on *any* night with a probability of at most delta (Ville 1939; METHODS 5). Weeks are
those of the calendar and not of the labels: a label that comes late changes no stake.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from models.boundary.proof.evidence import BoolArray, Evidence, FloatArray

TIMES_THE_LIMIT: FloatArray = np.array([1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0])
"""Each stake grows fastest where errors are this many times as frequent as promised."""

DAYS_A_START = 7
FIRST_SHARE = 0.5
"""Of the capital: staked from the first case on; the others are left for later weeks."""

_MOST_STAKED = 0.97
"""A bet that can lose everything never comes back."""


@dataclass(frozen=True, eq=False)
class Counted:
    """Drawn cases that a promise counts: 'the share of `error` is at most `limit`'.

    Attributes:
        error: which of them break it, shape (counted,).
        weights: 1 / designed probability of being drawn, shape (counted,).
        week: of the evidence, from 0, shape (counted,).
        limit: the share of errors that is promised, in (0, 1).
        heaviest_error: the largest weight an error can have by design, drawn or not.
        heaviest: the largest weight of any case by design.
        weeks: how many weeks the evidence spans.
    """

    error: BoolArray = field(repr=False)
    weights: FloatArray = field(repr=False)
    week: npt.NDArray[np.int64] = field(repr=False)
    limit: float
    heaviest_error: float
    heaviest: float
    weeks: int


def recall_refuted(evidence: Evidence, recall: float, cut: float) -> float:
    """Capital against 'at most 1 - recall of the bad cases lies at or below `cut`'.

    A drawn case without a label speaks for the cut: bad and caught above it, not bad below it.
    """
    passed = evidence.automatable & (evidence.score <= cut)
    counted = evidence.bad | (evidence.missing & ~passed)
    return refuting_capital(_counted(evidence, counted, passed, 1.0 - recall, passed))


def pass_refuted(evidence: Evidence, limit: float, cut: float) -> float:
    """Capital against 'at most `limit` of the passed cases are bad'; a missing label is not bad."""
    passed = evidence.automatable & (evidence.score <= cut)
    return refuting_capital(
        _counted(evidence, passed & evidence.drawn, evidence.bad, limit, passed)
    )


def block_refuted(evidence: Evidence, precision: float, cut: float) -> float:
    """Capital against 'at most 1 - precision of the blocked are good'; a missing label is bad."""
    blocked = evidence.automatable & (evidence.score >= cut)
    good = ~(evidence.bad | evidence.missing)
    return refuting_capital(
        _counted(evidence, blocked & evidence.drawn, good, 1.0 - precision, blocked)
    )


def refuting_capital(counted: Counted) -> float:
    """The capital of all bets tonight; 1 at the start, and large where the promise is broken."""
    if not counted.weeks:
        return 1.0
    limit = counted.limit
    # What is staked may be lost by the case that keeps the promise, however heavy it is.
    stakes = np.minimum(
        (TIMES_THE_LIMIT - 1.0) / ((1.0 - limit) * counted.heaviest_error),
        _MOST_STAKED / (limit * counted.heaviest),
    )
    by_week = _gains_by_week(counted, stakes)
    # Entry k of a row: what a bet that began in week k has won by tonight.
    since = np.cumsum(by_week[:, ::-1], axis=1)[:, ::-1]
    shares = start_shares(counted.weeks)
    staked = logsumexp(since + np.log(shares), axis=1)
    in_cash = 1.0 - shares.sum()
    log_capital = np.logaddexp(logsumexp(staked) - np.log(len(stakes)), np.log(in_cash))
    return float(np.exp(min(log_capital, 700.0)))


def start_shares(weeks: int) -> FloatArray:
    """The share of the capital that is staked from each week on, shape (weeks,); they and those of
    all weeks to come add up to one."""
    later = np.arange(1, weeks)
    return np.concatenate([[FIRST_SHARE], (1.0 - FIRST_SHARE) / (later * (later + 1.0))])


def _gains_by_week(counted: Counted, stakes: FloatArray) -> FloatArray:
    """Log gains of each stake in each week, shape (stakes, weeks)."""
    limit, weights = counted.limit, counted.weights
    if not len(weights) or weights.min() < weights.max():
        per_error = np.where(counted.error, 1.0 - limit, -limit) * weights
        return np.array(
            [
                np.bincount(counted.week, np.log1p(stake * per_error), minlength=counted.weeks)
                for stake in stakes
            ]
        )
    # One weight for all, as in a cohort: the numbers of a week say it all.
    wrong = np.bincount(counted.week[counted.error], minlength=counted.weeks)
    right = np.bincount(counted.week, minlength=counted.weeks) - wrong
    one = stakes[:, None] * weights[0]
    return np.asarray(wrong * np.log1p(one * (1.0 - limit)) + right * np.log1p(-one * limit))


def _counted(
    evidence: Evidence, kept: BoolArray, error: BoolArray, limit: float, zone: BoolArray
) -> Counted:
    """The kept cases; an error can happen in the zone only."""
    start, end = evidence.day.min(initial=np.inf), evidence.day.max(initial=-np.inf)
    first = np.floor(start / DAYS_A_START) if len(evidence) else 0.0
    week = (np.floor(evidence.day[kept] / DAYS_A_START) - first).astype(np.int64)
    in_zone = evidence.propensity[zone]
    return Counted(
        error=error[kept],
        weights=1.0 / evidence.propensity[kept],
        week=week,
        limit=limit,
        heaviest_error=float(1.0 / in_zone.min()) if len(in_zone) else evidence.largest_weight,
        heaviest=evidence.largest_weight,
        weeks=int(np.floor(end / DAYS_A_START) - first) + 1 if len(evidence) else 0,
    )
