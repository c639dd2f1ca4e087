"""Worker and flow killed together: closed within a bound, its slot freed, the next night runs (FAULTS 30).

Injected: the ledger's database is locked from outside, so that the night of an `up` waits in mid-run;
then its worker and its flow get SIGKILL at once. On PostgreSQL by the team's profile, where Prefect's
own tables lie in the same database as the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from flows.adapters.sql.database import open_database, writing
from tests.faults.table import POSTGRES
from tests.faults.upped import upped, wait_for
from tests.faults.upstream import Upstream

BOUND_SECONDS = 60.0
"""The next night has started by then."""


@contextmanager
def locked(home: Path, database_url: str | None) -> Iterator[None]:
    """Nobody else may read or write the ledger on PostgreSQL, nor write it on SQLite."""
    if database_url is None:
        with writing(open_database(f"sqlite:///{home / 'live' / 'ledger.db'}")):
            yield
        return
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("LOCK TABLE ledger_entries IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize("kept", ["sqlite", POSTGRES])
def test_the_next_night_starts_within_a_minute(
    kept: str, upstream: Upstream, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What was cut off is Crashed, the slot is free, the next night completes, and people are told."""
    url = request.getfixturevalue("postgres_url") if kept == POSTGRES else None
    variables = dict(upstream.variables)
    if url is not None:
        variables |= {"RATCHET_PROFILE": "team", "RATCHET_DATABASE_URL": url}
    home = tmp_path / "home"
    with upped(home, variables) as up:
        first = up.api.create_run(up.nightly())
        assert up.ended(first.run_id).state == "COMPLETED", up.said()
        with locked(home, url):
            cut = up.api.create_run(up.nightly()).run_id
            wait_for(lambda: up.run(cut).state == "RUNNING", 60, "the night runs")
            flow = up.flow_process(cut)
            assert flow is not None
            for process in [*up.servers("worker"), flow]:
                process.kill()
            killed = time.monotonic()
        later = up.api.create_run(up.nightly()).run_id
        wait_for(
            lambda: up.run(later).state in ("RUNNING", "COMPLETED"), BOUND_SECONDS, "it starts"
        )
        print(f"started after {time.monotonic() - killed:.0f} s")  # noqa: T201
        assert up.run(cut).state == "CRASHED"
        assert up.ended(later).state == "COMPLETED"
        assert up.api.taken_slots() == {}
        assert up.run(later).name == f"night {datetime.now(UTC):%Y-%m-%d}"
    told = [one["kind"] for one in upstream_alerts(home)]
    assert {"dead_run", "server_restarted"} <= set(told)


def upstream_alerts(home: Path) -> list[dict[str, object]]:
    from flows.adapters.alerts.alerts import Alerts

    return Alerts(home / "live").recent(20)
