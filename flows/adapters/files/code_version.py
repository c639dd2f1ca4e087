"""Which code made this: the clone's commit, or the package's version where there is no clone?"""

from __future__ import annotations

import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from configs.places import PROJECT


@lru_cache(maxsize=1)
def code_version() -> str:
    """Asked once a process: what it runs does not change under it."""
    return version_of(PROJECT)


def version_of(folder: Path) -> str:
    """`git COMMIT`, with "and uncommitted changes" where there are any, or `ratchet VERSION`.

    It never fails: no git, no clone and a broken clone all fall back on the package's version.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    commit = _git(folder, "rev-parse", "HEAD")
    # A package installed inside somebody else's clone is not of that commit.
    if top is None or commit is None or Path(top).resolve() != folder.resolve():
        return _package_version()
    changed = _git(folder, "status", "--porcelain")
    return f"git {commit}" + (" and uncommitted changes" if changed else "")


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _package_version() -> str:
    try:
        return f"ratchet {version('ratchet')}"
    except PackageNotFoundError:
        return "ratchet, version unknown"
