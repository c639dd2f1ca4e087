"""Could a spreadsheet take a cell of ours for a formula?"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TextIO

import pandas as pd

_UNSEEN = "\u00a0\ufeff\u200b\u2060\u3000"
"""Beside ordinary blanks, signs that a spreadsheet may trim before it reads a cell."""

_FORMULA = rf"[\t\r\n]|[\s{_UNSEEN}]*[=+\-@＝＋－＠]"


def neutralised(table: pd.DataFrame) -> pd.DataFrame:
    """Text cells and headings that begin like a formula get a leading apostrophe; numbers stay
    numbers (FAULTS 26).

    A text cell that reads as a plain number (-5) cannot do harm and stays as it is.
    """
    safe = table.copy()
    for name in safe.columns:
        column = safe[name]
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            continue
        safe[name] = _harmless(column.astype("str")).where(column.notna())
    safe.columns = pd.Index(_harmless(pd.Series([str(name) for name in safe], dtype="str")))
    return safe


def write_csv(table: pd.DataFrame, target: Path | TextIO, *, header: bool = True) -> None:
    """The table as a CSV that a spreadsheet may open.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    safe = neutralised(table)
    # Python's writer leaves a lone CR unquoted, and what follows it would begin a row of its own.
    texts = [
        safe[name].astype("str") for name in safe.columns if safe[name].dtype.kind not in "biufM"
    ]
    broken = any(text.str.contains("\r", regex=False, na=False).any() for text in texts)
    safe.to_csv(
        target,
        index=False,
        header=header,
        quoting=csv.QUOTE_NONNUMERIC if broken else csv.QUOTE_MINIMAL,
    )


def _harmless(text: pd.Series) -> pd.Series:
    risky = text.str.match(_FORMULA) & pd.to_numeric(text, errors="coerce").isna()
    return text.where(~risky, "'" + text)
