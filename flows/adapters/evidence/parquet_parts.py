"""How is a set of rows kept in a file named by its own bytes, and read again without decoding twice?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import ServiceUnreachable
from data_contracts.digests import UInts
from flows.adapters.evidence.arrow_rows import RECEIVED_AT, moment
from flows.adapters.evidence.part_cache import PartCache, process_cache
from flows.adapters.files.files import sync_folder, written_beside
from flows.adapters.files.shared_store import SharedStore

KEY_HASH, CONTENT_HASH = "__key_hash", "__content_hash"
"""Columns of digests that a part of admitted rows holds beside its rows; no read shows them."""

Kind = Literal["part", "quarantine"]
_FOLDERS: dict[str, str] = {"part": "parts", "quarantine": "quarantine"}


@dataclass(frozen=True, slots=True)
class PartShape:
    """What a part holds: its columns without the digests, and its number of rows.

    `filled` are the columns with a type: one that is empty throughout a part has none, and no
    filter matches a row there.
    """

    schema: pa.Schema
    names: tuple[str, ...]
    filled: frozenset[str]
    rows: int


class ParquetParts:
    """The immutable Parquet files below one folder, `ROOT/TABLE/parts/DIGEST.parquet`.

    A team's parts lie at its shared store; the folder then holds copies, which the digest in their
    name keeps from ever being out of date.
    """

    def __init__(
        self, root: Path, cache: PartCache | None = None, shared: SharedStore | None = None
    ) -> None:
        """Keep parts under a folder, and at `shared` if it is given; what was decoded is kept in
        `cache` (default: the process's)."""
        self._root = Path(root)
        self._shared = shared
        self._cache = process_cache() if cache is None else cache
        self._verified: set[str] = set()

    def write(self, table: str, kind: Kind, rows: pa.Table) -> str:
        """Write rows and return the SHA-256 (hex) of their bytes, which names the file.

        Raises:
            ServiceUnreachable: the folder or the shared store cannot be written, or is full.
        """
        folder = self._folder(table, kind)
        try:
            temporary = written_beside(folder, partial(_write_parquet, rows))
            try:
                name = _sha256_of(temporary)
                temporary.replace(folder / f"{name}.parquet")
            finally:
                temporary.unlink(missing_ok=True)
            sync_folder(folder)
        except OSError as error:
            raise ServiceUnreachable(
                f"{folder} cannot be written: {error.strerror or error}. Nothing was recorded; free "
                "the disk or the folder and deliver the batch again."
            ) from None
        self._verified.add(name)
        self.publish(table, name, kind)
        return name

    def all_files(self, tables: Collection[str]) -> Iterator[Path]:
        """Every part of these tables that lies here, whether or not anything names it."""
        for table in sorted(tables):
            for folder in _FOLDERS.values():
                yield from sorted((self._root / table / folder).glob("*.parquet"))

    def publish(self, table: str, name: str, kind: Kind = "part") -> None:
        """Put a part of this home at the shared store, where there is one.

        Raises:
            ServiceUnreachable: the store does not take it; no row may name the part then.
        """
        if self._shared is None:
            return
        try:
            self._shared.put_file(
                self._shared.part(table, _FOLDERS[kind], name), self.path(table, name, kind)
            )
        except ServiceUnreachable as refused:
            raise ServiceUnreachable(
                f"{refused} Nothing was recorded; deliver the batch again."
            ) from None

    def is_intact(self, table: str, name: str, kind: Kind = "part") -> bool:
        """Whether this home has the part, with the bytes that name it."""
        try:
            return _sha256_of(self.path(table, name, kind)) == name
        except OSError:
            return False

    def at_shared(self, table: str, kind: Kind) -> frozenset[str]:
        """The names of the parts at the shared store; empty where there is none.

        Raises:
            ServiceUnreachable: the store does not answer.
        """
        if self._shared is None:
            return frozenset()
        folder = self._shared.part(table, _FOLDERS[kind], "").rpartition("/")[0]
        return frozenset(one.removesuffix(".parquet") for one in self._shared.names(folder))

    def remove_at_shared(
        self, table: str, kind: Kind, name: str, holds: Callable[[Path], bool]
    ) -> bool:
        """Remove a part from the shared store where a copy of it `holds` what must go; whether it did.

        Raises:
            ServiceUnreachable: the store or this home does not answer.
        """
        if self._shared is None:
            return False
        told, folder = self._shared.part(table, _FOLDERS[kind], name), self._folder(table, kind)
        try:
            copy = written_beside(folder, lambda file: None)
            try:
                if not self._shared.get_file(told, copy) or not holds(copy):
                    return False
            except pa.ArrowInvalid:
                return False  # no Parquet file, and nothing that was ever read
            finally:
                copy.unlink(missing_ok=True)
        except OSError as error:
            raise ServiceUnreachable(
                f"{folder} cannot be written: {error.strerror or error}. Free the disk or the folder."
            ) from None
        self._shared.remove(told)
        return True

    def path(self, table: str, name: str, kind: Kind = "part") -> Path:
        """Where a part lies, whether or not it is there."""
        return self._folder(table, kind) / f"{name}.parquet"

    def at_hand(self, table: str, name: str, kind: Kind = "part") -> Path:
        """Where a part lies in this home, copied from the shared store where only that has it.

        Raises:
            ServiceUnreachable: the part is missing or no longer has the bytes that name it.
        """
        self._verify(table, name, kind)
        return self.path(table, name, kind)

    def shape(self, table: str, name: str, kind: Kind = "part") -> PartShape:
        """What a part holds.

        Raises:
            ServiceUnreachable: the part is missing or no longer has the bytes that name it.
        """
        self._verify(table, name, kind)
        shape: PartShape | None = self._cache.get((name, None))
        if shape is None:
            shape, size = _read_shape(self.path(table, name, kind))
            self._cache.put((name, None), shape, size)
        return shape

    def rows(
        self,
        table: str,
        name: str,
        received_at: datetime,
        columns: Sequence[str] | None = None,
        kind: Kind = "part",
    ) -> pa.Table:
        """A part's rows (of `columns` those that it has), with the stamp of their receipt.

        Raises:
            ServiceUnreachable: as `shape`.
        """
        shape = self.shape(table, name, kind)
        own = [each for each in shape.names if columns is None or each in columns]
        held = self._held(table, name, kind, own)
        arrays = [*(held[each] for each in own), pa.repeat(moment(received_at), shape.rows)]
        return pa.Table.from_arrays(arrays, names=[*own, RECEIVED_AT])

    def column(self, table: str, name: str, column: str) -> pa.ChunkedArray:
        """One column of a part of admitted rows.

        Raises:
            ServiceUnreachable: as `shape`.
        """
        self._verify(table, name, "part")
        return self._held(table, name, "part", [column])[column]

    def digests(self, table: str, name: str) -> tuple[UInts, UInts]:
        """The digests of the content and of the key of each row; they have an index of their own.

        Raises:
            ServiceUnreachable: as `shape`.
        """
        self._verify(table, name, "part")
        stored = pq.ParquetFile(self.path(table, name)).read(columns=[CONTENT_HASH, KEY_HASH])
        return stored[CONTENT_HASH].to_numpy(), stored[KEY_HASH].to_numpy()

    def _held(
        self, table: str, name: str, kind: Kind, columns: Sequence[str]
    ) -> dict[str, pa.ChunkedArray]:
        """Columns of a part, decoded unless they still are."""
        held = {each: self._cache.get((name, each)) for each in columns}
        absent = [each for each, array in held.items() if array is None]
        return held | self._decode(table, name, kind, absent) if absent else held

    def _decode(
        self, table: str, name: str, kind: Kind, columns: Sequence[str]
    ) -> dict[str, pa.ChunkedArray]:
        read = pq.ParquetFile(self.path(table, name, kind)).read(columns=list(columns))
        decoded = {each: read.column(each) for each in columns}
        for each, array in decoded.items():
            self._cache.put((name, each), array, array.nbytes)
        return decoded

    def _verify(self, table: str, name: str, kind: Kind) -> None:
        """Refuse a part whose bytes no longer have the digest that names it (checked once)."""
        if name in self._verified:
            return
        path = self.path(table, name, kind)
        if self._shared is not None and not path.exists():
            self._fetch(self._shared, table, name, kind)
        try:
            intact = _sha256_of(path) == name
        except OSError as error:
            raise ServiceUnreachable(
                f"The evidence part {path} cannot be read: {error.strerror}. Restore it from a copy."
            ) from None
        if not intact:
            raise ServiceUnreachable(
                f"The evidence part {path} was changed: its bytes no longer have the digest that "
                "names it. Nothing is read from it; restore it from a copy."
            )
        self._verified.add(name)

    def _fetch(self, shared: SharedStore, table: str, name: str, kind: Kind) -> None:
        """Copy a part that another machine wrote; only bytes with its digest become the copy.

        Raises:
            ServiceUnreachable: it is not at the store, has other bytes, or the store does not answer.
        """
        folder = self._folder(table, kind)
        told = shared.part(table, _FOLDERS[kind], name)
        try:
            temporary = written_beside(folder, lambda file: None)
            try:
                if not shared.get_file(told, temporary):
                    raise ServiceUnreachable(
                        f"The evidence part {told} is neither in this home nor at the shared store "
                        f"{shared}: another machine wrote it before there was one. Run `ratchet join "
                        "--publish` on the machine that has it."
                    )
                if _sha256_of(temporary) != name:
                    raise ServiceUnreachable(
                        f"The evidence part {told} at the shared store {shared} was changed or cut: "
                        "its bytes do not have the digest that names it. Nothing is read from it; remove "
                        "it there, and run `ratchet join --publish` on a machine that has a copy."
                    )
                temporary.replace(self.path(table, name, kind))
            finally:
                temporary.unlink(missing_ok=True)
            sync_folder(folder)
        except OSError as error:
            raise ServiceUnreachable(
                f"{folder} cannot be written: {error.strerror or error}. Free the disk or the folder."
            ) from None

    def _folder(self, table: str, kind: Kind) -> Path:
        return self._root / table / _FOLDERS[kind]


def _read_shape(path: Path) -> tuple[PartShape, int]:
    """A part's shape and about how many bytes it takes."""
    file = pq.ParquetFile(path)
    fields = [item for item in file.schema_arrow if item.name not in (KEY_HASH, CONTENT_HASH)]
    shape = PartShape(
        schema=pa.schema(fields),
        names=tuple(item.name for item in fields),
        filled=frozenset(item.name for item in fields if not pa.types.is_null(item.type)),
        rows=file.metadata.num_rows,
    )
    return shape, shape.schema.serialize().size


def _write_parquet(rows: pa.Table, file: BinaryIO) -> None:
    pq.write_table(rows, file, compression="zstd")


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
