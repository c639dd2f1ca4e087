"""How are decisions handed back as a file that is there whole or not at all?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import ServiceUnreachable, UserError
from data_contracts.decisions import SCHEMA
from flows.adapters.files.files import sync_folder
from flows.adapters.files.private_home import modes_for
from flows.adapters.tables.safe_cells import write_csv

COLUMNS = tuple(name for name in SCHEMA.names if name != "reasoning")
_SCHEMA = pa.schema([pa.field(name, SCHEMA.field(name).type) for name in COLUMNS])


class Writer(Protocol):
    is_nowhere: bool
    """Whether nobody asked for a file, so that nothing need be gathered for it."""

    def write(self, rows: pd.DataFrame) -> None: ...


@contextmanager
def decisions_file(path: Path | None) -> Iterator[Writer]:
    """Write decisions piece by piece; the file appears under its name when the block ends well.

    In a CSV, cells that a spreadsheet would run are neutralised. Without a path nothing is written.

    Raises:
        UserError: the ending is neither .parquet nor .csv.
        ServiceUnreachable: the folder cannot be written, or the disk is full.
    """
    if path is None:
        yield _Nowhere()
        return
    kinds: dict[str, type[_Parquet] | type[_Csv]] = {".parquet": _Parquet, ".csv": _Csv}
    if path.suffix not in kinds:
        raise UserError(f"{path.name} is neither .parquet nor .csv; name the file so.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    done = "Nothing was decided; name another place."
    try:
        with modes_for(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            opened = kinds[path.suffix](temporary)
        try:
            with opened as writer:
                done = "What was decided is stored; run the same command again to get the file."
                yield writer
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ServiceUnreachable(
            f"{path} cannot be written: {error.strerror or error}. {done}"
        ) from None


class _Nowhere:
    is_nowhere = True

    def write(self, rows: pd.DataFrame) -> None:
        """Nobody asked for a file."""


class _Parquet:
    is_nowhere = False

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="zstd")

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *_: Any) -> None:
        self._writer.close()

    def write(self, rows: pd.DataFrame) -> None:
        arrays = [pa.array(rows[name], type=_SCHEMA.field(name).type) for name in COLUMNS]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA))


class _Csv:
    is_nowhere = False

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(",".join(COLUMNS) + "\n")

    def __enter__(self) -> _Csv:
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()

    def write(self, rows: pd.DataFrame) -> None:
        write_csv(rows[list(COLUMNS)], self._file, header=False)
