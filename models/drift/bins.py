"""Into which bins does a sample's score and each of its features fall?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.drift.sample import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Ranges:
    """Numbers by range: bin i holds `edges[i-1] < value <= edges[i]`; the last but one is open
    above, the last holds missing values."""

    edges: FloatArray
    of_numbers = True

    @classmethod
    def by_quantiles(cls, values: FloatArray, bins: int) -> Ranges:
        """Edges at the inner quantiles of the values that are there; ties make fewer bins."""
        shares = np.arange(1, bins) / bins
        return cls(np.unique(np.quantile(values, shares, method="inverted_cdf")))

    @property
    def size(self) -> int:
        return len(self.edges) + 2

    def counts(self, column: pd.Series) -> IntArray:
        """Cases a bin, shape (size,)."""
        values = as_numbers(column)
        # Counting once for each of these few edges is five times as fast as placing each value.
        at_most = [np.count_nonzero(values <= edge) for edge in self.edges]
        missing = np.count_nonzero(np.isnan(values))
        inner = np.diff([0, *at_most, len(values) - missing])
        return np.append(inner, missing)

    def label(self, index: int) -> str:
        """What a bin holds, for people."""
        if index > len(self.edges):
            return "missing"
        if index == len(self.edges):
            return f"above {self.edges[-1]:.4g}"
        if index == 0:
            return f"up to {self.edges[0]:.4g}"
        return f"{self.edges[index - 1]:.4g} to {self.edges[index]:.4g}"


@dataclass(frozen=True, eq=False)
class Levels:
    """Values one by one; then a bin for values not among them, and one for missing values."""

    levels: pd.Index

    @property
    def of_numbers(self) -> bool:
        return pd.api.types.is_numeric_dtype(self.levels)

    @property
    def size(self) -> int:
        return len(self.levels) + 2

    def counts(self, column: pd.Series) -> IntArray:
        """Cases a bin, shape (size,)."""
        if self.of_numbers:
            values = as_numbers(column)
            seen = [np.count_nonzero(values == level) for level in self.levels]
            missing = np.count_nonzero(np.isnan(values))
            return np.array([*seen, len(values) - missing - sum(seen), missing])
        codes, distinct = pd.factorize(column)
        place = np.asarray(self.levels.get_indexer(pd.Index(distinct)), dtype=np.int64)
        place[place < 0] = len(self.levels)
        # A missing value has the code -1, and so reads the last entry.
        return np.bincount(np.append(place, len(self.levels) + 1)[codes], minlength=self.size)

    def label(self, index: int) -> str:
        """What a bin holds, for people."""
        if index > len(self.levels):
            return "missing"
        if index == len(self.levels):
            return "a value not seen before"
        value = self.levels[index]
        return f"{value:.4g}" if isinstance(value, float) else repr(value)


def bins_for(column: pd.Series, bins: int) -> Ranges | Levels:
    """Bins laid out on the earlier sample's column.

    Numbers with more than `bins` distinct values go by quantile; few distinct numbers, flags and
    categories one by one. Missing values always have a bin of their own.

    Raises:
        ValueError: the column holds neither numbers, flags nor categories (a stamp, for instance).
    """
    if is_number(column):
        values = as_numbers(column)
        values = values[~np.isnan(values)]
        distinct = np.unique(values)
        if len(distinct) > bins:
            return Ranges.by_quantiles(values, bins)
        return Levels(pd.Index(distinct, dtype=np.float64))
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise ValueError(
            f"feature {column.name!r} is of type {column.dtype}; drift is judged on numbers, flags "
            "and categories: leave it out, or turn it into a duration in hours"
        )
    return Levels(pd.Index(sorted(column.dropna().unique(), key=str), dtype=object))


def is_number(column: pd.Series) -> bool:
    """Numbers and flags, of whatever storage."""
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def as_numbers(column: pd.Series) -> FloatArray:
    """float64 with NaN where a value is missing, shape (cases,)."""
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
