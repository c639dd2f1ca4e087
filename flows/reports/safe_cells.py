"""Could a spreadsheet take a cell of ours for a formula?"""

from __future__ import annotations

import pandas as pd

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def neutralised(table: pd.DataFrame) -> pd.DataFrame:
    """Text cells that begin like a formula get a leading apostrophe; numbers stay numbers (FAULTS 26).

    A text cell that reads as a plain number (-5) cannot do harm and stays as it is.
    """
    safe = table.copy()
    for name in safe.columns:
        column = safe[name]
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            continue
        text = column.astype("str")
        risky = text.str.startswith(_DANGEROUS) & pd.to_numeric(text, errors="coerce").isna()
        safe[name] = text.where(~risky, "'" + text).where(column.notna())
    return safe
