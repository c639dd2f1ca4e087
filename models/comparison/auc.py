"""How well does each score rank bad cases above good ones, and how sure is the difference?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.comparison.influence import Influence
from models.comparison.rows import BoolArray, FloatArray

IntArray = npt.NDArray[np.intp]
Counts = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Ranking:
    """One score's weighted AUC, ready to be taken again with other weights.

    AUC is the weighted share of (bad, good) pairs in which the bad case has the higher score, ties
    counting one half.

    Attributes:
        good, bad: row numbers; the good ones in ascending order of score. Shapes (good,), (bad,).
        below, not_above: how many good cases score lower than each bad one, and at most as high.
        auc: with the rows' own weights.
        if_bad, if_good: each case's placement, were it bad (the weighted share of good ones below
            it) or good (that of bad ones above it), ties one half, shape (cases,). With the truth as
            it is they are the structural components of DeLong et al. (1988), by sorting as in Sun
            and Xu (2014).
    """

    good: IntArray
    bad: IntArray
    below: IntArray
    not_above: IntArray
    auc: float
    if_bad: FloatArray
    if_good: FloatArray


def ranking(score: FloatArray, bad: BoolArray, weight: FloatArray) -> Ranking:
    """Sort once; shapes (cases,).

    Raises:
        ValueError: there is no bad or no good case.
    """
    if bad.all() or not bad.any():
        raise ValueError("AUC compares bad with good cases, and one of the two is missing")
    bads, goods = np.flatnonzero(bad), np.flatnonzero(~bad)
    goods = goods[np.argsort(score[goods], kind="stable")]
    bads = bads[np.argsort(score[bads], kind="stable")]
    below, not_above = (
        np.searchsorted(score[goods], score[bads], side=side) for side in ("left", "right")
    )
    if_bad = _share_below(score, score[goods], weight[goods])
    if_good = 1.0 - _share_below(score, score[bads], weight[bads])
    auc = float(np.average(if_bad[bads], weights=weight[bads]))
    return Ranking(goods, bads, below, not_above, auc, if_bad, if_good)


def seen_placements(ranked: Ranking, bad: BoolArray) -> FloatArray:
    """Each case's placement with its truth as it is, shape (cases,)."""
    return np.where(bad, ranked.if_bad, ranked.if_good)


def delong_error(contrast: FloatArray, bad: BoolArray) -> float:
    """Standard error of an AUC or of a difference of two (DeLong, DeLong and Clarke-Pearson 1988).

    Args:
        contrast: placements of one score, or their difference for two, shape (cases,).
        bad: the truth, shape (cases,), at least two of each class. Every case weighs the same.
    """
    parts = [contrast[bad], contrast[~bad]]
    return math.sqrt(sum(float(part.var(ddof=1)) / part.size for part in parts))


def resampled_auc(ranked: Ranking, weight: FloatArray, counts: Counts) -> FloatArray:
    """AUC of each resample; `counts` of shape (draws, cases) says how often each row was drawn.

    NaN where a resample has no case of one class.
    """
    good_weight, bad_weight = weight[ranked.good], weight[ranked.bad]
    heap = np.zeros(ranked.good.size + 1)
    found = np.full(len(counts), np.nan)
    for draw, drawn in enumerate(counts):  # one at a time stays within a processor's cache
        np.cumsum(drawn.take(ranked.good) * good_weight, out=heap[1:])
        bads = drawn.take(ranked.bad) * bad_weight
        pairs = float(bads.sum()) * heap[-1]
        if pairs > 0.0:
            won = heap.take(ranked.below) + heap.take(ranked.not_above)
            found[draw] = 0.5 * float(np.dot(bads, won)) / pairs
    return found


def auc_influence(
    ranked: Ranking, bad: BoolArray, weight: FloatArray, chance: FloatArray
) -> Influence:
    """How far each row moves a weighted AUC; `chance` of being bad, shape (cases,)."""
    if_bad = weight * (ranked.if_bad - ranked.auc) / float(weight[bad].sum())
    if_good = weight * (ranked.if_good - ranked.auc) / float(weight[~bad].sum())
    return Influence.of(if_bad, if_good, bad, chance)


def _share_below(score: FloatArray, others: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted share of the others (ascending) that score lower, ties one half, shape (cases,)."""
    heap = np.concatenate([[0.0], np.cumsum(weight)])
    low, high = (heap[np.searchsorted(others, score, side=side)] for side in ("left", "right"))
    shares: FloatArray = 0.5 * (low + high) / heap[-1]
    return shares
