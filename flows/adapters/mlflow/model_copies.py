"""Which model files does this home keep for itself, each named by the digest of its bytes?

A policy names its model by digest, so that a copy with that digest *is* the model, wherever the
registry is or whatever it says (docs/adr/0021).
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from pathlib import Path

from configs.errors import ServiceUnreachable
from flows.adapters.files.files import write_atomically
from flows.adapters.files.shared_store import SharedStore

LARGEST_BYTES = 1 << 30
"""No model comes near; what is larger is not read into memory to find out."""


class ModelCopies:
    """The bare model files below one folder, `FOLDER/DIGEST.ubj`; a team's lie at its shared store,
    too, where every machine finds what another one trained."""

    def __init__(self, folder: Path, shared: SharedStore | None = None) -> None:
        self.folder = folder
        self.shared = shared

    def path(self, digest: str) -> Path:
        """Where the copy lies, whether or not it is there. Raises ValueError for no SHA-256."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError(f"a digest is 64 hexadecimal signs, got {len(digest)} others")
        return self.folder / f"{digest}.ubj"

    def read(self, digest: str) -> bytes | None:
        """The bytes with this digest; None where there is no such copy, or none that is sound.

        What only the shared store has is copied into this home, so that it is there when the store
        is not; a store that does not answer holds nothing.
        """
        here = self._here(digest)
        if here is not None or self.shared is None:
            return here
        content = self._at_shared(digest)
        if content is not None:
            try:
                self._keep_here(digest, content)
            except OSError as problem:
                logging.getLogger("ratchet").warning(
                    "No copy of model %s could be kept in %s (%s).",
                    digest[:12], self.folder, problem.strerror or problem,
                )  # fmt: skip
        return content

    def damaged(self, digest: str) -> bool:
        """Whether something stands in the copy's place that is not the copy."""
        try:
            there = os.path.lexists(self.path(digest))
        except ValueError:
            return False
        return there and self._here(digest) is None

    def is_shared(self, digest: str) -> bool:
        """Whether the shared store has it, sound.

        Raises:
            ServiceUnreachable: the store does not answer.
        """
        if self.shared is None:
            return False
        content = self.shared.get(_shared_name(self.path(digest)))
        return content is not None and hashlib.sha256(content).hexdigest() == digest

    def keep(self, digest: str, content: bytes) -> None:
        """Keep a copy, readable by its owner only, and put one at the shared store; what is there and
        sound stays.

        Raises:
            OSError: the folder cannot be written or the disk is full.
            ValueError: the bytes do not have the digest.
            ServiceUnreachable: the shared store does not take it; the copy in this home is there.
        """
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("the bytes to be kept do not have the digest that would name them")
        if self._here(digest) is None:
            self._keep_here(digest, content)
        if self.shared is not None and not self.is_shared(digest):
            self.shared.put(_shared_name(self.path(digest)), content)

    def publish(self) -> int:
        """Put what this home has, and the shared store lacks, there; how many.

        Raises:
            ServiceUnreachable: the store does not answer.
        """
        put = 0
        for file in sorted(self.folder.glob("*.ubj")):
            content = self._here(file.stem)
            if self.shared is not None and content is not None and not self.is_shared(file.stem):
                self.shared.put(_shared_name(file), content)
                put += 1
        return put

    def _here(self, digest: str) -> bytes | None:
        try:
            content = whole_file(self.path(digest))
        except (OSError, ValueError):
            return None
        return content if hashlib.sha256(content).hexdigest() == digest else None

    def _at_shared(self, digest: str) -> bytes | None:
        assert self.shared is not None
        try:
            content = self.shared.get(_shared_name(self.path(digest)))
        except ValueError:
            return None
        except ServiceUnreachable as silent:
            logging.getLogger("ratchet").warning("%s", silent)
            return None
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            return None
        return content

    def _keep_here(self, digest: str, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        path = self.path(digest)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()  # somebody's; refused where it is not empty
        write_atomically(path, lambda file: file.write(content), mode=0o600)


def _shared_name(path: Path) -> str:
    return f"models/{path.name}"


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
