"""Fit a challenger on all mature truth and compare it; it scores in shadow and moves no live decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow
from prefect.utilities.annotations import quote

from flows import tasks
from flows.artifacts import publish
from flows.verbs.challenger import challenger_table, correction_table
from flows.verbs.live import night_of


@flow(name="retrain", persist_result=False)
def retrain(
    case_type: str,
    answers: list[str] | None = None,
    features: list[str] | None = None,
    pattern_id: str | None = None,
    feature: str | None = None,
    as_of: datetime | None = None,
    profile: str | None = None,
) -> dict[str, Any]:
    """Train, calibrate, compare and register a model of one case type, and start its shadow scores.

    Args:
        case_type: which one, as configured in configs/case_types/.
        answers: pattern ids of the findings that it answers.
        features: those whose contributions are shown before and after.
        pattern_id: one more finding that it answers; an event names one.
        feature: one more feature to show; an event names one.
        as_of: train on what was known by then (with a time zone); empty: now.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    moment = night_of(as_of)
    desk = tasks.open_desk(profile)
    book = tasks.establish_truth(quote(desk), moment)
    challenger = tasks.retrain(
        quote(desk), quote(book), case_type, _all(answers, pattern_id), _all(features, feature)
    )
    publish(f"retrain-{case_type}", challenger.note, challenger_table(challenger))
    if challenger.corrections:
        corrected = correction_table(challenger.corrections)
        publish(f"retrain-{case_type}-features", "Contributions before and after.", corrected)
    told: dict[str, Any] = challenger.plain()
    return told


def _all(several: list[str] | None, one: str | None) -> list[str]:
    return list(dict.fromkeys([*(several or ()), *([one] if one else ())]))
