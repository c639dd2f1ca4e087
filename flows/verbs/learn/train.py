"""Retrain: fit a challenger on all mature truth as of a moment, compare it, register it, file it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from configs.errors import ServiceUnreachable, UserError
from flows.verbs.causes.tickets import known_tickets
from flows.verbs.certify.generation import started_entry
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.learn.challenge import Terms, challenge, terms_of
from flows.verbs.learn.challenger import NOT_COMPARED, Challenger, Fitted
from flows.verbs.learn.file_challenger import asked_on, file_challenger
from flows.verbs.learn.lineage import chosen
from flows.verbs.learn.training_rows import TrainingRows, training_rows
from flows.verbs.ports import Ledger, TrainingServices
from models.risk import TrainingPlan
from models.vocabulary import CaseType


def retrain(
    services: TrainingServices,
    snapshot: EvidenceSnapshot,
    case_type: str,
    answers: Sequence[str] = (),
    features: Sequence[str] = (),
) -> Challenger:
    """Fit a challenger, compare it with today's model, and file it as a new generation unless it is
    significantly worse; no live decision changes (METHODS 1).

    Args:
        answers: the pattern ids of the findings that it answers.
        features: those whose contributions are shown before and after.

    Raises:
        UserError: the case type is not configured, or it has no such feature or ticket; nothing was
            fitted.
    """
    known_case_type(services.case_types, case_type)
    known_tickets(services, case_type, answers)
    return _retrain(services, snapshot, [case_type], answers, features, thorough=True)[0]


def retrain_all(
    services: TrainingServices, snapshot: EvidenceSnapshot, case_types: Sequence[str]
) -> list[Challenger]:
    """`retrain` for several case types of a walk: fitted side by side, registered and filed in
    their order; fewer draws, no page and few writes. Where MLflow does not answer there is no new
    generation, an alert says so, and the walk goes on.

    Raises:
        UserError: a case type is not configured.
    """
    return _retrain(services, snapshot, case_types, (), (), thorough=False)


def _retrain(
    services: TrainingServices,
    snapshot: EvidenceSnapshot,
    case_types: Sequence[str],
    answers: Sequence[str],
    features: Sequence[str],
    *,
    thorough: bool,
) -> list[Challenger]:
    for name in case_types:
        _refuse_unknown(services.case_types, name, features)
    rows = [training_rows(services, snapshot, name) for name in case_types]
    again = (
        [
            _asked_before(services.ledger, services.case_types, services.training_plan, one)
            for one in rows
        ]
        if thorough
        else [""] * len(rows)
    )
    if any(again):
        return [Challenger.none(one, why) for one, why in zip(rows, again, strict=True)]
    terms = [terms_of(services, snapshot, one, features, thorough=thorough) for one in rows]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as fitting:
        fitted = list(fitting.map(partial(_fit, services.training_plan), rows, terms))
    return [
        _filed(services, snapshot, learned, one, answers, thorough)
        if isinstance(one, Fitted)
        else Challenger.none(learned, one)
        for learned, one in zip(rows, fitted, strict=True)
    ]


def _asked_before(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    training_plan: TrainingPlan,
    rows: TrainingRows,
) -> str:
    """Why the same retrain again makes no second challenger, or "": the first one is under test."""
    started = started_entry(ledger, rows.case_type)
    if started is None or started.dossier.get("asked_on") != asked_on(
        case_types, training_plan, rows
    ):
        return ""
    # A first model that was shown a part of its past may be answered from the whole of it.
    same = started.dossier["learned_rows"] == rows.digests()["learned"]
    if started.dossier["verdict"] == NOT_COMPARED and not same:
        return ""
    return (
        f"Nothing came in since the retrain of {started.at:%Y-%m-%d %H:%M}: on the same rows there is "
        f"no second challenger, and version {started.dossier['model_version']} stays under test. Ask again once labels came in, "
        "or with other settings of `training`."
    )


def _filed(
    services: TrainingServices,
    snapshot: EvidenceSnapshot,
    rows: TrainingRows,
    fitted: Fitted,
    answers: Sequence[str],
    thorough: bool,
) -> Challenger:
    """A person who asked for a retrain hears why there is none; a walk goes on without it."""
    try:
        return file_challenger(services, snapshot, rows, fitted, answers, thorough=thorough)
    except ServiceUnreachable as silent:
        if thorough:
            raise
        why = f"{rows.case_type}: a model was fitted and could not be registered. {silent}"
        services.alerts.send("model_not_registered", rows.case_type, why, snapshot.as_of)
        return Challenger.none(rows, why)


def _fit(training_plan: TrainingPlan, rows: TrainingRows, terms: Terms) -> Fitted | str:
    """A model and how it compares, or why none could be fitted."""
    try:
        choice = chosen(rows, terms.case_type.features, training_plan)
    except ValueError as too_little:
        return f"No model was fitted: {too_little}"
    if rows.present is None or rows.not_compared:
        return Fitted(choice, rows.not_compared or "there is no present model")
    return Fitted(choice, challenge(terms, rows, rows.present, choice.trained.model))


def _refuse_unknown(
    case_types: Mapping[str, CaseType], case_type: str, features: Sequence[str]
) -> None:
    known_case_type(case_types, case_type)
    known = case_types[case_type].feature_names
    unknown = [name for name in features if name not in known]
    if unknown:
        raise UserError(
            f"{case_type} has no feature {', '.join(unknown)}; it has {', '.join(known)}."
        )
