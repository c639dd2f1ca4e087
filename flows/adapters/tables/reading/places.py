"""Which files does a path name, and how are their bytes opened?

A path is a file, a pattern, or a folder. A folder's parts are read in the order of their names, all
levels of it; `name=value` folders (as Hive and Spark write them) are columns.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

import fsspec
from fsspec import AbstractFileSystem

from configs.errors import UserError
from configs.sources import SourceSettings

PARQUET = (".parquet", ".pq", ".parq")
TEXT = (".csv", ".tsv", ".txt")
_UNPACKED: Mapping[str, Callable[[Any], Any]] = {
    ".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open,
}  # fmt: skip
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Part:
    """One file of a source, and the columns that the folders above it name."""

    source: SourceSettings
    system: AbstractFileSystem
    name: str
    partitions: Mapping[str, str | None]

    @property
    def label(self) -> str:
        """The file's own name."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def is_parquet(self) -> bool:
        return _bare(self.name).endswith(PARQUET)

    def opens(self) -> BinaryIO:
        """The file's bytes, unpacked; to be closed."""
        file = self.system.open(self.name, "rb")
        lower = self.name.lower()
        for ending, unpack in _UNPACKED.items():
            if lower.endswith(ending):
                return cast(BinaryIO, unpack(file))
        return self._unzipped(file) if lower.endswith(".zip") else cast(BinaryIO, file)

    def seekable(self) -> BinaryIO:
        """The same, where it can be read from the end: a packed file is unpacked in memory."""
        if _bare(self.name) == self.name.lower():
            return cast(BinaryIO, self.system.open(self.name, "rb"))
        with self.opens() as packed:
            return io.BytesIO(packed.read())

    def _unzipped(self, file: Any) -> BinaryIO:
        archive = zipfile.ZipFile(file)
        inside = [
            one for one in archive.namelist() if not one.endswith("/") and "__MACOSX" not in one
        ]
        if len(inside) != 1:
            raise UserError(
                f"Source {self.source.name!r}: {self.label} holds {len(inside)} files; one is read. "
                "Unpack it and name a folder or a pattern."
            )
        if archive.getinfo(inside[0]).flag_bits & 0x1:
            raise UserError(
                f"Source {self.source.name!r}: {self.label} is locked with a password; unpack it."
            )
        return cast(BinaryIO, archive.open(inside[0]))


def parts_of(source: SourceSettings) -> list[Part]:
    """The files of a source by name.

    Raises:
        FileNotFoundError: there are none.
        UserError: a file is of no kind that is read here.
    """
    system, located = fsspec.core.url_to_fs(str(source.path))
    if system.isdir(located):
        root = located.rstrip("/")
        names = [name for name in sorted(system.find(root)) if not _is_hidden(name[len(root) :])]
        names = [name for name in names if _is_table(name)]
        if not names:
            raise UserError(
                f"Source {source.name!r}: the folder {root} holds no Parquet and no CSV file; name the "
                "folder or the file that does."
            )
        return [Part(source, system, name, _partitions(name[len(root) :])) for name in names]
    globbed = any(mark in located for mark in "*?[") and not system.exists(located)
    found = sorted(system.glob(located)) if globbed else [located]
    names = [name for name in found if system.isfile(name)]
    if not names:
        raise FileNotFoundError
    for name in names:
        if not _is_table(name):
            raise UserError(
                f"Source {source.name!r}: {name.rsplit('/', 1)[-1]} is neither .parquet nor .csv (nor "
                ".tsv, each also packed as .gz, .zip, .bz2, .xz); convert it, or read it with "
                "`url: duckdb:///:memory:` and a `query`."
            )
    fixed = located.split("*", 1)[0].rsplit("/", 1)[0] if globbed else ""
    return [
        Part(source, system, name, _partitions(name[len(fixed) :]) if globbed else {})
        for name in names
    ]


def is_table(name: str) -> bool:
    """Whether a file's ending says that it can be read here."""
    return _is_table(name)


def _is_table(name: str) -> bool:
    return _bare(name).endswith((*PARQUET, *TEXT))


def _bare(name: str) -> str:
    """The name in small letters without the ending that says how it is packed."""
    lower = name.lower()
    for ending in (*_UNPACKED, ".zip"):
        if lower.endswith(ending):
            return lower.removesuffix(ending)
    return lower


def _is_hidden(below: str) -> bool:
    """What Spark and others leave beside the data: `_SUCCESS`, `.crc`, `_delta_log/`."""
    return any(step.startswith(("_", ".")) and "=" not in step for step in below.split("/") if step)


def _partitions(below: str) -> dict[str, str | None]:
    steps = [step.split("=", 1) for step in below.split("/")[:-1] if "=" in step]
    told = {unquote(name): unquote(value) for name, value in steps if name}
    return {name: None if value == _HIVE_NULL else value for name, value in told.items()}
