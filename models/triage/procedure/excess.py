"""Does a group of cases hold more of the errors than its share of the expected ones?

A group's errors are compared with those of all other cases of a like expected probability: a model
that is wrong everywhere by the same factor makes no group a finding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

STRATUM_CUTS = (0.1,)
"""Cases that the model is sure of are compared with sure ones, doubtful ones with doubtful ones.

Finer strata lose the very pattern sought: cases read the wrong way round have more extreme
probabilities than any others, and a stratum of such cases alone has nothing to compare with. One
stratum takes a bent calibration curve, which such cases cause, for an excess elsewhere.
"""
MOST_RATIO = 1_000.0
"""Ratios are cut off here, and at its inverse: where all errors lie in one group they have no end."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Excess:
    """How many times as many errors as elsewhere, with its 95 % interval and a one-sided p-value."""

    ratio: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCounts:
    """Sums by stratum of expected probability: cases, errors and expected errors, shape (..., s)."""

    cases: FloatArray
    errors: FloatArray
    expected: FloatArray

    def of(self, group: int) -> ErrorCounts:
        """One group's sums, of tallies of several."""
        return ErrorCounts(self.cases[group], self.errors[group], self.expected[group])

    @property
    def whole(self) -> ErrorCounts:
        """All groups together."""
        return ErrorCounts(
            self.cases.sum(axis=0), self.errors.sum(axis=0), self.expected.sum(axis=0)
        )


def refuse_impossible(wrong: BoolArray, expected: FloatArray, cases: int) -> None:
    """Check that there is one verdict and one probability a case, and that they can be true.

    Raises:
        ValueError: other shapes than (cases,), a probability outside [0, 1], or an error where the
            model says that there can be none.
    """
    if wrong.shape != (cases,) or expected.shape != (cases,):
        raise ValueError(
            f"`wrong` and `expected` must hold one value a case ({cases}), got shapes "
            f"{wrong.shape} and {expected.shape}"
        )
    outside = int((~((expected >= 0.0) & (expected <= 1.0))).sum())
    if outside:
        raise ValueError(f"{outside} of {cases} expected probabilities lie outside [0, 1]")
    impossible = int((wrong & (expected == 0.0)).sum())
    if impossible:
        raise ValueError(
            f"{impossible} cases are errors although their expected probability is 0; pass the "
            "probability of the error that `wrong` marks (a false positive's is 0 only where the "
            "agent recommended to pass)"
        )


def strata_of(expected: FloatArray) -> IntArray:
    """Which stratum of expected probability each case belongs to, shape (n,), from 0 up."""
    return np.searchsorted(np.array(STRATUM_CUTS), expected, side="left").astype(np.int64)


def tally(
    group: IntArray, groups: int, stratum: IntArray, wrong: BoolArray, expected: FloatArray
) -> ErrorCounts:
    """Sums by group (0 .. groups - 1; others are left out) and stratum, shape (groups, strata)."""
    strata = len(STRATUM_CUTS) + 1
    known = (group >= 0) & (group < groups)
    cell = (group * strata + stratum)[known]
    size, shape = groups * strata, (groups, strata)

    def summed(values: FloatArray | BoolArray | None) -> FloatArray:
        weights = None if values is None else values[known]
        sums = np.bincount(cell, weights=weights, minlength=size)
        return sums.astype(np.float64).reshape(shape)

    return ErrorCounts(summed(None), summed(wrong), summed(expected))


def excess_in(inside: ErrorCounts, whole: ErrorCounts, tolerated: float = 1.0) -> Excess | None:
    """Test and measure one group's excess over the rest; None where there is nothing to compare.

    Given the errors O_s of each stratum s, the group's are binomial with share
    t E_gs / (t E_gs + E_rest,s), t being how many times as many errors it has as the rest. Their
    sum is tested as one binomial of the mean share, which can only make the p-value larger
    (Hoeffding 1956). The ratio is the conditional maximum likelihood estimate of t (Breslow and
    Day 1980), and its interval turns the Clopper-Pearson interval of the mean share into one of t.
    With a single stratum this is the plain test of O_g among O at E_g / E.

    Args:
        inside, whole: sums by stratum of the group and of all cases, shape (s,).
        tolerated: the null hypothesis is a ratio of at most this.
    """
    rest = np.maximum(whole.expected - inside.expected, 0.0)
    # What is left of a difference of two equal sums is rounding.
    rest[rest <= 1e-9 * whole.expected] = 0.0
    total, errors = int(whole.errors.sum()), int(inside.errors.sum())
    if total == 0 or inside.expected.sum() <= 0.0 or rest.sum() <= 0.0:
        return None
    share = _Share(inside.expected, rest, whole.errors)
    tail = (1.0 - CONFIDENCE) / 2.0
    low = stats.beta.ppf(tail, errors, total - errors + 1) if errors > 0 else 0.0
    high = stats.beta.isf(tail, errors + 1, total - errors) if errors < total else 1.0
    return Excess(
        ratio=share.ratio_at(errors / total),
        low=share.ratio_at(float(low)),
        high=share.ratio_at(float(high)),
        p_value=float(stats.binom.sf(errors - 1, total, share.at(tolerated))),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Share:
    """A group's mean share of the errors, as a function of the ratio."""

    inside: FloatArray
    rest: FloatArray
    errors: FloatArray

    def at(self, ratio: float) -> float:
        scaled = ratio * self.inside
        both = scaled + self.rest
        share = np.divide(scaled, both, out=np.zeros_like(both), where=both > 0.0)
        return float((self.errors * share).sum() / self.errors.sum())

    def ratio_at(self, share: float) -> float:
        """The inverse of `at`, within the limits of ratios."""
        end = float(np.log(MOST_RATIO))
        if self.at(1.0 / MOST_RATIO) >= share:
            return 1.0 / MOST_RATIO
        if self.at(MOST_RATIO) <= share:
            return MOST_RATIO
        return float(np.exp(optimize.brentq(lambda log: self.at(np.exp(log)) - share, -end, end)))
