"""Does one column alone say what the truth will say, as no feature known in time could?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

FEWEST_OF_EITHER_CLASS = 20
LARGEST_ERROR_SHARE = 0.01
"""Of the rarer class: a column that errs more seldom is told as one that knows the truth."""
_MOST_LEVELS = 20


@dataclass(frozen=True, slots=True)
class Giveaway:
    """A column by which `agreeing` of `rows` cases are told good from bad."""

    column: str
    agreeing: int
    rows: int


def giveaways(rows: pd.DataFrame, columns: list[str], bad: pd.Series) -> tuple[Giveaway, ...]:
    """The columns that tell good from bad by themselves: few values that each belong to one class,
    or a number with all bad cases on one side of a cut.

    Args:
        rows: cases with `columns`, shape (rows,).
        bad: their truth; cases where it is missing are left out.

    Returns:
        Nothing where either class has fewer than 20 cases.
    """
    known = bad.notna().to_numpy(dtype=np.bool_)
    truth = bad[known].to_numpy(dtype=np.bool_)
    rarer = int(min(truth.sum(), (~truth).sum()))
    if rarer < FEWEST_OF_EITHER_CLASS:
        return ()
    found = []
    for name in columns:
        agreeing = _agreeing(rows.loc[known, name], truth)
        if len(truth) - agreeing <= LARGEST_ERROR_SHARE * rarer:
            found.append(Giveaway(name, agreeing, len(truth)))
    return tuple(found)


def _agreeing(values: pd.Series, truth: npt.NDArray[np.bool_]) -> int:
    codes, levels = pd.factorize(values, use_na_sentinel=False)
    if len(levels) <= _MOST_LEVELS:
        bad = np.bincount(codes, truth, len(levels))
        return int(np.maximum(bad, np.bincount(codes, minlength=len(levels)) - bad).sum())
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return 0
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    order = np.argsort(numbers, kind="stable")
    ranked, bad_so_far = numbers[order], np.cumsum(truth[order])
    # A cut may lie only between two different values.
    cut = np.flatnonzero(ranked[:-1] != ranked[1:])
    below = bad_so_far[cut] + (len(truth) - cut - 1) - (bad_so_far[-1] - bad_so_far[cut])
    best = np.maximum(below, len(truth) - below)
    return int(best.max()) if len(best) else 0
