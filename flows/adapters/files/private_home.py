"""Who else on this machine can read what a home keeps? Nobody.

A home's folders have mode 0700 and its files 0600, whatever the person's umask. What a person asks
for by name (`--to`, `--report`, `--json`, a served folder) is theirs, and keeps their umask.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from configs.places import ratchet_home

PRIVATE_UMASK = 0o077
_OTHERS = 0o077


@dataclass
class _Process:
    """What this process found before it became private, and the homes that it opened."""

    umask: int | None = None
    homes: set[Path] = field(default_factory=set)


_PROCESS = _Process()


def be_private() -> None:
    """From now on this process makes folders of mode 0700 and files of mode 0600."""
    found = os.umask(PRIVATE_UMASK)
    if found != PRIVATE_UMASK or _PROCESS.umask is None:
        _PROCESS.umask = found


@contextmanager
def as_the_person() -> Iterator[None]:
    """Within, what is made has the modes that the person's own umask gives it."""
    found = os.umask(PRIVATE_UMASK)
    persons = _PROCESS.umask if found == PRIVATE_UMASK and _PROCESS.umask is not None else found
    os.umask(persons)
    try:
        yield
    finally:
        os.umask(found)


def keep_private(home: Path) -> None:
    """Make the home where it is missing, and let nobody else into it.

    An existing home that others could enter is closed, with everything in it. What cannot be closed
    (it is somebody else's) stays as it is; `ratchet doctor` names it (`wider_than_private`).

    Raises:
        OSError: the home cannot be made.
    """
    be_private()
    home.mkdir(parents=True, exist_ok=True)
    _PROCESS.homes.add(home.resolve())
    root = ratchet_home()
    for folder in dict.fromkeys([*([root] if root in home.parents else []), home]):
        if _is_wider(folder):
            _close(folder)
            for path in wider_than_private(home):
                _close(path)


def modes_for(folder: Path) -> AbstractContextManager[None]:
    """Within, what is made in a folder has the modes due there: private in a home, else the person's."""
    here = folder.resolve()
    if any(here.is_relative_to(home) for home in (ratchet_home(), *_PROCESS.homes)):
        be_private()
        return nullcontext()
    return as_the_person()


def wider_than_private(home: Path) -> Iterator[Path]:
    """The folders and files of a home that others may read, write or enter; links are not followed."""
    if _is_wider(home):
        yield home
    for folder, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(folder, name)
            if _is_wider(path):
                yield path


def _is_wider(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False  # gone in between
    # A folder that everybody may put things into, as /tmp, is nobody's home.
    theirs = stat.S_ISLNK(found.st_mode) or bool(found.st_mode & stat.S_ISVTX)
    return not theirs and bool(found.st_mode & _OTHERS)


def _close(path: Path) -> None:
    try:
        path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~_OTHERS)
    except OSError:
        return  # named by the doctor: nobody can be told here who could change it
