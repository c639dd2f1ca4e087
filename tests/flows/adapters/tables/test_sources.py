"""Does somebody else's table arrive under our names, in UTC, or with one clear sentence why not?"""

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime

import pandas as pd
import pytest

from configs.errors import ServiceUnreachable, UserError
from configs.sources import SourceSettings
from flows.adapters.tables.sources import read_delivery, read_source

COLUMNS = {"case_id": "ID", "opened_at": "SEEN", "bad": "FRAUD"}


def a_source(path=None, **said):
    place = {} if path is None else {"path": str(path)}
    settings = {
        "name": "cards",
        "kind": "history",
        "columns": COLUMNS,
        "case_type": "card",
        "features": ("AMOUNT",),
        "watermark": "opened_at",
    }
    return SourceSettings(**{**settings, **place, **said})


def a_csv(folder, *lines, name="cards.csv"):
    path = folder / name
    path.write_text("\n".join(["ID,SEEN,FRAUD,AMOUNT,SPARE", *lines]) + "\n")
    return path


def test_a_csv_in_local_time_is_read_in_utc(tmp_path):
    """Berlin is one hour ahead in winter and two in summer; ids keep their zeros."""
    path = a_csv(
        tmp_path,
        "007,2024-01-10 12:00:00,0,1.5,x",
        "008,2024-07-10 12:00:00,1,2.5,x",
        "009,2024-07-10T12:00:00+05:30,1,2.5,x",
    )
    rows = read_source(a_source(path, timezone="Europe/Berlin"))
    assert list(rows) == ["case_id", "opened_at", "bad", "AMOUNT", "case_type"]
    assert rows["case_id"].tolist() == ["007", "008", "009"]
    assert str(rows["opened_at"].dtype) == "datetime64[us, UTC]"
    assert rows["opened_at"].dt.strftime("%H:%M").tolist() == ["11:00", "10:00", "06:30"]
    assert set(rows["case_type"]) == {"card"}


@pytest.mark.parametrize(
    ("stamp", "said"),
    [("2024-10-27 02:30:00", "happened twice"), ("2024-03-31 02:30:00", "never happened")],
)
def test_an_hour_that_the_clocks_change_is_not_guessed(tmp_path, stamp, said):
    """That row has no stamp, for the contract to name; the others go on, and it is told (FAULT 55)."""
    path = a_csv(tmp_path, "1,2024-01-10 12:00:00,0,1,x", f"2,{stamp},0,1,x")
    read = read_delivery(a_source(path, timezone="Europe/Berlin"))
    assert read.rows["opened_at"].isna().tolist() == [False, True]
    [note] = read.notes
    assert f"opened_at in an hour that {said} in Europe/Berlin" in str(note)
    assert note.count == 1


def test_parquet_files_by_a_glob_are_one_table(tmp_path):
    """Sorted by name; ids that were numbers become text; only needed columns are read."""
    for day in (1, 2):
        pd.DataFrame(
            {
                "ID": [day * 10],
                "SEEN": pd.to_datetime([f"2024-01-0{day}"]),
                "FRAUD": [0],
                "AMOUNT": [1.0],
                "SPARE": ["x"],
            }
        ).to_parquet(tmp_path / f"day{day}.parquet")
    rows = read_source(a_source(tmp_path / "day*.parquet"))
    assert rows["case_id"].tolist() == ["10", "20"]
    assert "SPARE" not in rows


def test_since_leaves_out_what_was_read_before(tmp_path):
    """Later than, not at; nothing new is an empty frame and no error."""
    path = a_csv(tmp_path, "1,2024-01-01 00:00:00,0,1,x", "2,2024-01-02 00:00:00,0,1,x")
    since = datetime(2024, 1, 1, tzinfo=UTC)
    assert read_source(a_source(path), since)["case_id"].tolist() == ["2"]
    assert read_source(a_source(path), since.replace(year=2025)).empty


def test_reviews_keep_the_columns_nobody_mapped(tmp_path):
    """A desk that already speaks our names maps only what differs."""
    path = tmp_path / "reviews.csv"
    path.write_text("ID,review_id,resolved_at,label\n7,01,2024-01-01T10:00:00Z,TP\n")
    source = SourceSettings(name="desk", kind="reviews", path=str(path), columns={"case_id": "ID"})
    rows = read_source(source)
    assert rows[["case_id", "review_id", "label"]].values.tolist() == [["7", "01", "TP"]]
    assert rows["resolved_at"][0] == pd.Timestamp("2024-01-01 10:00", tz="UTC")


def test_the_country_code_of_namibia_is_not_missing(tmp_path):
    """'NA' is text; an empty cell is missing."""
    path = a_csv(tmp_path, "1,2024-01-01 00:00:00,0,1,NA", "2,2024-01-02 00:00:00,0,1,")
    rows = read_source(a_source(path, features=("SPARE",), categorical=("SPARE",)))
    assert rows["SPARE"].isna().tolist() == [False, True]
    assert rows["SPARE"][0] == "NA"


def a_database(folder):
    file = folder / "cards.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE cases (ID INTEGER, SEEN TEXT, FRAUD INTEGER, AMOUNT REAL)")
        connection.executemany(
            "INSERT INTO cases VALUES (?, ?, 0, 1.0)",
            [(1, "2024-01-01 10:00:00"), (2, "2024-01-01 12:00:00")],
        )
    return f"sqlite:///{file}"


@pytest.mark.parametrize("where", ["", " WHERE SEEN > :since"])
def test_sqlite_by_query_with_and_without_since(tmp_path, where):
    """10:00 in Berlin is 09:00 UTC: the first row was read, whoever filters."""
    source = a_source(
        url=a_database(tmp_path), query=f"SELECT * FROM cases{where}", timezone="Europe/Berlin"
    )
    rows = read_source(source, datetime(2024, 1, 1, 9, tzinfo=UTC))
    assert rows["case_id"].tolist() == ["2"]
    assert rows["opened_at"][0] == pd.Timestamp("2024-01-01 11:00", tz="UTC")
    assert len(read_source(source)) == 2


def test_duckdb_joins_over_files(tmp_path):
    """A query over two files, with `:since` compared in the source's own zone."""
    a_csv(tmp_path, "1,2024-01-01 10:00:00,0,1,x", "2,2024-01-01 12:00:00,0,1,x", name="a.csv")
    (tmp_path / "b.csv").write_text("ID,BETTER\n1,5.5\n2,6.5\n")
    query = (
        f"SELECT a.ID, a.SEEN, a.FRAUD, b.BETTER AS AMOUNT FROM '{tmp_path}/a.csv' a "
        f"JOIN '{tmp_path}/b.csv' b USING (ID) WHERE a.SEEN > :since ORDER BY a.ID"
    )
    source = a_source(url="duckdb:///:memory:", query=query, timezone="Europe/Berlin")
    assert read_source(source)["AMOUNT"].tolist() == [5.5, 6.5]
    rows = read_source(source, datetime(2024, 1, 1, 9, tzinfo=UTC))
    assert rows["case_id"].tolist() == ["2"]
    assert rows["opened_at"][0] == pd.Timestamp("2024-01-01 11:00", tz="UTC")


@pytest.mark.slow
def test_a_command_that_read_from_duckdb_ends_silently(tmp_path):
    """Admission's engine and DuckDB in one process: at its end nothing is said of leaked objects."""
    a_csv(tmp_path, "1,2024-01-01 10:00:00,0,1,x")
    (tmp_path / "desk.yaml").write_text(
        "name: desk\nkind: outcomes\nurl: 'duckdb:///:memory:'\n"
        "query: SELECT ID AS case_id, 'card' AS case_type, SEEN AS observed_at, FRAUD AS bad, "
        f"'chargeback' AS source FROM '{tmp_path}/cards.csv'\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "check", str(tmp_path / "desk.yaml")],
        capture_output=True, text=True, check=False,
        env={**os.environ, "RATCHET_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert "1 rows" in done.stdout
    assert "nanobind" not in done.stderr


def test_all_missing_columns_are_named_with_those_that_are_there(tmp_path):
    """One message is enough to correct the file."""
    path = a_csv(tmp_path, "1,2024-01-01,0,1,x")
    with pytest.raises(
        UserError, match=r"2 columns are missing: 'AGE', 'WHO'.* There are: ID, SEEN"
    ):
        read_source(a_source(path, columns={**COLUMNS, "case_id": "WHO"}, features=("AGE",)))


def test_what_cannot_be_read_is_said_in_one_line(tmp_path):
    """Missing, empty, not what its ending says, of no known kind, no such column for a watermark."""
    empty = a_csv(tmp_path, name="empty.csv")
    (tmp_path / "blank.csv").write_text("")
    (tmp_path / "torn.parquet").write_text("not parquet")
    (tmp_path / "cards.xlsx").write_text("x")
    full = a_csv(tmp_path, "1,2024-01-01,0,1,x")
    refused = [
        (a_source(tmp_path / "none.csv"), "does not exist"),
        (a_source(tmp_path / "none*.csv"), "does not exist"),
        (a_source(empty), "is empty"),
        (a_source(tmp_path / "blank.csv"), "not even a header"),
        (a_source(tmp_path / "torn.parquet"), "cannot be read"),
        (a_source(tmp_path / "cards.xlsx"), "neither .parquet nor .csv"),
        (a_source(full, watermark="seen"), "watermark 'seen'"),
        (a_source(full, timezone="Mars/Base"), "no time zone"),
        (a_source(full, columns={**COLUMNS, "opened_at": "SPARE"}), "no value of opened_at"),
        (a_source(full, columns={**COLUMNS, "opened_at": "AMOUNT"}), "holds numbers"),
        (a_source(url=f"sqlite:///{tmp_path}/no.db", query="SELECT 1"), "no database file"),
        (a_source(url=a_database(tmp_path), query="SELECT x FROM y"), "refused the query"),
        (a_source(url="nosuch://host/db", query="SELECT 1"), "No driver"),
    ]
    for source, said in refused:
        with pytest.raises(UserError, match=said) as caught:
            read_source(source)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "no.db").exists()


def test_a_database_that_does_not_answer_is_named_without_its_password():
    """The message can be pasted into a ticket."""
    url = "postgresql+psycopg://ana:hunter2@127.0.0.1:1/cards"
    with pytest.raises(ServiceUnreachable, match=r"ana:\*\*\*@127.0.0.1:1/cards") as caught:
        read_source(a_source(url=url, query="SELECT 1"))
    assert "hunter2" not in str(caught.value)
