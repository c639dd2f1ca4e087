"""A `ratchet up` of a test's own: started on free ports, looked at, and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from flows.adapters.servers.prefect_api import FlowRun, PrefectApi
from flows.adapters.servers.processes import RUN_VARIABLE, started_by

RATCHET = str(Path(sys.executable).parent / "ratchet")
READY_SECONDS, END_SECONDS = 420.0, 90.0
UNFINISHED = ("SCHEDULED", "PENDING", "RUNNING")


@dataclass
class Upped:
    """An `up` that runs: its process, its home, and its Prefect server."""

    home: Path
    process: subprocess.Popen[bytes]
    log: Path
    ports: tuple[int, int]
    api: PrefectApi = field(repr=False)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def nightly(self) -> str:
        (found,) = [one["id"] for one in self.api.deployments() if one["name"] == "nightly"]
        return str(found)

    def run(self, run_id: str) -> FlowRun:
        every = self.api.runs(
            *UNFINISHED, "COMPLETED", "FAILED", "CRASHED", "CANCELLED", "CANCELLING"
        )
        (found,) = [one for one in every if one.run_id == run_id]
        return found

    def ended(self, run_id: str, seconds: float = 120.0) -> FlowRun:
        """A run, once it has ended."""
        wait_for(lambda: self.run(run_id).state not in UNFINISHED, seconds, "the run ends")
        return self.run(run_id)

    def flow_process(self, run_id: str) -> psutil.Process | None:
        """The process that runs a flow; None: there is none."""
        return next(
            (one for one in started_by(self.home) if _environ(one).get(RUN_VARIABLE) == run_id),
            None,
        )

    def servers(self, role: str) -> list[psutil.Process]:
        """The processes of one of the servers, without the flows of the worker."""
        found = started_by(self.home, [role])
        return [one for one in found if RUN_VARIABLE not in _environ(one)]

    def down(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, and wait; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(END_SECONDS)


@contextmanager
def upped(home: Path, variables: Mapping[str, str] | None = None) -> Iterator[Upped]:
    """`ratchet up` on a home, once everything is up; ended at the end, whatever happened."""
    starting = started(home, variables)
    try:
        wait_for(lambda: "Everything is up" in starting.said() or starting.process.poll() is not None,
                 READY_SECONDS, "everything is up")  # fmt: skip
        assert starting.process.poll() is None, starting.said()
        yield starting
    finally:
        starting.down()
        starting.api.close()
    assert left_of(home, starting.ports) == [], starting.said()


def started(home: Path, variables: Mapping[str, str] | None = None) -> Upped:
    """`ratchet up` on a home, that has just been started."""
    home.mkdir(parents=True, exist_ok=True)
    ports = free_ports()
    log = home.parent / f"{home.name}-up-{ports[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [RATCHET, "up", "--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])],
            env=environment(home, variables),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    api = PrefectApi(f"http://127.0.0.1:{ports[0]}/api")
    return Upped(home.resolve(), process, log, ports, api)


def environment(home: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a process needs, and nothing that a person's shell has set."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "RATCHET_", "MLFLOW_"))
    }
    return {**clean, **(variables or {}), "RATCHET_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def left_of(home: Path, ports: tuple[int, ...] = ()) -> list[str]:
    """What is left of an `up` or of another command on a home: processes, ports, its lock."""
    left = [f"process {one.pid}" for one in belonging_to(home)]
    left += [f"port {port}" for port in ports if not _is_free(port)]
    left += ["up.json"] if (home / "up" / "up.json").exists() else []
    return left


def belonging_to(home: Path) -> list[psutil.Process]:
    """Every live process whose environment names the home, whatever started it."""
    return [
        one
        for one in psutil.process_iter()
        if one.pid != os.getpid() and _environ(one).get("RATCHET_HOME") == str(home)
    ]


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> None:
    """Until something is so; an AssertionError that says what was not so in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so after {seconds:.0f} s: {what}"
        time.sleep(0.25)


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return {}
        return process.environ()
    except (psutil.Error, OSError):
        return {}
