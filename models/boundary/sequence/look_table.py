"""At how many cases is each look due, and how many errors may it show? (METHODS 1.2)

One exact group-sequential table serves every look of a model generation, whatever is promoted in
between. The number of errors among the first B cases, each an error with probability `limit`, is
followed from look to look; what has not passed yet is carried on, and a look may pass what keeps
the probability of ever passing within the share of delta that may be spent up to it (Armitage,
McPherson and Rowe 1969; Lan and DeMets 1983). A larger true share passes less often, so the table
holds for every law with a share of `limit` or more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from models.boundary.proof.evidence import FloatArray

GROWTH = 1.05
"""Each look has 5 % more cases than the one before."""

FIRST_LOOK_SHARE = 6.0 / math.pi**2
"""Of delta, what the first look may spend where it begins with fully reviewed history (phi)."""

FIRST_LOOK_SHARE_FROM_NOTHING = 0.3
"""The same where the first look has to wait for its cases."""

LOOKS = 60

_ROUNDING = 1e-9
"""3600 * 1.05 is a hair above 3780 in binary, and is 3780 cases."""

_DEVIATIONS, _COUNTS = 12.0, 40.0
"""New errors this far from their mean, in standard deviations and beyond them in counts, are left
out: together they are below 1e-30."""


@dataclass(frozen=True, slots=True)
class LookTable:
    """The looks of one sequence, each entry one look; what is spent never exceeds delta.

    Attributes:
        sizes: cases (recall: bad cases) that each look uses, strictly rising.
        allowed: errors with which it passes, never falling; -1: it cannot pass.
        spent_by_look: the probability of having passed by then where the true share is the limit.
    """

    sizes: tuple[int, ...]
    allowed: tuple[int, ...]
    spent_by_look: tuple[float, ...]

    @property
    def spent(self) -> float:
        """What all these looks spend together."""
        return self.spent_by_look[-1] if self.spent_by_look else 0.0


def look_sizes(first: int, growth: float = GROWTH, looks: int = LOOKS) -> tuple[int, ...]:
    """`ceil(first * growth^(i-1))` for i = 1..looks, duplicates dropped."""
    grown = np.ceil(first * growth ** np.arange(looks) - _ROUNDING).astype(np.int64)
    return tuple(int(size) for size in np.unique(grown))


def looks_within(first: int, cases: int, growth: float = GROWTH) -> int:
    """How many i of `look_sizes` give a size of at most `cases`; its `looks` for a table that long."""
    if cases < first:
        return 0
    looks = int(math.log(cases / first) / math.log(growth)) + 1
    while math.ceil(first * growth**looks - _ROUNDING) <= cases:
        looks += 1
    while math.ceil(first * growth ** (looks - 1) - _ROUNDING) > cases:
        looks -= 1
    return looks


@lru_cache(maxsize=1_024)
def look_table(
    first: int,
    share: float,
    delta: float,
    growth: float = GROWTH,
    phi: float = FIRST_LOOK_SHARE,
    looks: int = LOOKS,
) -> LookTable:
    """The exact table of METHODS 1.2; a longer one begins with every shorter one.

    Up to look i it may spend `delta * (1 - (1 - phi) * B_1 / B_i)`.

    Args:
        first: cases of the first look, B_1.
        share: the error share that is to be ruled out, beta.
        delta: what the whole life may spend.
        growth: of the cases from look to look, above 1.
        phi: the first look's share of delta, in (0, 1].
        looks: how many looks; equal sizes are one look.

    Raises:
        ValueError: a number is outside its range.
    """
    _refuse(first, share, delta, growth, phi, looks)
    sizes = look_sizes(first, growth, looks)
    # No look allows more than a single test of its cases at all that may be spent by then.
    most = max(int(stats.binom.ppf(min(delta, 1.0), sizes[-1], share)), 0)
    # Probability by number of errors of what has not passed yet.
    waiting = np.zeros(most + 1)
    waiting[0] = 1.0
    spent, before = 0.0, 0
    allowed: list[int] = []
    by_look: list[float] = []
    for size in sizes:
        waiting = carried(waiting, size - before, share)
        may_spend = delta * (1.0 - (1.0 - phi) * first / size)
        passing = spent + np.cumsum(waiting)
        least = int(np.searchsorted(passing, may_spend, side="right"))
        spent += float(waiting[:least].sum())
        waiting[:least] = 0.0
        allowed.append(least - 1)
        by_look.append(spent)
        before = size
    return LookTable(sizes, tuple(allowed), tuple(by_look))


def carried(waiting: FloatArray, cases: int, share: FloatArray | float) -> FloatArray:
    """The law of the number of errors after `cases` more, as long as it was: what lies beyond can
    never pass.

    Args:
        waiting: probability by number of errors, shape (..., width).
        share: probability that a case is an error, one a law, shape (...).
    """
    laws = np.atleast_2d(waiting)
    shares: FloatArray = np.atleast_1d(np.asarray(share, dtype=np.float64))
    width = laws.shape[1]
    low, high = _increments(cases, shares, width)
    more: FloatArray = np.asarray(stats.binom.pmf(np.arange(low, high), cases, shares[:, None]))
    after = np.zeros_like(laws)
    for law, step, found in zip(laws, more, after, strict=True):
        alive = np.flatnonzero(law)
        if len(alive) and high > low:
            start = int(alive[0])
            summed = np.convolve(law[start : alive[-1] + 1], step)[: max(width - start - low, 0)]
            found[start + low : start + low + len(summed)] = summed
    return after.reshape(np.shape(waiting))


def most_new_errors(cases: int, shares: FloatArray) -> int:
    """Of so many cases, the number of errors beyond which none is followed."""
    return _increments(cases, shares, cases + 1)[1]


def _increments(cases: int, shares: FloatArray, width: int) -> tuple[int, int]:
    """The numbers of new errors that are followed: all but those far beyond any digit shown."""
    reach = _DEVIATIONS * np.sqrt(cases * shares) + _COUNTS
    low = max(int((cases * shares - reach).min()), 0)
    high = min(int((cases * shares + reach).max()) + 1, cases + 1, width)
    return low, high


def _refuse(first: int, share: float, delta: float, growth: float, phi: float, looks: int) -> None:
    if first < 1 or looks < 1:
        raise ValueError(
            f"a table needs a first look of at least one case and at least one look, got {first} "
            f"cases and {looks} looks"
        )
    for name, value in (("share", share), ("delta", delta)):
        if not 0.0 < value < 1.0:
            raise ValueError(f"the table's {name} must lie strictly between 0 and 1, got {value!r}")
    if not (growth > 1.0 and math.isfinite(growth)):
        raise ValueError(f"looks grow by a factor above 1, got {growth!r}")
    if not 0.0 < phi <= 1.0:
        raise ValueError(f"the first look's share phi must lie in (0, 1], got {phi!r}")
