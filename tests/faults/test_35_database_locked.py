"""The database locked for longer than anybody waits: a bounded wait, a clear message (FAULTS 35).

Injected: another connection holds the lock of the ledger's database: SQLite's write lock, a table lock
on PostgreSQL, each for as long as the command waits; and once for less than that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from flows.adapters.sql import database
from flows.adapters.sql.database import open_database, writing
from tests.faults.upstream import Upstream

BOUND = 30.0


@contextmanager
def locked(upstream: Upstream, home: Path) -> Iterator[None]:
    url = upstream.variables.get("RATCHET_DATABASE_URL")
    if url is None:
        with writing(open_database(f"sqlite:///{home / 'live' / 'ledger.db'}")):
            yield
        return
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("LOCK TABLE ledger_entries, ledger_refusals IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.fixture
def opened(upstream_on_either: Upstream) -> Upstream:
    """A home that exists, in which ana may halt."""
    upstream_on_either.home.people()
    return upstream_on_either


def test_the_wait_is_half_a_minute() -> None:
    """As long as a person waits without asking what is wrong, and longer than any write of ours."""
    assert database.BUSY_TIMEOUT_SECONDS == BOUND


@pytest.fixture
def upstream_on_either(upstream_on_either: Upstream, monkeypatch: pytest.MonkeyPatch) -> Upstream:
    """People are enrolled in the same database that the commands use."""
    for name, value in upstream_on_either.variables.items():
        monkeypatch.setenv(name, value)
    return upstream_on_either


def test_a_brake_says_what_holds_it_up_and_works_afterwards(opened: Upstream) -> None:
    """Nothing is done by halves: after the refusal nothing is halted, after the next try all is."""
    token = opened.home.tokens["ana"]

    def halt() -> object:
        return opened.home.ask("halt", "ato", "--reason", "A try.", by="ana", token=token)

    with locked(opened, opened.home.home):
        began = time.monotonic()
        said = halt()
        waited = time.monotonic() - began
    assert said.code == 4, said.err  # type: ignore[attr-defined]
    assert BOUND - 2 <= waited < 2 * BOUND + 10
    assert "stayed locked" in said.err  # type: ignore[attr-defined]
    assert "Nothing was changed" in said.err  # type: ignore[attr-defined]
    assert halt().code == 0  # type: ignore[attr-defined]
    assert opened.home.ask("ledger", "verify").code == 0


def test_a_lock_that_ends_in_time_is_waited_for(opened: Upstream) -> None:
    """Ten seconds are no failure."""
    held = threading.Event()

    def hold() -> None:
        with locked(opened, opened.home.home):
            held.set()
            time.sleep(10)

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(30)
    said = opened.home.ask("halt", "ato", "--reason", "A try.", by="ana")
    other.join()
    assert said.code == 0, said.err
