"""How much does each feature move a case's margin: exactly, fast, and checked against XGBoost?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb

from models.risk.forest import OutOfScope, read_forest
from models.risk.lookup import look_up
from models.risk.lookup_tables import Tables, tabulate
from models.risk.tree_names import named_for_trees

FloatArray = npt.NDArray[np.float64]
Road = Literal["lookup", "pred_contribs"]

TOLERANCE = 1e-5
"""How far a value may lie from XGBoost's own, in log-odds before calibration."""

_FEWEST_CHECKED, _MOST_CHECKED = 8, 256
_ROWS_A_CHECK = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Path-dependent TreeSHAP values (Lundberg et al. 2018), so that margin = bias + their sum.

    Attributes:
        margin: log-odds of 'bad', shape (rows,); NaN where a case cannot be scored.
        bias: the margin that no feature is held to account for (NaN where XGBoost computes and there
            is no row to tell it).
        values: shape (rows, features); NaN rows where a case cannot be scored.
        features: their names, in the order of `values`.
        road: how they were computed: looked up in tables, or by XGBoost's `pred_contribs`.
        why: why not by the tables; "" where they were used.
        largest_difference: from XGBoost's own values over the checked rows, before calibration;
            None where there was nothing to check.
        checked: how many rows were compared, value by value. Every row's sum is compared too.
    """

    margin: FloatArray = field(repr=False)
    bias: float
    values: FloatArray = field(repr=False)
    features: tuple[str, ...]
    road: Road
    why: str = ""
    largest_difference: float | None = None
    checked: int = 0


def tables_of(booster: xgb.Booster) -> Tables | str:
    """The tables of a booster, or why it has none."""
    try:
        return tabulate(read_forest(booster))
    except OutOfScope as beyond:
        return f"{beyond}."


def contributions(
    booster: xgb.Booster,
    tables: Tables | str,
    rows: pd.DataFrame,
    *,
    threads: int = 1,
    seed: int = 0,
) -> Contributions:
    """Contributions to the booster's own margin (see METHODS 4, contributions at scale).

    A sample of rows is compared with `pred_contribs`, each value, and every row's sum with its
    margin. One disagreement, and XGBoost computes them all: a table that is wrong somewhere is not
    trusted elsewhere.

    Args:
        tables: of this booster, or why there are none.
        rows: encoded cases, shape (rows, features).
        threads: parts of the rows looked up at a time.
        seed: of the sample.
    """
    names = tuple(map(str, rows.columns))
    if rows.empty:
        return _of_nothing(tables, names)
    data = xgb.DMatrix(named_for_trees(rows), enable_categorical=True)
    margin = booster.predict(data, output_margin=True).astype(np.float64)
    if isinstance(tables, str):
        return _by_xgboost(booster, data, margin, names, tables)
    values = look_up(tables, rows, threads)
    sample = _sample(len(rows), seed)
    largest = _largest_difference(booster, data.slice(sample), tables.bias, values[sample])
    why = _disagreement(largest, len(sample), tables.bias + values.sum(axis=1), margin)
    if why:
        return _by_xgboost(booster, data, margin, names, why, largest, len(sample))
    return Contributions(margin, tables.bias, values, names, "lookup", "", largest, len(sample))


def _disagreement(largest: float, checked: int, sums: FloatArray, margin: FloatArray) -> str:
    """A sentence, or "" where every checked value and every row's sum agrees; NaN never does."""
    if not largest <= TOLERANCE:
        return f"A looked-up value of {checked} checked rows was off by {largest:.1e}."
    # XGBoost adds up margins in float32, so the larger they are the coarser.
    agrees = np.abs(sums - margin) <= TOLERANCE * np.maximum(np.abs(margin), 1.0)
    if not agrees.all():
        return f"The looked-up values of {int((~agrees).sum()):,} rows do not add up to the margin."
    return ""


def _of_nothing(tables: Tables | str, names: tuple[str, ...]) -> Contributions:
    none, values = np.empty(0), np.empty((0, len(names)))
    if isinstance(tables, str):
        return Contributions(none, np.nan, values, names, "pred_contribs", tables)
    return Contributions(none, tables.bias, values, names, "lookup")


def _by_xgboost(
    booster: xgb.Booster,
    data: xgb.DMatrix,
    margin: FloatArray,
    names: tuple[str, ...],
    why: str,
    largest: float | None = None,
    checked: int = 0,
) -> Contributions:
    told = booster.predict(data, pred_contribs=True).astype(np.float64)
    bias = float(told[0, -1])
    return Contributions(margin, bias, told[:, :-1], names, "pred_contribs", why, largest, checked)


def _sample(rows: int, seed: int) -> npt.NDArray[np.int64]:
    size = min(rows, _MOST_CHECKED, _FEWEST_CHECKED + rows // _ROWS_A_CHECK)
    return np.sort(np.random.default_rng(seed).choice(rows, size, replace=False))


def _largest_difference(
    booster: xgb.Booster, data: xgb.DMatrix, bias: float, values: FloatArray
) -> float:
    told = booster.predict(data, pred_contribs=True)
    ours = np.column_stack([values, np.full(len(values), bias)])
    return float(np.abs(ours - told).max())
