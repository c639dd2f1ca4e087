"""How is a raw column read, so that conditions on it can be tested fast, and can it be judged?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from models.triage.procedure.excess import BoolArray, FloatArray, IntArray

MOST_LEVELS = 50


class Kind(StrEnum):
    """How a column is read."""

    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    CATEGORICAL = "categorical"


@dataclass(frozen=True, slots=True, eq=False)
class SliceColumn:
    """One column as numbers: values, or codes of `levels`; NaN where missing; shape (n,)."""

    kind: Kind
    numbers: FloatArray
    levels: tuple[str, ...] = ()

    @property
    def missing(self) -> BoolArray:
        return np.asarray(np.isnan(self.numbers), dtype=np.bool_)

    def by_level(self) -> tuple[IntArray, tuple[str, ...]]:
        """Codes (-1 where missing) and level names; a numeric column's values become levels."""
        if self.kind is not Kind.NUMERIC:
            return np.where(self.missing, -1, self.numbers).astype(np.int64), self.levels
        codes, values = pd.factorize(self.numbers, sort=True)
        return np.asarray(codes, dtype=np.int64), tuple(f"{value:.12g}" for value in values)

    def why_not_judged(self) -> str:
        """Why no slice can be made of it, or ""."""
        known = self.numbers[~self.missing]
        if len(known) == 0:
            return "all missing"
        if len(known) == len(self.numbers) and known.min() == known.max():
            return "constant"
        if self.kind is Kind.CATEGORICAL and len(self.levels) > MOST_LEVELS:
            return f"{len(self.levels)} levels, more than {MOST_LEVELS}; group them first"
        return ""

    def take(self, rows: IntArray | BoolArray) -> SliceColumn:
        return SliceColumn(self.kind, self.numbers[rows], self.levels)


def read_column(column: pd.Series) -> SliceColumn | None:
    """The column as numbers; None where it is neither number, boolean nor text."""
    kind = _kind_of(column)
    if kind is None:
        return None
    if kind is Kind.CATEGORICAL:
        codes, levels = pd.factorize(column, use_na_sentinel=True)
        names = [str(level) for level in levels]
        order = np.argsort(np.array(names, dtype=object), kind="stable")
        place = np.empty(len(names) + 1)
        place[order], place[-1] = np.arange(len(names)), np.nan  # code -1 is a missing value
        return SliceColumn(kind, place[codes], tuple(names[i] for i in order))
    numbers = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    return SliceColumn(kind, numbers, ("false", "true") if kind is Kind.BOOLEAN else ())


def _kind_of(column: pd.Series) -> Kind | None:
    if pd.api.types.is_bool_dtype(column):
        return Kind.BOOLEAN
    if pd.api.types.is_numeric_dtype(column):
        return None if pd.api.types.is_complex_dtype(column) else Kind.NUMERIC
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(column):
        return Kind.CATEGORICAL
    if column.dtype != object:
        return None
    seen = pd.api.types.infer_dtype(column, skipna=True)
    if seen in ("string", "empty"):  # an empty one is all missing, and named so
        return Kind.CATEGORICAL
    if seen == "boolean":
        return Kind.BOOLEAN
    return Kind.NUMERIC if seen in ("integer", "floating", "mixed-integer-float") else None
