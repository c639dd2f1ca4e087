"""Which cuts are tried, in which order, and how far does a sequence of tests get?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.boundary.proof.evidence import FloatArray

STEP = 1.08
"""Each further cut automates 8 % more cases (METHODS 1.3 asks for 4 to 12 %)."""

FIRST_BLOCKS = (150, 600)
"""With no incumbent a sequence of block cuts starts where this many cases would be blocked."""

PASS_SHARES = (0.3, 0.6, 0.85)
"""With no incumbent a sequence of pass cuts starts where this share of cases would be passed.

A bad share among the passed is small and nearly flat over the score's lower range, so a test on a
small sample near zero has no power; several starts, each at a share of delta, keep a late start
from costing the early ones (Learn then Test, Angelopoulos et al. 2021, section on multiple starts).
"""


@dataclass(frozen=True, slots=True)
class SideTest:
    """How far one side was proven.

    cut: the widest proven cut, None when none is. errors, trials: seen at that cut (exact tests).
    sample: what the evidence held for the test (bad cases, or cases), for the price. steps: every
    cut that was proven, where a narrower one is not proven with it; empty: all narrower ones are.
    """

    cut: float | None
    errors: int | None = None
    trials: int | None = None
    sample: int = 0
    steps: tuple[float, ...] = ()

    def at_or_below(self, ceiling: float) -> float | None:
        """The widest proven *pass* cut that does not exceed a ceiling; None: there is none."""
        if self.cut is None or self.cut <= ceiling:
            return self.cut
        if not self.steps:
            return ceiling
        return max((step for step in self.steps if step <= ceiling), default=None)

    def above(self, floor: float) -> SideTest:
        """What is left of a *block* side above a floor: the widest proven cut there, if any."""
        if self.cut is None or self.cut > floor:
            return self
        steps = tuple(step for step in self.steps if step > floor)
        return replace(self, cut=min(steps, default=None), steps=steps)


def just_below(score: float) -> float | None:
    """The highest cut that passes no case of this score, whether scores come in 64 or in 32 bits;
    None: there is none in [0, 1].

    `nextafter` in 64 bits is undone where scores are served in 32: 0.7 becomes 0.69999999.
    """
    below = float(np.nextafter(np.float32(score), np.float32(-np.inf)))
    return below if below >= 0.0 else None


def just_above(score: float) -> float:
    """The lowest cut at or below which this score lies in 64 and in 32 bits; at most 1."""
    return min(float(np.nextafter(np.float32(score), np.float32(np.inf))), 1.0)


def outward(
    starts: Sequence[FloatArray],
    p_value: Callable[[float], float],
    delta: float,
    counts: Callable[[float], tuple[int, int]] | None,
    widest: Callable[[Iterable[float]], float],
) -> SideTest:
    """Walk each sequence until its first cut whose p-value exceeds its share of delta."""
    reached: list[float] = []
    for sequence in starts:
        for cut in sequence:
            if p_value(float(cut)) > delta / len(starts):
                break
            reached.append(float(cut))
    if not reached:
        return SideTest(None)
    cut = widest(reached)
    errors, trials = counts(cut) if counts else (None, None)
    return SideTest(
        cut, errors=errors, trials=trials, sample=trials or 0, steps=tuple(sorted(reached))
    )


def block_sequences(
    scores: FloatArray,
    incumbent: float | None,
    above: float | None,
    first: Sequence[int] = FIRST_BLOCKS,
) -> list[FloatArray]:
    """Sequences of block cuts laid out on scores alone (never on outcomes), outward.

    Args:
        scores: automatable scores, any order, shape (cases,).
        incumbent: today's cut, tested first; None: the sequences start at `first` blocked cases.
        above: the pass cut; no block cut lies at or below it.
    """
    descending = np.sort(scores)[::-1]
    if incumbent is not None:
        already = int(np.searchsorted(-descending, -incumbent, side="right"))
        ladders = [np.concatenate([[incumbent], _cuts_at(descending, max(already, 20) * STEP)])]
    else:
        ladders = [_cuts_at(descending, float(size)) for size in first if size <= len(descending)]
    floor = -np.inf if above is None else above
    return [cuts for ladder in ladders if len(cuts := ladder[ladder > floor])]


def pass_sequences(
    scores: FloatArray,
    incumbent: float | None,
    below: float | None,
    shares: Sequence[float] = PASS_SHARES,
) -> list[FloatArray]:
    """Sequences of pass cuts, outward; from the incumbent, or from shares of the cases.

    Near the top each step adds 8 % of what is *not* passed, as a further 8 % of the passed would
    overshoot.
    """
    ascending = np.sort(scores)
    count = len(ascending)
    if count == 0:
        return []
    if incumbent is not None:
        share = float(np.searchsorted(ascending, incumbent, side="right")) / count
        ladder = _ascending_cuts(ascending, share)
        ladders = [np.concatenate([[incumbent], ladder[ladder > incumbent]])]
    else:
        ladders = [_ascending_cuts(ascending, share) for share in shares]
    ceiling = np.inf if below is None else below
    return [cuts for ladder in ladders if len(cuts := ladder[ladder < ceiling])]


def _cuts_at(descending: FloatArray, first: float) -> FloatArray:
    sizes = np.unique((first * STEP ** np.arange(0, 200)).astype(np.int64))
    sizes = sizes[(sizes >= 1) & (sizes <= len(descending))]
    return _distinct(descending[sizes - 1])


def _ascending_cuts(ascending: FloatArray, share: float) -> FloatArray:
    count = len(ascending)
    passed, sizes = share, [share]
    while passed < 0.999 and len(sizes) < 200:
        passed += min((STEP - 1.0) * max(passed, 0.01), 0.08 * (1.0 - passed))
        sizes.append(passed)
    ranks = np.clip((np.array(sizes) * count).astype(np.int64), 1, count)
    return _distinct(ascending[ranks - 1])


def _distinct(cuts: FloatArray) -> FloatArray:
    """Drop repeated cuts and keep the order."""
    return cuts[np.concatenate([[True], np.diff(cuts) != 0.0])] if len(cuts) else cuts
