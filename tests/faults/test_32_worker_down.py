"""Worker down for three nights: one catch-up, covering all three (FAULTS 32).

Injected: between two `up` of one home the slots of the next three nights are moved into the past in
Prefect's database, as if the machine had been off; meanwhile three days were delivered.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from tests.faults.upped import upped, wait_for
from tests.faults.upstream import Upstream

MISSED = 3


def move_into_the_past(database: Path, deployment_id: str) -> list[str]:
    """The ids of the next three slots, which are now due since three, two and one nights."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT id FROM flow_run WHERE deployment_id = ? AND auto_scheduled = 1 "
            "AND state_type = 'SCHEDULED' ORDER BY expected_start_time LIMIT ?",
            (deployment_id, MISSED),
        ).fetchall()
        ids = [row[0] for row in rows]
        for nights, run_id in zip(range(MISSED, 0, -1), ids, strict=True):
            due = f"{datetime.now(UTC) - timedelta(days=nights):%Y-%m-%d %H:%M:%S.%f}"
            connection.execute(
                "UPDATE flow_run SET expected_start_time = ?, next_scheduled_start_time = ? WHERE id = ?",
                (due, due, run_id),
            )
        connection.commit()
    return ids


def test_one_night_makes_up_for_three(upstream: Upstream, tmp_path: Path) -> None:
    """Two of the three are cancelled with the reason, the third admits every row that came."""
    home = tmp_path / "home"
    everything = {table: upstream.read(table) for table in ("decisions", "reviews", "outcomes")}
    early = everything["decisions"]["decided_at"].min() + pd.Timedelta(hours=6)
    first = everything["decisions"]["case_id"][everything["decisions"]["decided_at"] < early]
    for table, rows in everything.items():
        upstream.write(table, rows[rows["case_id"].isin(first)])
    assert upstream.night().code == 0
    assert 0 < len(upstream.stored("decisions")) < len(everything["decisions"])
    with upped(home, upstream.variables) as up:
        nightly = up.nightly()
        due = lambda: len(up.api.runs("SCHEDULED"))  # noqa: E731
        wait_for(lambda: due() > MISSED, 120, "slots are made")
    for table, rows in everything.items():
        upstream.write(table, rows)
    as_stored = nightly.replace("-", "")
    database = home / "prefect" / "prefect.db"
    ids = move_into_the_past(database, nightly) or move_into_the_past(database, as_stored)
    assert len(ids) == MISSED
    with upped(home, upstream.variables) as up:
        assert up.said().count("was missed; a later one covers it") >= MISSED - 1
        runs = {run.run_id.replace("-", ""): run for run in up.api.runs(
            "SCHEDULED", "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")}  # fmt: skip
        states = [runs[one.replace("-", "")].state for one in ids]
        assert states[:2] == ["CANCELLED", "CANCELLED"]
        catch_up = runs[ids[2].replace("-", "")].run_id
        assert up.ended(catch_up).state == "COMPLETED"
        assert len([run for run in up.api.runs("COMPLETED") if run.name.startswith("night ")]) == 1
    for table, rows in everything.items():
        assert len(upstream.stored(table)) == len(rows)
    dossier = json.loads(max((home / "live" / "dossiers").glob("*.json")).read_text("utf-8"))
    assert dossier["rows_new"] > 0
