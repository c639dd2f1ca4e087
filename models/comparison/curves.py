"""What do one model's scores look like: how they rank, and whether their word is kept?"""

from __future__ import annotations

import numpy as np

from models.comparison.comparison import Curves, ReliabilityBin
from models.comparison.intervals import share_interval
from models.comparison.rows import BoolArray, FloatArray

_POINTS = 160
_BINS = 10


def curves(score: FloatArray, bad: BoolArray, weight: FloatArray, confidence: float) -> Curves:
    """Weighted ROC and reliability of one score; shapes (cases,), both classes present."""
    return Curves(_roc(score, bad, weight), _reliability(score, bad, weight, confidence))


def _roc(score: FloatArray, bad: BoolArray, weight: FloatArray) -> tuple[tuple[float, float], ...]:
    """From (0, 0) to (1, 1); equal scores move together, points thinned evenly along the curve."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order]) != 0.0), len(score) - 1)
    found, alarms = (
        np.concatenate([[0.0], np.cumsum(np.where(part, weight, 0.0)[order])[ends]])
        for part in (bad, ~bad)
    )
    found, alarms = found / found[-1], alarms / alarms[-1]
    along = found + alarms
    kept = np.unique(np.searchsorted(along, np.linspace(0.0, along[-1], _POINTS)))
    kept = np.minimum(kept, len(along) - 1)
    return tuple((float(alarms[at]), float(found[at])) for at in kept)


def _reliability(
    score: FloatArray, bad: BoolArray, weight: FloatArray, confidence: float
) -> tuple[ReliabilityBin, ...]:
    """Bins of equally many labelled cases; equal scores share a bin."""
    edges = np.unique(np.quantile(score, np.linspace(0.0, 1.0, _BINS + 1)))
    place = np.searchsorted(edges[1:-1], score, side="right")
    bins = (np.flatnonzero(place == number) for number in range(max(edges.size - 1, 1)))
    return tuple(
        _bin(score[rows], bad[rows], weight[rows], confidence) for rows in bins if rows.size
    )


def _bin(
    score: FloatArray, bad: BoolArray, weight: FloatArray, confidence: float
) -> ReliabilityBin:
    everywhere = np.ones(len(score), dtype=np.bool_)
    low, high = share_interval(bad, everywhere, everywhere, weight, confidence)
    return ReliabilityBin(
        predicted=float(np.average(score, weights=weight)),
        observed=float(np.average(bad, weights=weight)),
        low=low,
        high=high,
        cases=len(score),
    )
