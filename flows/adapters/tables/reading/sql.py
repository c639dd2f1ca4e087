"""What does a database answer to a source's query, without being able to change anything?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import fsspec
import pandas as pd
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InvalidRequestError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from configs.errors import ServiceUnreachable, UserError
from configs.sources import SourceSettings
from flows.adapters.sql.database import first_line, hidden, parsed_url
from flows.adapters.tables.reading.files import RawTable
from flows.adapters.tables.reading.query_text import asks_since, bound, why_not_reading
from flows.adapters.tables.reading.stamps import zone_of
from flows.adapters.tables.reading_notes import Notes

_SQLITE_READS = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip
_CONNECT_SECONDS = 15
_EVER = datetime(1900, 1, 1, tzinfo=UTC)
_QUERY_AT_FAULT = ("no such", "near ", "ambiguous", "incomplete input", "unrecognized token",
                   "not authorized", "attempt to write", "wrong number of arguments",
                   "misuse of", "no tables specified", "unknown function")  # fmt: skip
_DUCKDB_AT_FAULT = ("Catalog", "Binder", "Parser", "Syntax", "Permission", "NotImplemented")


def read_sql(source: SourceSettings, since: datetime | None, notes: Notes) -> RawTable:
    """The rows that a source's query finds, from a connection that only reads.

    Raises:
        UserError: the query writes, is refused, or names its columns twice; the driver is missing.
        ServiceUnreachable: the database does not answer.
    """
    url = parsed_url(str(source.url))
    query = str(source.query or "")
    _check_database_file(source, url)
    _refuse_writing(source, why_not_reading(query))
    if since is not None and not asks_since(query):
        notes.add(
            "the query does not ask for `:since`, so its whole table is read every time; add "
            "WHERE stamp > :since"
        )
    if url.get_backend_name() == "duckdb":
        names, rows = _from_duckdb(source, url, query, since)
    else:
        with _connected(source, url) as connection, _clear_query_errors(source, url):
            said, parameters = _bound(source, connection, query, since)
            names, rows = _fetched(source, connection, said, parameters, notes)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"Source {source.name!r}: the query gives {', '.join(map(repr, twice))} more than once, and "
            "nothing says which one counts; name the columns apart (AS)."
        )
    return RawTable(pd.DataFrame.from_records(rows, columns=names, coerce_float=True), typed=True)


@contextmanager
def _connected(source: SourceSettings, url: URL) -> Iterator[Connection]:
    try:
        engine = _engine(url)
        connection = engine.connect()
    except ImportError as error:
        raise UserError(
            f"Source {source.name!r}: the driver {error.name or url.drivername!r} of {hidden(url)} is "
            "not installed; use sqlite:///FILE, postgresql+psycopg://HOST/NAME or duckdb:///FILE, or "
            "install it."
        ) from None
    except (InvalidRequestError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"Source {source.name!r}: the address {hidden(url)} cannot be used "
            f"({type(error).__name__}): an option or driver in it is not for reading like this. Write "
            "it like postgresql+psycopg://USER@HOST/NAME."
        ) from None
    except (SQLAlchemyError, OSError) as error:
        if url.get_backend_name() == "sqlite" and not isinstance(error, OperationalError):
            raise _no_database(source, url) from None
        if _is_no_database(error):
            raise _no_database(source, url) from None
        raise ServiceUnreachable(
            f"Source {source.name!r}: the database {hidden(url)} does not answer: "
            f"{hidden(url, first_line(error))}. Check that it runs and that `url:` is right."
        ) from None
    try:
        yield connection
    finally:
        connection.close()
        engine.dispose()


def _engine(url: URL) -> Engine:
    backend = url.get_backend_name()
    if backend == "sqlite":
        engine = create_engine(url, poolclass=NullPool)
        event.listen(engine, "connect", _sqlite_reads_only)
        return engine
    waits = {"connect_timeout": _CONNECT_SECONDS} if url.drivername == "postgresql+psycopg" else {}
    engine = create_engine(url, poolclass=NullPool, connect_args=waits)
    if backend == "postgresql":
        return engine.execution_options(postgresql_readonly=True)
    return engine


def _sqlite_reads_only(connection: Any, _: Any) -> None:
    """Whatever is not reading is refused when the statement is compiled, before anything happens."""

    def judge(action: int, *_: Any) -> int:
        return sqlite3.SQLITE_OK if action in _SQLITE_READS else sqlite3.SQLITE_DENY

    raw = getattr(connection, "driver_connection", connection)
    raw.execute("PRAGMA query_only = ON")
    raw.set_authorizer(judge)


def _fetched(
    source: SourceSettings, connection: Connection, query: str, parameters: Any, notes: Notes
) -> tuple[list[str], list[Any]]:
    dialect = connection.dialect
    if dialect.name == "postgresql" and dialect.driver == "psycopg":
        return _from_psycopg(source, connection, query, parameters, notes)
    found = connection.exec_driver_sql(query, parameters)
    if not found.returns_rows:
        raise _no_rows(source)
    return list(found.keys()), [tuple(row) for row in found.fetchall()]


def _from_psycopg(
    source: SourceSettings, connection: Connection, query: str, parameters: Any, notes: Notes
) -> tuple[list[str], list[Any]]:
    """In a read-only transaction, and prepared: then the server takes one statement and no more."""
    connection.exec_driver_sql("SELECT 1")  # begins it: from here on nothing can make it writable
    raw: Any = connection.connection.driver_connection
    endless = _read_infinity_as_missing(raw)
    with raw.cursor() as cursor:
        cursor.execute(query, parameters, prepare=True)
        if cursor.description is None:
            raise _no_rows(source)
        names = [column.name for column in cursor.description]
        rows = cursor.fetchall()
    if endless:
        notes.add(
            "stamps that are infinity, or beyond the year 9999, read as missing", len(endless)
        )
    return names, rows


def _read_infinity_as_missing(raw: Any) -> list[None]:
    """PostgreSQL's stamps may be infinity, which Python's cannot; the list grows by one for each."""
    import psycopg
    from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

    met: list[None] = []

    def lenient(loader: Any) -> Any:
        class Lenient(loader):  # type: ignore[misc]
            def load(self, data: Any) -> Any:
                try:
                    return super().load(data)
                except psycopg.DataError:
                    met.append(None)
                    return None

        return Lenient

    for name, loader in (
        ("date", DateLoader), ("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader),
    ):  # fmt: skip
        raw.adapters.register_loader(name, lenient(loader))
    return met


def _from_duckdb(
    source: SourceSettings, url: URL, query: str, since: datetime | None
) -> tuple[list[str], list[Any]]:
    """By DuckDB's own driver: SQLAlchemy's dialect keeps the module alive until the process has
    ended, and then it prints forty lines about leaks to whoever gave a command."""
    import duckdb

    file = url.database or ":memory:"
    options: dict[str, Any] = dict(url.query)
    try:
        connection = duckdb.connect(file, read_only=file != ":memory:", config=options)
    except duckdb.Error as error:
        if not isinstance(error, duckdb.OperationalError) or _is_no_database(error):
            raise _no_database(source, url) from None
        raise ServiceUnreachable(
            f"Source {source.name!r}: the database {hidden(url)} does not answer: "
            f"{hidden(url, first_line(error))}. Check that it runs and that `url:` is right."
        ) from None
    with connection, _clear_query_errors(source, url):
        said, parameters = query, None
        if asks_since(query):
            connection.execute(f"SET TimeZone = {_zone_literal(source)}")
            said, parameters = bound(query, "qmark", since or _EVER)
        _refuse_writing(source, _duckdb_writes(connection, said))
        found = connection.execute(said, parameters)
        if found.description is None:
            raise _no_rows(source)
        return [str(column[0]) for column in found.description], found.fetchall()


def _duckdb_writes(connection: Any, query: str) -> str | None:
    """By DuckDB's own parser: a file of its own opens read-only, but COPY writes beside it."""
    statements = connection.extract_statements(query)
    kinds = [str(one.type).rsplit(".", 1)[-1] for one in statements]
    strange = [kind for kind in kinds if kind != "SELECT"]
    if len(kinds) == 1 and not strange:
        return None
    return f"it holds {', '.join(strange) or f'{len(kinds)} statements'}"


def _bound(
    source: SourceSettings, connection: Connection, query: str, since: datetime | None
) -> tuple[str, Any]:
    """`:since` such that it compares rightly with the source's own stamps, naive or not."""
    moment = since or _EVER
    dialect, zone = connection.dialect, zone_of(source)
    if not asks_since(query):
        return query, None
    if dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET TimeZone = {_zone_literal(source)}")
        return bound(query, _paramstyle(dialect), moment)
    local = moment.astimezone(zone).replace(tzinfo=None)
    value: Any = local.isoformat(sep=" ") if dialect.name == "sqlite" else local
    return bound(query, _paramstyle(dialect), value)


def _zone_literal(source: SourceSettings) -> str:
    return "'" + str(zone_of(source)).replace("'", "''") + "'"


def _paramstyle(dialect: Any) -> str:
    if dialect.name == "postgresql" and dialect.driver == "psycopg":
        return "pyformat"
    return "named" if dialect.name == "sqlite" else str(dialect.paramstyle)


@contextmanager
def _clear_query_errors(source: SourceSettings, url: URL) -> Iterator[None]:
    """What the database says of the query is told; what it says of a cell is not."""
    where = f"Source {source.name!r}: the database {hidden(url)}"
    try:
        yield
    except (UserError, ServiceUnreachable):
        raise
    except Exception as error:  # every driver has its own; none of them may show a cell
        if _hung_up(error):
            raise ServiceUnreachable(f"{where} hung up. Run this again.") from None
        if _is_no_database(error):
            raise _no_database(source, url) from None
        if _is_busy(error):
            raise ServiceUnreachable(
                f"{where} is locked by somebody else. Run this again."
            ) from None
        raise UserError(
            f"{where} refused the query: {hidden(url, _about_the_query(error))}. Correct `query:`; a "
            "source only reads."
        ) from None


def _about_the_query(error: Exception) -> str:
    """The first line of what was said, where it is about the query's own words; else its kind."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = first_line(error)
    state = getattr(original, "sqlstate", None)
    if state is not None:
        return (
            said
            if str(state)[:2] in ("42", "25", "3F", "0A")
            else f"{type(original).__name__} ({state})"
        )
    if isinstance(original, sqlite3.Error):
        return said if said.startswith(_QUERY_AT_FAULT) else type(original).__name__
    kind = type(original).__name__
    if type(original).__module__.split(".")[0] in ("duckdb", "_duckdb"):
        return said if kind.startswith(_DUCKDB_AT_FAULT) else kind
    return kind


def _hung_up(error: Exception) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    original = getattr(error, "orig", None) or error
    state = str(getattr(original, "sqlstate", None) or "")
    gone = type(original).__module__.startswith("psycopg") and type(original).__name__ in (
        "OperationalError", "InterfaceError",
    )  # fmt: skip
    return state[:2] in ("08", "57") or (gone and not state) or isinstance(error, InterfaceError)


def _is_busy(error: Exception) -> bool:
    original = getattr(error, "orig", None) or error
    return isinstance(original, sqlite3.OperationalError) and "locked" in str(original)


def _is_no_database(error: Exception) -> bool:
    original = getattr(error, "orig", None) or error
    said = str(original)
    return "file is not a database" in said or "malformed" in said or "not a valid DuckDB" in said


def _no_database(source: SourceSettings, url: URL) -> UserError:
    return UserError(
        f"Source {source.name!r}: the file of {hidden(url)} is no sound database of this kind; check "
        "`url:` and whether the file is whole."
    )


def _check_database_file(source: SourceSettings, url: URL) -> None:
    """Opening a missing SQLite or DuckDB file would create an empty one."""
    file = url.database
    if url.get_backend_name() not in ("sqlite", "duckdb") or not file or file == ":memory:":
        return
    if file.startswith("file:"):
        raise UserError(
            f"Source {source.name!r}: name the database as sqlite:///PATH, without `file:` and `?`; it "
            "is only read in any case."
        )
    if not fsspec.filesystem("file").isfile(file):
        raise UserError(f"Source {source.name!r}: there is no database file {file}; check `url:`.")


def _refuse_writing(source: SourceSettings, why: str | None) -> None:
    if why is not None:
        raise UserError(
            f"Source {source.name!r}: the query does more than read: {why}. Give one SELECT; a source "
            "never changes what it reads from."
        )


def _no_rows(source: SourceSettings) -> UserError:
    return UserError(
        f"Source {source.name!r}: the query gives no table; write one SELECT under `query:`."
    )
