"""How is a Parquet file read, in the few types that everything behind it knows?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.tables.reading.columns import their_ids
from flows.adapters.tables.reading_notes import Notes

Wants = Callable[[Sequence[str]], Sequence[str]]


def read_parquet(source: SourceSettings, file: BinaryIO, wants: Wants, notes: Notes) -> pa.Table:
    """The wanted columns of a file; what pandas says about an index in it is not believed.

    An index that pandas stored as a column is a column like any other, and damaged remarks of
    pandas about a sound file harm nobody.
    """
    parquet = pq.ParquetFile(file)
    names = parquet.schema_arrow.names
    return plain_types(source, _selected(parquet.read(), wants(names)) if _twice(names)
                       else parquet.read(columns=list(wants(names))), notes)  # fmt: skip


def parquet_batches(
    source: SourceSettings, file: Any, wants: Wants, rows: int, notes: Notes
) -> Iterator[pa.Table]:
    """The same, at most `rows` at a time."""
    with pq.ParquetFile(file) as parquet:
        wanted = list(wants(parquet.schema_arrow.names))
        for batch in parquet.iter_batches(rows, columns=wanted):
            yield plain_types(source, pa.Table.from_batches([batch]), notes)


def rows_in(file: Any) -> int:
    """How many rows a file says it has."""
    return int(pq.ParquetFile(file).metadata.num_rows)


def plain_types(source: SourceSettings, table: pa.Table, notes: Notes) -> pa.Table:
    """Dictionaries as their words, decimals as numbers, whole-number ids as text without rounding.

    Raises:
        UserError: a column that the source names holds bytes, records or spans of time.
    """
    table = table.replace_schema_metadata(None)
    own = set(source.feature_columns(table.column_names).values())
    named = {*source.columns.values(), *own, source.case_type_column}
    ids = their_ids(source, table.column_names)
    kept, columns = [], []
    for name, column in zip(table.column_names, table.columns, strict=True):
        plain = _plain(column, is_id=name in ids)
        unusable = _unusable(plain.type, is_feature=name in own)
        if unusable and (name in named or name in ids):
            raise UserError(
                f"Source {source.name!r}: {name!r} holds {unusable}; cast it to text or a number at the "
                "source (a uuid as its hexadecimal text)."
            )
        if unusable:
            notes.add(f"the column {name} holds {unusable} and is left out")
            continue
        kept.append(name)
        columns.append(plain)
    return pa.table(columns, names=kept)


def together(tables: Sequence[pa.Table]) -> pa.Table:
    """Parts under one another; a column that one of them has in another type is text in all.

    Text of nothing but numbers is read as numbers again, so no part decides for the others.
    """
    seen: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for item in table.schema:
            if not pa.types.is_null(item.type) and len(table):
                seen.setdefault(item.name, set()).add(item.type)
    torn = {name for name, types in seen.items() if len(types) > 1 and not _agree(types)}
    empty = {item.name: item.type for table in tables for item in table.schema}
    agreed = [_cast(table, torn, seen, empty) for table in tables]
    return pa.concat_tables(agreed, promote_options="permissive")


def _cast(
    table: pa.Table,
    torn: Collection[str],
    seen: dict[str, set[pa.DataType]],
    empty: dict[str, pa.DataType],
) -> pa.Table:
    columns = []
    for item, column in zip(table.schema, table.columns, strict=True):
        if item.name in torn:
            columns.append(_as_text(column))
        elif not len(table) and item.name in seen:
            columns.append(pa.chunked_array([], next(iter(seen[item.name]))))
        else:
            columns.append(column)
    return pa.table(columns, names=table.column_names)


def _agree(types: set[pa.DataType]) -> bool:
    def is_number(one: pa.DataType) -> bool:
        return bool(pa.types.is_integer(one) or pa.types.is_floating(one))

    def is_stamp(one: pa.DataType) -> bool:
        return bool(pa.types.is_timestamp(one)) and one.tz is not None

    return all(map(is_number, types)) or all(map(is_stamp, types))


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_nested(column.type):
        return column
    if pa.types.is_floating(column.type):
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))
        counted = pc.cast(pc.if_else(whole, column, None), pa.int64())
        return pc.coalesce(pc.cast(counted, pa.string()), pc.cast(column, pa.string()))
    return pc.cast(column, pa.string())


def _plain(column: pa.ChunkedArray, *, is_id: bool) -> pa.ChunkedArray:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        kind = column.type
    if pa.types.is_dictionary(kind):
        column = pc.cast(column, kind.value_type)
        kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_decimal(kind):
        return (
            pc.cast(column, pa.string())
            if is_id and kind.scale == 0
            else pc.cast(column, pa.float64())
        )
    if is_id and pa.types.is_integer(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_float16(kind):
        return pc.cast(column, pa.float32())
    if pa.types.is_time(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_date(kind):
        return pc.cast(
            column, pa.timestamp("us") if pa.types.is_date64(kind) else pa.timestamp("s")
        )
    if pa.types.is_run_end_encoded(kind):
        return pa.chunked_array(
            [pc.run_end_decode(chunk) for chunk in column.chunks], kind.value_type
        )
    return column


def _unusable(kind: pa.DataType, *, is_feature: bool) -> str | None:
    if (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    ):
        return "bytes (binary)"
    if pa.types.is_nested(kind) and is_feature:
        return "lists or records"
    if pa.types.is_duration(kind) or pa.types.is_interval(kind):
        return "spans of time"
    return None


def _twice(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


def _selected(table: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """By place: Arrow cannot select by name where some other name stands twice."""
    places = [table.column_names.index(name) for name in wanted]
    return pa.table([table.column(at) for at in places], names=list(wanted))
