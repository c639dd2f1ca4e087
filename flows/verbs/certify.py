"""Certify: what does a case type's evidence prove tonight, and is today's boundary refuted?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused
from flows.verbs.desk import Desk
from flows.verbs.generation import Generation, champion_generation, current_generation
from flows.verbs.given import evidence_digest, given_for
from flows.verbs.look import look
from flows.verbs.proposed_policy import advised_policy, planned_audit
from flows.verbs.segment_figures import segment_figures
from flows.verbs.truth import Book, evidence_for
from models.boundary import Evidence, certify, delta_of_sequence, guard
from models.boundary.audit_plan import PlannedAudit
from models.hub.audit_plan import AuditPlan
from models.hub.policy import Policy
from models.vocabulary import Action, Boundary, Certificate, CertificateVerdict


@dataclass(frozen=True)
class Judged:
    """One case type's certificate, and what it rests on."""

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


def certify_case_type(desk: Desk, book: Book, case_type: str) -> Judged:
    """Judge the newest model of a case type on its cohort, which it did not learn from.

    One table of looks serves the model's whole life, whatever is promoted, narrowed or rolled back in
    between (METHODS 1.2): a night takes the looks that are due and says what stands proven.
    """
    generation = current_generation(desk, case_type)
    until = book.mature_until(desk, case_type)
    if generation is None:
        certificate = _before_any_label(desk, case_type, None)
        why = ("There is no model for this case type yet.", certificate.reasons[0])
        unproven = replace(certificate, reasons=why)
        return Judged(case_type, unproven, None, "", until, 0, 0, 0, may_propose=False)
    given = given_for(desk, book, generation)
    frame, live = given.frame, desk.ledger.live_policy(case_type)
    sequence, audit = None, None
    if frame["bad"].notna().any():
        certificate, sequence, proposes = look(given)
        if proposes and live is not None and not generation.promoted:
            certificate, proposes = _against_champion(certificate, frame)
        if proposes:
            audit = planned_audit(desk, given, sequence, certificate)
    else:
        certificate = _before_any_label(desk, case_type, given.incumbent)
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
        segments=tuple(segment_figures(desk, case_type, known, certificate.boundary))
        if told
        else (),
    )


def guard_champion(desk: Desk, book: Book, case_type: str) -> Judged | None:
    """An alarm for the live boundary, on any night and whichever model is under test; None while it
    holds."""
    champion, live = champion_generation(desk, case_type), desk.ledger.live_policy(case_type)
    if champion is None or live is None or live.boundary.automates_nothing:
        return None
    frame = evidence_for(desk, book, case_type, champion, refuting=True)
    if frame.empty:
        return None
    evidence = Evidence.from_frame(frame)
    targets = desk.case_types[case_type].targets
    alarm = guard(
        evidence, replace(targets, delta=targets.delta / len(desk.case_types)), live.boundary
    )
    if alarm is None:
        return None
    return Judged(
        case_type=case_type,
        certificate=alarm,
        generation=champion,
        evidence_digest=evidence_digest(frame, champion.digest),
        evidence_until=book.mature_until(desk, case_type),
        rows=len(frame),
        labelled=int(evidence.labelled.sum()),
        bad=int(evidence.bad.sum()),
        may_propose=True,
    )


def policy_for(desk: Desk, judged: Judged) -> Policy:
    """The policy a certificate speaks for: its model, its boundary, the configured overrides, how it
    must be tried first, and when its proof expires."""
    generation = judged.generation
    if generation is None:
        raise GateRefused(f"{judged.case_type} has no model, so there is no boundary to propose.")
    audit = None
    if (planned := judged.audit) is not None:
        audit = AuditPlan(planned.rate)
    advised = advised_policy(desk, generation, judged.certificate.boundary, audit)
    case_type = desk.case_types[judged.case_type]
    days = case_type.certificate_days
    until = None if days is None else judged.evidence_until + timedelta(days=days)
    return replace(advised, ab_plan=case_type.ab_plan, valid_until=until)


def _against_champion(certificate: Certificate, frame: pd.DataFrame) -> tuple[Certificate, bool]:
    """A challenger's boundary is worth a proposal only if it automates more than today's policy
    did on the same cases, of those that it decided."""
    lately = frame[frame["in_cohort"].to_numpy(dtype=np.bool_)]
    lately = lately[(lately["policy_id"] == lately["policy_id"].iloc[-1]).to_numpy(dtype=np.bool_)]
    today = float((lately["action"].astype("str") != Action.ESCALATE.value).mean())
    if certificate.verdict is CertificateVerdict.CERTIFIED and certificate.automation_rate <= today:
        why = (
            f"The challenger is certified for {certificate.automation_rate:.1%} automation; the live "
            f"policy decided {today:.1%} of the cases it saw."
        )
        return replace(certificate, verdict=CertificateVerdict.HOLD, reasons=(why,)), False
    return certificate, True


def _before_any_label(desk: Desk, case_type: str, incumbent: Boundary | None) -> Certificate:
    """What a first proof would take, at what the first look may spend."""
    targets = desk.case_types[case_type].targets
    delta = delta_of_sequence(targets.delta / len(desk.case_types), 0)
    return certify(Evidence.none(), replace(targets, delta=delta), incumbent)
