"""Hand rows out to a person, as a file that a spreadsheet may open."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from configs.errors import UserError
from flows.adapters.files.private_home import modes_for
from flows.adapters.tables.safe_cells import neutralised, write_csv

SUFFIXES = (".csv", ".parquet")


def hand_out(rows: pd.DataFrame, path: Path) -> None:
    """Write rows as CSV or Parquet, by the file's name; cells that a spreadsheet would run are
    neutralised (FAULTS 26)."""
    with modes_for(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            neutralised(rows).to_parquet(path, index=False)
        else:
            write_csv(rows, path)


def refuse_suffix(path: Path) -> None:
    """Nothing, if rows can be written to a file of this name.

    Raises:
        UserError: it ends otherwise.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(
            f"rows were to be written to {path.name!r}; its name must end in {' or '.join(SUFFIXES)}."
        )
