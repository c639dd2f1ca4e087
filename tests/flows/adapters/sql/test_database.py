"""Addresses of databases: any path, no password, and what a driver says without the cells."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, MetaData, event, text
from sqlalchemy.exc import DataError, OperationalError

from configs.errors import ServiceUnreachable, UserError
from flows.adapters.sql.database import (
    create_tables,
    first_line,
    hidden,
    one_reader,
    open_database,
    parsed_url,
    reading,
    sqlite_url,
    writing,
)

NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=20
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 100)


@given(NAMES)
@settings(max_examples=60, deadline=None)
def test_a_file_of_any_name_is_opened_and_no_other(name: str) -> None:
    """`?`, `%`, `#`, line breaks and other alphabets in a folder's name."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name / "ledger.db"
        engine = open_database(sqlite_url(file))
        create_tables(engine, MetaData())
        with reading(engine) as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
        assert file.is_file()
        assert [one.name for one in Path(folder).iterdir()] == [file.parent.name]


def test_a_url_keeps_its_password_to_itself() -> None:
    """As text, taken apart, and in what a driver says about it."""
    address = "postgresql+psycopg://ana:hun%40ter2@db/x"
    shown = "postgresql+psycopg://ana:***@db/x"
    assert hidden(address) == hidden(parsed_url(address)) == shown
    for url in (address, parsed_url(address)):
        assert (
            hidden(url, "no entry for hun@ter2, that is hun%40ter2")
            == "no entry for ***, that is ***"
        )


def test_a_url_that_cannot_be_understood_chains_no_driver_message() -> None:
    """The chained message would quote what stands after the colon."""
    with pytest.raises(UserError, match="cannot be understood") as refused:
        parsed_url("postgresql+psycopg://ana:hunter2:x@db:port/x")
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


class _OfTheData(Exception):
    sqlstate = "22P02"


class _OfAName(Exception):
    sqlstate = "42703"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (_OfTheData('invalid input syntax for type integer: "4 711 EUR"\nDETAIL: x'),
         "invalid input syntax for type integer: (a value)"),
        (_OfAName('column "colour" does not exist'), 'column "colour" does not exist'),
        (DataError("SELECT", {}, _OfTheData('value "9e99" is out of range for type integer')),
         "value (a value) is out of range for type integer"),
        (OperationalError("SELECT", {}, Exception("database is locked")), "database is locked"),
        (ValueError("could not convert string to float: '4 711 EUR'"),
         "could not convert string to float: (a value)"),
        (ValueError("Usecols do not match columns: ['colour']"),
         "Usecols do not match columns: ['colour']"),
        (ValueError(""), "ValueError"),
    ],
)  # fmt: skip
def test_what_a_driver_says_names_columns_and_quotes_no_cell(error: Exception, said: str) -> None:
    assert first_line(error) == said


def test_of_what_pandas_wraps_the_drivers_own_words_are_told() -> None:
    """pandas repeats the whole statement."""
    wrapped = pd.errors.DatabaseError("Execution failed on sql 'SELECT 1': ...")
    wrapped.__cause__ = DataError("SELECT", {}, _OfTheData('invalid date: "31.02."'))
    assert first_line(wrapped) == "invalid date: (a value)"


def _count(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(text("SELECT count(*) FROM notes")).scalar_one())


def test_reads_that_share_a_connection_each_see_what_was_committed_before(tmp_path: Path) -> None:
    """Two writes, one by another engine as by another process, between three reads; each read that is
    open keeps seeing its own moment. Afterwards a new connection is opened a read, as ever."""
    ours, theirs = (open_database(sqlite_url(tmp_path / "kept.db")) for _ in range(2))
    opened: list[object] = []
    with writing(theirs) as connection:
        connection.execute(text("CREATE TABLE notes (word TEXT)"))
    event.listen(ours, "connect", lambda *_: opened.append(None))
    with one_reader(ours), one_reader(ours):
        assert _count(ours) == 0
        with writing(ours) as connection:
            connection.execute(text("INSERT INTO notes VALUES ('one')"))
        assert _count(ours) == 1
        with reading(ours) as connection:
            assert connection.execute(text("SELECT count(*) FROM notes")).scalar_one() == 1
            with writing(theirs) as other:
                other.execute(text("INSERT INTO notes VALUES ('two')"))
            assert connection.execute(text("SELECT count(*) FROM notes")).scalar_one() == 1
            assert _count(ours) == 2  # a read within a read has its own connection and moment
        assert _count(ours) == 2
    assert len(opened) == 3  # the reader, the writer, and the read within a read
    assert _count(ours) == 2
    assert len(opened) == 4


def test_a_reader_that_fails_is_still_there_for_the_next_read(tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "kept.db"))
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE notes (word TEXT)"))
    with one_reader(engine):
        with pytest.raises(ServiceUnreachable), reading(engine) as connection:
            connection.execute(text("SELECT * FROM nothing"))
        assert _count(engine) == 0
