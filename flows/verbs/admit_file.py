"""Admit one file by hand: judge it, store what is sound, and hand the rest back with reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.private_home import modes_for
from flows.adapters.reading_notes import Tell, nobody
from flows.adapters.sources import read_delivery
from flows.reports.safe_cells import neutralised, write_csv
from flows.verbs.admit import AdmittedBatch, admit_batch, judge_batch, told_of
from flows.verbs.deliveries import read_as_of
from flows.verbs.live import open_desk
from flows.verbs.night import earliest_evidence, watch
from flows.verbs.night_results import NightResults, not_done
from flows.verbs.truth import load_book


def admit_file(
    file: Path, contract: str, rejects: Path | None, dry_run: bool, tell: Tell = nobody
) -> AdmittedBatch:
    """Hold a Parquet or CSV file to a contract; labels of another level than their past are stored
    and put on hold.

    Args:
        rejects: where to write the quarantined rows with `broken_rules` (.csv or .parquet); cells
            that a spreadsheet would run are neutralised there.
        dry_run: judge only.
        tell: is given each note on what was altered while the file was read.

    Raises:
        UserError: the file cannot be read, or has no rows.
    """
    source = SourceSettings.model_validate(
        {"name": f"file {file.name}", "kind": contract, "path": str(file.resolve())}
    )
    reading = read_delivery(source)
    if reading.rows.empty:
        raise UserError(f"{file.name} is empty: it has columns and no rows.")
    for note in reading.notes:
        tell(note)
    frame = reading.rows
    desk, now = open_desk(), datetime.now(UTC)
    judged = judge_batch(desk, contract, frame, now)
    if rejects is not None and not judged.failed:
        write_rejects(judged.rejected, rejects)
    if dry_run or judged.failed:
        return told_of(judged)
    batch = admit_batch(desk, contract, frame, now, source=source.name, at_commit=True)
    results, moment = NightResults(), read_as_of([batch], now)
    watch(desk, load_book(desk, moment, earliest_evidence(desk, moment)), [], results)
    return replace(batch, held=tuple(not_done(results.plain())))


def write_rejects(rejected: pd.DataFrame, path: Path) -> None:
    """Rejected rows with `broken_rules` as .csv or .parquet; no cell begins a formula."""
    with modes_for(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            neutralised(rejected).to_parquet(path, index=False)
        else:
            write_csv(rejected, path)
