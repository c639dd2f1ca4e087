"""What if: replay a threshold move on past cases, and what it would do to errors, queue and SLA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import UserError
from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.certify.generation import (
    Generation,
    champion_generation,
    current_generation,
    looked_by,
)
from flows.verbs.certify.live_proof import live_proof
from flows.verbs.certify.peek import Peek, peek
from flows.verbs.decide.decide import policy_in_force
from flows.verbs.evidence.cohort_rows import reads_from
from flows.verbs.evidence.truth import EvidenceSnapshot, load_snapshot
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import EvidenceServices, EvidenceStore, Ledger, NightServices
from flows.verbs.whatif.move_evidence import near_the_boundary, proven, risk_curves
from flows.verbs.whatif.queue_replay import desk_figures
from models.hub.policies.policy import Policy
from models.replay.cheapest_boundary import cheapest_boundary
from models.replay.replay import replay
from models.vocabulary import Boundary, CaseType


def replay_move(
    services: NightServices,
    case_type: str,
    pass_at_or_below: float | None,
    block_at_or_above: float | None,
    as_of: datetime,
    days: int = 28,
    best: bool = False,
) -> dict[str, Any]:
    """Today's boundary against a moved one, on the cases the model scored in `days` days.

    Decisions are counted exactly; errors are estimated from the labelled cases with their designed
    weights, and a band without a label is named as unsupported. Beside them stand the limits that
    the present evidence proves, at the confidence of the next look: a peek, which spends no look
    and proposes nothing; and the proof that the live boundary rests on, as it was filed (`proof`).

    Args:
        best: move to the widest boundary that the present evidence certifies, for the model under
            test, instead of a given one. Where there is none, `moved`, `replay` and `queue` are
            None and `certificate` names the price.

    Raises:
        UserError: the case type or the boundary cannot be used, or there is nothing to replay.
    """
    known_case_type(services.case_types, case_type)
    if best and (pass_at_or_below is not None or block_at_or_above is not None):
        raise UserError(
            "the best certified move and a given boundary were both asked for; ask for one of them."
        )
    try:
        asked = Boundary(pass_at_or_below, block_at_or_above)
    except ValueError as wrong:
        raise UserError(str(wrong)) from None
    current = policy_in_force(services.ledger, services.registry, services.case_types, case_type)
    live = services.ledger.live_policy(case_type)
    generation = (
        champion_generation(services.ledger, services.case_types, case_type)
        if live is not None and not best
        else current_generation(services.ledger, services.case_types, case_type)
    )
    if generation is not None:
        generation = looked_by(services.ledger, generation, as_of)
    since = as_of - timedelta(days=days + services.case_types[case_type].maturity_days)
    snapshot = load_snapshot(services, as_of, _earlier(services.ledger, since, generation))
    seen = peek(services, snapshot, case_type, generation) if generation is not None else None
    if best and seen is None:
        raise UserError(
            f"{case_type}: the best certified move was asked for, but no mature, labelled case has "
            "been scored by the model under test yet. Ask again later, or give a boundary."
        )
    told = {
        "case_type": case_type,
        "as_of": as_of.isoformat(),
        "best": best,
        "days": days,
        "current": asdict(current.boundary),
        "certificate": seen.summary() if seen else None,
        "proof": live_proof(services.ledger, case_type),
    }
    moved = seen.certificate.boundary if best and seen and seen.found else None if best else asked
    replayed: dict[str, Any] = {"moved": None, "replay": None, "cheapest": None, "queue": None}
    if moved is not None:
        rows = _rows(services, snapshot, case_type, current, seen if best else None, since)
        replayed = _replayed(services.case_types, case_type, rows, current.boundary, moved)
    same_model = seen is not None and seen.generation.digest == current.model_digest
    today = current.boundary if same_model else None
    around = {
        "limits": proven(seen, today, moved),
        "curves": risk_curves(seen, today, moved),
        "reliability": near_the_boundary(seen, today, moved),
    }
    return told | replayed | around


def _replayed(
    case_types: Mapping[str, CaseType],
    case_type: str,
    rows: pd.DataFrame,
    current: Boundary,
    moved: Boundary,
) -> dict[str, Any]:
    own, score, bad, propensity = (
        rows[name].to_numpy(np.float64) for name in ("own_score", "score", "bad", "propensity")
    )
    automatable = rows["automatable"].to_numpy(np.bool_)
    costs = case_types[case_type].costs
    told = replay(own, bad, propensity, automatable, current, moved, costs, moved_scores=score)
    cheapest = cheapest_boundary(score, bad, costs, propensity, automatable)
    return {
        "cases": len(rows),
        "moved": asdict(moved),
        "automation_rate": {
            "current": told.before.automation_rate,
            "moved": told.after.automation_rate,
        },
        "replay": asdict(told),
        "cheapest": {**asdict(cheapest.boundary), "loss_usd": cheapest.loss_usd},
        "queue": {
            "current": _queue(case_types, case_type, rows, rows["own_score"], current),
            "moved": _queue(case_types, case_type, rows, rows["score"], moved),
        },
    }


def _rows(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    case_type: str,
    current: Policy,
    seen: Peek | None,
    since: datetime,
) -> pd.DataFrame:
    """Mature cases of the window that the deciding model scored (`own_score`), with the `score` that
    the moved boundary is about: the same, or that of the newer model under test.

    Raises:
        UserError: there is none.
    """
    own = snapshot.mature(services, case_type, since)
    own = own.assign(
        own_score=_own_scores(
            services.ledger, services.store, services.case_types, snapshot, case_type, current, own
        )
    )
    if seen is not None and seen.generation.digest != current.model_digest:
        scored = seen.frame[["case_id", "score", "automatable"]]
        rows = own.drop(columns=["score", "automatable"]).merge(scored, on="case_id")
    else:
        rows = own.assign(score=own["own_score"])
    rows = rows[rows["own_score"].notna() & rows["score"].notna()].reset_index(drop=True)
    if rows.empty:
        raise UserError(
            f"{case_type}: no mature case was scored by the model in force since "
            f"{since.date().isoformat()}, so there is nothing to replay. Ask again later, or for "
            "more days."
        )
    return rows


def _own_scores(
    ledger: Ledger,
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    snapshot: EvidenceSnapshot,
    case_type: str,
    current: Policy,
    rows: pd.DataFrame,
) -> pd.Series:
    """What the model in force said of each case: when it decided it, or in shadow, whoever decided it
    (people, in an imported past), unless it may have learned from the case; missing: it said nothing.
    """
    said = rows["score"].where(rows["model_version"] == current.model_version)
    known = (
        current_generation(ledger, case_types, case_type),
        champion_generation(ledger, case_types, case_type),
    )
    own = next((one for one in known if one and one.digest == current.model_digest), None)
    if own is None or rows.empty:
        return said
    unseen = rows["opened_at"] >= pd.Timestamp(own.trained_before)
    shadow = pd.Series(snapshot.shadow_scores(store, own.digest, rows[CASE_NUMBER]), rows.index)
    return said.fillna(shadow.where(unseen))


def _queue(
    case_types: Mapping[str, CaseType],
    case_type: str,
    rows: pd.DataFrame,
    scores: pd.Series,
    boundary: Boundary,
) -> dict[str, Any]:
    score = scores.to_numpy(np.float64)
    automatic = np.zeros(len(rows), dtype=np.bool_)
    if boundary.pass_at_or_below is not None:
        automatic |= score <= boundary.pass_at_or_below
    if boundary.block_at_or_above is not None:
        automatic |= score >= boundary.block_at_or_above
    reviewed = pd.Series(~(automatic & rows["automatable"].to_numpy()), index=rows.index)
    return desk_figures(rows, reviewed, {case_type: case_types[case_type]})[case_type]


def _earlier(ledger: Ledger, since: datetime, generation: Generation | None) -> datetime:
    """A peek needs the evidence since it began, however short the window of the replay."""
    return since if generation is None else min(since, reads_from(ledger, generation))
