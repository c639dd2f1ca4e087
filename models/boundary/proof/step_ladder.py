"""How far outward is a risk proven that is not monotone in the cut? (METHODS 1.3)

Precision and false omission are tested step by step, outward, on cuts laid out once on scores
alone. Each step has its own table of looks over the cohort's cases on its side of the cut; a step
is proven when it and every step before it have ever passed, so the first step that never passed is
the only one whose looks matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from models.boundary.proof.bounds import trials_without_error, upper_limit
from models.boundary.proof.candidates import (
    FIRST_BLOCKS,
    block_sequences,
    pass_sequences,
)
from models.boundary.proof.evidence import BoolArray, FloatArray
from models.boundary.proof.risks import RISKS
from models.boundary.sequence.cohort import Cohort, IntArray
from models.boundary.sequence.look_table import (
    FIRST_LOOK_SHARE,
    FIRST_LOOK_SHARE_FROM_NOTHING,
    LookTable,
    look_table,
    looks_within,
)

FEWEST_CASES = 40
"""Of a first look at a step."""


@dataclass(frozen=True, slots=True)
class Step:
    """One cut and its looks: cases of its first look, and that look's share of delta."""

    cut: float
    first: int
    phi: float


@dataclass(frozen=True, slots=True)
class Ladder:
    """One sequence of cuts, outward.

    Attributes:
        risk: "precision" or "false_omission_rate"; limit: the error share it allows.
        delta: what the life of this sequence may spend.
        steps: narrowest first.
        proven: how many of them are proven.
        taken: looks taken at the first one that is not.
    """

    risk: str
    limit: float
    delta: float
    steps: tuple[Step, ...]
    proven: int = 0
    taken: int = 0

    @property
    def proven_cuts(self) -> tuple[float, ...]:
        return tuple(step.cut for step in self.steps[: self.proven])

    def advanced(self, cohort: Cohort) -> Ladder:
        """After every look that is due now; a look once taken is not taken again."""
        proven, taken = self.proven, self.taken
        rows, reach = None, -1
        while proven < len(self.steps):
            if rows is None or proven > reach:
                reach = min(2 * proven - self.proven + 4, len(self.steps) - 1)
                rows = _Rows.beyond(cohort, self.risk, self.steps[reach].cut)
            seen = rows.seen(self.steps[proven].cut)
            table = self.table(proven, seen.cases)
            passed = seen.errors_at(table.sizes[taken:]) <= np.array(table.allowed[taken:])
            if not passed.any():
                return replace(self, proven=proven, taken=max(taken, len(table.sizes)))
            proven, taken = proven + 1, 0
        return replace(self, proven=proven, taken=0)

    def table(self, step: int, cases: int) -> LookTable:
        """The looks at a step that so many cases suffice for."""
        at = self.steps[step]
        looks = looks_within(at.first, cases)
        if not looks:
            return LookTable((), (), ())
        return look_table(at.first, self.limit, self.delta, phi=at.phi, looks=looks)

    def seen(self, cohort: Cohort, step: int) -> Seen:
        """The cohort's cases on a step's side of its cut, as far as every truth is in."""
        return self.seen_at(cohort, range(step, step + 1))[0]

    def seen_at(self, cohort: Cohort, steps: range) -> list[Seen]:
        """`seen` of steps that follow one another."""
        rows = _Rows.beyond(cohort, self.risk, self.steps[steps[-1]].cut)
        return [rows.seen(self.steps[step].cut) for step in steps]

    def bound(self, cohort: Cohort, cut: float) -> float | None:
        """The error share proven for a step's cut at the looks' own levels; None: not estimable.

        Each look's limit (Clopper and Pearson 1934) is taken at the level that its allowed errors
        have there, so that it lies at or below the promise exactly where the look passes; the
        smallest of all looks holds with the others.
        """
        at = [place for place, step in enumerate(self.steps) if step.cut == cut]
        if not at:
            return None
        seen = self.seen(cohort, at[0])
        table = self.table(at[0], seen.cases)
        found = smallest_limit(seen.errors_at(table.sizes), table, self.limit)
        if at[0] < self.proven:
            return self.limit if found is None else min(found, self.limit)
        return found

    def plain(self) -> dict[str, Any]:
        return {
            "risk": self.risk,
            "limit": self.limit,
            "delta": self.delta,
            "steps": [[step.cut, step.first, step.phi] for step in self.steps],
            "proven": self.proven,
            "taken": self.taken,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Ladder:
        steps = tuple(Step(float(cut), int(n), float(phi)) for cut, n, phi in plain["steps"])
        return cls(**{**plain, "steps": steps})


@dataclass(frozen=True, eq=False)
class Seen:
    """Errors among a step's cases in order of entry, shape (cases,)."""

    error: BoolArray

    @property
    def cases(self) -> int:
        return len(self.error)

    def errors_at(self, sizes: Iterable[int]) -> IntArray:
        """Errors among the first cases, for each size."""
        so_far = np.concatenate([[0], np.cumsum(self.error)])
        return so_far[np.array(list(sizes), dtype=np.int64)]


def smallest_limit(errors: IntArray, table: LookTable, limit: float) -> float | None:
    """The smallest of the looks' exact limits of an error share; None: no look can pass."""
    found = [
        upper_limit(min(int(count), size), size, float(stats.binom.cdf(allowed, size, limit)))
        for count, size, allowed in zip(errors, table.sizes, table.allowed, strict=True)
        if allowed >= 0
    ]
    return min((share for share in found if share is not None), default=None)


def laid_out(
    risk: str,
    target: float,
    delta: float,
    scores: FloatArray,
    cohort: Cohort,
    today: float | None = None,
    other_side: float | None = None,
) -> tuple[Ladder, ...]:
    """The ladders of one promise, on scores alone; each at its share of delta.

    Args:
        scores: automatable scores that lay out the cuts, shape (cases,).
        cohort: says how many cases each step has at its first look.
        today: the cut in force for this model, from which the steps go out; None: several starts.
        other_side: today's cut of the other side, which no step reaches.
    """
    limit = RISKS[risk].error_limit(target)
    if risk == "precision":
        first = _first_blocks(scores, cohort)
        sequences = block_sequences(scores, today, other_side, first)
        cuts = [_beside(one, -np.inf) for one in sequences]
    else:
        sequences = pass_sequences(scores, today, other_side)
        cuts = [_beside(one, np.inf) for one in sequences]
    if today is not None:
        cuts = [[today, *one[1:]] for one in cuts]
    share = delta / max(len(cuts), 1)
    return tuple(
        Ladder(
            risk,
            limit,
            share,
            tuple(
                _step(cut, cases, limit, share)
                for cut, cases in zip(one, _cases_at(cohort, risk, one), strict=True)
            ),
        )
        for one in cuts
    )


def _beside(cuts: FloatArray, towards: float) -> list[float]:
    """Each cut moved so far that its own score is within it in 64 and in 32 bits."""
    moved = np.nextafter(cuts.astype(np.float32), np.float32(towards)).astype(np.float64)
    return [float(cut) for cut in np.clip(moved, 0.0, 1.0)]


def _first_blocks(scores: FloatArray, cohort: Cohort) -> tuple[int, ...]:
    """Where the block steps start, as numbers of the scores that lay them out."""
    cases = int((cohort.block_member & cohort.automatable).sum())
    ratio = len(scores) / cases if cases else 1.0
    return tuple(max(round(size * ratio), 1) for size in FIRST_BLOCKS)


def _cases_at(cohort: Cohort, risk: str, cuts: list[float]) -> list[int]:
    """How many cases each cut has in hand; `cuts` outward."""
    rows = _Rows.beyond(cohort, risk, cuts[-1])
    if rows.waiting.any():
        return [rows.seen(cut).cases for cut in cuts]
    ordered = np.sort(rows.score)
    if risk == "precision":
        return [int(n) for n in len(ordered) - np.searchsorted(ordered, cuts, side="left")]
    return [int(n) for n in np.searchsorted(ordered, cuts, side="right")]


def _step(cut: float, cases: int, limit: float, delta: float) -> Step:
    """A first look of as many cases as are in hand, or of as many as can prove anything."""
    fewest = max(FEWEST_CASES, trials_without_error(limit, FIRST_LOOK_SHARE * delta))
    if cases >= fewest:
        return Step(cut, cases, FIRST_LOOK_SHARE)
    later = trials_without_error(limit, FIRST_LOOK_SHARE_FROM_NOTHING * delta)
    return Step(cut, max(FEWEST_CASES, later), FIRST_LOOK_SHARE_FROM_NOTHING)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The cases beyond the widest of several cuts, in order of entry; each of shape (cases,)."""

    risk: str
    score: FloatArray
    wrong: BoolArray
    waiting: BoolArray

    @classmethod
    def beyond(cls, cohort: Cohort, risk: str, cut: float) -> _Rows:
        if risk == "precision":
            side = cohort.block_member & (cohort.score >= cut)
        else:
            side = cohort.member & (cohort.score <= cut)
        places = np.flatnonzero(side & cohort.automatable)
        bad = cohort.bad[places]
        # A case given up for good counts as the error it may be.
        wrong = ~bad if risk == "precision" else bad | cohort.given_up[places]
        return cls(risk, cohort.score[places], wrong, cohort.waiting[places])

    def seen(self, cut: float) -> Seen:
        inside = self.score >= cut if self.risk == "precision" else self.score <= cut
        first = np.flatnonzero(self.waiting & inside)
        end = int(first[0]) if len(first) else len(inside)
        return Seen(self.wrong[:end][inside[:end]])
