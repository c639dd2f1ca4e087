"""How would the figures scatter on other rows of the same kind?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import pdtr

from models.comparison.auc import Counts, Ranking, resampled_auc
from models.comparison.rows import FloatArray

_CELLS_AT_ONCE = 2_000_000  # rows times draws: some 16 MB in float64
_LEVELS = 1 << 16


def resample(
    columns: FloatArray,
    rankings: Sequence[Ranking],
    weight: FloatArray,
    draws: int,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """Column sums and AUCs of paired bootstrap resamples.

    A row is drawn Poisson(1) times (the Poisson bootstrap; Chamandy et al. 2012), the same number
    for both models, so that what the two share cancels in their difference. Ratios of sums do not
    mind that the resamples differ in size.

    Args:
        columns: shape (cases, columns), weights already in.
        rankings: whose AUC is taken again. weight: shape (cases,).
        draws, seed: resamples, and what makes them reproducible.

    Returns:
        Sums of shape (draws, columns) and AUCs of shape (draws, rankings).
    """
    generator = np.random.default_rng(seed)
    cases = len(columns)
    distinct, copies = _distinct(columns)
    sums = np.empty((draws, distinct.shape[1]))
    aucs = np.empty((draws, len(rankings)))
    step = max(_CELLS_AT_ONCE // max(cases, 1), 1)
    for start in range(0, draws, step):
        place = slice(start, min(start + step, draws))
        counts = _poisson_counts(generator, (place.stop - start, cases))
        sums[place] = counts.astype(np.float64) @ distinct
        for number, ranked in enumerate(rankings):
            aucs[place, number] = resampled_auc(ranked, weight, counts)
    return sums[:, copies], aucs


def _distinct(columns: FloatArray) -> tuple[FloatArray, list[int]]:
    """Columns that differ, and which of them each column is: metrics share many."""
    places: dict[bytes, int] = {}
    copies = [places.setdefault(column.tobytes(), len(places)) for column in columns.T]
    firsts = [copies.index(place) for place in range(len(places))]
    return columns[:, firsts], copies


def _poisson_counts(generator: np.random.Generator, shape: tuple[int, int]) -> Counts:
    """Poisson(1) numbers by table, twenty times as fast as drawing them one by one.

    The table's 2^16 steps put the mean within 1e-5 of 1.
    """
    drawn = generator.integers(0, _LEVELS, size=shape, dtype=np.uint16)
    return np.take(_table(), drawn)


def _table() -> npt.NDArray[np.uint8]:
    most = 9  # a tenth draw of one row has a chance of 1e-7, below the table's resolution
    upper = np.round(pdtr(np.arange(most + 1), 1.0) * _LEVELS)
    return np.searchsorted(upper, np.arange(_LEVELS), side="right").astype(np.uint8)
