"""Fault 59: a source's query that writes is refused, and nothing is changed.

Injected: queries that insert, delete, create, attach, copy or end the transaction, in one statement
or two, on SQLite, DuckDB and PostgreSQL; and the words' check switched off, so that the database
itself has to refuse.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine, text

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.tables.reading import sql
from flows.adapters.tables.sources import read_source

ROWS = (
    "CREATE TABLE late (case_id TEXT, observed_at TEXT)",
    "INSERT INTO late VALUES ('1', '2024-01-01 10:00:00')",
)
READS = "SELECT case_id, observed_at FROM late"
WRITES = [
    "DELETE FROM late",
    "INSERT INTO late VALUES ('2', '2024-01-01') RETURNING case_id",
    "UPDATE late SET case_id = '3' RETURNING case_id",
    "CREATE TABLE other AS SELECT * FROM late",
    "DROP TABLE late",
    "SELECT * FROM late; DELETE FROM late",
    "COMMIT; DELETE FROM late",
    "WITH gone AS (DELETE FROM late RETURNING case_id) SELECT * FROM gone",
]  # fmt: skip
OF_ONE = {
    "sqlite": ["PRAGMA user_version = 7", "ATTACH DATABASE 'beside.db' AS beside", "VACUUM INTO 'beside.db'"],
    "duckdb": ["COPY late TO 'beside.csv'", "ATTACH 'beside.db' AS beside", "EXPORT DATABASE 'beside'"],
    "postgresql": ["COPY late TO '/tmp/beside.csv'", "SELECT case_id INTO other FROM late", "CREATE TEMP TABLE other (a int)"],
}  # fmt: skip


def a_source(url: str, query: str) -> SourceSettings:
    return SourceSettings(name="late", kind="outcomes", url=url, query=query)


def assert_refused(url: str, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its words, and by the database where the words are not looked at."""
    with pytest.raises(UserError, match="does more than read"):
        read_source(a_source(url, query))
    with monkeypatch.context() as blind:
        blind.setattr(sql, "why_not_reading", lambda query: None)
        with pytest.raises(UserError):
            read_source(a_source(url, query))
    assert read_source(a_source(url, READS))["case_id"].tolist() == ["1"]


@pytest.mark.parametrize("query", [*WRITES, *OF_ONE["sqlite"]])
def test_sqlite(query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is the same to the byte, and none lies beside it."""
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect(tmp_path / "desk.db") as connection:
        for statement in ROWS:
            connection.execute(statement)
    connection.close()
    before = (tmp_path / "desk.db").read_bytes()
    assert_refused(f"sqlite:///{tmp_path}/desk.db", query, monkeypatch)
    assert (tmp_path / "desk.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["desk.db"]


@pytest.mark.parametrize("query", [*WRITES, *OF_ONE["duckdb"]])
def test_duckdb(query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing lies beside the file, either."""
    monkeypatch.chdir(tmp_path)
    with duckdb.connect(str(tmp_path / "desk.duckdb")) as connection:
        for statement in ROWS:
            connection.execute(statement)
    assert_refused(f"duckdb:///{tmp_path}/desk.duckdb", query, monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == ["desk.duckdb"]


@pytest.mark.slow
@pytest.mark.parametrize("query", [*WRITES, *OF_ONE["postgresql"]])
def test_postgresql(query: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one transaction that cannot be made writable from inside."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        for statement in ROWS:
            connection.execute(text(statement))
    assert_refused(postgres_url, query, monkeypatch)
    with engine.begin() as connection:
        tables = connection.execute(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        ).scalar_one()
    engine.dispose()
    assert tables == 1


@pytest.mark.parametrize(
    "query",
    [
        READS,
        f"  {READS} LIMIT 9",
        "SELECT case_id, observed_at, 1 AS attachments, 2 AS created FROM late",
        f"-- delete from late; drop it\n{READS} ;",
        "WITH one AS (SELECT * FROM late) SELECT * FROM one",
        "SELECT case_id, observed_at FROM late WHERE case_id <> 'DELETE FROM late; ''x'''",
    ],
)
def test_what_only_reads_is_read(query: str, tmp_path: Path) -> None:
    """Words of writing in a literal or a comment write nothing."""
    with sqlite3.connect(tmp_path / "desk.db") as connection:
        for statement in ROWS:
            connection.execute(statement)
    assert len(read_source(a_source(f"sqlite:///{tmp_path}/desk.db", query))) == 1
