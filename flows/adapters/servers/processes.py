"""Which processes on this machine belong to an `up`, or run a flow, and how are they ended?

A process is known by what its environment says, which its children inherit: a list of numbers kept in
a file would go stale, and numbers are given to other processes.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import psutil

UP_VARIABLE = "RATCHET_UP"
"""In the environment of everything that an `up` started: the folder of its home."""

ROLE_VARIABLE = "RATCHET_UP_ROLE"
"""Which of the servers a process is, or was started by."""

RUN_VARIABLE = "PREFECT__FLOW_RUN_ID"
"""In the environment of a process that runs a flow: the id of its run (Prefect sets it)."""

_TERM_SECONDS = 10.0
_KILL_SECONDS = 5.0
_PARENT_DIES = 1  # PR_SET_PDEATHSIG of prctl(2)


def started_by(home: Path, roles: Iterable[str] = ()) -> list[psutil.Process]:
    """The live processes that an `up` of this home started, and theirs.

    Args:
        roles: only those of these servers; empty: all.
    """
    wanted = frozenset(roles)
    return [
        process
        for process, environment in _environments()
        if environment.get(UP_VARIABLE) == str(home)
        and (not wanted or environment.get(ROLE_VARIABLE) in wanted)
        and process.pid != os.getpid()
    ]


def flow_runs_here() -> frozenset[str]:
    """The ids of the flow runs that have a live process on this machine, whoever started it.

    Only processes that this user may look into count: an `up` and its flows belong to one user.
    """
    found = (environment.get(RUN_VARIABLE) for _, environment in _environments())
    return frozenset(one for one in found if one)


def created_at(pid: int) -> float | None:
    """When a process began (Unix time); None: there is none of this number, or it has ended."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def is_same(pid: int, created: float) -> bool:
    """Whether the process of this number is the one that began then (numbers are used again)."""
    found = created_at(pid)
    return found is not None and abs(found - created) < 1.0


def end_all(
    find: Callable[[], list[psutil.Process]], patience_seconds: float = _TERM_SECONDS
) -> list[int]:
    """Ask what `find` finds to end, then end what did not; the numbers of what would not go even so.

    Found again each time: a process that is told to end may start another one on its way.
    """
    for ask, seconds in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, _KILL_SECONDS)):
        asked: set[int] = set()
        deadline = time.monotonic() + seconds
        while (found := find()) and time.monotonic() < deadline:
            for process in found:
                if process.pid not in asked:
                    asked.add(process.pid)
                    _send(process, ask)
            psutil.wait_procs(found, timeout=0.2)
        if not found:
            return []
    return [process.pid for process in find()]


def end_with_parent() -> None:
    """For a child between fork and exec: heed Ctrl-C's signal, and end when the parent is killed.

    A shell's background job ignores SIGINT, and so would the worker, which turns SIGTERM into it.
    Only Linux tells a child that its parent died; elsewhere the next `up` ends what was left.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if os.uname().sysname == "Linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PARENT_DIES, signal.SIGTERM)


def _environments() -> Iterator[tuple[psutil.Process, Mapping[str, str]]]:
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process, process.environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError):
            continue  # it has just ended, or is somebody else's


def _send(process: psutil.Process, ask: signal.Signals) -> None:
    try:
        process.send_signal(ask)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return  # gone, or nobody's to end: what remains is told by `end_all`
