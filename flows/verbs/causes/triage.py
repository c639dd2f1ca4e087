"""Triage: why did the deciding model err on the reviewed cases of each case type?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.certify.generation import Generation, champion_generation, current_generation
from flows.verbs.decide.contributions import PHI, contributions_for, delivered_contributions
from flows.verbs.evidence.truth import FIRST_REVIEWS, EvidenceSnapshot
from flows.verbs.ports import EvidenceServices, EvidenceStore, ModelRegistry, NightServices
from models.triage import Diagnosis, TriageEvidence, diagnose, findings_of
from models.vocabulary import CaseType, Finding

_NOTES = ("feedback_path", "root_cause", "sop_clause", "annotation", "language")
_MOST_LEVELS = 20
_NEAREST = 1e-15
"""A score of exactly 0 or 1 has no log-odds; it is taken to lie this close."""


@dataclass(frozen=True, slots=True)
class Triaged:
    """One case type's diagnosis on one night, the model it is about, and its findings."""

    case_type: str
    model_version: str | None
    cases: int
    diagnosis: Diagnosis
    findings: tuple[Finding, ...]

    def summary(self) -> dict[str, Any]:
        """For a dossier: plain values, no row."""
        found = self.diagnosis
        return {
            "case_type": self.case_type,
            "model_version": self.model_version,
            "cause": found.cause.value,
            "cases": self.cases,
            "errors": found.errors,
            "expected_errors": found.expected_errors,
            "findings": [one.sentence for one in self.findings],
            "not_judged": [
                f"{one.feature or 'everything'} ({one.slice}): {one.why}" for one in found.unjudged
            ],
        }


def triage_case_type(
    services: NightServices, snapshot: EvidenceSnapshot, case_type: str
) -> Triaged:
    """Diagnose a case type on the mature, labelled cases that its deciding model scored and did not
    learn from, of the last `triage.window_days` days (METHODS 4)."""
    generation = champion_generation(
        services.ledger, services.case_types, case_type
    ) or current_generation(services.ledger, services.case_types, case_type)
    rows = _labelled(services, snapshot, case_type, generation)
    if rows.empty:
        nothing = Diagnosis.of_nothing(0, "no labelled case of the deciding model is mature yet")
        return Triaged(case_type, generation.version if generation else None, 0, nothing, ())
    scored = generation is not None and bool((rows["model_version"] == generation.version).all())
    evidence = _evidence(
        services.store,
        services.registry,
        services.case_types,
        snapshot,
        case_type,
        rows,
        generation if scored else None,
    )
    diagnosis = diagnose(evidence, services.triage)
    found = findings_of(case_type, evidence, diagnosis, services.case_types[case_type].costs)
    version = str(rows["model_version"].iloc[-1])
    return Triaged(case_type, version, len(rows), diagnosis, tuple(found))


def _labelled(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    case_type: str,
    generation: Generation | None,
) -> pd.DataFrame:
    """Mature cases with score and truth by one model: the deciding one if it is ours, else the one
    with the most cases (an agent that brings its own scores)."""
    since = snapshot.as_of - timedelta(days=services.triage_window_days)
    if generation is not None:
        since = max(since, generation.trained_before)
    rows = snapshot.mature(services, case_type, since)
    rows = rows[(rows["bad"].notna() & rows["score"].notna()).to_numpy()]
    if rows.empty:
        return rows
    versions = rows["model_version"].astype("str")
    if generation is not None and (versions == generation.version).any():
        mine = generation.version
    else:
        mine = str(versions.value_counts().index[0])
    return rows[(versions == mine).to_numpy()].reset_index(drop=True)


def _evidence(
    store: EvidenceStore,
    registry: ModelRegistry,
    case_types: Mapping[str, CaseType],
    snapshot: EvidenceSnapshot,
    case_type: str,
    rows: pd.DataFrame,
    generation: Generation | None,
) -> TriageEvidence:
    features = list(case_types[case_type].feature_names)
    since = rows["opened_at"].iloc[0].to_pydatetime()
    raw = _joined(rows, _features(store, case_types, snapshot, case_type, since), features)
    score = np.clip(rows["score"].to_numpy(dtype=np.float64), _NEAREST, 1.0 - _NEAREST)
    margin = np.asarray(logit(score), dtype=np.float64)
    contributions = None
    if generation is None or generation.external:
        contributions = delivered_contributions(store, case_types, snapshot, case_type, rows)
    else:
        phi = contributions_for(
            store, registry, case_types, case_type, generation, rows, raw, snapshot.as_of
        )
        contributions = phi.rename(columns=lambda name: name.removeprefix(PHI))
    segments = {
        name: raw[name].astype("str").to_numpy(dtype=object)
        for name in case_types[case_type].segments
        if name in raw and raw[name].nunique() <= _MOST_LEVELS
    }
    notes = _joined(rows, _first_notes(store, snapshot, since), list(_NOTES))
    evidence = TriageEvidence(
        margin, rows["bad"].to_numpy() == 1.0, contributions, raw, segments, notes
    )
    if contributions is None:
        return evidence
    # A case whose stored features the model cannot read (corrected since) says nothing about it.
    return evidence.rows(contributions.notna().all(axis="columns").to_numpy(dtype=np.bool_))


def _features(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    snapshot: EvidenceSnapshot,
    case_type: str,
    since: datetime,
) -> pd.DataFrame:
    return store.read(
        "decisions",
        columns=list(case_types[case_type].feature_names),
        filters={"case_type": [case_type]},
        since=since,
        stamp="opened_at",
        as_of=snapshot.as_of,
        numbered=True,
    )


def _first_notes(store: EvidenceStore, snapshot: EvidenceSnapshot, since: datetime) -> pd.DataFrame:
    """What the first reviewer of each case wrote (later reviews judge the reviewer, not the agent)."""
    if not store.counts("reviews")[0]:
        return pd.DataFrame({CASE_NUMBER: pd.Series(dtype="int64")})
    reviews = store.read(
        "reviews",
        columns=["kind", "revision", *_NOTES],
        since=since,
        stamp="resolved_at",
        as_of=snapshot.as_of,
        categories=["kind", "feedback_path", "root_cause", "sop_clause", "language"],
        numbered=True,
    )
    first = reviews[reviews["kind"].isin(FIRST_REVIEWS)]
    return first.sort_values("revision", kind="stable")


def _joined(rows: pd.DataFrame, table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The last row of `table` for each case, in the order of `rows`; missing where there is none."""
    latest = table[~table[CASE_NUMBER].duplicated(keep="last").to_numpy()]
    at = pd.Index(latest[CASE_NUMBER]).get_indexer(pd.Index(rows[CASE_NUMBER]))
    found: pd.DataFrame = latest.reindex(columns=columns).reset_index(drop=True)
    if found.empty:
        return found.reindex(range(len(rows)))
    return found.take(np.maximum(at, 0)).reset_index(drop=True).where(pd.Series(at >= 0))
