"""Fit a challenger on all mature truth; it scores in shadow and moves no live decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow
from prefect.utilities.annotations import quote

from flows import tasks
from flows.artifacts import publish
from flows.verbs.live import night_of


@flow(name="retrain", persist_result=False)
def retrain(
    case_type: str, as_of: datetime | None = None, profile: str | None = None
) -> dict[str, Any]:
    """Train, calibrate and register a model of one case type, and start its shadow scores.

    Args:
        case_type: which one, as configured in configs/case_types/.
        as_of: train on what was known by then (with a time zone); empty: now.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    moment = night_of(as_of)
    desk = tasks.open_desk(profile)
    book = tasks.establish_truth(quote(desk), moment)
    challenger = tasks.retrain(quote(desk), quote(book), case_type)
    told = {
        "case_type": case_type,
        "version": challenger.version,
        "digest": challenger.digest,
        "rows": challenger.rows,
        "bad": challenger.bad,
        "later_auc": challenger.later_auc,
    }
    publish(f"retrain-{case_type}", challenger.note, [told])
    return {**told, "note": challenger.note}
