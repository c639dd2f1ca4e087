"""Which labelled rows, features and slices can be judged at all?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.vocabulary import EVERYWHERE

FloatArray = npt.NDArray[np.float64]
FEWEST_OF_A_CLASS = 10
"""Fewer bad or fewer good cases than this say nothing of any weight or calibration (METHODS 4.1)."""

Columns = pd.DataFrame | Mapping[str, npt.ArrayLike]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """Rows whose truth is known, with what each feature contributed.

    Attributes:
        features: names, in the order of the columns of `contributions` (shape (rows, features)).
        raw: by feature, its raw values as numbers; features without any are left out.
        groups: by feature whose raw values are no numbers, their codes, shape (rows,).
        margin, bad: log-odds and truth (0.0 or 1.0), shape (rows,).
        slices: number of the slice of each row, shape (rows,); labels: the slices' names.
        why_no_raw: by feature, why its raw values cannot be used.
    """

    features: tuple[str, ...]
    contributions: FloatArray
    raw: Mapping[str, FloatArray]
    groups: Mapping[str, npt.NDArray[np.intp]]
    margin: FloatArray
    bad: FloatArray
    slices: npt.NDArray[np.intp]
    labels: tuple[str, ...]
    why_no_raw: Mapping[str, str]

    @classmethod
    def of(
        cls,
        contributions: Columns,
        margin: npt.ArrayLike,
        bad: npt.ArrayLike,
        raw: Columns | None = None,
        slices: npt.ArrayLike | None = None,
    ) -> LabelledRows:
        """Keep the rows with a truth, and check what is said about them.

        Raises:
            ValueError: shapes disagree, or a margin or contribution of a labelled row is missing or
                not finite; the message names the column.
        """
        table = _frame(contributions, "contributions")
        size = len(table)
        truth = _vector(bad, size, "bad")
        known = ~np.isnan(truth)
        if not np.isin(truth[known], (0.0, 1.0)).all():
            raise ValueError("bad must hold true, false or null (not observed), and nothing else")
        offset = _vector(margin, size, "margin")[known]
        phi = np.ascontiguousarray(table.to_numpy(dtype=np.float64)[known])
        _refuse_not_finite(offset[:, None], ["margin"])
        _refuse_not_finite(phi, list(table.columns))
        values, words, why_not = _raw_values(raw, table.columns, size, known)
        groups = np.full(size, EVERYWHERE, dtype=object)
        if slices is not None:
            groups = np.asarray(pd.Series(slices).astype("str"), dtype=object)
            if groups.shape != (size,):
                raise ValueError(f"slices must hold one label a row ({size}), got {len(groups)}")
        codes, labels = pd.factorize(groups[known], sort=True)
        return cls(
            tuple(map(str, table.columns)),
            phi,
            values,
            words,
            offset,
            truth[known],
            codes.astype(np.intp),
            tuple(map(str, labels)),
            why_not,
        )

    def is_constant(self, feature: str, here: npt.NDArray[np.intp]) -> bool:
        """Whether a feature has one value in these rows; what it contributes there varies only with
        its neighbours."""
        known = self.raw.get(feature, self.groups.get(feature))
        if known is None:
            return False
        values = known[here]
        return bool((values == values[0]).all()) if len(values) else False

    def by_slice(self) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
        """Each slice's name and its rows' places."""
        order = np.argsort(self.slices, kind="stable")
        ends = np.cumsum(np.bincount(self.slices, minlength=len(self.labels)))
        start = 0
        for label, end in zip(self.labels, ends, strict=True):
            yield label, order[start:end]
            start = int(end)


def _frame(columns: Columns, name: str) -> pd.DataFrame:
    table = columns if isinstance(columns, pd.DataFrame) else pd.DataFrame(dict(columns))
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ValueError(f"{name} names {', '.join(map(repr, twice.unique()))} more than once")
    if table.shape[1] == 0:
        raise ValueError(f"{name} has no column; give one a feature")
    return table


def _vector(values: npt.ArrayLike, size: int, name: str) -> FloatArray:
    array = pd.Series(np.asarray(values) if not isinstance(values, pd.Series) else values.array)
    numbers = array.to_numpy(dtype=np.float64, na_value=np.nan)
    if numbers.shape != (size,):
        raise ValueError(f"{name} must hold one value a row ({size}), got {len(numbers)}")
    return numbers


def _refuse_not_finite(columns: FloatArray, names: list[str]) -> None:
    broken = np.flatnonzero(~np.isfinite(columns).all(axis=0))
    if len(broken):
        named = ", ".join(repr(names[int(place)]) for place in broken)
        raise ValueError(
            f"labelled rows hold missing or infinite values in {named}; every labelled case needs its "
            "margin and all its contributions. Leave out cases that were not scored"
        )


def _raw_values(
    raw: Columns | None, features: pd.Index, size: int, known: npt.NDArray[np.bool_]
) -> tuple[dict[str, FloatArray], dict[str, npt.NDArray[np.intp]], dict[str, str]]:
    if raw is None:
        return {}, {}, dict.fromkeys(map(str, features), "its raw values were not given")
    table = raw if isinstance(raw, pd.DataFrame) else pd.DataFrame(dict(raw))
    if len(table) != size:
        raise ValueError(f"raw must hold one row a case ({size}), got {len(table)}")
    values: dict[str, FloatArray] = {}
    words: dict[str, npt.NDArray[np.intp]] = {}
    why_not: dict[str, str] = {}
    for name in map(str, features):
        if name not in table:
            why_not[name] = "its raw values were not given"
        elif not pd.api.types.is_numeric_dtype(table[name].dtype):
            why_not[name] = "its raw values are no numbers"
            words[name] = pd.factorize(table[name])[0][known].astype(np.intp)
        else:
            numbers = table[name].to_numpy(dtype=np.float64, na_value=np.nan)[known]
            if np.isfinite(numbers).any():
                values[name] = np.where(np.isfinite(numbers), numbers, np.nan)
            else:
                why_not[name] = "its raw values are all missing"
    return values, words, why_not
