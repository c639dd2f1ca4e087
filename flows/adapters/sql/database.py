"""How do several processes share one SQL database, SQLite or PostgreSQL, without losing a write?

SQLite runs in write-ahead mode, and a writing transaction takes the write lock when it begins: a
transaction that begins as a reader and writes later dies of "database is locked" under contention.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.pool import NullPool

from configs.errors import ServiceUnreachable, UserError
from configs.masking import masked, secrets_of

BUSY_TIMEOUT_SECONDS = 30.0
"""How long a transaction waits for another process before it gives up with a clear message."""

_CONNECT_SECONDS = 10
_READ_ONLY = "ratchet_read_only"
_CREATE_ATTEMPTS = 5
_WAIT_FOR_WAL_SECONDS = 0.02

_DATA_STATES = ("22", "23")  # SQLSTATE classes: data exception, integrity constraint violation
_DATA_ERRORS = frozenset(
    {"ConversionException", "OutOfRangeException", "InvalidInputException", "ConstraintException"}
)
_OF_THE_DATA = re.compile(
    r"(?i)convert|conversion|pars|invalid value|out of (?:range|bounds)|format"
)
_CELL = re.compile(
    r"\"[^\"]*\"|'[^']*'|(?<=value )[^\s\"'(]+|(?<=string to float: ).+|(?<=got \d: ).+"
)


def open_database(url: str | URL, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Engine:
    """An engine whose transactions are `reading` or `writing`; SQLite's folder is made if missing.

    Raises:
        UserError: the URL cannot be understood.
        ServiceUnreachable: SQLite's folder cannot be made.
    """
    parsed = parsed_url(url)
    if parsed.get_backend_name() == "postgresql":
        return _postgres(parsed, busy_timeout_seconds)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    _make_folder_of(parsed)
    # One connection a transaction: none is shared between threads or inherited by a child process.
    engine = create_engine(
        parsed, poolclass=NullPool, connect_args={"timeout": busy_timeout_seconds}
    )
    _share_sqlite(engine, busy_timeout_seconds)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write, committed at the end; on SQLite it holds the write lock.

    Raises:
        ServiceUnreachable: the database does not answer or stays locked; nothing was changed.
    """
    with _clear_errors(engine), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads: it sees one moment, and waits for no writer.

    Raises:
        ServiceUnreachable: the database does not answer.
    """
    kept = _kept(engine)
    if kept is not None and not kept.in_transaction():
        with _clear_errors(engine), kept.begin():
            yield kept
        return
    with _clear_errors(engine), _reader(engine) as connection:
        yield connection


@contextmanager
def one_reader(engine: Engine) -> Iterator[None]:
    """Within it this thread's reads of an SQLite file share a connection, as opening one takes longer
    than most of them. Each is a transaction of its own as ever, and sees what was committed before it.

    Raises:
        ServiceUnreachable: the database does not answer.
    """
    if not isinstance(engine.pool, NullPool) or _kept(engine) is not None:
        yield
        return
    with _clear_errors(engine):
        reader = _reader(engine)
    _READERS.of[id(engine)] = (os.getpid(), reader)
    try:
        yield
    finally:
        del _READERS.of[id(engine)]
        reader.close()


class _Readers(threading.local):
    """The connections that this thread keeps, by engine, with the process that opened each."""

    def __init__(self) -> None:
        self.of: dict[int, tuple[int, Connection]] = {}


_READERS = _Readers()


def _kept(engine: Engine) -> Connection | None:
    pid, connection = _READERS.of.get(id(engine), (0, None))
    return connection if pid == os.getpid() else None  # a child process opens its own


def _reader(engine: Engine) -> Connection:
    return engine.connect().execution_options(**{_READ_ONLY: True})


def create_tables(engine: Engine, metadata: MetaData) -> None:
    """Create the tables that are missing; two processes may do so at once."""
    for attempt in range(_CREATE_ATTEMPTS):
        with reading(engine) as connection:
            if set(metadata.tables) <= set(inspect(connection).get_table_names()):
                return
        try:
            with writing(engine) as connection:
                metadata.create_all(connection)
            return
        except (IntegrityError, ProgrammingError):
            # PostgreSQL lets two creators collide; the other one's tables are as good as ours.
            if attempt == _CREATE_ATTEMPTS - 1:
                raise


def parsed_url(url: str | URL) -> URL:
    """A database URL taken apart.

    Raises:
        UserError: it cannot be understood; the message never shows it, it may hold a password.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername != "duckdb":  # it is read by its own driver, not by a dialect
            parsed.get_dialect()
    except NoSuchModuleError:
        raise UserError(
            f"No driver for the database {hidden(url)}; use sqlite:///FILE, "
            "postgresql+psycopg://HOST/NAME or duckdb:///:memory:."
        ) from None
    except (ArgumentError, ValueError):
        # Not chained: what was raised may quote a piece of the address.
        raise UserError(
            "The database URL cannot be understood; write it like sqlite:///FILE or "
            "postgresql+psycopg://USER@HOST/NAME."
        ) from None
    return parsed


def sqlite_url(file: Path) -> URL:
    """The address of an SQLite file, whatever signs its path holds: written out as text, a `?` would
    cut it short."""
    return URL.create("sqlite", database=str(file))


def hidden(url: str | URL, text: str | None = None) -> str:
    """A URL, or a text about it, without any password or token in it (see `configs.masking`)."""
    said = url.render_as_string(hide_password=False) if isinstance(url, URL) else url
    if text is None:
        return masked(said)
    known = [*secrets_of(said)]
    if isinstance(url, URL) and url.password:
        known.append(str(url.password))
    return masked(text, known)


def first_line(error: BaseException) -> str:
    """The first line of what a driver said, without SQL, parameters and the values of cells."""
    said: BaseException = error
    # pandas repeats the statement, and the driver's own words are those of its cause.
    if not isinstance(error, DBAPIError) and isinstance(error.__cause__, DBAPIError):
        said = error.__cause__
    if isinstance(said, DBAPIError) and said.orig is not None:
        said = said.orig
    lines = str(said).strip().splitlines()
    line = masked(lines[0]) if lines else type(said).__name__
    return _CELL.sub("(a value)", line) if _quotes_a_cell(said, line) else line


def _quotes_a_cell(said: BaseException, line: str) -> bool:
    """Whether the complaint is about the data, not about names: then what it quotes are cells."""
    state = str(getattr(said, "sqlstate", None) or "")
    return (
        state[:2] in _DATA_STATES
        or type(said).__name__ in _DATA_ERRORS
        or (isinstance(said, ValueError) and _OF_THE_DATA.search(line) is not None)
    )


@contextmanager
def _clear_errors(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, sqlite3.OperationalError) as error:
        name, said = hidden(engine.url), first_line(error)
        if "locked" in said or "busy" in said or "lock timeout" in said:
            raise ServiceUnreachable(
                f"The database {name} stayed locked by another process for "
                f"{_busy_timeout(engine):g} s. Nothing was changed; run this again when that "
                "process has finished."
            ) from None
        raise ServiceUnreachable(
            f"The database {name} cannot be used: {hidden(engine.url, said)}. Nothing "
            "was changed; check that it runs, that its disk has room and that you may write there."
        ) from None
    except ProgrammingError as error:
        if error.statement is not None or getattr(error.orig, "sqlstate", None) is not None:
            raise  # our own SQL
        raise UserError(
            f"The database {hidden(engine.url)} cannot be connected to: "
            f"{hidden(engine.url, first_line(error))}. Correct its address."
        ) from None
    except (DatabaseError, sqlite3.DatabaseError) as error:
        if type(error) not in (DatabaseError, sqlite3.DatabaseError):
            raise  # a constraint, or our own SQL
        raise ServiceUnreachable(
            f"The database {hidden(engine.url)} is damaged: {hidden(engine.url, first_line(error))}. "
            "Nothing was changed; restore it from a copy."
        ) from None


def _postgres(url: URL, busy_timeout_seconds: float) -> Engine:
    """PostgreSQL waits for a lock, and for a machine that says nothing, for ever; here it does not."""
    known = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS}
    engine = create_engine(url, pool_pre_ping=True, connect_args=known)
    engine.dialect._ratchet_busy_timeout = busy_timeout_seconds  # type: ignore[attr-defined]

    @event.listens_for(engine, "connect")
    def _bound_waits(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {int(busy_timeout_seconds * 1000)}")
        connection.commit()

    return engine


def _share_sqlite(engine: Engine, busy_timeout_seconds: float) -> None:
    engine.dialect._ratchet_busy_timeout = busy_timeout_seconds  # type: ignore[attr-defined]
    in_wal = False

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        nonlocal in_wal
        connection.isolation_level = None  # the begin listener below says BEGIN, not the driver
        if not in_wal:  # the mode stays with the file, and asking for it reads the file
            _enter_wal(connection, busy_timeout_seconds)
            in_wal = True
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        only_reads = connection.get_execution_options().get(_READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _enter_wal(connection: sqlite3.Connection, busy_timeout_seconds: float) -> None:
    """Write-ahead mode stays with the file; the first switch ignores the busy timeout, so wait here."""
    deadline = time.monotonic() + busy_timeout_seconds
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_WAIT_FOR_WAL_SECONDS)


def _busy_timeout(engine: Engine) -> float:
    return float(getattr(engine.dialect, "_ratchet_busy_timeout", BUSY_TIMEOUT_SECONDS))


def _make_folder_of(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        raise UserError(
            "An SQLite database in memory cannot be shared; name a file, like sqlite:///ledger.db."
        )
    folder = Path(url.database).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceUnreachable(
            f"The folder {folder} cannot be made: {error.strerror}. Nothing was changed."
        ) from None
