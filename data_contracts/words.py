"""Which words mean yes, no, missing or a number, in every table that comes in?

One vocabulary for CSV, Parquet and SQL, for history, live tables and evidence: what a cell means
must not depend on the road it came by. Nothing here guesses: a word that is not in the vocabulary
is *unreadable*, and the caller says so with a count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.vocabulary.cell_words import FLAG_WORDS, MISSING_TEXT, MISSING_VALUE, NO, YES

__all__ = [
    "FLAG_WORDS",
    "MISSING_TEXT",
    "MISSING_VALUE",
    "NO",
    "YES",
    "NumberFormat",
    "ReadCells",
    "off_scale",
    "read_flags",
    "read_numbers",
]

BoolArray = npt.NDArray[np.bool_]

ROW_FAULT_SHARE = 0.1
"""Up to this share of unreadable cells each is its row's fault; above it the column is misread."""

FOREIGN_SHARE = 0.001
"""A machine writes thousands and currencies by the column, however few cells are large enough to
show it: above this share (or in a table too small to tell) the column is misread."""

FEWEST_OFF_SCALE = 3
"""Fewer scores outside [0, 1] than this are their rows' fault."""

_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?i:inf|infinity)"
_CURRENCY = (
    r"(?:[$€£¥₽₹₩]|US\$|(?:USD|EUR|GBP|JPY|CNY|RMB|CHF|RUB|INR|KRW|BRL|CAD|AUD|HKD|SGD|TWD|SEK|NOK"
    r"|DKK|PLN|CZK|HUF|TRY|MXN|ZAR|NZD|THB|IDR|MYR|PHP|VND|NGN|KES|AED|SAR|ILS|USDT|USDC|BTC|ETH))"
)
_GROUPED = r"\d{1,3}(?:[,.'\u2019 \u00a0\u202f]\d{3})+(?:[.,]\d+)?"
_FOREIGN = re.compile(
    rf"\(?[+-]?\s*(?:{_CURRENCY}\s*)?[+-]?(?:{_GROUPED}|\d+[.,]\d*|[.,]?\d+)\s*(?:{_CURRENCY}|[%‰])?\)?"
)
_PLAIN_CELL = re.compile(_PLAIN)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How a source writes its numbers; `unit` stands before or after them ("$", "USD", "%")."""

    decimal: str = "."
    thousands: str = ""
    unit: str = ""

    def as_plain(self, text: pd.Series) -> pd.Series:
        """Text cells as plain numbers; NaN where a cell is not written like this."""
        number = (
            rf"\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+|\d+" if self.thousands else r"\d+"
        )
        body = rf"(?:{number})(?:{re.escape(self.decimal)}\d*)?|{re.escape(self.decimal)}\d+"
        bare = text.str.strip()
        if self.unit:
            unit = re.escape(self.unit)
            bare = bare.str.replace(rf"^([+-]?)\s*{unit}\s*|\s*{unit}$", r"\1", regex=True)
        exponent = r"(?:[eE][+-]?\d+)?"
        fits = bare.str.fullmatch(rf"[+-]?(?:{body}){exponent}", na=False)
        plain = bare.where(fits)
        if self.thousands:
            plain = plain.str.replace(self.thousands, "", regex=False)
        return plain.str.replace(self.decimal, ".", regex=False)


@dataclass(frozen=True, eq=False)
class ReadCells:
    """A column as it was read.

    Attributes:
        values: `float64` for numbers, `boolean` for flags; missing where a cell is missing or
            unreadable.
        missing_words: cells that held a word for "missing" (an empty cell is no word).
        unreadable: True where a cell is neither readable nor missing, shape (rows,).
        foreign: how many of the unreadable cells are numbers in some other format.
        present: cells that hold something.
    """

    values: pd.Series
    missing_words: int
    unreadable: BoolArray
    foreign: int
    present: int

    @property
    def stray(self) -> int:
        """How many cells cannot be read."""
        return int(self.unreadable.sum())

    @property
    def rows_are_at_fault(self) -> bool:
        """Whether what is unreadable is so little that each is its row's fault, not the column's."""
        if self.foreign and self.foreign > FOREIGN_SHARE * self.present:
            return False
        return self.stray <= max(ROW_FAULT_SHARE * self.present, min(1, self.present - 1))


def read_numbers(column: pd.Series) -> ReadCells:
    """Cells of any kind as numbers; text in plain notation (1320.5, -1e3) only.

    Raises:
        TypeError: the cells are lists, bytes or stamps.
    """
    codes, text, found = _distinct(column)
    missing = text.str.casefold().isin(MISSING_VALUE)
    plain = text.str.fullmatch(_PLAIN_CELL, na=False)
    found = found.fillna(text.where(plain).astype("float64"))
    unreadable = text.notna() & ~missing & ~plain
    foreign = (
        text[unreadable].str.fullmatch(_FOREIGN, na=False).reindex(text.index, fill_value=False)
    )
    return _told(column, codes, text, found, missing, unreadable, foreign)


def read_flags(column: pd.Series) -> ReadCells:
    """Cells of any kind as yes or no, by `FLAG_WORDS`; values are `boolean`.

    Raises:
        TypeError: the cells are lists, bytes or stamps.
    """
    codes, text, found = _distinct(column)
    word = text.str.casefold()
    missing = word.isin(MISSING_VALUE)
    yes, no = word.isin(YES), word.isin(NO)
    number_is_no_flag = found.notna() & ~found.isin([0.0, 1.0])
    unreadable = (text.notna() & ~missing & ~yes & ~no) | number_is_no_flag
    found = found.where(~number_is_no_flag).mask(yes, 1.0).mask(no, 0.0)
    nothing_foreign = pd.Series(False, index=text.index)
    read = _told(column, codes, text, found, missing, unreadable, nothing_foreign)
    return ReadCells(
        read.values.astype("boolean"), read.missing_words, read.unreadable, 0, read.present
    )


def off_scale(column: pd.Series) -> str | None:
    """What a column that should hold probabilities seems to hold instead; None: it is on scale.

    A few cells outside [0, 1] are their rows' fault; three or more that are at least one in a
    thousand are a scale, and the batch's. The sentence holds no value of a row.
    """
    values = column.to_numpy(dtype="float64", na_value=np.nan)
    known = values[np.isfinite(values)]
    outside = int(((known < 0.0) | (known > 1.0)).sum())
    if outside < FEWEST_OFF_SCALE or outside < FOREIGN_SHARE * len(known):
        return None
    if (known < 0.0).any():
        guess = "are these log-odds?"
    elif (known <= 100.0).all():
        guess = "are these percentages?"
    else:
        guess = "on which scale are they?"
    return f"{outside:,} of {len(known):,} lie outside [0, 1]: {guess}"


def _distinct(column: pd.Series) -> tuple[np.ndarray, pd.Series, pd.Series]:
    """Codes into the distinct cells, those that are text (stripped), and those that are numbers."""
    plain = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
    if pd.api.types.is_datetime64_any_dtype(plain.dtype):
        raise TypeError("stamps are no numbers")
    if pd.api.types.is_numeric_dtype(plain.dtype):
        codes, distinct = pd.factorize(plain)
        numbers = pd.Series(distinct).to_numpy(dtype="float64", na_value=np.nan)
        return codes, pd.Series(pd.NA, index=range(len(distinct)), dtype="str"), pd.Series(numbers)
    codes, distinct = pd.factorize(plain)
    cells = pd.Series(np.asarray(distinct, dtype=object), dtype=object)
    is_text = cells.map(lambda cell: isinstance(cell, str)).astype(bool)
    text = cells.where(is_text).astype("str").str.strip()
    return codes, text, cells.mask(is_text, np.nan).astype("float64")


def _told(
    column: pd.Series,
    codes: np.ndarray,
    text: pd.Series,
    found: pd.Series,
    missing: pd.Series,
    unreadable: pd.Series,
    foreign: pd.Series,
) -> ReadCells:
    counts = np.bincount(codes[codes >= 0], minlength=len(text)) if len(text) else np.zeros(0, int)
    words = missing & text.ne("")
    values = pd.Series(_spread(codes, found.to_numpy(dtype="float64"), np.nan), index=column.index)
    return ReadCells(
        values=values,
        missing_words=int(counts[words.to_numpy(dtype=bool)].sum()),
        unreadable=_spread(codes, unreadable.to_numpy(dtype=bool), False),
        foreign=int(counts[foreign.to_numpy(dtype=bool)].sum()),
        present=int(counts[~missing.to_numpy(dtype=bool)].sum()),
    )


def _spread(codes: np.ndarray, distinct: np.ndarray, where_missing: object) -> Any:
    """A value of each distinct cell to the rows that hold it."""
    return np.append(distinct, np.asarray([where_missing], dtype=distinct.dtype))[codes]
