"""File a challenger: register it with its lineage, and put it under test unless the gate says no."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from flows.adapters.evidence.evidence_erasure import without_erased
from flows.verbs.certify.generation import (
    CARRIES_OVER,
    RESERVE,
    last_version,
    reserve_begins,
    scored_elsewhere,
)
from flows.verbs.decide.shadow import score_in_shadow
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.house.aliases import follow_ledger
from flows.verbs.learn.challenge import Challenge
from flows.verbs.learn.challenger import Challenger, Fitted
from flows.verbs.learn.challenger_runs import log_challenger
from flows.verbs.learn.lineage import lineage
from flows.verbs.learn.training_rows import TrainingRows
from flows.verbs.ports import EvidenceStore, Ledger, TrainingServices
from models.boundary.proof.hindsight import plug_in_boundary
from models.hub import Refusal, StartGeneration
from models.hub.policies.external import SHADOW
from models.hub.rules.people import RETRAIN
from models.risk import TrainingPlan
from models.vocabulary import CaseType


def asked_on(
    case_types: Mapping[str, CaseType], training_plan: TrainingPlan, rows: TrainingRows
) -> str:
    """SHA-256 of what a retrain was asked on: every row that was known, and how it is to be fitted.
    The same twice is one retrain (FAULTS 58)."""
    how = [repr(training_plan), *case_types[rows.case_type].feature_names]
    return hashlib.sha256("\n".join([rows.known, *how]).encode()).hexdigest()


def file_challenger(
    services: TrainingServices,
    snapshot: EvidenceSnapshot,
    rows: TrainingRows,
    fitted: Fitted,
    answers: Sequence[str],
    *,
    thorough: bool,
) -> Challenger:
    """Register in MLflow; score in shadow what may certify it; file in the ledger.

    A model that the gate turns down keeps its version and its runs, and nothing else happens: the
    present model's evidence goes on as it was (docs/adr/0013).

    Args:
        answers: the pattern ids of the findings that it answers.
    """
    told = lineage(services, snapshot, rows, fitted.choice, answers)
    version, page = log_challenger(
        services.registry, services.alerts, rows, fitted, told, thorough=thorough
    )
    if fitted.turned_down:
        refused = "the gate said no, so the present model stays under test."
        return Challenger.of(rows.case_type, fitted, version, refused, page)
    # Scores first: whoever is killed in between fits and scores the same again, and a model that the
    # ledger knows has its scores, for a retrain asked twice is refused (FAULTS 58).
    _shadow_scores(services.ledger, services.store, snapshot, rows, fitted)
    refused = _start_generation(
        services.ledger,
        services.case_types,
        services.training_plan,
        snapshot,
        rows,
        fitted,
        version,
        told,
    )
    if not refused:
        follow_ledger(
            services.ledger, services.registry, services.alerts, rows.case_type, snapshot.as_of
        )
    return Challenger.of(rows.case_type, fitted, version, refused, page)


def _start_generation(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    training_plan: TrainingPlan,
    snapshot: EvidenceSnapshot,
    rows: TrainingRows,
    fitted: Fitted,
    version: str,
    told: Mapping[str, Any],
) -> str:
    """Tell the ledger; why it refused, or ""."""
    trained, compared = fitted.choice.trained, fitted.challenge
    tuned = plug_in_boundary(
        trained.later_scores, trained.later_bad, case_types[rows.case_type].targets
    )
    filed = ledger.submit(
        StartGeneration(
            case_type=rows.case_type,
            model_digest=trained.model.digest,
            actor=RETRAIN,
            base_version=last_version(ledger, rows.case_type),
            dossier={
                "model_version": version,
                **({SHADOW: True} if scored_elsewhere(case_types, rows.case_type) else {}),
                "learned_before": rows.learned_before.isoformat(),
                "trained_before": rows.trained_before.isoformat(),
                "lineage": dict(told),
                "asked_on": asked_on(case_types, training_plan, rows),
                CARRIES_OVER: True,
                **({RESERVE: rows.reserve} if rows.reserve else {}),
                "learned_rows": rows.digests()["learned"],
                "rows": trained.rows,
                "later_auc": trained.later_auc,
                "verdict": fitted.verdict,
                "compared": fitted.sentence(),
                "corrections": [one.plain() for one in compared.corrections]
                if isinstance(compared, Challenge)
                else [],
                "tuned_once": {
                    "pass_at_or_below": tuned.pass_at_or_below,
                    "block_at_or_above": tuned.block_at_or_above,
                },
            },
        ),
        snapshot.as_of,
    )
    return filed.reason if isinstance(filed, Refusal) else ""


def _shadow_scores(
    ledger: Ledger,
    store: EvidenceStore,
    snapshot: EvidenceSnapshot,
    rows: TrainingRows,
    fitted: Fitted,
) -> None:
    """What may certify it: every case opened since it was cut off, and the reserve before."""
    model = fitted.choice.trained.model
    begins = reserve_begins(ledger, rows.case_type)
    since = rows.trained_before if begins is None else min(begins[0], rows.trained_before)
    stored = store.read(
        "decisions",
        columns=["case_id", "opened_at", *model.feature_names],
        filters={"case_type": [rows.case_type]},
        since=since,
        stamp="opened_at",
        as_of=snapshot.as_of,
    )
    later = (stored["opened_at"] >= pd.Timestamp(rows.trained_before)).to_numpy(dtype=np.bool_)
    aside = stored["case_id"].isin(rows.set_aside).to_numpy(dtype=np.bool_)
    cases = without_erased(stored[later | aside])
    score_in_shadow(store, rows.case_type, model, cases, snapshot.as_of, snapshot.as_of)
