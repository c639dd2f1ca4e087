"""One machine runs the night: who, since when, and until when if it dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from configs.errors import GateRefused
from flows.adapters.sql import night_lease
from flows.adapters.sql.database import open_database
from flows.adapters.sql.database_clock import now_at
from flows.adapters.sql.night_lease import LASTS, NightLease
from flows.verbs.house.one_night import one_at_a_time, one_night
from models.hub.policies.canonical import utc_stamp

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_database(f"sqlite:///{tmp_path / 'team.db'}")


def heard(engine: Engine, ago: timedelta) -> None:
    """As if the holder had said nothing since."""
    from datetime import UTC, datetime

    with engine.begin() as connection:
        said = {"heard": utc_stamp(datetime.now(UTC) - ago)}
        connection.exec_driver_sql("UPDATE leases SET heard = :heard", said)


def test_the_second_hears_who_runs_it_and_since_when(engine: Engine) -> None:
    with NightLease(engine):
        held = NightLease(engine).held()
        assert held is not None
        with pytest.raises(GateRefused) as refused, NightLease(engine):
            pytest.fail("two hold one lease")
    assert held.holder in str(refused.value)
    assert f"since {held.since:%Y-%m-%d %H:%M:%S} UTC" in str(refused.value)
    assert NightLease(engine).held() is None
    with NightLease(engine):
        assert NightLease(engine).held() is not None


def test_a_dead_holders_lease_ends_within_its_bound(engine: Engine) -> None:
    """Not before: a machine that is slow is not dead."""
    with NightLease(engine) as dead:
        heard(engine, LASTS - timedelta(seconds=5))
        with pytest.raises(GateRefused, match="if that process died"), NightLease(engine):
            pytest.fail("it was still held")
        heard(engine, LASTS + timedelta(seconds=1))
        with NightLease(engine) as second:
            dead.check()  # it does not know yet
            second.check()
        assert NightLease(engine).held() is None


def test_who_lost_the_lease_is_told_and_takes_none_away(engine: Engine) -> None:
    with NightLease(engine, beat_seconds=0.05) as slow:
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE leases SET token = 'another'")
        deadline = time.monotonic() + 20
        while not slow._lost and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(GateRefused, match="another machine may run it"):
            slow.check()
    assert NightLease(engine).held() is not None


def test_a_holder_who_works_is_heard(engine: Engine) -> None:
    with NightLease(engine, beat_seconds=0.05):
        heard(engine, LASTS * 2)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            held = NightLease(engine).held()
            if held is not None and held.counts:
                return
            time.sleep(0.02)
    pytest.fail("no beat came")


def test_a_holder_that_died_on_this_machine_keeps_nobody_waiting(engine: Engine) -> None:
    """Its process is gone, so nothing is waited for; one of another machine, or of a time before this
    one was started, may still be there."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(60)
    mine = night_lease._who()
    dead = mine.replace(f"process {os.getpid()},", f"process {ended.pid},")
    elsewhere = dead.replace("@", "@another-")
    before = re.sub(r"start \w+", "start 00000000", dead)
    for holder, free in ((mine, False), (elsewhere, False), (before, False), (dead, True)):
        other = NightLease(engine)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM leases"))
            stamp = utc_stamp(now_at(connection))
            row = {"who": holder, "at": stamp}
            connection.execute(
                text("INSERT INTO leases VALUES ('night', :who, 'a token', :at, :at)"), row
            )
        if free:
            with other:
                held = other.held()
                assert held is not None
                assert held.holder == mine
        else:
            with pytest.raises(GateRefused, match="is being run by"), other:
                pytest.fail("two hold it")


def test_a_night_that_runs_is_waited_for(engine: Engine, caplog) -> None:
    """Two that begin at once both run, one after the other; who waits says for whom."""
    order: list[str] = []
    begun = threading.Event()

    def first() -> None:
        with NightLease(engine):
            begun.set()
            time.sleep(1)
            order.append("first")

    running = threading.Thread(target=first)
    running.start()
    assert begun.wait(30)
    with NightLease(engine, wait_seconds=60):
        order.append("second")
    running.join()
    assert order == ["first", "second"]
    (said,) = [line for line in caplog.messages if "Waiting" in line]
    assert "is being run by" in said
    assert "60 s at most" in said


def test_sigterm_gives_it_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'team.db'}"
    code = (
        "import time\nfrom flows.verbs.house.one_night import one_night\n"
        "with one_night():\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    environment = {"PATH": "", "RATCHET_DATABASE_URL": url, "RATCHET_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert NightLease(open_database(url)).held() is not None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    process.stdout.close()
    assert NightLease(open_database(url)).held() is None


def test_a_home_that_is_alone_has_no_lease(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    monkeypatch.delenv("RATCHET_DATABASE_URL", raising=False)
    with one_night() as lease:
        assert lease is None
    assert list(tmp_path.iterdir()) == []


def test_a_flow_is_run_within_it(tmp_path: Path, monkeypatch) -> None:
    """Whether its profile is given by name or by place."""
    monkeypatch.setenv("RATCHET_DATABASE_URL", f"sqlite:///{tmp_path / 'team.db'}")

    @one_at_a_time
    def flow(as_of: object = None, profile: str | None = None) -> object:
        held = NightLease(open_database(f"sqlite:///{tmp_path / 'team.db'}")).held()
        return held is not None and held.counts, profile

    assert flow(None, "team") == (True, "team")
    assert flow(profile="local") == (True, "local")
    assert flow() == (True, None)
    assert timedelta(minutes=2) >= night_lease.LASTS
