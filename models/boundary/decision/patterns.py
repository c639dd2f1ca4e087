"""Which high-risk pattern does a case meet?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.vocabulary import Pattern, PatternCondition

NO_PATTERN = -1


def first_pattern(cases: pd.DataFrame, patterns: Sequence[Pattern]) -> npt.NDArray[np.intp]:
    """The place of the first pattern that each case meets, or `NO_PATTERN`; shape (cases,).

    A case meets a pattern when it meets all its conditions; a missing value meets any, since it may
    be any value.

    Raises:
        ValueError: columns that the patterns ask about are missing (all are named), or a number is
            asked of a column that holds none.
    """
    _refuse_missing(cases, patterns)
    found = np.full(len(cases), NO_PATTERN, dtype=np.intp)
    for place, pattern in reversed(list(enumerate(patterns))):
        found[_meets_all(cases, pattern)] = place
    return found


def _refuse_missing(cases: pd.DataFrame, patterns: Sequence[Pattern]) -> None:
    missing = [
        f"{condition.column!r} (pattern {pattern.name!r})"
        for pattern in patterns
        for condition in pattern.conditions
        if condition.column not in cases.columns
    ]
    if missing:
        raise ValueError(
            f"the cases have no {', '.join(missing)}, so nobody can say which of them meet the "
            "pattern; bring the column along, or take the pattern out of the case type"
        )


def _meets_all(cases: pd.DataFrame, pattern: Pattern) -> npt.NDArray[np.bool_]:
    met = np.ones(len(cases), dtype=np.bool_)
    for condition in pattern.conditions:
        met &= _meets(cases[condition.column], condition)
    return met


def _meets(column: pd.Series, condition: PatternCondition) -> npt.NDArray[np.bool_]:
    missing = column.isna().to_numpy(dtype=np.bool_)
    if condition.operator == "is":
        wanted = condition.value
        same = column.astype("str").eq(wanted) if isinstance(wanted, str) else column.eq(wanted)
        return missing | same.to_numpy(dtype=np.bool_, na_value=True)
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise ValueError(
            f"the column {condition.column!r} holds no numbers, so it cannot be compared with "
            f"{condition.value!r}; correct the pattern's condition, or the column"
        ) from None
    limit = float(condition.value)
    return missing | (values >= limit if condition.operator == "at_least" else values <= limit)
