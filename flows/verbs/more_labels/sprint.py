"""Sprint: what would more audits for a time cost and bring, and may they be asked for? (METHODS 2)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused, UserError
from flows.verbs.certify.earliest_evidence import earliest_evidence
from flows.verbs.certify.generation import current_generation, last_version
from flows.verbs.certify.inputs import (
    TRAFFIC_DAYS,
    CertificationInputs,
    certification_inputs,
    lasting_rate,
)
from flows.verbs.certify.look import sequence_of
from flows.verbs.evidence.truth import EvidenceSnapshot, load_snapshot
from flows.verbs.govern.beside_the_proof import beside_the_proof
from flows.verbs.govern.submit import submitted
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import EvidenceServices
from models.boundary.price import price_words
from models.boundary.price.notch_price import NotchPrice
from models.hub import Entry, Policy, ProposeSprint
from models.hub.rules.sprints import sprint_of
from models.label_cost.sprint_cost import SprintCost, Traffic, days_to_pay, sprint_cost
from models.vocabulary import Boundary


@dataclass(frozen=True)
class Priced:
    """A case type's next notches, what its audits are drawn from, and the rate beside any sprint.

    Attributes:
        live: the policy in force; None: every case is reviewed.
        prices: by zone; empty before the first label.
        traffic: None where nothing is decided automatically, or no case came lately.
    """

    case_type: str
    live: Policy | None
    given: CertificationInputs
    prices: Mapping[str, NotchPrice]
    traffic: Traffic | None
    rate: float


@dataclass(frozen=True)
class SprintAsked:
    """A sprint with its cost; nothing is filed yet."""

    priced: Priced
    policy: Policy
    until: datetime
    cost: SprintCost

    def plain(self) -> dict[str, Any]:
        """Plain values, for a dossier and JSON."""
        return {
            "case_type": self.priced.case_type,
            "until": self.until.isoformat(),
            **self.cost.plain(),
        }


def priced(services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str) -> Priced:
    """The price of a case type's next notches, as tonight's certificate would name it; nothing is spent.

    Raises:
        GateRefused: there is no model, or the audit secret or the model is not at hand.
    """
    generation = current_generation(services.ledger, services.case_types, case_type)
    if generation is None:
        raise GateRefused(
            f"{case_type} has no model yet, so no notch has a price; `ratchet retrain` fits one."
        )
    given, live = (
        certification_inputs(services, snapshot, generation),
        services.ledger.live_policy(case_type),
    )
    rate = lasting_rate(live)
    prices: Mapping[str, NotchPrice] = {}
    if len(given.frame) and given.frame["bad"].notna().any():
        sequence, _ = sequence_of(given)
        prices = sequence.price(
            cases_per_day=given.cases_per_day or None,
            incumbent=given.incumbent or Boundary.everything_reviewed(),
            rate=rate,
        )
    decided = 0.0 if live is None else _decided_lately(snapshot, case_type, live)
    minutes = services.case_types[case_type].staffing.handling_minutes
    traffic = (
        Traffic(given.cases_per_day, decided, minutes)
        if decided > 0.0 and given.cases_per_day > 0.0
        else None
    )
    return Priced(case_type, live, given, prices, traffic, rate)


def sprint_asked(
    services: EvidenceServices,
    case_type: str,
    now: datetime,
    *,
    rate: float = 1.0,
    labels: int | None = None,
    until: datetime | None = None,
) -> SprintAsked | None:
    """A sprint's cost and what it is expected to prove; asking files nothing.

    Args:
        labels: it lasts until so many audits are drawn at the present traffic.
        until: it lasts until then (tz-aware). Neither: until the dearest provable notch is paid.

    Returns:
        None where neither was said and no notch is left to pay for.

    Raises:
        UserError: no such case type, nothing is decided automatically, the rate is no higher than
            today's, or the end is no later than now.
        GateRefused: see `priced`.
    """
    found = _priced_now(services, case_type, now)
    if found.live is None or found.traffic is None:
        raise UserError(
            f"a sprint was asked for {case_type}, and none of its cases is decided automatically: every "
            "case is reviewed, and its labels come by themselves."
        )
    if until is not None:
        days: float | None = (until - now) / timedelta(days=1)
    elif labels is not None:
        days = found.traffic.days(labels, rate)
    else:
        days = days_to_pay(found.prices, found.traffic, rate)
    if days is None:
        return None
    if labels is not None or until is not None:
        _refuse_no_time(case_type, days, rate)
    plain_rate = found.live.audit.cohort_rates(found.live.boundary)[0]
    try:
        cost = sprint_cost(found.prices, found.traffic, rate, plain_rate, days)
        end = until or now + timedelta(days=days)
        policy = sprint_of(found.live, rate, end)
    except (ValueError, OverflowError) as wrong:
        raise UserError(f"a sprint of {case_type} was asked for: {wrong}.") from None
    return SprintAsked(found, policy, end, cost)


def file_sprint(services: EvidenceServices, asked: SprintAsked, actor: str, now: datetime) -> Entry:
    """The proposal of a sprint, for a second person to approve and promote as any other.

    Raises:
        GateRefused: the ledger refuses (a trial runs, it waits already, the live policy changed).
    """
    found = asked.priced
    assert found.live is not None
    boundary, share = found.live.boundary, found.traffic.decided if found.traffic else None
    command = ProposeSprint(
        case_type=found.case_type,
        live=found.live,
        sprint=asked.policy,
        actor=actor,
        base_version=last_version(services.ledger, found.case_type),
        evidence_digest=found.given.digest,
        approvers=services.approvers_needed(found.case_type),
        dossier={
            "reasons": [
                "A sprint: the boundary stays as it is, and more of its decisions are audited for a time.",
                *asked.cost.sentences,
            ],
            "sprint_cost": asked.plain(),
            "automation_rate": share,
            "today": {
                "pass_at_or_below": boundary.pass_at_or_below,
                "block_at_or_above": boundary.block_at_or_above,
            },
            **beside_the_proof(services, asked.policy, actor, as_of=now),
        },
    )
    return submitted(services.ledger, command, now)


def _refuse_no_time(case_type: str, days: float, rate: float) -> None:
    """A sprint is a time from now on, and has an end that somebody can wait for."""
    why = ""
    if days <= 0.0:
        why = "that moment is past; give a later one"
    elif days > price_words.LONGEST:
        why = (
            f"at {price_words.percent(rate)} of the present traffic it would last {price_words.days(days)}, "
            "which is no sprint; ask for fewer labels, an earlier end or a higher --rate (`audit_rate` of "
            "the case type is what is audited for good)"
        )
    if why:
        raise UserError(f"a sprint of {case_type} was asked for, and {why}.")


def _priced_now(services: EvidenceServices, case_type: str, now: datetime) -> Priced:
    known_case_type(services.case_types, case_type)
    return priced(
        services,
        load_snapshot(
            services,
            now,
            earliest_evidence(services.ledger, services.case_types, services.hold_plan, now),
        ),
        case_type,
    )


def _decided_lately(snapshot: EvidenceSnapshot, case_type: str, live: Policy) -> float:
    """Share of the last weeks' cases that the live boundary decides, by the scores of its own model."""
    rows = snapshot.known(case_type)
    if rows.empty:
        return 0.0
    since = rows["opened_at"].iloc[-1] - pd.Timedelta(days=TRAFFIC_DAYS)
    scored = (rows["opened_at"] >= since) & (rows["model_version"] == live.model_version)
    rows = rows[scored.to_numpy(dtype=np.bool_)]
    if rows.empty:
        return 0.0
    low, high = live.boundary.pass_at_or_below, live.boundary.block_at_or_above
    score = rows["score"].to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        inside = score <= (-np.inf if low is None else low)
        inside |= score >= (np.inf if high is None else high)
    return float((inside & rows["automatable"].to_numpy(dtype=np.bool_)).mean())
