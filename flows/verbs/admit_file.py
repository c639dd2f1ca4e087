"""Admit one file by hand: judge it, store what is sound, and hand the rest back with reasons."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from configs.sources import SourceSettings
from flows.adapters.sources import read_source
from flows.reports.safe_cells import neutralised, write_csv
from flows.verbs.admit import AdmittedBatch, admit_batch, judge_batch, told_of
from flows.verbs.live import open_desk


def admit_file(file: Path, contract: str, rejects: Path | None, dry_run: bool) -> AdmittedBatch:
    """Hold a Parquet or CSV file to a contract.

    Args:
        rejects: where to write the quarantined rows with `broken_rules` (.csv or .parquet); cells
            that a spreadsheet would run are neutralised there.
        dry_run: judge only.

    Raises:
        UserError: the file cannot be read.
    """
    source = SourceSettings.model_validate(
        {"name": f"file {file.name}", "kind": contract, "path": str(file.resolve())}
    )
    frame = read_source(source)
    desk, now = open_desk(), datetime.now(UTC)
    judged = judge_batch(desk, contract, frame, now)
    if rejects is not None and not judged.failed:
        _write_rejects(judged.rejected, rejects)
    if dry_run or judged.failed:
        return told_of(judged)
    return admit_batch(desk, contract, frame, now, source=source.name)


def _write_rejects(rejected: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        neutralised(rejected).to_parquet(path, index=False)
    else:
        write_csv(rejected, path)
