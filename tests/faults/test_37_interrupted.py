"""SIGTERM, Ctrl-C: what was held is released, and no server is left behind (FAULTS 37).

Injected: the signal is sent to a demo while its Prefect server runs, to a night that waits for a lock,
and to an `up`: while it is starting, when everything is up, and (SIGKILL) without a chance to tidy up.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from flows.adapters.servers.up_file import running_up
from flows.adapters.sql.database import open_database, writing
from tests.faults.upped import (
    RATCHET,
    belonging_to,
    environment,
    left_of,
    started,
    upped,
    wait_for,
)
from tests.faults.upstream import Upstream

BOTH = [signal.SIGINT, signal.SIGTERM]


def given(
    home: Path, *arguments: str, variables: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [RATCHET, *arguments],
        env=environment(home, variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("how", BOTH)
def test_a_demo_leaves_no_server(how: signal.Signals, tmp_path: Path) -> None:
    """It starts a server of its own, which must not outlive it."""
    home = tmp_path / "home"
    demo = given(home, "demo", "--nights", "60")
    wait_for(lambda: len(belonging_to(home)) > 1, 120, "the demo has a server")
    demo.send_signal(how)
    _, err = demo.communicate(timeout=60)
    assert demo.returncode in (130, 143), err
    assert b"Traceback" not in err, err.decode()
    wait_for(lambda: not belonging_to(home), 15, "nothing is left")


@pytest.mark.parametrize("how", BOTH)
def test_a_night_releases_what_it_held(
    how: signal.Signals, upstream: Upstream, tmp_path: Path
) -> None:
    """It ends while it waits for a lock; the next night finds nothing held, and does all there is."""
    home = tmp_path / "home"
    assert upstream.ask("status").code == 0  # makes the home
    ledger = upstream.home.home / "live" / "ledger.db"
    assert home == upstream.home.home
    with writing(open_database(f"sqlite:///{ledger}")):
        night = given(home, "night", variables=dict(upstream.variables))
        wait_for(lambda: len(belonging_to(home)) > 0, 30, "the night has begun")
        with pytest.raises(subprocess.TimeoutExpired):
            night.wait(10)
        night.send_signal(how)
        _, err = night.communicate(timeout=45)
    assert night.returncode in (130, 143), err
    assert b"Traceback" not in err
    assert left_of(home) == []
    assert upstream.night().code == 0


def test_an_up_leaves_nothing_whenever_it_is_ended(tmp_path: Path) -> None:
    """In its first seconds by Ctrl-C; killed outright, so that the next one tidies up; by `down`."""
    home = tmp_path / "home"
    early = started(home)
    wait_for(lambda: len(belonging_to(home)) > 1, 60, "the first server is started")
    assert early.down(signal.SIGINT) == 0, early.said()
    assert left_of(home, early.ports) == []

    killed = started(home)
    wait_for(lambda: len(belonging_to(home)) > 2, 60, "both servers are started")
    killed.process.kill()
    killed.process.wait()
    with upped(home) as up:
        found = running_up(home)
        assert found is not None
        assert found.pid == up.process.pid
        second = given(home, "up")
        _, err = second.communicate(timeout=30)
        assert second.returncode == 2
        assert f"`ratchet up` already runs on {home} (process {up.process.pid}," in err.decode()
        down = given(home, "down")
        out, _ = down.communicate(timeout=100)
        assert down.returncode == 0
        assert b"Nothing is left running." in out
        assert up.process.wait(10) == 0
    again = given(home, "down")
    out, _ = again.communicate(timeout=30)
    assert (again.returncode, b"does not run" in out) == (0, True)
