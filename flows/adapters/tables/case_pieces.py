"""How is a file of cases read a piece at a time, so that its size does not matter?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from configs.errors import UserError
from configs.sources import SourceSettings
from data_contracts.digests import UInts, row_digests
from flows.adapters.tables.reading.columns import MissingColumns
from flows.adapters.tables.reading_notes import Notes
from flows.adapters.tables.sources import file_pieces, is_table, read_pieces, rows_in_all
from models.vocabulary import CaseType

PIECE_ROWS = 200_000
"""Cases in memory at a time: some 100 MB with their features, and few enough parts in the store."""

_FIXED = ("case_id", "opened_at", "priority", "amount_usd")


@dataclass(frozen=True)
class CaseFile:
    """A Parquet or CSV file of cases of one type, in our column names."""

    path: Path
    source: SourceSettings

    @classmethod
    def at(cls, path: Path, case_type: CaseType) -> CaseFile:
        """Name a file; it is opened when it is read.

        Raises:
            UserError: its ending is neither .parquet nor .csv nor .csv.gz.
        """
        if not is_table(path.name):
            raise UserError(
                f"{path.name} is neither .parquet nor .csv; convert it, so that its cases can be read."
            )
        categorical = [one.name for one in case_type.features if one.kind == "categorical"]
        said = {
            "name": f"cases {case_type.name}",
            "kind": "cases",
            "path": str(path.resolve()),
            "case_type": case_type.name,
            "columns": {name: name for name in _FIXED},
            "features": tuple(case_type.feature_names),
            "categorical": tuple(categorical),
        }
        return cls(path, SourceSettings.model_validate(said))

    def pieces(self, rows: int = PIECE_ROWS, notes: Notes | None = None) -> Iterator[pd.DataFrame]:
        """The cases in the file's order, at most `rows` at a time.

        Args:
            notes: collects what was lost, altered or guessed.

        Raises:
            UserError: the file cannot be read, lacks a column, or has no rows.
            ServiceUnreachable: the file system does not answer.
        """
        some = False
        try:
            for piece in read_pieces(self.source, rows, notes):
                some = True
                yield piece
        except MissingColumns as lacking:
            raise UserError(self._whose_names(lacking)) from None
        if not some:
            raise UserError(f"{self.path.name} is empty: it has columns and no rows.")

    def _whose_names(self, lacking: MissingColumns) -> str:
        """No source file maps the columns of a file that is given by name."""
        return (
            f"{self.path.name}: {lacking.what} A file that is decided by name has our column names (`ratchet "
            "contracts cases`). Under other names, say where it is and what its columns are called in "
            "sources/cases.yaml, and give `ratchet decide --to DECISIONS` without the file."
        )

    def repeated_ids(self) -> UInts:
        """The digests of the case ids that stand on more than one row of the file, sorted.

        Eight bytes a row are held, whatever else the rows hold.

        Raises:
            UserError, ServiceUnreachable: as `pieces`.
        """
        pieces = file_pieces(self.source, PIECE_ROWS, ["case_id"])
        try:
            digests = [_id_digests(piece.rows["case_id"]) for piece in pieces]
        except MissingColumns as lacking:
            raise UserError(self._whose_names(lacking)) from None
        whole = np.sort(np.concatenate(digests)) if digests else np.empty(0, np.uint64)
        return np.unique(whole[1:][whole[1:] == whole[:-1]])

    def rows_in_all(self) -> int | None:
        """How many rows the file has, where it says so without being read."""
        return rows_in_all(self.source)


def are_repeated(case_ids: pd.Series, repeated: UInts) -> np.ndarray:
    """Which ids are among those that `CaseFile.repeated_ids` found, shape (rows,)."""
    if not len(repeated):
        return np.zeros(len(case_ids), dtype=bool)
    digests = row_digests(pd.DataFrame({"case_id": case_ids}))
    at = np.searchsorted(repeated, digests).clip(max=len(repeated) - 1)
    return np.asarray((repeated[at] == digests) & case_ids.notna().to_numpy(dtype=bool))


def _id_digests(ids: pd.Series) -> UInts:
    # An empty id is refused as such, not as one that is repeated.
    present = ids.dropna()
    return row_digests(pd.DataFrame({"case_id": present.astype("str")}))
