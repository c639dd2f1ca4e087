"""Run on live data: open what is live, load what is new at its sources, and file the dossier."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused, ServiceUnreachable, UserError
from configs.masking import masked_leaves
from configs.places import located, ratchet_config
from configs.settings import Settings, load_settings
from configs.sources import SourceSettings, load_source
from flows.adapters.alerts.json_logs import log_as_asked
from flows.adapters.alerts.log_masking import mask_logs
from flows.adapters.tables.reading_notes import Reading
from flows.adapters.tables.sources import asks_since, read_delivery
from flows.verbs.intake.deliveries import TABLES, Delivery, not_stored, whole_reading
from flows.verbs.intake.there_by_then import there_by_then, why_out_of_order
from flows.verbs.night import Run, plainly, protect, run_night
from flows.verbs.ports import AdmissionServices, HouseServices, NightServices
from flows.verbs.record import dossier_files
from flows.verbs.record.night_dossier import NightDossier
from flows.verbs.record.night_results import State, why_failed
from flows.verbs.services import Services


def open_services(profile: str | None = None) -> Services:
    """The live services of a profile: its case types, sources, ledger, evidence and registry."""
    mask_logs()
    log_as_asked()
    settings = load_settings(profile)
    return Services.at(settings.home / "live", settings, settings.load_case_types())


def load_deliveries(
    services: AdmissionServices,
    as_of: datetime,
    profile: str | None = None,
    *,
    walked: bool = False,
) -> list[Delivery]:
    """Everything the configured sources hold beyond their watermarks.

    A source is read again for `night.overlap_hours` behind its watermark, so that a late row is
    found, and every `night.whole_read_days` from its beginning, for rows that came later still;
    rows that are stored already change nothing. A source that cannot be read is a delivery that
    says why, and the others are read.

    Args:
        walked: `as_of` is a moment of the past: rows that came later are left for a later night.

    Raises:
        UserError: no source is configured, and nothing is stored that a night could judge.
    """
    settings = load_settings(profile)
    named = _named(settings)
    if not named and not services.store.counts("decisions")[0]:
        configured_sources(profile)
    return [
        _delivery(services, settings, table, file, as_of, walked) for table, file in named.items()
    ]


def configured_sources(profile: str | None = None) -> dict[str, str]:
    """The source file of each table that has one.

    Raises:
        UserError: there is none at all.
    """
    found = _named(load_settings(profile))
    if not found:
        raise UserError(
            "no source is configured, so there is nothing to pull. Write a source file (see "
            "configs/sources/) and name it under `sources:` in a profile or in "
            "RATCHET_SOURCES__DECISIONS, RATCHET_SOURCES__REVIEWS and RATCHET_SOURCES__OUTCOMES."
        )
    return found


def _named(settings: Settings) -> dict[str, str]:
    named = {table: getattr(settings.sources, table) for table in TABLES}
    return {table: file for table, file in named.items() if file}


def configured_source(table: str, profile: str | None = None) -> SourceSettings:
    """The source of one table.

    Raises:
        UserError: none is configured, or its file says something else.
    """
    settings = load_settings(profile)
    file = getattr(settings.sources, table)
    if not file:
        raise UserError(
            f"no source of {table} is configured, so there is nothing to pull. "
            + _what_names(table, settings.profile)
        )
    return source_of(table, file)


def _what_names(table: str, profile: str) -> str:
    """What would configure a table's source: the user's own file, where `ratchet init` wrote one."""
    own = ratchet_config()
    file = None if own is None else own / "sources" / f"{table}.yaml"
    if file is not None and file.is_file():
        above = file.parent.parent / "profiles" / f"{profile}.yaml"
        return f"Say in {file} where the table is, and name it in {above}: `{table}: sources/{table}.yaml` below `sources:`."
    return (
        f"Write a source file (see configs/sources/) and name it under `sources: {table}:` in a profile "
        f"or in RATCHET_SOURCES__{table.upper()}."
    )


def live_night(
    services: NightServices,
    as_of: datetime | None = None,
    profile: str | None = None,
    *,
    run: Run = plainly,
) -> NightDossier:
    """One night on the configured sources. What is live is guarded first, on what is stored.

    Args:
        as_of: the moment a night of the past is walked for, which sees what was there by then; None:
            now, and what comes in is stamped when it is committed.
        run: what calls each verb (`run_night`).

    Raises:
        UserError: no source is configured.
        GateRefused, ServiceUnreachable: nothing could be judged at all (the ledger or the evidence
            cannot be read); people are told.
    """
    moment, walked = night_of(as_of), as_of is not None
    try:
        protected = run(protect, services, moment)
        deliveries = run(load_deliveries, services, moment, profile, walked=walked)
        return run_night(
            services, deliveries, moment, protected=protected, at_commit=not walked, run=run
        )
    except (GateRefused, ServiceUnreachable) as error:
        services.alerts.send("night_failed", None, f"The night could not be run: {error}", moment)
        services.alerts.deliver_waiting()
        services.alerts.beat(State.FAILED.value, moment)
        raise


def close_night(services: HouseServices, dossier: NightDossier) -> Path:
    """File the night's dossier, and tell people of everything that is held or failed."""
    at, results = dossier.as_of, dossier.results
    for group, of_case_types in ((results.case_types, True), (results.tables, False)):
        for name, result in group.items():
            if result.state is not State.DONE:
                kind, sentence = f"night_{result.state.value}", " ".join(result.why)
                case_type = name if of_case_types else None
                services.alerts.send(kind, case_type, sentence, at, subject=name)
    path = file_dossier(services, dossier.plain())
    if unfinished := len(services.store.eraser.unfinished()):
        sentence = (
            f"{unfinished} erasures were stopped before the ledger told of them; give the same "
            "`ratchet erase` command again."
        )
        services.alerts.send("erasure_unfinished", None, sentence, at)
    services.alerts.deliver_waiting()
    services.alerts.beat(results.worst.value, at)
    return path


def refuse_unless_done(dossier: NightDossier) -> None:
    """Raise (GateRefused) where the night held something or failed, so that its run turns red."""
    if not dossier.all_done:
        raise GateRefused(" ".join([dossier.verdict, *dossier.not_done]))


def file_dossier(services: HouseServices, dossier: dict[str, Any]) -> Path:
    """Write a night's dossier below the home, and to a team's store; the latest run of a night
    counts."""
    night = datetime.fromisoformat(dossier["as_of"]).date().isoformat()
    text = json.dumps(masked_leaves(dossier), indent=1, default=str)
    return dossier_files.keep(services.home, services.shared, night, text.encode("utf-8"))


def night_of(as_of: datetime | None) -> datetime:
    """The moment a night is for: given, or now; always in UTC.

    Raises:
        UserError: the stamp has no time zone, or lies in the future.
    """
    now = datetime.now(UTC)
    if as_of is None:
        return now
    if as_of.tzinfo is None:
        raise UserError(f"{as_of.isoformat()} has no time zone; write it as {as_of.isoformat()}Z.")
    if as_of > now + timedelta(minutes=5):
        raise UserError(f"{as_of.isoformat()} lies in the future, of which nothing is known yet.")
    try:
        return as_of.astimezone(UTC)
    except OverflowError:
        raise UserError(
            f"{as_of.isoformat()} lies before the first year there is in UTC."
        ) from None


def _delivery(
    services: AdmissionServices,
    settings: Settings,
    table: str,
    file: str,
    as_of: datetime,
    walked: bool,
) -> Delivery:
    name = file
    try:
        source = source_of(table, file)
        name = source.name
        why = why_out_of_order(services.store, table, as_of) if walked else ""
        if why:
            return Delivery(table, pd.DataFrame(), name, unread=why)
        read = _read(services, settings, table, source, as_of)
        if not walked:
            return read
        by_then = there_by_then(table, read.rows, read.stamp, as_of)
        return replace(
            read, rows=by_then.rows, notes=(*read.notes, *map(str, by_then.told(name, as_of)))
        )
    except Exception as error:
        return Delivery(table, pd.DataFrame(), name, unread=why_failed(error))


def _read(
    services: AdmissionServices,
    settings: Settings,
    table: str,
    source: SourceSettings,
    as_of: datetime,
) -> Delivery:
    if source.watermark is None:
        reading = read_delivery(source)
        gone = _why_empty(services, table, source, reading, as_of)
        return Delivery(table, reading.rows, source.name, unread=gone, notes=_told(source, reading))
    seen = services.store.watermark(source.name)
    before = services.store.watermark(whole_reading(source.name))
    due = before is None or as_of - before >= timedelta(days=settings.night.whole_read_days)
    since = None if seen is None else seen - timedelta(hours=settings.night.overlap_hours)
    reading = read_delivery(source, None if due else since)
    rows, notes = reading.rows, _told(source, reading)
    gone = _why_empty(services, table, source, reading, as_of)
    if due and since is not None and len(rows):
        behind = (rows[source.watermark] <= since).to_numpy(dtype=np.bool_)
        late = behind.copy()
        late[behind] = not_stored(services.store, table, rows[behind])
        rows = rows[~behind | late].reset_index(drop=True)
        if late.any():
            told = (
                f"{int(late.sum()):,} rows of {source.name!r} lay behind the overlap and are not "
                "stored; they were read with the whole source."
            )
            notes = (*notes, told)
    mark = source.watermark
    return Delivery(table, rows, source.name, mark, unread=gone, notes=notes, whole=due)


def _told(source: SourceSettings, reading: Reading) -> tuple[str, ...]:
    empty = not reading.rows_in_source and not asks_since(source)
    none = (f"Source {source.name!r}: its table has columns and no rows.",) if empty else ()
    return (*map(str, reading.notes), *none)


def _why_empty(
    services: AdmissionServices,
    table: str,
    source: SourceSettings,
    reading: Reading,
    as_of: datetime,
) -> str:
    """Why a table without a row is a broken export, or "": a feed of outcomes may be empty by its
    nature, and a query that asks for new rows only may bring none."""
    if reading.rows_in_source or table == "outcomes" or asks_since(source):
        return ""
    if not services.store.arrivals(table, source.name, as_of):
        return ""
    return f"source {source.name!r} has columns and no rows, and it brought rows before."


def source_of(table: str, file: str) -> SourceSettings:
    """The source file that is configured for a table (UserError: it says something else)."""
    path = Path(os.path.expandvars(file))
    source = load_source(located(path))
    if source.kind != table:
        raise UserError(f"{file} holds {source.kind}, but it is configured under sources.{table}.")
    return source
