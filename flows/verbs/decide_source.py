"""Decide what is new at the configured source of cases, each case exactly once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from configs.errors import UserError
from configs.settings import load_settings
from configs.sources import SourceSettings
from data_contracts.admission import BROKEN_RULES
from data_contracts.row_rules import known_case_type
from flows.adapters.sources import read_source
from flows.verbs.decide_once import decide_once, quarantine_cases
from flows.verbs.desk import Desk
from flows.verbs.live import configured_source

UNKNOWN = known_case_type().name
"""The contract's rule that a row of an unconfigured case type breaks."""


def decide_new_cases(desk: Desk, now: datetime, profile: str | None = None) -> dict[str, Any]:
    """Pull new cases, decide them under what is live, store the decisions, move the watermark.

    The source is read again for `night.overlap_hours` behind its watermark, so that a late case is
    found; one that was decided keeps its decision. The watermark moves last: a run that was killed
    is finished by the next one.

    A row of a case type that is configured nowhere is quarantined by name, and people are told: no
    policy says what becomes of it, and it holds up nobody else's case.

    Returns:
        By case type `DecidedOnce.counts()`, and under `UNKNOWN` what no case type claims; empty where
        nothing is new.

    Raises:
        UserError: no source of cases is configured, it cannot be read, or not one of its rows is of
            a configured case type (then the source is mapped wrongly, and nothing is stored).
    """
    source = configured_source("cases", profile)
    seen = desk.store.watermark(source.name)
    rows = _new_rows(source, seen, profile)
    told: dict[str, Any] = {}
    if len(rows):
        known = _of_known_type(desk, source, rows)
        for name, mine in rows[known].groupby(
            rows.loc[known, "case_type"].astype("str"), sort=True
        ):
            cases = mine.reset_index(drop=True)
            piece = decide_once(desk, str(name), cases, now, source=source.name)
            told[str(name)] = piece.counts()
        if not known.all():
            told[UNKNOWN] = _put_aside(desk, source, rows[~known], seen, now)
    _move_on(desk, source, rows, now)
    return told


def _new_rows(source: SourceSettings, seen: datetime | None, profile: str | None) -> pd.DataFrame:
    since = None
    if seen is not None and source.watermark is not None:
        since = seen - timedelta(hours=load_settings(profile).night.overlap_hours)
    return read_source(source, since)


def _of_known_type(desk: Desk, source: SourceSettings, rows: pd.DataFrame) -> pd.Series:
    if "case_type" not in rows:
        raise UserError(
            f"Source {source.name!r}: no column says the case type; map `case_type` under `columns:`, "
            "or name the one it holds as `case_type:`."
        )
    known = rows["case_type"].isin(list(desk.case_types))
    if not known.any():
        raise UserError(f"{_strangers(source, rows)} No other case came. Nothing was decided.")
    return known


def _put_aside(
    desk: Desk, source: SourceSettings, rows: pd.DataFrame, seen: datetime | None, now: datetime
) -> dict[str, Any]:
    """What is read again, within the overlap, was told before."""
    strangers = rows.assign(**{BROKEN_RULES: UNKNOWN}).reset_index(drop=True)
    quarantine_cases(desk, strangers, source.name, now)
    told_before = source.watermark is not None and seen is not None
    new = strangers[strangers[source.watermark] > seen] if told_before else strangers
    if len(new):
        sentence = f"{_strangers(source, new)} They are in quarantine, undecided."
        desk.alerts.send("unknown_case_type", None, sentence, now, cases=len(new))
    return {"rows_in": len(rows), "refused": len(rows), "rejections": {UNKNOWN: len(rows)}}


def _strangers(source: SourceSettings, rows: pd.DataFrame) -> str:
    names = sorted(set(rows["case_type"].fillna("(empty)").astype("str")))
    return (
        f"Source {source.name!r}: {len(rows):,} cases are of no configured type "
        f"({', '.join(names[:5])}). Add configs/case_types/NAME.yaml, or map the name."
    )


def _move_on(desk: Desk, source: SourceSettings, rows: pd.DataFrame, now: datetime) -> None:
    if source.watermark is None or rows.empty:
        return
    newest = rows[source.watermark].max()
    nothing = pd.DataFrame({"case_id": pd.Series(dtype="str")})
    desk.store.append(
        "cases",
        nothing,
        nothing,
        key=("case_id",),
        source=source.name,
        received_at=now,
        watermark=None if pd.isna(newest) else min(newest.to_pydatetime(), now),
    )
