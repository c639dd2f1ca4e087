"""What does somebody else's table say, in our column names, our time zone and our types?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from configs.errors import ServiceUnreachable, UserError
from configs.sources import SourceSettings
from flows.adapters.database import first_line, hidden, parsed_url

_HAS_OFFSET = r"(?:[Zz]|[+-]\d{2}:?\d{2})\s*$"
_ASKS_SINCE = re.compile(r"(?<!:):since\b")
_MISSING_IN_CSV = ["", "NULL", "null", "None", "NaN", "nan", "N/A", "#N/A", "<NA>"]
"""What an empty cell looks like. "NA" is not among them: it is Namibia's country code."""


def read_source(source: SourceSettings, since: datetime | None = None) -> pd.DataFrame:
    """The rows of a source under our names, with stamps in UTC and ids as text.

    A history has the mapped columns, its features and its case type; the other kinds keep every
    column, and those that are mapped get our names. Columns named `*_at`, and the watermark, are
    stamps: naive ones are taken in the source's time zone. A stamp that cannot be understood is
    missing, for the contract to name.

    Args:
        source: where the table is and what its columns are called.
        since: only rows whose watermark is later (tz-aware). A query may use it as `:since`.

    Raises:
        UserError: the file, a column or the query cannot be used, the table is empty, or local
            times are ambiguous.
        ServiceUnreachable: the database or file system does not answer.
    """
    if source.url is not None:
        raw = _read_sql(source, since)
    elif source.path is not None:
        raw = _read_files(source)
    else:
        raise UserError(f"Source {source.name!r} says neither `path` nor `url`; give one of them.")
    if raw.empty and since is None:
        raise UserError(f"Source {source.name!r} is empty: its table has columns and no rows.")
    return _later_than(source, in_our_words(source, raw), since)


def in_our_words(source: SourceSettings, raw: pd.DataFrame) -> pd.DataFrame:
    """Rows of a source, or a piece of them, as `read_source` gives them.

    Raises:
        UserError: columns are missing, a stamp cannot be understood, or local times are ambiguous.
    """
    rows = _renamed(source, raw)
    for name in _stamps(source, rows):
        rows[name] = _in_utc(source, name, rows[name])
    for name in [column for column in rows.columns if column in _ids(source)]:
        rows[name] = _as_ids(rows[name])
    for name in source.categorical_columns() & set(rows.columns):
        rows[name] = _as_ids(rows[name])
    return rows


def read_evidence(path: Path) -> pd.DataFrame:
    """An EVIDENCE table (DESIGN 7) from Parquet or CSV, its columns as they are.

    Raises:
        UserError: there is no such file, it cannot be read, or it has no rows.
    """
    source = SourceSettings.model_validate(
        {"name": path.name, "kind": "outcomes", "path": str(path.resolve())}
    )
    table = _read_files(source)
    if table.empty:
        raise UserError(f"{path.name} is empty: it has columns and no rows.")
    return table


def evidence_by_case_type(path: Path) -> dict[str, pd.DataFrame]:
    """An EVIDENCE table by `case_type`, sorted; without that column all rows are one type.

    Raises:
        UserError: as `read_evidence`, or rows without a case type.
    """
    table = read_evidence(path)
    if "case_type" not in table:
        table = table.assign(case_type="all cases")
    if table["case_type"].isna().any():
        count = int(table["case_type"].isna().sum())
        raise UserError(f"{path.name}: {count:,} rows have no case_type; name it in every row.")
    return {str(name): rows for name, rows in table.groupby("case_type", sort=True)}


def _read_files(source: SourceSettings) -> pd.DataFrame:
    path = str(source.path)
    with clear_file_errors(source, path):
        system, located = fsspec.core.url_to_fs(path)
        globbed = any(mark in located for mark in "*?[")
        found = (
            sorted(system.glob(located)) if globbed and not system.exists(located) else [located]
        )
        files = [name for name in found if system.isfile(name)]
        if not files:
            raise FileNotFoundError
        return pd.concat([_read_file(source, system, name) for name in files], ignore_index=True)


def _read_file(source: SourceSettings, system: AbstractFileSystem, name: str) -> pd.DataFrame:
    if name.endswith((".parquet", ".pq")):
        return _read_parquet(source, system, name)
    if name.endswith((".csv", ".csv.gz")):
        return _read_csv(source, system, name)
    raise UserError(
        f"Source {source.name!r}: {_basename(name)} is neither .parquet nor .csv; convert it, or "
        "read it with `url: duckdb:///:memory:` and a `query`."
    )


def _read_parquet(source: SourceSettings, system: AbstractFileSystem, name: str) -> pd.DataFrame:
    with system.open(name, "rb") as file:
        parquet = pq.ParquetFile(file)
        wanted = wanted_columns(source, parquet.schema_arrow.names)
        rows: pd.DataFrame = parquet.read(columns=wanted).to_pandas()
    return rows


def _read_csv(source: SourceSettings, system: AbstractFileSystem, name: str) -> pd.DataFrame:
    with system.open(name, "rb") as file:
        options = csv_options(source, file, name)
    with system.open(name, "rb") as file:
        rows: pd.DataFrame = pd.read_csv(file, low_memory=False, **options)
    return rows


def csv_options(source: SourceSettings, file: Any, name: str) -> dict[str, Any]:
    """How pandas must read a CSV of this source, from its header; `file` is opened in binary mode.

    Raises:
        UserError: columns are missing.
    """
    options: dict[str, Any] = {
        "compression": "gzip" if name.endswith(".gz") else None,
        "keep_default_na": False,
        "na_values": _MISSING_IN_CSV,
    }
    names = list(pd.read_csv(file, nrows=0, **options).columns)
    as_text = {theirs for ours, theirs in _mapping(source, names).items() if ours in _ids(source)}
    categories = source.categorical_columns()
    as_text |= {theirs for ours, theirs in _mapping(source, names).items() if ours in categories}
    # Read as numbers, 007 would become 7.
    as_text_types = dict.fromkeys(as_text, "str")
    return {**options, "usecols": wanted_columns(source, names), "dtype": as_text_types}


def _read_sql(source: SourceSettings, since: datetime | None) -> pd.DataFrame:
    url = parsed_url(str(source.url))
    _check_database_file(source, url)
    query = str(source.query or "")
    engine = create_engine(url, poolclass=NullPool)
    try:
        connection = engine.connect()
    except (SQLAlchemyError, OSError) as error:
        raise ServiceUnreachable(
            f"Source {source.name!r}: the database {hidden(url)} does not answer: "
            f"{hidden(url, first_line(error))}. Check that it runs and that `url:` is right."
        ) from None
    with connection:
        try:
            bound = _bound(source, connection, query, since)
            return pd.read_sql_query(text(query), connection, params=bound)
        except (SQLAlchemyError, pd.errors.DatabaseError) as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise ServiceUnreachable(
                    f"Source {source.name!r}: the database {hidden(url)} hung up: "
                    f"{hidden(url, first_line(error))}. Run this again."
                ) from None
            raise UserError(
                f"Source {source.name!r}: the database {hidden(url)} refused the query: "
                f"{hidden(url, first_line(error))}. Correct `query:`."
            ) from None


def _bound(
    source: SourceSettings, connection: Connection, query: str, since: datetime | None
) -> dict[str, Any]:
    """`:since` such that it compares rightly with the source's own stamps, naive or not."""
    if not _ASKS_SINCE.search(query):
        return {}
    moment = since or datetime(1900, 1, 1, tzinfo=UTC)
    dialect = connection.dialect.name
    if dialect in ("postgresql", "duckdb"):
        zone = str(_zone(source)).replace("'", "''")
        connection.exec_driver_sql(f"SET TimeZone = '{zone}'")
        return {"since": moment}
    local = moment.astimezone(_zone(source)).replace(tzinfo=None)
    return {"since": local.isoformat(sep=" ") if dialect == "sqlite" else local}


def _check_database_file(source: SourceSettings, url: URL) -> None:
    """Opening a missing SQLite or DuckDB file would create an empty one."""
    file = url.database
    if url.get_backend_name() not in ("sqlite", "duckdb") or not file or file == ":memory:":
        return
    if not fsspec.filesystem("file").exists(file):
        raise UserError(f"Source {source.name!r}: there is no database file {file}; check `url:`.")


@contextmanager
def clear_file_errors(source: SourceSettings, path: str) -> Iterator[None]:
    """What goes wrong while a source's files are read, as a sentence for people."""
    where = f"Source {source.name!r}: {hidden(path)}"
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{where} does not exist; check `path:` in the source file.") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{where} is empty: it has not even a header.") from None
    except (pa.ArrowInvalid, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UserError(
            f"{where} cannot be read: {first_line(error)}. Is it whole, and what its ending says?"
        ) from None
    except (ImportError, ValueError) as error:
        raise UserError(
            f"{where} cannot be read: {hidden(path, hidden(first_line(error)))}."
        ) from None
    except PermissionError:
        raise UserError(f"{where} may not be read by this user; change its permissions.") from None
    except OSError as error:
        raise ServiceUnreachable(
            f"{where} does not answer: {hidden(first_line(error))}. Try again when it does."
        ) from None


def _mapping(source: SourceSettings, names: Collection[str]) -> dict[str, str]:
    """Our names to theirs for every column of the result.

    Raises:
        UserError: columns are missing; all of them are named, with those that are there.
    """
    wanted = {**source.columns}
    if source.case_type_column is not None:
        wanted.setdefault("case_type", source.case_type_column)
    for feature, theirs in source.feature_columns(names).items():
        wanted.setdefault(feature, theirs)
    missing = sorted({theirs for theirs in wanted.values() if theirs not in names})
    if missing:
        many = len(missing) > 1
        raise UserError(
            f"Source {source.name!r}: {len(missing)} column{'s are' if many else ' is'} missing: "
            f"{', '.join(map(repr, missing))}. There are: {', '.join(map(str, names))}. Map them "
            "under `columns:` or correct `features:` in the source file."
        )
    if source.kind != "history":
        taken = {*wanted.values(), *wanted}
        wanted |= {name: name for name in names if name not in taken}
    return wanted


def wanted_columns(source: SourceSettings, names: Sequence[str]) -> list[str]:
    """Which of a table's columns are read (UserError: some are missing; all are named)."""
    return list(dict.fromkeys(_mapping(source, names).values()))


def _renamed(source: SourceSettings, raw: pd.DataFrame) -> pd.DataFrame:
    mapping = _mapping(source, list(raw.columns))
    rows = pd.DataFrame({ours: raw[theirs] for ours, theirs in mapping.items()}, index=raw.index)
    if source.case_type is not None and "case_type" not in rows:
        rows["case_type"] = pd.Series(source.case_type, index=rows.index, dtype="str")
    return rows


def _ids(source: SourceSettings) -> set[str]:
    ours = {*source.columns, "case_id", "review_id", "reviewer_id", "policy_id"}
    return {name for name in ours if name.endswith("_id")} - set(source.feature_columns(()))


def _stamps(source: SourceSettings, rows: pd.DataFrame) -> list[str]:
    if source.watermark is not None and source.watermark not in rows:
        raise UserError(
            f"Source {source.name!r}: the watermark {source.watermark!r} is none of its columns: "
            f"{', '.join(rows.columns)}. Name one of ours, like 'opened_at'."
        )
    features = set(source.feature_columns(()))
    return [
        name
        for name in rows.columns
        if name == source.watermark or (name.endswith("_at") and name not in features)
    ]


def _in_utc(source: SourceSettings, name: str, values: pd.Series) -> pd.Series:
    """A column of stamps, of text or of dates as `datetime64[us, UTC]`."""
    utc = pd.DatetimeTZDtype("us", "UTC")
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.astype(utc)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return _localised(source, name, values).astype(utc)
    if values.isna().all():
        return pd.Series(pd.NaT, index=values.index, dtype=utc)
    if pd.api.types.is_numeric_dtype(values.dtype):
        raise UserError(
            f"Source {source.name!r}: {name} holds numbers, and nothing says what they count; give "
            "stamps or text like 2024-05-01 13:00:00."
        )
    written = values.astype("str")
    has_offset = written.str.contains(_HAS_OFFSET, regex=True, na=False) & written.str.contains(
        ":", na=False
    )
    known = pd.to_datetime(written.where(has_offset), utc=True, format="ISO8601", errors="coerce")
    naive = pd.to_datetime(written.where(~has_offset), format="ISO8601", errors="coerce")
    stamps = known.astype(utc).fillna(_localised(source, name, naive).astype(utc))
    if stamps.isna().all():
        raise UserError(
            f"Source {source.name!r}: no value of {name} is a stamp; write them like "
            "2024-05-01 13:00:00, or map another column."
        )
    return stamps


def _localised(source: SourceSettings, name: str, naive: pd.Series) -> pd.Series:
    """Local times as instants; an hour that happened twice, or never, is not guessed."""
    zone = _zone(source)
    certain = naive.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    unsure = naive.notna() & certain.isna()
    if unsure.any():
        shifted = naive[unsure].dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
        twice = int(shifted.isna().sum())
        never = int(unsure.sum()) - twice
        said = [f"{twice} happened twice"] * bool(twice) + [f"{never} never happened"] * bool(never)
        raise UserError(
            f"Source {source.name!r}: {name} has local times in {source.timezone} of which "
            f"{' and '.join(said)} (the clocks change). Export this column in UTC or with its "
            "offset."
        )
    return pd.Series(certain)


def _zone(source: SourceSettings) -> ZoneInfo:
    try:
        return ZoneInfo(source.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise UserError(
            f"Source {source.name!r}: {source.timezone!r} is no time zone; name one like UTC or "
            "Europe/Berlin under `timezone:`."
        ) from None


def _as_ids(values: pd.Series) -> pd.Series:
    """Ids as text; whole numbers that became floats because some are missing lose their '.0'."""
    if pd.api.types.is_float_dtype(values.dtype):
        present = values.dropna()
        if (present % 1 == 0).all():
            values = values.astype("Int64")
    return values.astype("str") if values.notna().all() else _text_or_missing(values)


def _text_or_missing(values: pd.Series) -> pd.Series:
    return values.map(str, na_action="ignore").astype("str").where(values.notna())


def _later_than(source: SourceSettings, rows: pd.DataFrame, since: datetime | None) -> pd.DataFrame:
    if since is None or source.watermark is None:
        return rows
    if since.utcoffset() is None:
        raise UserError("`since` has no time zone; give a tz-aware instant, such as UTC.")
    return rows[rows[source.watermark] > pd.Timestamp(since)].reset_index(drop=True)


def _basename(name: str) -> str:
    return name.rsplit("/", 1)[-1]
