"""How does a table of cases become the numbers a model sees, and which cases cannot be scored?"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.vocabulary import Feature

Levels = Mapping[str, tuple[str, ...]]

KNOWN_CATEGORY = "known_category"
FEATURES_ARE_PRESENT = "features_are_present"


def levels_of(cases: pd.DataFrame, features: Sequence[Feature]) -> dict[str, tuple[str, ...]]:
    """The categories of each categorical feature: the configured ones, else those in `cases`."""
    return {
        feature.name: feature.levels
        or tuple(sorted(cases[feature.name].dropna().astype(str).unique().tolist()))
        for feature in features
        if feature.kind == "categorical"
    }


def encode(cases: pd.DataFrame, features: Sequence[Feature], levels: Levels) -> pd.DataFrame:
    """Model input, shape (cases, features), in the order of `features`.

    Numeric and boolean features become float32; categorical ones a pandas category with exactly
    the stored levels, so that a category keeps its code for the life of the model.
    """
    columns: dict[str, pd.Categorical | npt.NDArray[np.float32]] = {}
    for feature in features:
        column = cases[feature.name]
        if feature.kind == "categorical":
            columns[feature.name] = _as_categories(column, levels[feature.name])
        else:
            columns[feature.name] = _as_float32(column)
    return pd.DataFrame(columns, index=cases.index)


def encode_scorable(
    cases: pd.DataFrame, features: Sequence[Feature], levels: Levels
) -> tuple[pd.DataFrame, npt.NDArray[np.str_]]:
    """The model input of every case that can be scored, and for each case the name of the rule that
    keeps it from being scored, or "".

    An unseen category or a missing value would reach the trees as a silent missing value
    (FAULTS 15), and an infinite one (or one too large for float32) would stop the whole batch, so
    such a case is escalated by name instead.
    """
    rows = encode(cases, features, levels)
    reason = _why(cases, rows, features)
    scorable = reason == ""
    return (rows if scorable.all() else rows[scorable]), reason


def _why(
    cases: pd.DataFrame, rows: pd.DataFrame, features: Sequence[Feature]
) -> npt.NDArray[np.str_]:
    """From the encoded rows; whether a category was missing or unknown, only the cases can say."""
    reason = np.full(len(cases), "", dtype="U24")
    for feature in features:
        if feature.kind == "categorical":
            unknown = rows[feature.name].cat.codes.to_numpy() < 0
            missing = cases[feature.name].isna().to_numpy() if unknown.any() else unknown
            reason[unknown & ~missing] = KNOWN_CATEGORY
        else:
            values = rows[feature.name].to_numpy()
            missing = np.isnan(values)
            reason[np.isinf(values)] = FEATURES_ARE_PRESENT
        if not feature.may_be_missing:
            reason[missing] = FEATURES_ARE_PRESENT
    return reason


def _as_categories(column: pd.Series, levels: tuple[str, ...]) -> pd.Categorical:
    kind = _kind(levels)
    codes = kind.categories.get_indexer(pd.Index(column.astype("str")))
    codes[column.isna().to_numpy()] = -1
    return pd.Categorical.from_codes(codes, dtype=kind)


@functools.lru_cache(maxsize=1024)
def _kind(levels: tuple[str, ...]) -> pd.CategoricalDtype:
    """One for each list of levels; making one takes longer than encoding a case."""
    return pd.CategoricalDtype(list(levels))


def _as_float32(column: pd.Series) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):  # too large becomes infinite, and is named above
        return column.to_numpy(dtype=np.float32, na_value=np.nan)
