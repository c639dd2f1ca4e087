"""From which window on are the cases one population?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from models.drift.check import FEWEST_ROWS, DriftVerdict, compare
from models.drift.sample import IntArray, Sample
from models.drift.tally import Ruler, Tally


@dataclass(frozen=True, slots=True)
class Restart:
    """The cases changed at a window. window: its index; found: that of the window with which it
    showed; verdict: what had moved."""

    window: int
    found: int
    verdict: DriftVerdict


@dataclass(frozen=True, slots=True)
class Pool:
    """Which windows are one population.

    Attributes:
        first: index of the oldest window that may be pooled with the newest.
        restarts: where the population changed, oldest first.
        comparisons: how often windows were compared since the last restart; 0: too few cases.
    """

    first: int
    restarts: tuple[Restart, ...] = ()
    comparisons: int = 0


def windows_to_pool(windows: Sequence[Sample], alpha: float = 0.01) -> Pool:
    """Walk consecutive windows, oldest first, and start again wherever the population changed.

    At each window the newest 1, 2, 4, ... windows are compared with everything pooled before them
    since the last restart: a change too small for one window shows over several. Of the spans that
    found drift the newest counts. Windows too small to judge wait for the next ones, so that many
    small windows are judged together. Comparison i since a restart spends alpha * 6 / (pi^2 i^2),
    split over its spans, so between two true changes false restarts stay at or below `alpha` in
    all, however many windows there are. Later windows never change what was found at earlier ones:
    a nightly re-run with complete windows spends nothing twice.

    Raises:
        ValueError: the windows have different features, column types or boundaries.
    """
    first = 0
    restarts: list[Restart] = []
    while True:
        found, comparisons = _next_restart(windows, first, alpha)
        if found is None:
            return Pool(first, tuple(restarts), comparisons)
        restarts.append(found)
        first = found.window


def consecutive(sample: Sample, window: IntArray) -> list[Sample]:
    """The sample cut wherever the window's number changes; one number a case, in order of time."""
    if not len(sample):
        return []
    cuts = np.flatnonzero(np.diff(window)) + 1
    ends = [0, *cuts.tolist(), len(sample)]
    return [sample.rows(first, beyond) for first, beyond in pairwise(ends)]


@dataclass(frozen=True, slots=True)
class _Group:
    """Consecutive windows judged as one: index of the first, and their counts."""

    window: int
    tally: Tally


def _next_restart(
    windows: Sequence[Sample], first: int, alpha: float
) -> tuple[Restart | None, int]:
    """(the first restart after window `first`, comparisons made)."""
    base = _base(windows, first)
    if base is None:
        return None, 0
    beyond, sample = base
    ruler = Ruler.laid_on(sample)
    groups = [_Group(first, ruler.tally(sample))]
    waiting: _Group | None = None
    for index in range(beyond, len(windows)):
        counted = ruler.tally(windows[index])
        waiting = (
            _Group(index, counted)
            if waiting is None
            else _Group(waiting.window, Tally.total([waiting.tally, counted]))
        )
        if waiting.tally.rows < FEWEST_ROWS:
            continue
        groups.append(waiting)
        waiting = None
        comparisons = len(groups) - 1
        spent = alpha * 6.0 / (math.pi**2 * comparisons**2)
        found = _newest_change(ruler, groups, index, spent)
        if found is not None:
            return found, comparisons
    return None, len(groups) - 1


def _base(windows: Sequence[Sample], first: int) -> tuple[int, Sample] | None:
    """(index after it, sample) of the first windows that hold enough cases to lay bins on."""
    sizes = np.cumsum([len(window) for window in windows[first:]])
    enough = np.flatnonzero(sizes >= FEWEST_ROWS)
    if not len(enough):
        return None
    beyond = first + int(enough[0]) + 1
    return beyond, _joined(windows[first:beyond])


def _newest_change(
    ruler: Ruler, groups: Sequence[_Group], index: int, alpha: float
) -> Restart | None:
    spans = [2**power for power in range(len(groups).bit_length()) if 2**power < len(groups)]
    for span in spans:
        earlier = Tally.total([group.tally for group in groups[:-span]])
        later = Tally.total([group.tally for group in groups[-span:]])
        verdict = compare(ruler, earlier, later, alpha / len(spans))
        if not verdict.quiet:
            return Restart(groups[-span].window, index, verdict)
    return None


def _joined(windows: Sequence[Sample]) -> Sample:
    return Sample(
        np.concatenate([window.scores for window in windows]),
        pd.concat([window.features for window in windows], ignore_index=True),
        np.concatenate([window.bad for window in windows]),
        np.concatenate([window.propensity for window in windows]),
        windows[0].boundary,
    )
