"""Admit one file by hand: judge it, store what is sound, and hand the rest back with reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.tables.reading_notes import Tell, nobody
from flows.adapters.tables.sources import read_delivery
from flows.verbs.certify.earliest_evidence import earliest_evidence
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.intake.admit import AdmittedBatch, admit_batch, judge_batch, told_of
from flows.verbs.intake.deliveries import read_as_of
from flows.verbs.intake.hand_out import hand_out
from flows.verbs.intake.there_by_then import there_by_then, why_out_of_order
from flows.verbs.live import open_services
from flows.verbs.night import watch
from flows.verbs.ports import EvidenceStore
from flows.verbs.record.night_results import NightResults, not_done


def admit_file(
    file: Path,
    contract: str,
    rejects: Path | None,
    dry_run: bool,
    tell: Tell = nobody,
    as_of: datetime | None = None,
) -> AdmittedBatch:
    """Hold a Parquet or CSV file to a contract; labels of another level than their past are stored
    and put on hold.

    Args:
        rejects: where to write the quarantined rows with `broken_rules` (.csv or .parquet); cells
            that a spreadsheet would run are neutralised there.
        dry_run: judge only.
        tell: is given each note on what was altered while the file was read.
        as_of: as a night of that moment would have: rows that came later are left out and told, and
            what is stored is stamped with it; None: now.

    Raises:
        UserError: the file cannot be read, has no rows, or none by `as_of`; or later rows are stored
            already.
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
    services, now = open_services(), as_of or datetime.now(UTC)
    if as_of is not None:
        frame = _there_by(services.store, contract, frame, file.name, as_of, tell)
    judged = judge_batch(services, contract, frame, now)
    if rejects is not None and not judged.failed:
        hand_out(judged.rejected, rejects)
    if dry_run or judged.failed:
        return told_of(judged)
    batch = admit_batch(services, contract, frame, now, source=source.name, at_commit=as_of is None)
    results, moment = NightResults(), read_as_of([batch], now)
    watch(
        services,
        load_snapshot(
            services,
            moment,
            earliest_evidence(services.ledger, services.case_types, services.hold_plan, moment),
        ),
        [],
        results,
    )
    return replace(batch, held=tuple(not_done(results.plain())))


def _there_by(
    store: EvidenceStore, contract: str, frame: pd.DataFrame, name: str, as_of: datetime, tell: Tell
) -> pd.DataFrame:
    why = why_out_of_order(store, contract, as_of)
    if why:
        raise UserError(f"{name} was to be admitted as of {as_of:%Y-%m-%d %H:%M} UTC, but {why}")
    by_then = there_by_then(contract, frame, None, as_of)
    for note in by_then.told(name, as_of):
        tell(note)
    if by_then.rows.empty:
        raise UserError(
            f"no row of {name} was there by {as_of:%Y-%m-%d %H:%M} UTC: all {by_then.later:,} bear later "
            "stamps. Give a later moment, or leave out --as-of."
        )
    return by_then.rows
