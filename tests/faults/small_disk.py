"""A disk of a few kilobytes below one folder, for one forked process, that leaves nothing behind."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _PRIVATE, _ALL_BELOW = 1, 32, 1 << 18, 1 << 14
_LIBC = ctypes.CDLL(None, use_errno=True)


class SmallDisk:
    """A tmpfs over `folder`, seen by this process and its children alone."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        _mount("none", Path("/"), None, _ALL_BELOW | _PRIVATE, None)
        _mount("tmpfs", folder, "tmpfs", 0, f"size={size}")

    def resize(self, size: int) -> None:
        _mount("tmpfs", self.folder, "tmpfs", _REMOUNT, f"size={size}")

    def read_only(self, yes: bool) -> None:
        _mount("tmpfs", self.folder, "tmpfs", _REMOUNT | (_READ_ONLY if yes else 0), None)


def on_a_small_disk(folder: Path, size: int, act: Callable[[SmallDisk], Any]) -> Any:
    """What `act` returns (as JSON has it), done in a fork whose `folder` is a disk of this size.

    Skips where a process may not have mounts of its own, or fails where CI=true.
    """
    told = folder.parent / "told.json"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if not _own_mounts():
                code = 77
                return None
            told.write_text(json.dumps(act(SmallDisk(folder, size))), encoding="utf-8")
            code = 0
        except BaseException as failed:  # a child must never return into its parent's work
            told.write_text(repr(failed), encoding="utf-8")
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 77:
        reason = "no mounts of its own: neither root nor user namespaces"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    assert code == 0, told.read_text(encoding="utf-8")
    return json.loads(told.read_text(encoding="utf-8"))


def _own_mounts() -> bool:
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        return bool(_LIBC.unshare(_NEW_MOUNTS) == 0)
    if _LIBC.unshare(_NEW_MOUNTS | _NEW_USER) != 0:
        return False
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    return True


def _mount(source: str, target: Path, kind: str | None, flags: int, data: str | None) -> None:
    words = [None if one is None else one.encode() for one in (source, str(target), kind, data)]
    if _LIBC.mount(words[0], words[1], words[2], flags, words[3]) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(target))
