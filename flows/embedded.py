"""How does a command run its flow with nothing else to start, in a home of its own?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What a person's shell or Prefect profile may have set, and an embedded run must not follow.
_AMBIENT = ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_API_DATABASE_CONNECTION_URL")


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
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_HOME"] = str(folder)
    os.environ["PREFECT_PROFILES_PATH"] = str(folder / "profiles.toml")
    defaults = {
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        # The heartbeat thread costs a second at the end of every flow.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    if not os.environ["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]:
        del os.environ["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
