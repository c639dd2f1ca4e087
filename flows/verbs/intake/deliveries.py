"""Admit what the sources delivered, table by table: what fails stops none of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.verbs.intake.admit import KEYS, AdmittedBatch, Waits, admit_again, admit_batch
from flows.verbs.ports import AdmissionServices, EvidenceStore
from flows.verbs.record.night_results import NightResults, why_failed

TABLES = ("decisions", "outcomes", "reviews")
"""Reviews and outcomes refer to decisions, so those come first."""

FEWEST_DUE = 50
"""No row at all is strange only where so many were to be expected."""
_LOOK_BACK = timedelta(days=28)
_FEWEST_ARRIVALS = 5


@dataclass(frozen=True)
class Delivery:
    """Rows for one table from one named source.

    Attributes:
        stamp: the column that tells how far the source was read; None: it is read whole each time.
        unread: why the source could not be read, or "" (then `rows` count).
        notes: what was lost, altered or guessed while it was read, in sentences.
        whole: it was read from its beginning, for rows that came late.
    """

    table: str
    rows: pd.DataFrame = field(repr=False)
    source: str
    stamp: str | None = None
    unread: str = ""
    notes: tuple[str, ...] = ()
    whole: bool = False


def admit_deliveries(
    services: AdmissionServices,
    deliveries: Sequence[Delivery],
    as_of: datetime,
    results: NightResults | None = None,
    *,
    at_commit: bool = False,
) -> list[AdmittedBatch]:
    """Admit what was delivered, in the order the tables refer to each other.

    A delivery that fails is read again by the next night. Rows of a case whose decision may still
    come wait: nothing is stored of them, and their watermark stays.

    Args:
        at_commit: as in `admit_batch`.
    """
    results = NightResults() if results is None else results
    batches: list[AdmittedBatch] = []
    newest = None
    for one in sorted(deliveries, key=lambda one: TABLES.index(one.table)):
        told = results.table(one.table)
        why = one.unread or ("" if len(one.rows) else why_rows_are_due(services.store, one, as_of))
        if why:
            told.failed.append(f"{one.table}: {why}")
            continue
        if one.table == "decisions":
            newest = _newest(services.store, one, newest)
        if not len(one.rows):
            batches += [AdmittedBatch(one.table, 0, 0, 0, 0, source=one.source, notes=one.notes)]
            continue
        decisions_in = not results.table("decisions").failed
        waits = waits_for(one.table, decisions_in, newest)
        try:
            batch = admit_batch(
                services,
                one.table,
                one.rows,
                as_of,
                source=one.source,
                stamp=one.stamp,
                waits=waits,
                at_commit=at_commit,
            )
        except Exception as error:
            told.failed.append(f"{one.table}: {why_failed(error)}")
            continue
        batches.append(replace(batch, notes=one.notes))
        told.failed += [f"{one.table}: {sentence}" for sentence in batch.failed]
        if batch.refused:
            told.failed.append(f"{one.table}: {batch.refused}")
        if batch.waiting and not decisions_in:
            told.held.append(
                f"{one.table}: {batch.waiting:,} rows wait for decisions that could not be read; "
                "they are read again with them."
            )
        if one.whole and not batch.failed and not batch.waiting:
            _was_read_whole(services.store, one, as_of)
    return [*batches, *_tried_again(services, as_of, results, at_commit)]


def read_as_of(batches: Sequence[AdmittedBatch], as_of: datetime) -> datetime:
    """The moment from which all that was just admitted can be read: `as_of`, or the last commit."""
    return max([as_of, *(one.received_at for one in batches if one.received_at is not None)])


def why_rows_are_due(store: EvidenceStore, one: Delivery, as_of: datetime) -> str:
    """Why a delivery without a row is a broken one, or "" (nothing was due).

    Judged by what the source brought before: rows a day, and the longest pauses there were.
    """
    arrivals = [
        (at, rows)
        for at, rows in store.arrivals(one.table, one.source, as_of)
        if at >= as_of - _LOOK_BACK
    ]
    if len(arrivals) < _FEWEST_ARRIVALS or arrivals[-1][0] >= as_of:
        return ""
    stamps = [at for at, _ in arrivals]
    pauses = sorted(later - earlier for earlier, later in pairwise(stamps))
    span = stamps[-1] - stamps[0]
    pause = as_of - stamps[-1]
    if span <= timedelta(0) or pause <= pauses[-2] * 1.5:
        return ""
    expected = sum(rows for _, rows in arrivals[1:]) * (pause / span)
    if expected < FEWEST_DUE:
        return ""
    return (
        f"source {one.source!r} brought no row where about {expected:,.0f} were due since "
        f"{stamps[-1]:%Y-%m-%d %H:%M}; see whether its export or query broke."
    )


def whole_reading(source: str) -> str:
    """Under which name the store keeps when a source was last read from its beginning."""
    return f"{source} (read whole)"


def not_stored(store: EvidenceStore, table: str, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows are not stored under their key; a key that is incomplete is not."""
    keys = list(KEYS[table])
    if not len(rows) or any(name not in rows for name in keys):
        return np.ones(len(rows), dtype=np.bool_)
    told = rows[keys].notna().all(axis="columns").to_numpy(dtype=np.bool_)
    missing = np.ones(len(rows), dtype=np.bool_)
    missing[told] = ~store.holds(table, rows.loc[told, keys])
    return missing


def _newest(
    store: EvidenceStore, one: Delivery, before: pd.Timestamp | None
) -> pd.Timestamp | None:
    """Until when decisions are in: the latest one delivered, or read before."""
    found = [before] if before is not None else []
    if "decided_at" in one.rows and len(one.rows):
        found.append(pd.to_datetime(one.rows["decided_at"], utc=True, errors="coerce").max())
    kept = store.watermark(one.source) if one.stamp is not None else None
    if kept is not None:
        found.append(pd.Timestamp(kept))
    known = [at for at in found if not pd.isna(at)]
    return max(known) if known else None


def waits_for(table: str, decisions_in: bool, newest: pd.Timestamp | None) -> Waits | None:
    """Rows of an unknown case wait where its decision may still come: the decisions could not be
    read tonight, or the review was queued after the newest of them."""
    if table == "decisions":
        return None

    def waits(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        if not decisions_in:
            return np.ones(len(rows), dtype=np.bool_)
        if newest is None or "queued_at" not in rows:
            return np.zeros(len(rows), dtype=np.bool_)
        queued = pd.to_datetime(rows["queued_at"], utc=True, errors="coerce")
        return np.asarray((queued > newest).to_numpy(dtype=np.bool_))

    return waits


def _tried_again(
    services: AdmissionServices, as_of: datetime, results: NightResults, at_commit: bool
) -> list[AdmittedBatch]:
    """What was quarantined because its case was unknown, and is known by now."""
    found = []
    for table in TABLES[1:]:
        try:
            batch = admit_again(services, table, as_of, at_commit=at_commit)
        except Exception as error:
            results.table(table).failed.append(f"{table} tried again: {why_failed(error)}")
            continue
        if batch is not None:
            found.append(batch)
    return found


def _was_read_whole(store: EvidenceStore, one: Delivery, as_of: datetime) -> None:
    nothing = pd.DataFrame({name: pd.Series(dtype="str") for name in KEYS[one.table]})
    store.append(
        one.table,
        nothing,
        nothing,
        key=KEYS[one.table],
        source=whole_reading(one.source),
        received_at=as_of,
        watermark=as_of,
    )
