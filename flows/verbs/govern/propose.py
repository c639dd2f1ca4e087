"""Propose or narrow: what a certificate may change by itself, as a ledger entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from configs.errors import GateRefused
from flows.verbs.ab.trial_days import trial_days
from flows.verbs.certify.certificate_life import is_due
from flows.verbs.certify.certify import Judged, policy_for
from flows.verbs.certify.expiry import renewal
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.beside_the_proof import beside_the_proof
from flows.verbs.govern.submit import answered, looking_again, submitted
from flows.verbs.ports import EvidenceServices, Ledger, NightServices
from models.hub import (
    Entry,
    EntryKind,
    Narrow,
    Policy,
    Propose,
    Refusal,
    approval_of,
    is_narrower,
    open_proposals,
    proven_ab,
    running_ab,
)
from models.hub.record.readers import concluded_salts, of
from models.hub.record.refusal import RefusalRule
from models.hub.rules.people import NIGHT
from models.vocabulary import CaseType, CertificateVerdict


def act_on(services: NightServices, judged: Judged, at: datetime) -> Entry | None:
    """File a proposal for a certified boundary, or for one that is proven again before it expires;
    narrow a refuted one; otherwise nothing.

    Widening waits for a second person; narrowing does not (METHODS 1).

    Raises:
        GateRefused: a proposal's certificate would end before it could be live.
    """
    if not judged.may_propose:
        return None
    verdict = judged.certificate.verdict
    if verdict is CertificateVerdict.CERTIFIED:
        return _propose(
            services,
            judged,
            policy_for(services.ledger, services.registry, services.case_types, judged),
            at,
        )
    renewed = renewal(services.ledger, services.case_types, judged, at)
    if renewed is not None:
        return _propose(services, judged, renewed, at)
    if verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED:
        return looking_again(lambda: narrow_to(services.ledger, judged, NIGHT, at))
    return None


def waiting(ledger: Ledger, case_type: str) -> tuple[Entry, ...]:
    """Proposals of a case type that nobody has judged yet."""
    return open_proposals(ledger.history(), case_type)


def narrow_to(ledger: Ledger, judged: Judged, actor: str, at: datetime) -> Entry | None:
    """Narrow the live boundary to the judged certificate's; None where that would not narrow it."""
    incumbent = ledger.live_policy(judged.case_type)
    boundary = judged.certificate.boundary
    if incumbent is None or not is_narrower(boundary, than=incumbent.boundary):
        return None
    command = Narrow(
        case_type=judged.case_type,
        incumbent=incumbent,
        narrowed=replace(incumbent, boundary=boundary),
        actor=actor,
        base_version=last_version(ledger, judged.case_type),
        dossier={**judged.summary(), "evidence_until": judged.evidence_until.isoformat()},
    )
    return submitted(ledger, command, at)


def _propose(
    services: EvidenceServices, judged: Judged, policy: Policy, at: datetime
) -> Entry | None:
    if _waits_already(services.ledger, services.case_types, policy, at):
        return None
    generation = judged.generation
    command = Propose(
        case_type=judged.case_type,
        policy=policy,
        actor=NIGHT,
        base_version=last_version(services.ledger, judged.case_type),
        evidence_digest=judged.evidence_digest,
        evidence_since=None if generation is None else generation.cohort_since,
        evidence_until=judged.evidence_until,
        approvers=services.approvers_needed(judged.case_type),
        dossier={
            **judged.summary(),
            **beside_the_proof(services, policy, NIGHT, as_of=at),
            "today": _sides(services.ledger.live_policy(judged.case_type)),
            "valid_until": policy.valid_until,
            "promised": services.case_types[judged.case_type].targets.named(),
            **_trial(services, judged, policy),
        },
    )
    said = answered(services.ledger, command, at)
    if not isinstance(said, Refusal):
        return said
    if said.rule is RefusalRule.CERTIFICATE_LASTS:
        # Proven, and of no use: the night is not green until somebody has set the days right.
        raise GateRefused(said.reason)
    return None


def _trial(services: EvidenceServices, judged: Judged, policy: Policy) -> dict[str, Any]:
    """The days that this traffic needs for the policy's A/B test; empty where there is none."""
    if policy.ab_plan is None or judged.given is None:
        return {}
    days = trial_days(services, judged.given, policy)
    return {} if days is None else {"ab_days": days}


def _sides(live: Policy | None) -> dict[str, float | None] | None:
    """What the proposed boundary would replace, for who reads the proposal."""
    return None if live is None else asdict(live.boundary)


def _waits_already(
    ledger: Ledger, case_types: Mapping[str, CaseType], policy: Policy, at: datetime
) -> bool:
    """The same policy but for its expiry waits or is approved, and will last, or it is on trial: a
    stream that proves it every night would file another one every night."""
    if _on_its_way(ledger, case_types, policy, at):
        return True
    waits = [ledger.policy(str(one.policy_id)) for one in waiting(ledger, policy.case_type)]
    return any(
        one != policy
        and replace(one, valid_until=policy.valid_until) == policy
        and not is_due(case_types, one, at)
        for one in waits
    )


def _on_its_way(
    ledger: Ledger, case_types: Mapping[str, CaseType], policy: Policy, at: datetime
) -> bool:
    """Whether the same policy, but for its expiry and the salt of its test, is on trial, or is approved
    and not promoted yet."""
    history = ledger.history()
    trial = running_ab(history, policy.case_type)
    if trial is not None and _same(ledger.policy(str(trial.policy_id)), policy):
        return True
    proposed = {
        str(entry.policy_id)
        for entry in of(history, policy.case_type)
        if entry.kind is EntryKind.PROPOSED
    }
    approved = [
        ledger.policy(name)
        for name in sorted(proposed)
        if approval_of(history, policy.case_type, name) is not None
    ]
    return any(
        one != policy
        and _same(one, policy)
        and _may_go_on(history, one)
        and not is_due(case_types, one, at)
        for one in approved
    )


def _same(one: Policy, other: Policy) -> bool:
    plans = (one.ab_plan, other.ab_plan)
    if (plans[0] is None) != (plans[1] is None):
        return False
    if (
        plans[0] is not None
        and plans[1] is not None
        and replace(plans[0], salt=plans[1].salt) != plans[1]
    ):
        return False
    return replace(one, valid_until=other.valid_until, ab_plan=other.ab_plan) == other


def _may_go_on(history: Sequence[Entry], policy: Policy) -> bool:
    """Whether it may still go on: without a test, with one that is proven, or with one that can begin,
    as its salt is not that of a concluded one."""
    plan, name = policy.ab_plan, policy.case_type
    if plan is None or proven_ab(history, name, policy.policy_id) is not None:
        return True
    return plan.salt not in concluded_salts(history, name)
