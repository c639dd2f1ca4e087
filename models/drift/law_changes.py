"""Since which window is a share unlike what it was?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincinv

from models.drift.check import RATIO_FLOOR
from models.drift.laws import Law, judged_together
from models.drift.sample import BoolArray, FloatArray, IntArray

ALPHA = 0.01
"""Probability of a false end of the evidence over a generation's whole life."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A share that changed, and since when.

    Attributes:
        law: its name; cut: where; rose: or fell.
        window: the first of the windows that are unlike those before them.
        found: the window with which that showed.
        earlier, later: the share (of volume: cases a day) before and since.
        trials: how many cases (of volume: days) these are shares of.
        p_value: before the correction for the number of tests.
    """

    law: str
    cut: float
    rose: bool
    window: int
    found: int
    earlier: float
    later: float
    trials: tuple[int, int]
    p_value: float

    @property
    def sentence(self) -> str:
        before, since = (f"{number:,}" for number in self.trials)
        if self.law == "volume":
            more = "More" if self.rose else "Fewer"
            return f"{more} cases come: {self.later:,.0f} a day, {self.earlier:,.0f} a day before."
        said = {
            "recall": (
                "Bad cases moved towards the pass side"
                if self.rose
                else "Bad cases moved away from the pass side",
                f"bad cases score at or below {self.cut:.4g}",
            ),
            "false_omission_rate": (
                f"The share of bad cases among those that score low {self._moved}",
                f"cases that score at or below {self.cut:.4g} are bad",
            ),
            "precision": (
                f"The share of good cases among those that score high {self._moved}",
                f"cases that score at or above {self.cut:.4g} are good",
            ),
            "bad_share": (f"The share of bad cases {self._moved}", "cases are bad"),
        }
        subject, among = said[self.law]
        return f"{subject}: {self.later:.2%} of {since} {among}, {self.earlier:.2%} of {before} before."

    @property
    def _moved(self) -> str:
        return "rose" if self.rose else "fell"


def first_change(
    laws: Sequence[Law],
    sizes: IntArray,
    *,
    alpha: float = ALPHA,
    made: int = 0,
    first: int = 0,
    worse_only: bool = True,
    factor: float = RATIO_FLOOR,
) -> tuple[Moved | None, int]:
    """Walk the windows, oldest first, until a share has changed.

    At each window the newest 1, 2, 4, ... windows are compared with all before them: a change too
    small for one window shows over several. Of the spans that found one the newest counts. Small
    windows wait until they have enough cohort cases together (`judged_together`).

    Given the errors of both sides, those of the later one are binomial with its part of the trials
    (Przyborowski and Wilenski 1940), which for shares that are not rare errs on the quiet side.
    Comparison i spends alpha * 6 / (pi^2 i^2), split evenly over spans, cuts and laws, so all of
    them together raise a false alarm with a probability of at most alpha; `made` goes on with the
    number, so that it is one alpha for the life of a generation, however many sequences it has. A
    change must also be large: the 95 % interval of the ratio of shares lies beyond `factor`.

    Args:
        sizes: cohort cases in each window, shape (windows,).
        made: comparisons that this alpha has paid for before.
        first: the window to begin with.
        worse_only: errors that became fewer are no change: what was worse makes a proof harder.

    Returns:
        The first change, or None; and how many comparisons were made, `made` included.
    """
    groups = judged_together(sizes, first)
    if len(groups) < 2 or not laws:
        return None, made
    trials, errors = (
        _summed(np.hstack([getattr(law, name) for law in laws]), groups)
        for name in ("trials", "errors")
    )
    tested = np.concatenate([law.tested for law in laws])
    for newest in range(1, len(groups)):
        made += 1
        spans = 2 ** np.arange(int(newest).bit_length())
        spans = spans[spans <= newest]
        tests = len(spans) * len(tested) * (1 if worse_only else 2)
        level = alpha * 6.0 / (math.pi**2 * made**2) / tests
        beyond = newest + 1 - spans
        before = trials[beyond], errors[beyond]
        since = trials[newest + 1] - before[0], errors[newest + 1] - before[1]
        for rose in (True,) if worse_only else (True, False):
            fewer, more = (before, since) if rose else (since, before)
            p_value = np.where(tested, _p_of_a_rise(*fewer, *more), 1.0)
            place = _newest(p_value <= level, p_value, fewer, more, factor)
            if place is not None:
                span, column = place
                at = [float(array[place]) for array in (*before, *since)]
                law, cut = _column(laws, column)
                return Moved(
                    law.name, cut, rose, groups[beyond[span]][0], groups[newest][-1],
                    at[1] / at[0], at[3] / at[2], (int(at[0]), int(at[2])), float(p_value[place]),
                ), made  # fmt: skip
    return None, made


def all_changes(
    laws: Sequence[Law], sizes: IntArray, *, alpha: float = ALPHA, factor: float = RATIO_FLOOR
) -> list[Moved]:
    """Every change in either direction, oldest first; after each the comparison begins anew, with
    alpha of its own."""
    found: list[Moved] = []
    first = 0
    while True:
        moved, _ = first_change(
            laws, sizes, alpha=alpha, first=first, worse_only=False, factor=factor
        )
        if moved is None:
            return found
        found.append(moved)
        first = moved.window


def _summed(counts: FloatArray, groups: Sequence[range]) -> FloatArray:
    """Row k: all of the first k groups together, shape (groups + 1, columns)."""
    so_far = np.vstack([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    ends = [groups[0][0], *(group[-1] + 1 for group in groups)]
    summed: FloatArray = so_far[ends] - so_far[ends[0]]
    return summed


def _p_of_a_rise(
    trials: FloatArray, errors: FloatArray, more_trials: FloatArray, more: FloatArray
) -> FloatArray:
    share = more_trials / np.maximum(trials + more_trials, 1.0)
    possible = (more > 0.0) & (trials > 0.0)
    # The incomplete beta function is the binomial tail.
    return np.where(possible, betainc(np.maximum(more, 1.0), errors + 1.0, share), 1.0)


def _newest(
    found: BoolArray,
    p_value: FloatArray,
    fewer: tuple[FloatArray, FloatArray],
    more: tuple[FloatArray, FloatArray],
    factor: float,
) -> tuple[int, int] | None:
    """Of the changes that are large, the newest span's most significant one: (span, column)."""
    if not found.any():
        return None
    least = betaincinv(np.maximum(more[1], 1.0), fewer[1] + 1.0, 0.025)
    ratio = least / (1.0 - least) * fewer[0] / np.maximum(more[0], 1.0)
    large = found & (ratio > factor)
    if not large.any():
        return None
    span = int(np.flatnonzero(large.any(axis=1))[0])
    return span, int(np.where(large[span], p_value[span], 2.0).argmin())


def _column(laws: Sequence[Law], column: int) -> tuple[Law, float]:
    for law in laws:
        if column < len(law.cuts):
            return law, float(law.cuts[column])
        column -= len(law.cuts)
    raise IndexError(f"the laws have no column {column}")
