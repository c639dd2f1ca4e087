"""A source without `:since`, a source database down, one `infinity` stamp: told, that delivery waits, the night goes on.

Injected: an SQL source whose query does not ask `:since`; a database that refuses the connection; a
stamp that says infinity.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from tests.flows.commands.live_home import LiveHome
from tests.live_sources import write_live_sources


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveHome:
    for name, value in write_live_sources(tmp_path / "up", days=3, scale=0.02).items():
        monkeypatch.setenv(name, value)
    return LiveHome(tmp_path / "home")


def as_sql(home: LiveHome, query: str, url: str | None = None, **changed: str) -> None:
    """Reviews come from a database."""
    folder = home.home.parent / "up"
    rows = pd.read_parquet(folder / "reviews.parquet")
    for name in ("queued_at", "resolved_at"):
        rows[name] = rows[name].astype("str")
    rows.loc[rows.index[-1], list(changed)] = list(changed.values())
    with sqlite3.connect(folder / "reviews.db") as database:
        rows.to_sql("reviews", database, if_exists="replace", index=False)
    (folder / "reviews.yaml").write_text(
        f"name: desk_reviews\nkind: reviews\nurl: {url or f'sqlite:///{folder}/reviews.db'}\n"
        f"query: {query}\nwatermark: resolved_at\n",
        encoding="utf-8",
    )


def test_a_query_without_since_works_every_night(home: LiveHome) -> None:
    """The whole table is read, and only what is new is stored."""
    as_sql(home, "select * from reviews")
    for _ in range(2):
        said = home.ask("night")
        assert said.code == 0, said.out
    counts = home.services().store.counts("reviews")
    assert len(home.services().store.read("reviews")) <= counts[1]


def test_a_database_that_is_down_fails_its_delivery_and_no_other(home: LiveHome) -> None:
    """Said first, exit 3; its password is not."""
    as_sql(home, "select 1", url="postgresql+psycopg://me:hush@127.0.0.1:9/none")
    said = home.ask("night")
    assert said.code == 3
    assert said.out.startswith("Failed: reviews. Done: ")
    assert "does not answer" in said.out
    assert "hush" not in said.out + said.err
    assert home.services().store.counts("decisions")[1] > 0


def test_an_infinite_stamp_costs_its_row_only(home: LiveHome) -> None:
    """It cannot be understood, so it is missing, and the contract names it."""
    as_sql(home, "select * from reviews", resolved_at="infinity")
    said = home.ask("night", "--json")
    assert said.code == 0, said.out
    assert '"stamps_are_present": 1' in said.out
