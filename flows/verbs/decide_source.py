"""Decide what is new at the configured source of cases, each case exactly once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from configs.errors import UserError
from configs.settings import load_settings
from configs.sources import SourceSettings
from flows.adapters.sources import read_source
from flows.verbs.decide_once import decide_once
from flows.verbs.desk import Desk
from flows.verbs.live import configured_source


def decide_new_cases(desk: Desk, now: datetime, profile: str | None = None) -> dict[str, Any]:
    """Pull new cases, decide them under what is live, store the decisions, move the watermark.

    The source is read again for `night.overlap_hours` behind its watermark, so that a late case is
    found; one that was decided keeps its decision. The watermark moves last: a run that was killed
    is finished by the next one.

    Returns:
        By case type `DecidedOnce.counts()`; empty where nothing is new.

    Raises:
        UserError: no source of cases is configured, or it cannot be read; rows of a case type that
            is configured nowhere are named.
    """
    source = configured_source("cases", profile)
    rows = _new_rows(desk, source, profile)
    told: dict[str, Any] = {}
    if len(rows):
        _refuse_strangers(desk, source, rows)
        for name, mine in rows.groupby(rows["case_type"].astype("str"), sort=True):
            cases = mine.reset_index(drop=True)
            piece = decide_once(desk, str(name), cases, now, source=source.name)
            told[str(name)] = piece.counts()
    _move_on(desk, source, rows, now)
    return told


def _new_rows(desk: Desk, source: SourceSettings, profile: str | None) -> pd.DataFrame:
    seen = desk.store.watermark(source.name)
    since = None
    if seen is not None and source.watermark is not None:
        since = seen - timedelta(hours=load_settings(profile).night.overlap_hours)
    return read_source(source, since)


def _refuse_strangers(desk: Desk, source: SourceSettings, rows: pd.DataFrame) -> None:
    if "case_type" not in rows:
        raise UserError(
            f"Source {source.name!r}: no column says the case type; map `case_type` under `columns:`, "
            "or name the one it holds as `case_type:`."
        )
    strangers = rows.loc[~rows["case_type"].isin(list(desk.case_types)), "case_type"]
    if len(strangers):
        names = sorted(set(strangers.fillna("(empty)").astype("str")))
        raise UserError(
            f"Source {source.name!r}: {len(strangers):,} cases are of no configured type "
            f"({', '.join(names[:5])}). Add configs/case_types/NAME.yaml, or map the name. Nothing was "
            "decided."
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
