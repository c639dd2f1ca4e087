"""What stands in a backup, is every byte of it as it was written, and where may it be unpacked?

A plain tar file: one member a file, and last of all `MANIFEST.json` with the size and the SHA-256 of
each. Nothing is unpacked by tar itself: the manifest's names are checked, and the bytes are copied.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from configs.errors import UserError

MANIFEST, FORMAT = "MANIFEST.json", 1
ROWS, HOME, SHARED = "rows", "home", "shared"
"""Where members stand: rows of the database, files of the home, files that only a team's store has."""

LARGEST_MANIFEST = 1 << 28
_CHUNK = 1 << 20


class BackupWriter:
    """Writes members and remembers their digests; `close` adds the manifest."""

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.files: list[dict[str, Any]] = []

    def add_bytes(self, name: str, content: bytes) -> None:
        self._add(name, io.BytesIO(content), len(content))

    def add_file(self, name: str, path: Path) -> None:
        """A file as it is now; what is appended meanwhile is left out.

        Raises:
            OSError: it is gone, is no regular file, or became shorter.
        """
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as opened:
            self._add(name, opened, os.fstat(handle).st_size)

    def add_sqlite(self, name: str, path: Path) -> None:
        """A consistent copy of a database that others may be writing (SQLite's backup API)."""
        with TemporaryDirectory(prefix="ratchet-backup-") as folder:
            copy = Path(folder) / "copy.db"
            source = f"{path.resolve().as_uri()}?mode=ro"
            with (
                closing(sqlite3.connect(source, uri=True)) as live,
                closing(sqlite3.connect(copy)) as still,
            ):
                live.backup(still)
            self.add_file(name, copy)

    def close(self, told: Mapping[str, Any]) -> None:
        manifest = {"format": FORMAT, **told, "files": self.files}
        content = json.dumps(manifest, indent=1, sort_keys=True).encode("ascii")
        self._tar.addfile(_info(MANIFEST, len(content)), io.BytesIO(content))
        self._tar.close()

    def _add(self, name: str, content: BinaryIO, size: int) -> None:
        read = _Digested(content)
        self._tar.addfile(_info(name, size), read)
        self.files.append({"name": name, "size": size, "sha256": read.digest()})


class BackupReader:
    """A backup that was opened to be restored."""

    def __init__(self, path: Path) -> None:
        """Raises UserError: it is no backup, or holds what none of ours holds."""
        try:
            self._tar = tarfile.open(path, mode="r:")  # noqa: SIM115
            members = self._tar.getmembers()
        except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError):
            raise UserError(
                f"{path} is no backup of Ratchet, or was cut off; name a file that `ratchet backup` "
                "wrote."
            ) from None
        self._members = {member.name: member for member in members}
        if len(self._members) != len(members):
            raise UserError(f"{path} has two members of one name; it is no backup of ours.")
        for member in members:
            if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                raise UserError(
                    f"{path} holds a link, folder or device ({member.name!a}); a backup of ours "
                    "holds plain files only."
                )
        self.digest = ""
        """SHA-256 (hex) of the manifest, which names the digest of everything else."""
        self.told = self._manifest(path)
        self.files: dict[str, tuple[int, str]] = _listed(path, self.told)
        if set(self._members) != {*self.files, MANIFEST}:
            raise UserError(f"{path} does not hold the files that its manifest lists.")

    def close(self) -> None:
        self._tar.close()

    def content(self, name: str) -> bytes:
        """A member's bytes, verified (UserError)."""
        whole = io.BytesIO()
        self._copy(name, whole)
        return whole.getvalue()

    def unpack(
        self, folders: Mapping[str, Path], progress: Callable[[int, int | None], None]
    ) -> None:
        """Every file that is none of rows below the folder of its kind (`HOME`, `SHARED`), each
        verified as it is copied.

        Raises:
            UserError: a file does not have the size or the digest that the manifest says.
            OSError: the folder cannot be written.
        """
        names = [name for name in self.files if not name.startswith(f"{ROWS}/")]
        for done, name in enumerate(names, start=1):
            kind, *parts = PurePosixPath(name).parts
            path = folders[kind].joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                self._copy(name, file)
                file.flush()
                os.fsync(handle)
            progress(done, len(names))

    def _copy(self, name: str, to: BinaryIO) -> None:
        size, digest = self.files[name]
        member = self._members[name]
        source = self._tar.extractfile(member)
        if source is None or member.size != size:
            raise UserError(_damaged(name))
        read = _Digested(source)
        try:
            while chunk := read.read(_CHUNK):
                to.write(chunk)
        except tarfile.TarError:
            raise UserError(_damaged(name)) from None
        if read.digest() != digest:
            raise UserError(_damaged(name))

    def _manifest(self, path: Path) -> dict[str, Any]:
        member = self._members.get(MANIFEST)
        if member is None or member.size > LARGEST_MANIFEST:
            raise UserError(f"{path} has no manifest: it is no backup of Ratchet, or was cut off.")
        opened = self._tar.extractfile(member)
        try:
            content = b"" if opened is None else opened.read()
            self.digest = hashlib.sha256(content).hexdigest()
            told = json.loads(content)
        except (ValueError, RecursionError, tarfile.TarError):
            told = None
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise UserError(
                f"The manifest of {path} cannot be read, or is of another version of Ratchet."
            )
        return told


def _listed(path: Path, told: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    files = told.get("files")
    try:
        found = {str(one["name"]): (int(one["size"]), str(one["sha256"])) for one in files or ()}
    except (TypeError, KeyError, ValueError):
        raise UserError(f"The manifest of {path} cannot be read.") from None
    for name in found:
        parts = name.split("/")
        strange = any(part in ("", ".", "..") for part in parts) or not name.isprintable()
        if strange or len(parts) < 2 or parts[0] not in (ROWS, HOME, SHARED) or "\\" in name:
            raise UserError(
                f"The manifest of {path} names a file outside of a home ({name!a}); nothing was "
                "unpacked."
            )
    return found


def _damaged(name: str) -> str:
    return (
        f"{name} in the backup does not have the bytes that its manifest says: the backup was damaged "
        "or changed. Nothing was restored; take another one."
    )


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


class _Digested(io.RawIOBase):
    """Reads another file, and knows the SHA-256 of what was read."""

    def __init__(self, source: Any) -> None:
        self._source, self._hash = source, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk: bytes = self._source.read(size)
        self._hash.update(chunk)
        return chunk

    def digest(self) -> str:
        return self._hash.hexdigest()
