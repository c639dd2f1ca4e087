"""Is the score's word kept near the boundary, as far as labels can tell?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betaincinv

from models.boundary import Evidence

FloatArray = npt.NDArray[np.float64]

ALPHA = 0.05
"""Intervals hold with 95 % each."""

NEIGHBOURS = 4
"""Bins on either side of a cut, where there are cases enough."""

LEAST_CASES = 60
"""A bin holds at least so many cases; on a side that has fewer, they are one bin."""


@dataclass(frozen=True, slots=True)
class _Strata:
    """Cases, labels and bad labels by bin and designed weight, each of shape (bins, weights)."""

    cases: FloatArray
    labels: FloatArray
    bad: FloatArray


def bins_around(scores: FloatArray, cut: float, share: float = 0.15) -> FloatArray:
    """Edges of bins of equally many cases on either side of a cut, which is itself an edge.

    Args:
        scores: of the cases that a boundary may decide, shape (n,).
        cut: the edge in the middle; cases at the cut lie in the bin above it.
        share: of all cases, how far the bins reach to each side (or `NEIGHBOURS * LEAST_CASES` cases,
            if that is further).

    Returns:
        Strictly increasing edges, shape (bins + 1,); bin j holds `edges[j] <= score < edges[j+1]`.
        Where ties leave no room there are fewer; empty when there is no case.
    """
    ordered = np.sort(scores)
    if not ordered.size:
        return np.zeros(0)
    middle = int(np.searchsorted(ordered, cut, side="left"))
    reach = max(int(share * ordered.size), NEIGHBOURS * LEAST_CASES)
    below, above = min(reach, middle), min(reach, ordered.size - middle)
    down = np.linspace(middle - below, middle, _bins(below) + 1)[:-1]
    up = np.linspace(middle, middle + above, _bins(above) + 1)[1:]
    last = np.nextafter(ordered[-1], np.inf)
    ranks = np.concatenate([down, up]).astype(np.int64)
    edges = np.append(ordered, last)[np.minimum(ranks, ordered.size)]
    inside: FloatArray = np.unique(np.append(edges, cut if cut <= last else last))
    return inside


def _bins(cases: int) -> int:
    return max(min(NEIGHBOURS, cases // LEAST_CASES), 1)


def reliability_bins(evidence: Evidence, edges: FloatArray) -> pd.DataFrame:
    """Predicted against observed shares of bad cases in bins of the score.

    Only cases that were *designed* to be observed speak. Within a bin each designed weight is a
    stratum whose size is known, drawn or not: the observed share is the size-weighted mean of the
    strata's shares, and its interval the same mean of their exact intervals (Clopper and Pearson
    1934), each at `ALPHA` over the number of strata, so it holds whatever the strata's true shares.
    A bin in which a stratum has no label is unsupported; nothing is carried over from its neighbours.

    Args:
        evidence: cases scored by one model; those no boundary may decide are left out.
        edges: strictly increasing, shape (bins + 1,).

    Returns:
        One row a bin that holds a case: `low_edge`, `high_edge`, `cases`, `labels`, `predicted`
        (mean score), `observed`, `low`, `high` (NaN where unsupported) and `supported`.
    """
    place = np.searchsorted(edges, evidence.score, side="right") - 1
    chosen = evidence.automatable & (place >= 0) & (place < max(edges.size - 1, 0))
    place, score = place[chosen], evidence.score[chosen]
    count = max(edges.size - 1, 0)
    strata = _strata(evidence, chosen, place, count)
    cases = strata.cases.sum(axis=1)
    held = strata.cases > 0
    blind = held & (strata.labels == 0)
    supported = ~blind.any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(held, strata.cases / cases[:, None], 0.0)
        seen = np.where(held & ~blind, strata.bad / strata.labels, 0.0)
        predicted = np.bincount(place, weights=score, minlength=count) / cases
    low, high = _intervals(strata, held.sum(axis=1))
    table = pd.DataFrame(
        {
            "low_edge": edges[:-1],
            "high_edge": edges[1:],
            "cases": cases.astype(np.int64),
            "labels": strata.labels.sum(axis=1).astype(np.int64),
            "predicted": predicted,
            "observed": np.where(supported, (share * seen).sum(axis=1), np.nan),
            "low": np.where(supported, (share * low).sum(axis=1), np.nan),
            "high": np.where(supported, (share * high).sum(axis=1), np.nan),
            "supported": supported,
        }
    )
    kept: pd.DataFrame = table[table["cases"] > 0].reset_index(drop=True)
    return kept


def _strata(
    evidence: Evidence,
    chosen: npt.NDArray[np.bool_],
    place: npt.NDArray[np.intp],
    bins: int,
) -> _Strata:
    levels, level = np.unique(evidence.propensity[chosen], return_inverse=True)
    cell = place * max(levels.size, 1) + level
    shape = (bins, max(levels.size, 1))

    def counted(rows: npt.NDArray[np.bool_]) -> FloatArray:
        return np.bincount(cell[rows], minlength=shape[0] * shape[1]).reshape(shape).astype(float)

    labelled = evidence.labelled[chosen]
    return _Strata(
        cases=counted(np.ones(len(place), dtype=np.bool_)),
        labels=counted(labelled),
        bad=counted(labelled & evidence.bad[chosen]),
    )


def _intervals(strata: _Strata, held: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    tail = (ALPHA / 2.0 / np.maximum(held, 1))[:, None]
    n, k = strata.labels, strata.bad
    low = np.where(k > 0, betaincinv(np.maximum(k, 1.0), n - k + 1.0, tail), 0.0)
    high = np.where(k < n, betaincinv(k + 1.0, np.maximum(n - k, 1.0), 1.0 - tail), 1.0)
    return low, high
