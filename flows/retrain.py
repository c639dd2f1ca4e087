"""Fit a challenger on all mature truth and compare it; it scores in shadow and moves no live decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow

from flows.orchestration.artifacts import publish, publish_retrain
from flows.orchestration.run_names import of_case_type
from flows.orchestration.tasks import run
from flows.verbs.causes.tickets import due_patterns, to_answer
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.learn.train import retrain as train
from flows.verbs.live import night_of, open_services


@flow(name="retrain", flow_run_name=of_case_type("retrain"), persist_result=False)
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

    Started for a pattern, it answers that ticket and every other open one of the case type that
    asks for a retrain; where a challenger answers it already, nothing is fitted.

    Args:
        case_type: which one, as configured in configs/case_types/.
        answers: pattern ids of the findings that it answers.
        features: those whose contributions are shown before and after.
        pattern_id: the ticket that asks for it (see `ratchet tickets`); an event names one.
        feature: one more feature to show; an event names the one its ticket blames.
        as_of: train on what was known by then (with a time zone); empty: now.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    moment = night_of(as_of)
    services = run(open_services, profile)
    due = run(to_answer, services, case_type, pattern_id) if pattern_id else []
    if pattern_id and not due:
        note = f"{case_type}: {pattern_id} is answered by a challenger already; nothing was fitted."
        told: dict[str, Any] = {"case_type": case_type, "pattern_id": pattern_id, "version": None}
        publish(f"retrain-{case_type}", note, [told])
        return {**told, "note": note}
    snapshot = run(load_snapshot, services, moment)
    told_of = due_patterns(
        services.case_types, case_type, due, answers or (), [*(features or ()), feature]
    )
    challenger = run(train, services, snapshot, case_type, *told_of)
    publish_retrain(challenger)
    whole: dict[str, Any] = challenger.plain()
    return whole
