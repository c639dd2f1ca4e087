"""What do the files of a source hold, as one table or in pieces?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.tables.reading.columns import mapping, wanted_columns
from flows.adapters.tables.reading.errors import clear_file_errors
from flows.adapters.tables.reading.parquet_files import (
    parquet_batches,
    plain_types,
    read_parquet,
    rows_in,
    together,
)
from flows.adapters.tables.reading.places import Part, parts_of
from flows.adapters.tables.reading.text_files import TextFile
from flows.adapters.tables.reading_notes import Notes


@dataclass(frozen=True, eq=False)
class RawTable:
    """A table under its own names; `typed` where the file says what its columns are."""

    rows: pd.DataFrame
    typed: bool


def read_files(source: SourceSettings, notes: Notes) -> RawTable:
    """All files of a source under one another.

    Raises:
        UserError: they cannot be read, or columns are missing.
        ServiceUnreachable: the file system does not answer.
    """
    with clear_file_errors(source, str(source.path)):
        parts = parts_of(source)
        tables = [_read_part(part, notes) for part in parts]
        names = [name for table in tables for name in table.column_names]
        table = together(tables)
        mapping(source, table.column_names)
        partial = {name for name in table.column_names if names.count(name) < len(tables)}
        for name in sorted(partial):
            lacking = sum(name not in one.column_names for one in tables)
            notes.add(f"parts without the column {name}, which is missing there", lacking)
        return RawTable(_to_pandas(table), any(part.is_parquet for part in parts))


def file_pieces(
    source: SourceSettings, rows: int, columns: Sequence[str] | None = None
) -> Iterator[RawTable]:
    """The files of a source, at most `rows` at a time, so that their size does not matter.

    Args:
        columns: their names of the columns that are read; default: all that the source names.

    Raises:
        UserError, ServiceUnreachable: as `read_files`, at the piece at fault.
    """
    notes = Notes(source.name)
    with clear_file_errors(source, str(source.path)):
        for part in parts_of(source):
            for table in _batches(part, rows, columns, notes):
                yield RawTable(_to_pandas(table), part.is_parquet)


def rows_in_all(source: SourceSettings) -> int | None:
    """How many rows the files have, where they say so without being read."""
    with clear_file_errors(source, str(source.path)):
        total = 0
        for part in parts_of(source):
            if not part.is_parquet:
                return None
            with part.seekable() as file:
                total += rows_in(file)
        return total


def _read_part(part: Part, notes: Notes) -> pa.Table:
    wanted = _Wants(part)
    if part.is_parquet:
        with part.seekable() as file:
            table = read_parquet(part.source, file, wanted, notes)
    else:
        text = TextFile.at(part.source, part.label, part.opens)
        _tell_separator(text, notes)
        table = plain_types(part.source, text.table(wanted(text.names)), notes)
    return _with_partitions(part, table)


def _batches(
    part: Part, rows: int, columns: Sequence[str] | None, notes: Notes
) -> Iterator[pa.Table]:
    wants = _Wants(part, columns)
    if part.is_parquet:
        with part.seekable() as file:
            for table in parquet_batches(part.source, file, wants, rows, notes):
                yield _with_partitions(part, table)
        return
    text = TextFile.at(part.source, part.label, part.opens)
    waiting: list[pa.Table] = []
    for table in text.batches(wants(text.names)):
        waiting.append(table)
        while sum(map(len, waiting)) >= rows:
            whole = pa.concat_tables(waiting)
            yield _with_partitions(part, whole.slice(0, rows))
            waiting = [whole.slice(rows)]
    rest = pa.concat_tables(waiting) if waiting else None
    if rest is not None and len(rest):
        yield _with_partitions(part, rest)


class _Wants:
    """Which columns of a part are read: what the source wants, less what its folders say."""

    def __init__(self, part: Part, columns: Sequence[str] | None = None) -> None:
        self.part, self.columns = part, columns

    def __call__(self, names: Sequence[str]) -> list[str]:
        above = [name for name in self.part.partitions if name not in names]
        wanted = wanted_columns(self.part.source, [*names, *above])
        if self.columns is not None:
            wanted = [name for name in wanted if name in self.columns]
        return [name for name in wanted if name not in above]


def _with_partitions(part: Part, table: pa.Table) -> pa.Table:
    for name, value in part.partitions.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.array([value] * len(table), pa.string()))
    return table


def _tell_separator(text: TextFile, notes: Notes) -> None:
    if text.encoding not in ("utf-8", text.source.encoding):
        notes.add(f"{text.label} is read as {text.encoding} text, as its first bytes say")


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except pa.ArrowInvalid:
        # A text that is no Unicode, or a stamp beyond any clock: said by name, never with the cell.
        wrong = [name for name in table.column_names if not _converts(table.column(name))]
        raise UserError(
            f"The column {', '.join(map(repr, wrong))} holds text that is not UTF-8, or stamps that no "
            "clock can show; mend it at the source."
        ) from None
    return frame


def _converts(column: pa.ChunkedArray) -> bool:
    try:
        column.to_pandas()
    except pa.ArrowInvalid:
        return False
    return True
