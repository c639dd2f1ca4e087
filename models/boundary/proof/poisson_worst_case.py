"""How likely is a weighted error count in the worst split of the errors over the audited strata?

Each stratum `j` shows errors `X_j ~ Poisson(c_j / w_j)`: `c_j` true errors, each observed with the
designed probability `1 / w_j`. Only the sum of the `c_j` is fixed by the hypothesis, so a test must
hold for every split of it (METHODS 1.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, pdtr, pdtrc, xlogy

from models.boundary.proof.evidence import BoolArray, FloatArray

MOST_STRATA = 3
CELLS = {1: 1, 2: 64, 3: 24}
"""Cells along the longest axis of the simplex of splits, by number of strata."""

_ROUNDING = 1e-9
"""Added before a ratio of sums is rounded down: a count one too low makes a p-value too small."""


def worst_case_probability(
    seen: float,
    weights: Sequence[float],
    allowed: float,
    upper: Sequence[float] | None = None,
    cells: int | None = None,
) -> float:
    """Upper bound of `P(sum w_j X_j <= seen)` over every split of `allowed` true errors.

    The splits are `c_j >= 0` with `sum c_j = allowed` and `c_j <= upper_j`. They are covered with
    cells, and each cell is evaluated at its lower corner: the probability falls in every `c_j`, so
    the largest value found is never below the true one. One stratum is exact.

    Args:
        seen: the weighted error count observed, >= 0.
        weights: one designed weight a stratum, each >= 1, in any order.
        allowed: true errors under the hypothesis, in cases.
        upper: upper limits of `c_j`, one for each weight above 1 in the order of `weights`; the
            fully reviewed stratum (weight 1) has none. None: no limits.
        cells: cells along the longest axis; None: as `CELLS` says.

    Returns:
        A probability; 0 when no split reaches `allowed` within the limits.

    Raises:
        ValueError: no stratum or more than three, a weight below 1, a negative count, or limits
            that do not match the weights.
    """
    strata = _strata(seen, weights, allowed, upper)
    if sum(limit for _, limit in strata) < allowed:
        return 0.0
    cover = _Cover.of(strata, allowed, cells or CELLS[len(strata)])
    found = cover.probability(seen, lower_corner=True)
    return float(found[cover.reachable].max(initial=0.0))


def worst_case_excess(
    seen: float, weights: Sequence[float], allowed: float, cells: int | None = None
) -> float:
    """Upper bound of `P(sum w_j X_j >= seen)` over every split of *at most* `allowed` errors.

    The mirror of `worst_case_probability`, for the opposite test: the probability grows in every
    `c_j`, so the splits of exactly `allowed` are the worst and each cell is evaluated at its upper
    corner.

    Raises:
        ValueError: as `worst_case_probability`.
    """
    strata = _strata(seen, weights, allowed, None)
    cover = _Cover.of(strata, allowed, cells or CELLS[len(strata)])
    # Strictly below `seen`; a sum that rounding moved just under it still counts as reaching it.
    below = seen - 1e-6 * strata[0][0]
    if below < 0.0:
        return 1.0
    found = cover.probability(below, lower_corner=False, beyond=True)
    return float(found[cover.reachable].max(initial=0.0))


def _strata(
    seen: float, weights: Sequence[float], allowed: float, upper: Sequence[float] | None
) -> list[tuple[float, float]]:
    """(weight, upper limit) by falling weight; infinite where there is no limit."""
    if not 1 <= len(weights) <= MOST_STRATA:
        raise ValueError(
            f"{len(weights)} strata were asked for; the Poisson worst case covers 1 to "
            f"{MOST_STRATA}. With more designed weights use the betting test (METHODS 1.4)."
        )
    if not all(weight >= 1.0 for weight in weights):
        raise ValueError(f"weights are 1 / propensity, so each must be at least 1: {list(weights)}")
    if not (seen >= 0.0 and allowed >= 0.0):
        raise ValueError(f"error counts cannot be negative: seen {seen}, allowed {allowed}")
    limited = [weight for weight in weights if weight > 1.0]
    if upper is not None and len(upper) != len(limited):
        raise ValueError(
            f"{len(upper)} upper limits for {len(limited)} audited strata; give one for each weight "
            "above 1, in the order of the weights"
        )
    limits = iter(upper if upper is not None else [math.inf] * len(limited))
    pairs = [
        (float(weight), float(next(limits)) if weight > 1.0 else math.inf) for weight in weights
    ]
    return sorted(pairs, reverse=True)


@dataclass(frozen=True, eq=False)
class _Cover:
    """Cells over the splits: the heavier strata lie on axes of one common step, the lightest
    stratum takes what is left. Its rest depends on the *sum* of the cell's indices alone, which
    keeps the number of distinct rests small.

    Attributes:
        weights: falling, shape (strata,).
        allowed: true errors to be split.
        step: side of a cell, in cases.
        sizes: cells on each axis, shape (strata - 1,).
        rest_limit: upper limit of the lightest stratum.
    """

    weights: tuple[float, ...]
    allowed: float
    step: float
    sizes: tuple[int, ...]
    rest_limit: float

    @classmethod
    def of(cls, strata: list[tuple[float, float]], allowed: float, cells: int) -> _Cover:
        ranges = [min(limit, allowed) for _, limit in strata[:-1]]
        step = max(ranges, default=0.0) / cells
        sizes = tuple(max(math.ceil(reach / step), 1) if step > 0.0 else 1 for reach in ranges)
        weights = tuple(weight for weight, _ in strata)
        return cls(weights, allowed, step, sizes, strata[-1][1])

    @property
    def reachable(self) -> BoolArray:
        """Cells that hold at least one split; shape `sizes`."""
        lower = self.step * sum(np.ogrid[tuple(slice(size) for size in self.sizes)], np.array(0))
        rest = self.allowed - lower - self.step * len(self.sizes)
        inside: BoolArray = (lower <= self.allowed) & (rest <= self.rest_limit)
        return inside

    def probability(self, seen: float, *, lower_corner: bool, beyond: bool = False) -> FloatArray:
        """`P(sum w_j X_j <= seen)`, or of more, at one corner of every cell; shape `sizes`.

        Either is summed by itself: 1 minus the other would lose a probability below 1e-16.
        """
        shift = 0.0 if lower_corner else 1.0
        axes: list[FloatArray] = [
            self.step * (np.arange(size, dtype=np.float64) + shift) for size in self.sizes
        ]
        taken = np.arange(sum(self.sizes) - len(self.sizes) + 1) + lower_corner * len(self.sizes)
        rest = np.maximum(self.allowed - self.step * taken, 0.0)
        if not axes:
            tail = _beyond if beyond else _at_most
            return np.asarray(tail(seen, self.weights[0], rest)).reshape(())
        if len(axes) == 1:
            return _two_strata(seen, self.weights, axes[0], rest, beyond)
        return _three_strata(seen, self.weights, axes, rest, beyond)


def _two_strata(
    seen: float, weights: tuple[float, ...], axis: FloatArray, rest: FloatArray, beyond: bool
) -> FloatArray:
    counts, heavy = _mass(seen, weights[0], axis)
    tail = _beyond if beyond else _at_most
    light = tail(seen - weights[0] * counts, weights[1], rest[:, None])
    # Where the heavy stratum alone has more, the light one does not matter.
    alone = _beyond(seen, weights[0], axis) if beyond else 0.0
    return np.asarray((heavy * light).sum(axis=1) + alone)


def _three_strata(
    seen: float,
    weights: tuple[float, ...],
    axes: list[FloatArray],
    rest: FloatArray,
    beyond: bool,
) -> FloatArray:
    """Cells of equal index sum share one table of the lightest stratum's distribution."""
    first_counts, first = _mass(seen, weights[0], axes[0])
    second_counts, second = _mass(seen, weights[1], axes[1])
    left = seen - weights[0] * first_counts[:, None] - weights[1] * second_counts[None, :]
    positions = np.floor(left / weights[2] + _ROUNDING).astype(np.int64)
    # Distribution at every count that can occur, with one column in front for 'none fits'.
    most = int(max(positions.max(), 0))
    table = np.full((len(rest), most + 2), float(beyond))
    tail = pdtrc if beyond else pdtr
    table[:, 1:] = tail(np.arange(most + 1)[None, :], rest[:, None] / weights[2])
    alone = _beyond(seen, weights[1], axes[1]) if beyond else np.zeros(len(axes[1]))
    positions = np.maximum(positions, -1) + 1
    found = np.zeros((len(axes[0]), len(axes[1])))
    for total in range(len(rest)):
        rows = np.arange(max(0, total - len(axes[1]) + 1), min(total, len(axes[0]) - 1) + 1)
        inner = first[rows] @ table[total][positions]
        column = total - rows
        found[rows, column] = (inner * second[column]).sum(axis=1)
        found[rows, column] += first[rows].sum(axis=1) * alone[column]
    if beyond:
        found += _beyond(seen, weights[0], axes[0])[:, None]
    return found


def _mass(seen: float, weight: float, true: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(counts that fit into `seen`, their Poisson probabilities by row of `true`)."""
    counts = np.arange(math.floor(seen / weight + _ROUNDING) + 1, dtype=np.float64)
    mean = (true / weight)[:, None]
    return counts, np.exp(xlogy(counts, mean) - mean - gammaln(counts + 1.0))


def _at_most(left: FloatArray | float, weight: float, true: FloatArray) -> FloatArray:
    """`P(w X <= left)`; 0 where nothing fits."""
    counts = np.floor(np.asarray(left) / weight + _ROUNDING)
    return np.where(counts >= 0.0, pdtr(np.maximum(counts, 0.0), true / weight), 0.0)


def _beyond(left: FloatArray | float, weight: float, true: FloatArray) -> FloatArray:
    """`P(w X > left)`; 1 where nothing fits."""
    counts = np.floor(np.asarray(left) / weight + _ROUNDING)
    return np.where(counts >= 0.0, pdtrc(np.maximum(counts, 0.0), true / weight), 1.0)
