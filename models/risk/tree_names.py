"""What does XGBoost call the features, where it does not take their own names?"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

_REFUSED = frozenset("[]<\0")


def tree_names(features: Sequence[str]) -> list[str]:
    """Names that XGBoost takes, in the order of the features.

    They are the features' own as long as every one is plain; else all are f0, f1, ... and the
    order, which the model's card keeps, says which is which. XGBoost refuses [, ] and <, and cuts
    a name at a NUL.
    """
    plain = not any(_REFUSED & set(name) for name in features)
    return list(features) if plain else [f"f{place}" for place in range(len(features))]


def named_for_trees(rows: pd.DataFrame) -> pd.DataFrame:
    """Encoded cases under the names that XGBoost takes, shape (rows, features); nothing is copied."""
    own = list(rows.columns)
    names = tree_names(own)
    return rows if names == own else rows.set_axis(names, axis="columns")
