"""Certify: what does a case type's evidence prove tonight, and is today's boundary refuted?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from configs.errors import GateRefused
from flows.verbs.ab.trials import contradicted, fresh_plan
from flows.verbs.certify.certificate_life import FEWEST_FRESH, fresh_labels, is_due
from flows.verbs.certify.fallen_before import fell_before
from flows.verbs.certify.generation import Generation, champion_generation, current_generation
from flows.verbs.certify.inputs import CertificationInputs, certification_inputs, evidence_digest
from flows.verbs.certify.look import look
from flows.verbs.decide.live_automation import automation_now
from flows.verbs.evidence.truth import EvidenceSnapshot, evidence_for
from flows.verbs.govern.proposed_policy import advised_policy, planned_audit
from flows.verbs.govern.segment_figures import segment_figures
from flows.verbs.ports import EvidenceServices, Ledger, ModelRegistry
from models.boundary import CertificationSequence, Evidence, certify, delta_of_sequence, guard
from models.boundary.price.notch_price import NOTCH
from models.hub.policies.audit_plan import AuditPlan
from models.hub.policies.policy import Policy
from models.label_cost.audit_plan import PlannedAudit
from models.reviewers.gates import GATES
from models.vocabulary import Boundary, CaseType, Certificate, CertificateVerdict


@dataclass(frozen=True)
class Judged:
    """One case type's certificate, and what it rests on.

    fresh_labels: see `flows.verbs.certify.certificate_life`. given: where a boundary may be proposed.
    """

    case_type: str
    certificate: Certificate
    generation: Generation | None
    evidence_digest: str
    evidence_until: datetime
    rows: int
    labelled: int
    bad: int
    may_propose: bool
    audit: PlannedAudit | None = None
    segments: tuple[dict[str, Any], ...] = ()
    fresh_labels: int = 0
    given: CertificationInputs | None = field(default=None, repr=False, compare=False)

    def summary(self) -> dict[str, object]:
        """For a dossier: plain values, no row."""
        certificate = self.certificate
        return {
            "case_type": self.case_type,
            "verdict": certificate.verdict.value,
            "reasons": list(certificate.reasons),
            "pass_at_or_below": certificate.boundary.pass_at_or_below,
            "block_at_or_above": certificate.boundary.block_at_or_above,
            "automation_rate": certificate.automation_rate,
            "limits": dict(certificate.limits),
            "labels_needed": dict(certificate.labels_needed),
            "days_needed": [price.plain() for price in certificate.days_needed],
            "choices": {name: asdict(one) for name, one in certificate.choices.items()},
            "delta": certificate.delta,
            "rows": self.rows,
            "labelled": self.labelled,
            "bad": self.bad,
            "drawn_and_missing": certificate.drawn_and_missing,
            "model_version": self.generation.version if self.generation else None,
            "evidence_digest": self.evidence_digest,
            "audit_plan": list(self.audit.sentences) if self.audit else [],
            "segments": list(self.segments),
        }


def certify_case_type(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str
) -> Judged:
    """Judge the newest model of a case type on its cohort, which it did not learn from.

    One table of looks serves the model's whole life, whatever is promoted, narrowed or rolled back in
    between (METHODS 1.2): a night takes the looks that are due and says what stands proven.
    """
    generation = current_generation(services.ledger, services.case_types, case_type)
    until = snapshot.mature_until(services.case_types, services.second_review_takes, case_type)
    if generation is None:
        certificate = _before_any_label(services.case_types, case_type, None)
        why = ("There is no model for this case type yet.", certificate.reasons[0])
        unproven = replace(certificate, reasons=why)
        return Judged(case_type, unproven, None, "", until, 0, 0, 0, may_propose=False)
    given = certification_inputs(services, snapshot, generation)
    frame, live = given.frame, services.ledger.live_policy(case_type)
    sequence, audit = None, None
    if frame["bad"].notna().any():
        certificate, sequence, proposes = look(given)
        if proposes and live is not None and not generation.promoted:
            certificate, proposes = _against_champion(services, snapshot, case_type, certificate)
        if proposes:
            looked = (
                current_generation(services.ledger, services.case_types, case_type) or generation
            )  # with tonight's looks
            certificate, proposes = _against_its_past(
                services.ledger, services.case_types, looked, certificate, sequence, given
            )
        if proposes:
            audit = planned_audit(services.case_types, given, sequence, certificate)
    else:
        certificate = _before_any_label(services.case_types, case_type, given.incumbent)
        proposes = False
    told = proposes and certificate.verdict is CertificateVerdict.CERTIFIED
    known = frame[frame["in_cohort"].to_numpy(dtype=np.bool_)]
    return Judged(
        case_type=case_type,
        certificate=certificate,
        generation=generation,
        evidence_digest=given.digest,
        evidence_until=until,
        rows=len(known),
        labelled=int(known["bad"].notna().sum()),
        bad=int((known["bad"] == 1.0).sum()),
        may_propose=proposes,
        audit=audit,
        fresh_labels=fresh_labels(services.case_types, known, live),
        given=given if told else None,
        segments=tuple(
            segment_figures(
                services.store, services.case_types, case_type, known, certificate.boundary
            )
        )
        if told
        else (),
    )


def guard_champion(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str
) -> Judged | None:
    """An alarm for the live boundary, on any night and whichever model is under test; None while it
    holds."""
    champion, live = (
        champion_generation(services.ledger, services.case_types, case_type),
        services.ledger.live_policy(case_type),
    )
    if champion is None or live is None or live.boundary.automates_nothing:
        return None
    frame = evidence_for(services, snapshot, case_type, champion, refuting=True)
    if frame.empty:
        return None
    evidence = Evidence.from_frame(frame)
    targets = services.case_types[case_type].targets
    alarm = guard(
        evidence, replace(targets, delta=targets.delta / len(services.case_types)), live.boundary
    )
    if alarm is None:
        return None
    return Judged(
        case_type=case_type,
        certificate=alarm,
        generation=champion,
        evidence_digest=evidence_digest(frame, champion.digest),
        evidence_until=snapshot.mature_until(
            services.case_types, services.second_review_takes, case_type
        ),
        rows=len(frame),
        labelled=int(evidence.labelled.sum()),
        bad=int(evidence.bad.sum()),
        may_propose=True,
    )


def certify_champion(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str
) -> Judged | None:
    """The live boundary's own certificate, from its own model's cohort, where the night's other one is
    about something else: a newer model, or, once a renewal is due, a wider boundary. It may renew what
    expires, or narrow, and never widens. None: the other one says it, or nothing that expires is live.

    The champion's looks go on in its own sequence, which was paid for when it began (METHODS 1.2).

    Raises:
        GateRefused, ServiceUnreachable: the audit secret or the model is not at hand.
    """
    live = services.ledger.live_policy(case_type)
    champion, newest = (
        champion_generation(services.ledger, services.case_types, case_type),
        current_generation(services.ledger, services.case_types, case_type),
    )
    if live is None or live.valid_until is None or live.boundary.automates_nothing:
        return None
    if champion is None or newest is None:
        return None
    same = champion.digest == newest.digest
    if same and not is_due(services.case_types, live, snapshot.as_of):
        return None
    given = certification_inputs(services, snapshot, champion)
    frame = given.frame
    if frame.empty or not frame["bad"].notna().any():
        return None
    certificate, sequence, proposes = look(given)
    if same and certificate.verdict is not CertificateVerdict.CERTIFIED:
        return None
    known = frame[frame["in_cohort"].to_numpy(dtype=np.bool_)]
    fresh = fresh_labels(services.case_types, known, live)
    if certificate.verdict is not CertificateVerdict.INCUMBENT_UNCERTIFIED:
        lacks = f"{fresh:,} of {FEWEST_FRESH} labelled cases that a renewal takes were opened since its evidence ended."
        certificate = replace(
            certificate,
            verdict=CertificateVerdict.HOLD,
            boundary=live.boundary,
            automation_rate=sequence.automation(live.boundary),
            limits=sequence.limits(live.boundary),
            labels_needed={},
            days_needed=(),
            choices={},
            reasons=(
                _BESIDE,
                *([lacks] if fresh < FEWEST_FRESH else []),
                *(one for one in certificate.reasons if one.startswith(GATES)),
            ),
        )
    return Judged(
        case_type=case_type,
        certificate=certificate,
        generation=champion,
        evidence_digest=given.digest,
        evidence_until=snapshot.mature_until(
            services.case_types, services.second_review_takes, case_type
        ),
        rows=len(known),
        labelled=int(known["bad"].notna().sum()),
        bad=int((known["bad"] == 1.0).sum()),
        may_propose=proposes,
        fresh_labels=fresh,
    )


_BESIDE = (
    "The live boundary, judged on its own model's cohort beside what is under test: it may be renewed or "
    "narrow, and is not widened by this."
)


def policy_for(
    ledger: Ledger, registry: ModelRegistry, case_types: Mapping[str, CaseType], judged: Judged
) -> Policy:
    """The policy a certificate speaks for: its model, its boundary, the configured overrides, how it
    must be tried first, and when its proof expires."""
    generation = judged.generation
    if generation is None:
        raise GateRefused(f"{judged.case_type} has no model, so there is no boundary to propose.")
    audit = None
    if (planned := judged.audit) is not None:
        audit = AuditPlan(planned.rate)
    advised = advised_policy(registry, case_types, generation, judged.certificate.boundary, audit)
    case_type = case_types[judged.case_type]
    days = case_type.certificate_days
    until = None if days is None else judged.evidence_until + timedelta(days=days)
    return replace(
        advised, ab_plan=fresh_plan(ledger, case_types, case_type.name), valid_until=until
    )


def _against_champion(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str, certificate: Certificate
) -> tuple[Certificate, bool]:
    """A challenger's boundary is worth a proposal only if it automates more than the live policy does
    now."""
    if certificate.verdict is not CertificateVerdict.CERTIFIED:
        return certificate, True
    today = automation_now(services, snapshot, case_type)
    if today is None or certificate.automation_rate > today.share:
        return certificate, True
    why = (
        f"The challenger is certified for {certificate.automation_rate:.1%} automation; the live "
        f"policy decides {today.share:.1%} {today.known_from}. The proof keeps."
    )
    return replace(certificate, verdict=CertificateVerdict.HOLD, reasons=(why,)), False


def _against_its_past(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    generation: Generation,
    certificate: Certificate,
    sequence: CertificationSequence,
    given: CertificationInputs,
) -> tuple[Certificate, bool]:
    """A boundary whose A/B test refuted a promise waits for a later look before it is proposed again;
    of one that the guard refuted, what is not proven since stays out of the proposal."""
    if certificate.verdict is not CertificateVerdict.CERTIFIED:
        return certificate, True
    boundary = certificate.boundary
    why = contradicted(ledger, generation.case_type, generation.digest, boundary)
    if why:
        return replace(certificate, verdict=CertificateVerdict.HOLD, reasons=(why,)), False
    fallen = fell_before(ledger, case_types, generation, boundary)
    if fallen is None:
        return certificate, True
    today = given.incumbent or Boundary.everything_reviewed()
    left = fallen.leaves(boundary, today)
    if sequence.automation(left) < sequence.automation(today) + NOTCH:
        return replace(certificate, verdict=CertificateVerdict.HOLD, reasons=(fallen.why,)), False
    narrower = replace(
        certificate,
        boundary=left,
        automation_rate=sequence.automation(left),
        limits=sequence.limits(left),
        choices={},
        reasons=(*certificate.reasons, fallen.why),
    )
    return narrower, True


def _before_any_label(
    case_types: Mapping[str, CaseType], case_type: str, incumbent: Boundary | None
) -> Certificate:
    """What a first proof would take, at what the first look may spend."""
    targets = case_types[case_type].targets
    delta = delta_of_sequence(targets.delta / len(case_types), 0)
    return certify(Evidence.none(), replace(targets, delta=delta), incumbent)
