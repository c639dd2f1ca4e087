"""Which model files does this home keep for itself, each named by the digest of its bytes?

A policy names its model by digest, so that a copy with that digest *is* the model, wherever the
registry is or whatever it says (docs/adr/0021).
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from flows.adapters.files import write_atomically

LARGEST_BYTES = 1 << 30
"""No model comes near; what is larger is not read into memory to find out."""


class ModelCopies:
    """The bare model files below one folder, `FOLDER/DIGEST.ubj`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Where the copy lies, whether or not it is there. Raises ValueError for no SHA-256."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError(f"a digest is 64 hexadecimal signs, got {len(digest)} others")
        return self.folder / f"{digest}.ubj"

    def read(self, digest: str) -> bytes | None:
        """The bytes with this digest; None where there is no such copy, or none that is sound."""
        try:
            content = whole_file(self.path(digest))
        except (OSError, ValueError):
            return None
        return content if hashlib.sha256(content).hexdigest() == digest else None

    def damaged(self, digest: str) -> bool:
        """Whether something stands in the copy's place that is not the copy."""
        try:
            there = os.path.lexists(self.path(digest))
        except ValueError:
            return False
        return there and self.read(digest) is None

    def keep(self, digest: str, content: bytes) -> None:
        """Keep a copy, readable by its owner only; one that is there and sound stays.

        Raises:
            OSError: the folder cannot be written or the disk is full.
            ValueError: the bytes do not have the digest.
        """
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("the bytes to be kept do not have the digest that would name them")
        if self.read(digest) is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        path = self.path(digest)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()  # somebody's; refused where it is not empty
        write_atomically(path, lambda file: file.write(content), mode=0o600)


def whole_file(path: Path) -> bytes:
    """The bytes of a regular file: no pipe or device is waited for, and nothing endless is read.

    Raises:
        OSError: it is not there, is no regular file, is larger than any model, or cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path.name} is no regular file")
        if found.st_size > LARGEST_BYTES:
            raise OSError(f"{path.name} is larger than any model")
        return file.read(LARGEST_BYTES)
