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
    case_type: str,
    as_of: datetime | None = None,
    profile: str | None = None,
    pattern_id: str | None = None,
    feature: str | None = None,
) -> dict[str, Any]:
    """Train, calibrate and register a model of one case type, and start its shadow scores.

    Started for a pattern, it answers that ticket and every other open one of the case type that
    asks for a retrain; where a challenger answers it already, nothing is fitted.

    Args:
        case_type: which one, as configured in configs/case_types/.
        as_of: train on what was known by then (with a time zone); empty: now.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
        pattern_id: the ticket that asks for it (see `ratchet tickets`); empty: none.
        feature: the feature that the ticket blames, for people who read the run's parameters.
    """
    moment = night_of(as_of)
    desk = tasks.open_desk(profile)
    told: dict[str, Any] = {"case_type": case_type, "pattern_id": pattern_id, "feature": feature}
    due = tasks.to_answer(quote(desk), case_type, pattern_id) if pattern_id else []
    if pattern_id and not due:
        note = f"{case_type}: {pattern_id} is answered by a challenger already; nothing was fitted."
        publish(f"retrain-{case_type}", note, [told])
        return {**told, "version": None, "note": note}
    book = tasks.establish_truth(quote(desk), moment)
    answers = [one["pattern_id"] for one in due]
    challenger = tasks.retrain(quote(desk), quote(book), case_type, answers)
    told |= {
        "answers": ", ".join(answers),
        "version": challenger.version,
        "digest": challenger.digest,
        "rows": challenger.rows,
        "bad": challenger.bad,
        "later_auc": challenger.later_auc,
    }
    publish(f"retrain-{case_type}", challenger.note, [told])
    return {**told, "note": challenger.note}
