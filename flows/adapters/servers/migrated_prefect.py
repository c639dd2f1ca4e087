"""How does a new home get Prefect's tables without waiting for all of Prefect's migrations?

On an empty SQLite file they take ten to twenty seconds. `make setup` runs them once
(`python -m flows.adapters.servers.migrated_prefect`) and keeps the file with the environment; a new home begins
with a copy. Prefect looks at the tables when it starts, as ever: without the kept file it makes them itself.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

_FILE = "prefect.db"


def kept_database() -> Path:
    """Where the migrated file of the installed Prefect is kept; another version's has another name."""
    return Path(sys.prefix) / "share" / "ratchet" / f"prefect-{version('prefect')}.db"


def begin_migrated(target: Path) -> None:
    """Put a copy of the kept file where Prefect will look for its own, which is not there yet.

    Nothing is done where none is kept. Of two that begin at once one comes first, and nobody's file
    is replaced.

    Raises:
        OSError: the folder cannot be made or written.
    """
    kept = kept_database()
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or not kept.is_file():
        return
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        shutil.copyfile(kept, name)
        _link(name, target)
    finally:
        Path(name).unlink()


def _link(name: str, target: Path) -> None:
    try:
        os.link(name, target)
    except OSError:
        return  # another process was first, or there are no hard links here: Prefect makes its own


def keep_migrated() -> None:
    """Run Prefect's migrations on an empty file, and keep it.

    Raises:
        subprocess.CalledProcessError: Prefect could not; what it said went to stderr.
    """
    kept = kept_database()
    kept.parent.mkdir(parents=True, exist_ok=True)
    ambient = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        subprocess.run(
            [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
            env={**ambient, "PREFECT_HOME": folder},
            cwd=folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with closing(sqlite3.connect(Path(folder, _FILE))) as made:
            # All of it into the one file that is kept.
            made.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        Path(folder, _FILE).replace(kept)


if __name__ == "__main__":
    keep_migrated()
