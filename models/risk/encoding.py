"""How does a table of cases become the numbers a model sees, and which cases cannot be scored?"""

from __future__ import annotations

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
    columns: dict[str, pd.Series | npt.NDArray[np.float32]] = {}
    for feature in features:
        column = cases[feature.name]
        if feature.kind == "categorical":
            kind = pd.CategoricalDtype(list(levels[feature.name]))
            columns[feature.name] = column.astype("str").where(column.notna()).astype(kind)
        else:
            columns[feature.name] = _as_float32(column)
    return pd.DataFrame(columns, index=cases.index)


def why_unscorable(
    cases: pd.DataFrame, features: Sequence[Feature], levels: Levels
) -> npt.NDArray[np.str_]:
    """For each case the name of the rule that keeps it from being scored, or "".

    An unseen category or a missing value would reach the trees as a silent missing value
    (FAULTS 15), and an infinite one (or one too large for float32) would stop the whole batch, so
    such a case is escalated by name instead.
    """
    reason = np.full(len(cases), "", dtype="U24")
    for feature in features:
        column = cases[feature.name]
        if not feature.may_be_missing:
            reason[column.isna().to_numpy()] = FEATURES_ARE_PRESENT
        if feature.kind == "categorical":
            known = column.astype("str").isin(levels[feature.name]) | column.isna()
            reason[~known.to_numpy()] = KNOWN_CATEGORY
        else:
            reason[np.isinf(_as_float32(column))] = FEATURES_ARE_PRESENT
    return reason


def _as_float32(column: pd.Series) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):  # too large becomes infinite, and is named above
        return column.to_numpy(dtype=np.float32, na_value=np.nan)
