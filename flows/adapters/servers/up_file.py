"""Does an `up` run on this home, which process is it, and where are its servers?

Two files of the home: `up/lock` is held as long as the process lives, whatever ends it; `up/up.json`
says which process it is, and the addresses of its servers.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.errors import UserError
from flows.adapters.files.files import write_atomically
from flows.adapters.servers.processes import created_at, is_same


@dataclass(frozen=True, slots=True)
class Up:
    """One `up`: its process (number, and when it began), and the addresses of its servers."""

    pid: int
    created: float
    prefect_url: str
    mlflow_url: str


def folder_of(home: Path) -> Path:
    """Where an `up` keeps its files and logs."""
    return home / "up"


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Within, this is the only `up` of the home.

    Raises:
        UserError: another one runs.
    """
    folder = folder_of(home)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            running = running_up(home)
            who = "" if running is None else f" (process {running.pid}, {running.prefect_url})"
            raise UserError(
                f"`ratchet up` already runs on {home}{who}. Stop it with `ratchet down`, or name "
                "another home with RATCHET_HOME."
            ) from None
        try:
            yield
        finally:
            (folder / "up.json").unlink(missing_ok=True)


def write_up(home: Path, prefect_url: str, mlflow_url: str) -> Up:
    """Say that this process is the `up` of the home."""
    created = created_at(os.getpid())
    up = Up(os.getpid(), created or 0.0, prefect_url, mlflow_url)
    content = json.dumps(asdict(up), indent=1).encode("ascii")
    write_atomically(folder_of(home) / "up.json", lambda file: file.write(content))
    return up


def running_up(home: Path) -> Up | None:
    """The `up` that runs on a home; None: none does, or what is written of one is stale."""
    up = _read(folder_of(home) / "up.json")
    return up if up is not None and is_same(up.pid, up.created) and is_locked(home) else None


def is_locked(home: Path) -> bool:
    """Whether a process holds the lock of a home's `up`."""
    try:
        with (folder_of(home) / "lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return False


def _read(file: Path) -> Up | None:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return Up(
            int(told["pid"]),
            float(told["created"]),
            str(told["prefect_url"]),
            str(told["mlflow_url"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
