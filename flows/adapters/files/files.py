"""How does a file appear whole or not at all, even when the power goes?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from flows.adapters.files.kill_points import kill_point
from flows.adapters.files.private_home import modes_for


def write_atomically(
    path: Path, write: Callable[[BinaryIO], object], mode: int | None = None
) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to disk, and put it in place.

    Args:
        mode: the file's permissions, where they are not those of any file the person makes.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is as it was before.
    """
    temporary = written_beside(path.parent, write, mode)
    kill_point("files.before_rename")
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def written_beside(
    folder: Path, write: Callable[[BinaryIO], object], mode: int | None = None
) -> Path:
    """A temporary file in `folder`, filled by `write` and flushed to disk (OSError as above)."""
    with modes_for(folder):
        folder.mkdir(parents=True, exist_ok=True)
        umask = os.umask(0)
        os.umask(umask)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    try:
        # mkstemp's files are private; outside a home they are as readable as any the person makes.
        os.fchmod(handle, 0o666 & ~umask if mode is None else mode)
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to disk, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
