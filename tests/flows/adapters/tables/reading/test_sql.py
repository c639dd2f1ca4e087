"""What does a query find, whatever stands in its literals and in the database's own stamps?"""

import sqlite3
from datetime import UTC, datetime

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from configs.errors import ServiceUnreachable, UserError
from configs.sources import SourceSettings
from flows.adapters.tables.reading.query_text import asks_since, bound
from flows.adapters.tables.sources import read_delivery

ROWS = [
    ("1", "2024-01-01 10:00:00", "a:urgent"),
    ("2", "2024-01-02 10:00:00", "12:30:45"),
    ("3", None, "x"),
]
SINCE = datetime(2024, 1, 1, 12, tzinfo=UTC)


def a_source(url, query, **said):
    return SourceSettings(
        name="desk", kind="outcomes", url=url, query=query, watermark="observed_at", **said
    )


@pytest.fixture
def sqlite_url(tmp_path):
    with sqlite3.connect(tmp_path / "desk.db") as connection:
        connection.execute("CREATE TABLE late (case_id TEXT, observed_at TEXT, note TEXT)")
        connection.executemany("INSERT INTO late VALUES (?, ?, ?)", ROWS)
    connection.close()
    return f"sqlite:///{tmp_path}/desk.db"


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("note <> ':urgent'", ["1", "2", "3"]),
        ("note = 'a:urgent'", ["1"]),
        ("note = '12:30:45' -- at 12:30:45, :since then", ["2"]),
        ("note LIKE '%:%'", ["1", "2"]),
        ("observed_at > :since AND note <> ':since'", ["2"]),
        ("observed_at > :since AND observed_at > :since AND note LIKE '%:%'", ["2"]),
    ],
)
def test_a_colon_in_a_literal_is_no_parameter(sqlite_url, where, ids):
    """And `:since` is one, however often it stands there."""
    query = f"SELECT * FROM late WHERE {where}"
    since = SINCE if asks_since(query) else None
    assert read_delivery(a_source(sqlite_url, query), since).rows["case_id"].tolist() == ids


def test_the_parameter_in_every_drivers_words():
    """A percent sign is doubled where the driver reads percent signs."""
    query = "SELECT '5%:since', x::date FROM t WHERE x > :since"
    assert bound(query, "pyformat", 1) == (
        "SELECT '5%%:since', x::date FROM t WHERE x > %(since)s", {"since": 1},
    )  # fmt: skip
    assert bound(query, "qmark", 1) == ("SELECT '5%:since', x::date FROM t WHERE x > ?", (1,))
    assert bound("SELECT '%:x', y::int FROM t", "pyformat", 1) == (
        "SELECT '%:x', y::int FROM t",
        None,
    )


def test_a_query_without_since_works_and_is_told(sqlite_url):
    """Its whole table is read every night; what has no date goes on to the contract (FAULTS 49, 68)."""
    found = read_delivery(a_source(sqlite_url, "SELECT * FROM late"), SINCE)
    assert found.rows["case_id"].tolist() == ["2", "3"]
    assert found.rows_in_source == 3
    assert [str(note) for note in found.notes] == [
        "Source 'desk': the query does not ask for `:since`, so its whole table is read every time; "
        "add WHERE stamp > :since.",
        "Source 'desk': rows without observed_at, judged every time: 1.",
    ]


def test_an_empty_table_is_no_error_of_a_night(sqlite_url):
    """The night says whether rows were due; a history without rows is refused."""
    for since in (None, SINCE):
        found = read_delivery(a_source(sqlite_url, "SELECT * FROM late WHERE 1 = 0"), since)
        assert (len(found.rows), found.rows_in_source) == (0, 0)


def test_columns_of_one_name_are_refused(sqlite_url):
    """A join that gives the id twice."""
    with pytest.raises(UserError, match="gives 'case_id' more than once"):
        read_delivery(
            a_source(sqlite_url, "SELECT a.case_id, b.* FROM late a JOIN late b USING (note)")
        )


def test_a_database_that_is_down_is_a_service():
    """Exit code 4: that delivery waits, the night goes on (FAULT 68)."""
    with pytest.raises(ServiceUnreachable, match="does not answer"):
        read_delivery(a_source("postgresql+psycopg://127.0.0.1:1/desk", "SELECT 1 AS observed_at"))


@pytest.mark.slow
def test_infinity_in_postgresql_is_one_rows_fault(postgres_url):
    """Its stamp is missing, for the contract to name; the query goes on (FAULT 68)."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE late (case_id uuid, observed_at timestamptz, amount numeric, note text)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO late VALUES (gen_random_uuid(), '2024-01-02 10:00:00+00', 1.5, '5%'), "
                "(gen_random_uuid(), 'infinity', NULL, 'a:b'), (gen_random_uuid(), '-infinity', 2, 'c')"
            )
        )
    engine.dispose()
    for query, since in (
        ("SELECT * FROM late WHERE note <> ':x' AND note::text <> '%'", None),
        (
            "SELECT * FROM late WHERE observed_at > :since OR observed_at < '2000-01-01'::timestamptz",
            SINCE,
        ),
    ):
        found = read_delivery(a_source(postgres_url, f"{query} ORDER BY note"), since)
        assert found.rows["observed_at"].isna().tolist() == [False, True, True]
        assert found.rows["observed_at"][0] == pd.Timestamp("2024-01-02 10:00", tz="UTC")
        assert found.rows["case_id"].str.len().tolist() == [36] * 3
        assert found.rows["amount"].fillna(-1).tolist() == [1.5, -1, 2]
        assert any("infinity" in note.what and note.count == 2 for note in found.notes)


@pytest.mark.slow
def test_what_postgresql_says_of_a_cell_is_not_passed_on(postgres_url):
    """A cast that fails quotes the text; we give its SQLSTATE."""
    query = "SELECT note::int AS observed_at FROM (SELECT 'SECRET-VALUE'::text AS note) AS t"
    with pytest.raises(UserError, match="22P02") as refused:
        read_delivery(a_source(postgres_url, query))
    assert "SECRET" not in str(refused.value)


# The fixtures of a server of its own.
from tests.integration.postgres import (  # noqa: E402
    _database_numbers,
    postgres_server,
    postgres_url,
)

__all__ = ["_database_numbers", "postgres_server", "postgres_url"]
