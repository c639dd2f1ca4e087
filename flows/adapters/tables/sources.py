"""What does somebody else's table say, in our column names, our time zone and our types?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa

from configs.errors import UserError
from configs.sources import SourceSettings
from data_contracts.words import FLAG_WORDS, off_scale, read_flags, read_numbers
from flows.adapters.tables.reading import query_text
from flows.adapters.tables.reading.cells import read_cells
from flows.adapters.tables.reading.columns import renamed
from flows.adapters.tables.reading.files import RawTable, file_pieces, read_files, rows_in_all
from flows.adapters.tables.reading.places import is_table
from flows.adapters.tables.reading.sql import read_sql
from flows.adapters.tables.reading_notes import Notes, Reading

__all__ = [
    "asks_since",
    "by_case_type",
    "evidence_by_case_type",
    "evidence_reading",
    "file_pieces",
    "in_our_words",
    "is_table",
    "read_as_it_is",
    "read_delivery",
    "read_evidence",
    "read_pieces",
    "read_source",
    "rows_in_all",
]

_EVIDENCE_NUMBERS = ("score", "propensity", "credence", "margin")
_EVIDENCE_FLAGS = ("bad", "drawn", "automatable", "surfaced")
_PROBABILITIES = ("score", "propensity", "credence")


def read_source(source: SourceSettings, since: datetime | None = None) -> pd.DataFrame:
    """The rows of `read_delivery`, for who has nobody to tell its notes to; raises as it does."""
    return read_delivery(source, since).rows


def read_delivery(source: SourceSettings, since: datetime | None = None) -> Reading:
    """The rows of a source under our names, and what to tell people about how they were read.

    A history has the mapped columns, its features and its case type; the other kinds keep every
    column, and those that are mapped get our names. Columns named `*_at`, and the watermark, are
    stamps: naive ones are taken in the source's time zone. What cannot be understood is missing or
    stays as it is, for the contract to name; a row without a watermark is never left out.

    Args:
        source: where the table is and what its columns are called.
        since: only rows whose watermark is later (tz-aware). A query may use it as `:since`.

    Raises:
        UserError: the file, a column or the query cannot be used, or a history is empty.
        ServiceUnreachable: the database or file system does not answer.
    """
    if since is not None and since.utcoffset() is None:
        raise UserError("`since` has no time zone; give a tz-aware instant, such as UTC.")
    notes = Notes(source.name)
    raw = read_as_it_is(source, notes, since)
    if raw.rows.empty and source.kind == "history":
        raise UserError(f"Source {source.name!r} is empty: its table has columns and no rows.")
    rows = in_our_words(source, raw.rows, notes, typed=raw.typed)
    later = _later_than(source, rows, since, notes)
    return Reading(later, notes.told(), len(raw.rows))


def read_as_it_is(source: SourceSettings, notes: Notes, since: datetime | None = None) -> RawTable:
    """The rows of a source under its own names, before anything is made of its cells.

    Raises:
        UserError, ServiceUnreachable: as `read_delivery`.
    """
    if source.url is not None:
        return read_sql(source, since, notes)
    if source.path is not None:
        return read_files(source, notes)
    raise UserError(f"Source {source.name!r} says neither `path` nor `url`; give one of them.")


def asks_since(source: SourceSettings) -> bool:
    """Whether the source itself leaves out what is older than `:since`."""
    return source.url is not None and query_text.asks_since(str(source.query))


def in_our_words(
    source: SourceSettings, raw: pd.DataFrame, notes: Notes | None = None, *, typed: bool = True
) -> pd.DataFrame:
    """Rows of a source, or a piece of them, as `read_delivery` gives them.

    Args:
        notes: collects what to tell people; None: nobody asks.
        typed: the table has types of its own (Parquet, SQL).

    Raises:
        UserError: columns are missing or cannot be used as they are.
    """
    told = Notes(source.name) if notes is None else notes
    return read_cells(source, renamed(source, raw), told, typed=typed)


def read_pieces(
    source: SourceSettings, rows: int, notes: Notes | None = None
) -> Iterator[pd.DataFrame]:
    """The files of a source in our words, at most `rows` at a time; raises as `read_delivery`."""
    for raw in file_pieces(source, rows):
        if len(raw.rows):
            yield in_our_words(source, raw.rows, notes, typed=raw.typed)


def read_evidence(path: Path) -> pd.DataFrame:
    """The rows of `evidence_reading`, for who has nobody to tell its notes to; raises as it does."""
    return evidence_reading(path).rows


def evidence_reading(path: Path) -> Reading:
    """An EVIDENCE table (DESIGN 7) from Parquet or CSV in its types, and what to tell about it.

    A proof has no quarantine: a cell that is no number, or neither yes nor no, refuses the table.

    Raises:
        UserError: there is no such file, it cannot be read, it has no rows, or a column cannot be
            used; the message holds no cell.
    """
    source = SourceSettings.model_validate(
        {"name": path.name, "kind": "outcomes", "path": str(path.resolve())}
    )
    notes = Notes(path.name)
    raw = read_files(source, notes)
    if raw.rows.empty:
        raise UserError(f"{path.name} is empty: it has columns and no rows.")
    types: dict[str, pa.DataType] = {name: pa.float64() for name in _EVIDENCE_NUMBERS}
    types |= {name: pa.bool_() for name in _EVIDENCE_FLAGS}
    types |= {str(name): pa.float64() for name in raw.rows.columns if str(name).startswith("phi_")}
    types |= {name: pa.string() for name in ("case_type", "annotation", "root_cause", "sop_clause")}
    table = read_cells(source, raw.rows, notes, typed=raw.typed, types=types)
    for name in [one for one in types if one in table]:
        table[name] = _sound(path.name, name, table[name], types[name])
    return Reading(table, notes.told(), len(table))


def evidence_by_case_type(path: Path) -> dict[str, pd.DataFrame]:
    """An EVIDENCE table by `case_type`, sorted; without that column all rows are one type.

    Raises:
        UserError: as `read_evidence`, or rows without a case type.
    """
    return by_case_type(path, read_evidence(path))


def by_case_type(path: Path, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each case type, sorted by its name; raises as `evidence_by_case_type`."""
    if "case_type" not in table:
        table = table.assign(case_type="all cases")
    if table["case_type"].isna().any():
        count = int(table["case_type"].isna().sum())
        raise UserError(f"{path.name}: {count:,} rows have no case_type; name it in every row.")
    return {str(name): rows for name, rows in table.groupby("case_type", sort=True)}


def _sound(file: str, name: str, values: pd.Series, wanted: pa.DataType) -> pd.Series:
    """A column of evidence in its type, or the reason why it has none."""
    if pa.types.is_string(wanted):
        return values
    is_flag = pa.types.is_boolean(wanted)
    try:
        read = (read_flags if is_flag else read_numbers)(values)
    except (TypeError, ValueError, ArithmeticError):
        raise UserError(f"{file}: {name!r} holds bytes, lists or stamps.") from None
    if read.stray:
        what = f"neither yes nor no ({FLAG_WORDS})" if is_flag else "no number"
        also = ", some with thousands, a decimal comma or a unit" if read.foreign else ""
        instead = "true, false or nothing" if is_flag else "numbers like 1320.5"
        raise UserError(
            f"{file}: {read.stray:,} of {read.present:,} cells of {name!r} are {what}{also}; the first "
            f"stands in row {int(read.unreadable.argmax()) + 1:,}. Write {instead}."
        )
    strange = off_scale(read.values) if name in _PROBABILITIES else None
    if strange is not None:
        raise UserError(
            f"{file}: {name!r} is no probability: {strange} Turn the column into shares from 0 to 1 "
            "before it is judged."
        )
    return read.values


def _later_than(
    source: SourceSettings, rows: pd.DataFrame, since: datetime | None, notes: Notes
) -> pd.DataFrame:
    """What is new; a row whose watermark is missing cannot be shown to be old and goes on."""
    if since is None or source.watermark is None:
        return rows
    marks = rows[source.watermark]
    undated = int(marks.isna().sum())
    if undated:
        notes.add(f"rows without {source.watermark}, judged every time", undated)
    return rows[~(marks <= pd.Timestamp(since))].reset_index(drop=True)
