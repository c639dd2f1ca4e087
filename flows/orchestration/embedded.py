"""How does a command run its flow with nothing else to start, in a home of its own?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from configs.errors import UserError
from flows.adapters.files.private_home import keep_private
from flows.adapters.servers.migrated_prefect import begin_migrated

# What a person's shell or Prefect profile may have set, and an embedded run must not follow.
_AMBIENT = ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_API_DATABASE_CONNECTION_URL")


@contextmanager
def no_half_state(home: Path) -> Iterator[None]:
    """A walk that could not be opened leaves no folder behind."""
    try:
        yield
    except UserError:
        shutil.rmtree(home, ignore_errors=True)
        raise


def embedded_prefect(home: Path) -> None:
    """Point this process's Prefect at `home`, before Prefect is imported.

    The ephemeral server starts with the first flow and ends with the process. Ambient settings
    that would lead elsewhere are named and ignored (DESIGN 6).

    Raises:
        RuntimeError: Prefect was imported before, so its settings are already fixed.
    """
    if "prefect" in sys.modules:
        raise RuntimeError("Prefect was imported before its home was set")
    for name in _AMBIENT:
        if os.environ.pop(name, None):
            sys.stderr.write(f"{name} is set in the environment and ignored here.\n")
    folder = home / "prefect"
    keep_private(home)
    begin_migrated(folder / "prefect.db")
    os.environ["PREFECT_HOME"] = str(folder)
    if "?" in str(folder):
        # Prefect writes the path into an address, where a `?` would end it.
        file = quote(str(folder / "prefect.db"))
        address = f"sqlite+aiosqlite:///file:{file}?uri=true"
        os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = address
    os.environ["PREFECT_PROFILES_PATH"] = str(folder / "profiles.toml")
    defaults = {
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
        # What fails is raised to the command, which says it in one line; no log repeats it.
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        # The heartbeat thread costs a second at the end of every flow.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    if not os.environ["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]:
        del os.environ["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
