"""Which of the suspected slices hold an excess of errors that no simpler slice explains?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models.drift.multiple_testing import discoveries
from models.triage.procedure.excess import (
    BoolArray,
    Excess,
    FloatArray,
    IntArray,
    excess_in,
    strata_of,
    tally,
)
from models.triage.procedure.slice_columns import SliceColumn
from models.triage.procedure.slice_conditions import SliceCondition, all_hold, text_of


@dataclass(frozen=True, slots=True)
class Bar:
    """What a finding must reach."""

    q: float
    fewest_errors: int
    least_ratio: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """A slice to be tested, and how its test went.

    `p_value` is 1 where the slice has too few errors to be a finding: it still counts among the
    slices tested.
    """

    conditions: tuple[SliceCondition, ...]
    configured: bool
    excess: Excess | None = None
    p_value: float = 1.0

    @property
    def rank(self) -> tuple[float, int, str]:
        return self.p_value, len(self.conditions), text_of(self.conditions)


@dataclass(frozen=True, slots=True, eq=False)
class SliceEvidence:
    """The cases in which the error was possible; every array of shape (n,), columns too.

    `order` is a random order that depends on the rows' contents and a seed alone: the first half
    is for searching, the second for testing what was found.
    """

    columns: Mapping[str, SliceColumn]
    wrong: BoolArray
    expected: FloatArray
    stratum: IntArray
    order: IntArray

    @classmethod
    def of(
        cls, columns: Mapping[str, SliceColumn], wrong: BoolArray, expected: FloatArray, seed: int
    ) -> SliceEvidence:
        order = _random_order(columns, wrong, expected, seed)
        return cls(columns, wrong, expected, strata_of(expected), order)

    @property
    def to_search(self) -> IntArray:
        return self.order[: len(self.order) // 2]

    def rows_of(self, suspect: Suspect) -> BoolArray:
        """The slice's rows, shape (n,)."""
        return all_hold(suspect.conditions, self.columns)

    def tested(self, suspect: Suspect, bar: Bar, among: BoolArray | None = None) -> Suspect:
        """The suspect with its test, among all the cases it may be tested on or some of them."""
        may = np.ones(len(self.wrong), dtype=np.bool_) if among is None else among.copy()
        if not suspect.configured:
            may[self.to_search] = False
        group = np.where(may, self.rows_of(suspect), -1).astype(np.int64)
        sums = tally(group, 2, self.stratum, self.wrong, self.expected)
        excess = excess_in(sums.of(1), sums.whole, bar.least_ratio)
        enough = sums.errors[1].sum() >= bar.fewest_errors
        if excess is None or not enough:
            return replace(suspect, excess=excess, p_value=1.0)
        return replace(suspect, excess=excess, p_value=excess.p_value)


def judged(suspects: Sequence[Suspect], evidence: SliceEvidence, bar: Bar) -> list[Suspect]:
    """The suspects that are findings, with their tests, those of smallest p-value first.

    All are tested at once; what is rejected at the false discovery rate is then thinned out: the
    strongest slice is chosen, the rest are tested again without its cases at the same level, and so
    on. So one pattern is one finding.
    """
    tested = [evidence.tested(suspect, bar) for suspect in suspects]
    rejected = discoveries(np.array([suspect.p_value for suspect in tested]), bar.q)
    left = [suspect for suspect, is_rejected in zip(tested, rejected, strict=True) if is_rejected]
    level = max((suspect.p_value for suspect in left), default=0.0)
    chosen: list[Suspect] = []
    free = np.ones(len(evidence.wrong), dtype=np.bool_)
    while left:
        again = [(evidence.tested(suspect, bar, free), suspect) for suspect in left]
        alive = [(now, before) for now, before in again if now.p_value <= level]
        if not alive:
            break
        alive.sort(key=lambda pair: pair[0].rank)
        best = _simplest(alive[0][1], [before for _, before in alive], evidence, bar, free)
        chosen.append(best)
        free &= ~evidence.rows_of(best)
        left = [before for _, before in alive if before != best]
    return sorted(chosen, key=lambda suspect: suspect.rank)


def _simplest(
    best: Suspect, others: Sequence[Suspect], evidence: SliceEvidence, bar: Bar, free: BoolArray
) -> Suspect:
    """A slice of fewer conditions that contains the best one and explains its errors, else it."""
    plain = replace(bar, least_ratio=1.0)
    for other in sorted(others, key=lambda suspect: suspect.rank[1:]):
        contains = set(other.conditions) < set(best.conditions)
        if not contains:
            continue
        within = evidence.tested(best, plain, free & evidence.rows_of(other))
        if within.p_value > bar.q:
            return other
    return best


def _random_order(
    columns: Mapping[str, SliceColumn], wrong: BoolArray, expected: FloatArray, seed: int
) -> IntArray:
    """A permutation that follows the rows wherever they stand: equal rows are interchangeable."""
    bits = np.zeros(len(wrong), dtype=np.uint64)
    for name in sorted(columns):
        hashed = pd.util.hash_array(columns[name].numbers, categorize=False)
        bits = bits * np.uint64(0x9E3779B97F4A7C15) + hashed
    by_content = np.lexsort((wrong, expected, bits))
    return by_content[np.random.default_rng(seed).permutation(len(wrong))].astype(np.int64)
