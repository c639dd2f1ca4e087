"""In which few Arrow types are rows kept, so that parts written on different days read as one table?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import UserError
from data_contracts.digests import nested_as_text, readable, without_category
from models.hub.policies.canonical import in_utc

RECEIVED_AT = "received_at"
"""The column that every read adds: when the store received the row."""

STAMP = pa.timestamp("us", tz="UTC")


def to_arrow(table: str, rows: pd.DataFrame) -> pa.Table:
    """Admitted rows in Arrow's types; stamps in UTC.

    Raises:
        UserError: stamps without a time zone, or a column that mixes types.
    """
    columns = {str(name): _arrow_column(table, rows[name]) for name in rows.columns}
    return pa.table(columns)


def rejects_to_arrow(rejected: pd.DataFrame) -> pa.Table:
    """Rejected rows must be kept whatever is in them: a column of mixed types is kept as text."""
    return pa.table({str(name): _arrow_reject(rejected[name]) for name in rejected.columns})


def as_frame(
    tables: Sequence[pa.Table],
    schemas: Sequence[pa.Schema],
    wanted: Sequence[str] | None,
    expression: pc.Expression | None = None,
    categories: Collection[str] = (),
) -> pd.DataFrame:
    """The parts under one another, narrowed to the rows and columns asked for; text columns named
    in `categories` come as categorical ones.

    A column that a part lacks is missing there. The filter runs once on all parts: an expression
    has a fixed cost of a millisecond or two, which a hundred small parts would pay each.
    """
    if tables:
        whole = _under_one_another(tables)
    elif schemas:
        whole = _under_one_another([schema.empty_table() for schema in schemas])
        whole = whole.append_column(RECEIVED_AT, pa.array([], STAMP))
    else:
        names = list(wanted or [RECEIVED_AT])
        whole = pa.table({name: pa.array([], _type_when_empty(name)) for name in names})
    if expression is not None and tables:
        whole = whole.filter(expression)
    asked = whole.column_names if wanted is None else wanted
    whole = whole.select([c for c in whole.column_names if c in asked])
    frame: pd.DataFrame = whole.to_pandas(
        categories=[c for c in categories if c in whole.column_names]
    )
    return frame if wanted is None else frame.reindex(columns=list(wanted))


def _under_one_another(tables: Sequence[pa.Table]) -> pa.Table:
    """One table. A file writes yes and no as 1 and 0, or leaves a whole column empty, where another
    one has true and false: then all of them are numbers, which a row's digest does not tell apart."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError:
        torn = {
            item.name
            for table in tables
            for item in table.schema
            if pa.types.is_integer(item.type) or pa.types.is_floating(item.type)
        }
        numbers = [_yes_or_no_as_numbers(table, torn) for table in tables]
        return pa.concat_tables(numbers, promote_options="permissive")


def _yes_or_no_as_numbers(table: pa.Table, names: Collection[str]) -> pa.Table:
    for place, item in enumerate(table.schema):
        if item.name in names and pa.types.is_boolean(item.type):
            table = table.set_column(place, item.name, table.column(place).cast(pa.int8()))
    return table


def agreeing(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Rejected rows side by side: a column whose type changed from day to day is read as text."""
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for item in table.schema:
            if not pa.types.is_null(item.type):
                types.setdefault(item.name, set()).add(item.type)
    torn = {name for name, seen in types.items() if len(seen) > 1}
    return [_with_text(table, torn) for table in tables]


def expression_of(
    filters: Mapping[str, Collection[Any]],
    stamp: str | None,
    since: datetime | None,
    until: datetime | None,
) -> pc.Expression | None:
    """Keep rows whose columns hold one of the values, with `since <= stamp < until`; None = all."""
    # No value has no type either, and Arrow compares none with a text.
    clauses = [
        pc.field(name).isin(list(values)) if len(values) else pc.scalar(False)
        for name, values in filters.items()
    ]
    if stamp is not None and since is not None:
        clauses.append(pc.field(stamp) >= moment(since))
    if stamp is not None and until is not None:
        clauses.append(pc.field(stamp) < moment(until))
    whole = None
    for clause in clauses:
        whole = clause if whole is None else whole & clause
    return whole


def moment(at: datetime) -> pa.Scalar:
    """An instant as Arrow keeps it."""
    return pa.scalar(in_utc(at), type=STAMP)


def _arrow_column(table: str, values: pd.Series) -> pa.Array:
    """A column in one of a few types, so that parts written on different days still agree."""
    values = without_category(values)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return pa.array(values.dt.tz_convert("UTC").dt.as_unit("us"))
    if pd.api.types.is_datetime64_dtype(values.dtype):
        raise UserError(f"{table}.{values.name} has stamps without a time zone; give them in UTC.")
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeError):
        raise UserError(
            f"{table}.{values.name} mixes types (or holds text that is not Unicode); admit it "
            "through its contract first."
        ) from None
    if pa.types.is_large_string(array.type):
        return array.cast(pa.string())
    return array


def _arrow_reject(values: pd.Series) -> pa.Array:
    values = without_category(values)
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, UnicodeError):
        return _as_text(values)


def _as_text(values: pd.Series) -> pa.Array:
    missing = values.isna().to_numpy(dtype=bool)
    text = [readable(value) for value in nested_as_text(values)]
    return pa.array(text, type=pa.string(), mask=missing)


def _with_text(table: pa.Table, names: Collection[str]) -> pa.Table:
    for at, name in enumerate(table.column_names):
        if name in names:
            values = table.column(name).to_pandas()
            table = table.set_column(at, name, _as_text(values))
    return table


def _type_when_empty(name: str) -> pa.DataType:
    return STAMP if name.endswith("_at") else pa.null()
