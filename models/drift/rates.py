"""Has the rate of a rare event changed between two designed samples?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincinv, ndtr, ndtri

from models.drift.sample import FloatArray

ENOUGH_FOR_NORMAL = 25.0
"""Effective events expected in each sample from which the normal approximation is used."""


@dataclass(frozen=True, slots=True)
class RateChange:
    """The rarer of bad and good, compared.

    Attributes:
        of: "bad" or "good".
        earlier, later: design-weighted rates.
        p_value: two-sided, against equal rates.
        ratio, low, high: later by earlier rate with its 95 % interval; 0 and infinity may occur.
    """

    of: str
    earlier: float
    later: float
    p_value: float
    ratio: float
    low: float
    high: float


def compare_rates(earlier: FloatArray, later: FloatArray) -> RateChange | None:
    """Compare two rows of `Tally.risks`; None when one of the samples has no label there.

    With many events a normal test with sandwich variance about the pooled rate; with few the
    conditional test of two Poisson counts (Przyborowski and Wilenski 1940) on effective counts
    (sum w y)^2 / variance, which for one designed weight is the number of events. The variance is
    the larger of the one seen, sum w^2 y (Fay and Feuer 1997), and the one the design gives for
    events spread evenly, rate * sum w^2: the seen one alone had .087 false alarms at .05 (simulated).
    Compared is the rarer class: a Poisson count of the frequent one would claim too much variance,
    and the frequent one's rate can hardly change by a factor.

    Args:
        earlier, later: sum w, sum w^2, sum w y, sum w^2 y, each of shape (4,).
    """
    if earlier[0] <= 0.0 or later[0] <= 0.0:
        return None
    pooled = (earlier[2] + later[2]) / (earlier[0] + later[0])
    of = "bad" if pooled <= 0.5 else "good"
    if of == "good":
        earlier, later, pooled = _complement(earlier), _complement(later), 1.0 - pooled
    first, second = _Rate.of(earlier), _Rate.of(later)
    expected = pooled * min(first.cases, second.cases)
    p_value = (
        _normal_p(first, second, pooled)
        if expected >= ENOUGH_FOR_NORMAL
        else _poisson_p(first, second)
    )
    low, high = _interval(first, second)
    ratio = second.rate / first.rate if first.rate > 0.0 else math.inf if second.rate else 1.0
    return RateChange(of, first.rate, second.rate, p_value, ratio, low, high)


@dataclass(frozen=True, slots=True)
class _Rate:
    """weight: sum w; squares: sum w^2; hit_squares: sum w^2 y; rate: sum w y / sum w;
    cases: effective labelled cases (Kish 1965); events, exposure: of a Poisson count whose mean and
    variance are in the proportion of the weighted sum's."""

    weight: float
    squares: float
    hit_squares: float
    rate: float
    cases: float
    events: float
    exposure: float

    @classmethod
    def of(cls, sums: FloatArray) -> _Rate:
        weight, squares, hits, hit_squares = sums.tolist()
        rate, cases = hits / weight, weight**2 / squares
        if hits <= 0.0:
            return cls(weight, squares, 0.0, 0.0, cases, 0.0, cases)
        # Few events may happen to miss the heavy weights; the design says what could have come.
        variance = max(hit_squares, rate * squares)
        events, exposure = hits**2 / variance, weight * hits / variance
        return cls(weight, squares, hit_squares, rate, cases, events, exposure)

    def variance(self, about: float) -> float:
        """Sandwich variance of the rate: sum w^2 (y - about)^2 / (sum w)^2."""
        return (self.hit_squares * (1.0 - 2.0 * about) + about**2 * self.squares) / self.weight**2


def _complement(sums: FloatArray) -> FloatArray:
    weight, squares, hits, hit_squares = sums
    # Sums of weights in different orders differ in their last bits; a count is never below none.
    return np.array([weight, squares, max(weight - hits, 0.0), max(squares - hit_squares, 0.0)])


def _normal_p(first: _Rate, second: _Rate, pooled: float) -> float:
    variance = first.variance(pooled) + second.variance(pooled)
    if variance <= 0.0:
        return 1.0
    return float(2.0 * ndtr(-abs(second.rate - first.rate) / math.sqrt(variance)))


def _poisson_p(first: _Rate, second: _Rate) -> float:
    """Given all events, those of the later sample are binomial with its share of the exposure."""
    share = second.exposure / (first.exposure + second.exposure)
    # The incomplete beta function is the binomial tail and takes effective counts as they are.
    at_least = betainc(second.events, first.events + 1.0, share) if second.events > 0.0 else 1.0
    at_most = betainc(first.events, second.events + 1.0, 1.0 - share) if first.events > 0.0 else 1.0
    return float(min(1.0, 2.0 * min(at_least, at_most)))


def _interval(first: _Rate, second: _Rate) -> tuple[float, float]:
    if min(first.events, second.events) >= ENOUGH_FOR_NORMAL:
        spread = math.sqrt(
            first.variance(first.rate) / first.rate**2
            + second.variance(second.rate) / second.rate**2
        )
        middle, reach = math.log(second.rate / first.rate), float(ndtri(0.975)) * spread
        return math.exp(middle - reach), math.exp(middle + reach)
    a, b = first.events, second.events
    odds = first.exposure / second.exposure
    low = float(betaincinv(b, a + 1.0, 0.025)) if b > 0.0 else 0.0
    high = float(betaincinv(b + 1.0, a, 0.975)) if a > 0.0 else 1.0
    return low / (1.0 - low) * odds, high / (1.0 - high) * odds if high < 1.0 else math.inf
