"""Which cells of a case can be read as what they must be, and what is left of the others?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from models.vocabulary import Feature
from models.vocabulary.cell_words import MISSING_VALUE, NO, YES

BoolArray = npt.NDArray[np.bool_]
Read: TypeAlias = "tuple[pd.Series, BoolArray]"
"""A column with missing values for what cannot be read, and where that was."""

CELLS_ARE_READABLE = "cells_are_readable"
"""The rule's name: a case with a cell that says nothing of its kind goes to a person."""

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_LARGEST_EXACT = 2.0**53


@dataclass(frozen=True, eq=False)
class ReadCases:
    """Cases in the types of their case type, whatever single cells said.

    Attributes:
        cases: as they came; a cell that cannot be read is missing.
        unreadable: whether a case has such a cell, shape (cases,).
        columns: of each column with such cells, how many, and how many cells are not empty.
    """

    cases: pd.DataFrame = field(repr=False)
    unreadable: BoolArray = field(repr=False)
    columns: Mapping[str, tuple[int, int]]


def read_cells(cases: pd.DataFrame, features: Sequence[Feature]) -> ReadCases:
    """Read features, `priority` and `amount_usd` cell by cell; columns that are absent stay so.

    One cell must not leave a table undecided: text among numbers, a yes-or-no cell that is neither,
    a list. Numbers written as text are read; nothing is guessed (no thousands separator, no decimal
    comma). Columns that have the right type throughout are handed on as they are.
    """
    unreadable = np.zeros(len(cases), dtype=np.bool_)
    if not cases.columns.is_unique or not len(cases):
        return ReadCases(cases, unreadable, {})
    kinds = {"priority": "whole", "amount_usd": "numeric"}
    kinds |= {feature.name: feature.kind for feature in features}
    read: dict[str, pd.Series] = {}
    columns: dict[str, tuple[int, int]] = {}
    for name, kind in kinds.items():
        if name not in cases:
            continue
        given = cases[name]
        column, wrong = _READERS[kind](given)
        if column is not given:
            read[name] = column
        if wrong.any():
            unreadable |= wrong
            columns[name] = (int(wrong.sum()), int((column.notna().to_numpy() | wrong).sum()))
    return ReadCases(cases.assign(**read) if read else cases, unreadable, columns)


def _numbers(column: pd.Series) -> Read:
    if types.is_bool_dtype(column.dtype) or types.is_numeric_dtype(column.dtype):
        if types.is_complex_dtype(column.dtype):
            return _nothing(column, np.nan)
        return column, _all(column, False)
    return _cells(column, _number_of_text, _number_of_object, "float64", np.nan)


def _whole_numbers(column: pd.Series) -> Read:
    if types.is_integer_dtype(column.dtype):
        return column, _all(column, False)
    numbers, wrong = _numbers(column)
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        broken = ~np.isnan(values) & ~((np.abs(values) < _LARGEST_EXACT) & (values % 1.0 == 0.0))
    if broken.any():
        numbers = pd.Series(np.where(broken, np.nan, values), index=column.index)
    return numbers, wrong | broken


def _yes_or_no(column: pd.Series) -> Read:
    if types.is_bool_dtype(column.dtype):
        return column, _all(column, False)
    if types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = ~(np.isnan(values) | (values == 0.0) | (values == 1.0))
        return (column.mask(wrong) if wrong.any() else column), wrong
    return _cells(column, _yes_of_text, _yes_of_object, "boolean", pd.NA)


def _words(column: pd.Series) -> Read:
    plain = column
    if isinstance(column.dtype, pd.CategoricalDtype):
        plain = column.astype(object)
    if types.is_integer_dtype(plain.dtype) or isinstance(plain.dtype, pd.StringDtype):
        return column, _all(column, False)
    if types.is_bool_dtype(plain.dtype):
        return _nothing(column, None)
    if types.is_float_dtype(plain.dtype):
        # Codes that became floats because some are missing.
        numbers, wrong = _whole_numbers(plain)
        return numbers.astype("Int64"), wrong
    if plain.dtype != object:
        return _nothing(column, None)
    missing = plain.isna().to_numpy(dtype=np.bool_)
    text = plain.map(lambda value: isinstance(value, str)).to_numpy(dtype=np.bool_)
    whole = plain.map(_is_whole).to_numpy(dtype=np.bool_)
    wrong = ~(missing | text | whole)
    if not wrong.any() and not whole.any():
        return column, wrong
    return plain.map(str).astype("str").where(text | whole), wrong


_READERS: Mapping[str, Callable[[pd.Series], Read]] = {
    "numeric": _numbers,
    "whole": _whole_numbers,
    "boolean": _yes_or_no,
    "categorical": _words,
}


def _cells(
    column: pd.Series,
    of_text: Callable[[pd.Series], Read],
    of_object: Callable[[object], object],
    dtype: Any,
    nothing: object,
) -> Read:
    """A column of text, or of objects of any kind, in the type it must have."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if isinstance(column.dtype, pd.StringDtype):
        return of_text(column)
    if column.dtype != object:
        return _nothing(column, nothing)
    text = column.map(lambda value: isinstance(value, str)).to_numpy(dtype=np.bool_)
    missing = column.isna().to_numpy(dtype=np.bool_)
    other = column.where(~text & ~missing, None).map(of_object, na_action="ignore")
    said, wrong = of_text(column.where(text, None).astype("str"))
    wrong = np.where(text, wrong, ~missing & other.isna().to_numpy(dtype=np.bool_))
    together = other.where(~text, said.astype(object)).where(~missing, nothing)
    return together.where(together.notna(), nothing).astype(dtype), wrong


def _number_of_text(column: pd.Series) -> Read:
    plain = column.str.strip()
    missing = plain.isna() | plain.str.lower().isin(MISSING_VALUE)
    number = plain.str.fullmatch(_NUMBER, na=False)
    values = pd.to_numeric(plain.where(number), errors="coerce").astype("float64")
    return values, (~missing & ~number).to_numpy(dtype=np.bool_)


def _yes_of_text(column: pd.Series) -> Read:
    plain = column.str.strip().str.lower()
    missing = plain.isna() | plain.isin(MISSING_VALUE)
    yes, known = plain.isin(YES), plain.isin(YES | NO)
    values = yes.astype("boolean").where(known.to_numpy(dtype=np.bool_))
    return values, (~missing & ~known).to_numpy(dtype=np.bool_)


def _number_of_object(value: object) -> object:
    """A number of any type; None for what is none."""
    if isinstance(value, str | bytes | list | tuple | dict | set | complex):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _yes_of_object(value: object) -> object:
    number = _number_of_object(value)
    return bool(number) if number in (0.0, 1.0) else None


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _nothing(column: pd.Series, nothing: object) -> Read:
    """A column of another type throughout."""
    empty = pd.Series([nothing] * len(column), index=column.index, dtype=object)
    return empty, column.notna().to_numpy(dtype=np.bool_)


def _all(column: pd.Series, said: bool) -> BoolArray:
    return np.full(len(column), said, dtype=np.bool_)
