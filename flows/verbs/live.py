"""Run on live data: open the live desk, load what is new at its sources, and file the dossier."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from configs.errors import UserError
from configs.masking import masked_leaves
from configs.places import PROJECT
from configs.settings import Settings, load_settings
from configs.sources import SourceSettings, load_source
from flows.adapters.files import write_atomically
from flows.adapters.log_masking import mask_logs
from flows.adapters.sources import read_source
from flows.verbs.desk import Desk
from flows.verbs.night import TABLES, Delivery


def open_desk(profile: str | None = None) -> Desk:
    """The live desk of a profile: its case types, sources, ledger, evidence and registry."""
    mask_logs()
    settings = load_settings(profile)
    return Desk.at(settings.home / "live", settings, settings.load_case_types())


def load_deliveries(desk: Desk, as_of: datetime, profile: str | None = None) -> list[Delivery]:
    """Everything the configured sources hold beyond their watermarks.

    A source is read again for `night.overlap_hours` behind its watermark, so that a late row is
    found; rows that are stored already change nothing.

    Raises:
        UserError: no source is configured, or a source file does not fit its table.
    """
    settings = load_settings(profile)
    named = configured_sources(profile)
    return [_delivery(desk, settings, table, file, as_of) for table, file in named.items()]


def configured_sources(profile: str | None = None) -> dict[str, str]:
    """The source file of each table that has one.

    Raises:
        UserError: there is none at all.
    """
    settings = load_settings(profile)
    named = {table: getattr(settings.sources, table) for table in TABLES}
    found = {table: file for table, file in named.items() if file}
    if not found:
        raise UserError(
            "no source is configured, so there is nothing to pull. Write a source file (see "
            "configs/sources/) and name it under `sources:` in a profile or in "
            "RATCHET_SOURCES__DECISIONS, RATCHET_SOURCES__REVIEWS and RATCHET_SOURCES__OUTCOMES."
        )
    return found


def configured_source(table: str, profile: str | None = None) -> SourceSettings:
    """The source of one table.

    Raises:
        UserError: none is configured, or its file says something else.
    """
    file = getattr(load_settings(profile).sources, table)
    if not file:
        raise UserError(
            f"no source of {table} is configured, so there is nothing to pull. Write a source file "
            f"(see configs/sources/) and name it under `sources: {table}:` in a profile or in "
            f"RATCHET_SOURCES__{table.upper()}."
        )
    return _source(table, file)


def file_dossier(desk: Desk, dossier: dict[str, Any]) -> Path:
    """Write the night's dossier below the home; one file a night, the latest run of it counts."""
    night = datetime.fromisoformat(dossier["as_of"]).date().isoformat()
    path = desk.home / "dossiers" / f"{night}.json"
    text = json.dumps(masked_leaves(dossier), indent=1, default=str)
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))
    return path


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


def _delivery(desk: Desk, settings: Settings, table: str, file: str, as_of: datetime) -> Delivery:
    source = _source(table, file)
    seen = desk.store.watermark(source.name)
    since = None
    if seen is not None and source.watermark is not None:
        since = seen - timedelta(hours=settings.night.overlap_hours)
    rows = read_source(source, since)
    mark = None
    if source.watermark is not None and len(rows):
        newest = rows[source.watermark].max()
        mark = None if newest is None else min(newest.to_pydatetime(), as_of)
    return Delivery(table, rows, source.name, mark)


def _source(table: str, file: str) -> SourceSettings:
    path = Path(os.path.expandvars(file))
    source = load_source(path if path.is_absolute() else PROJECT / path)
    if source.kind != table:
        raise UserError(f"{file} holds {source.kind}, but it is configured under sources.{table}.")
    return source
