"""Certify: take a look at a case type's evidence when one is due, and say what it proves."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from configs.errors import GateRefused
from flows.verbs.desk import NIGHT_ACTOR, Desk
from flows.verbs.generation import (
    Generation,
    champion_generation,
    current_generation,
    last_version,
)
from flows.verbs.truth import Book, evidence_for
from models.boundary import (
    Evidence,
    certify,
    delta_of_look,
    effective_sample,
    exact_look_is_due,
    guard,
    sample_for_first_look,
    sequential,
)
from models.boundary.audit_plan import PlannedAudit, plan_audit
from models.boundary.hindsight import plug_in_boundary
from models.boundary.waiting import in_days
from models.hub.audit_plan import AuditPlan
from models.hub.policy import Overrides, Policy
from models.hub.transitions import Refusal, TakeLook
from models.truth import matured_before
from models.vocabulary import Action, Boundary, Certificate, CertificateVerdict, Costs, Targets

WORTHWHILE_SHARE = 0.75
"""A first boundary is proposed once it automates this share of what the labels suggest."""

PATIENT_LOOKS = 6
"""After so many looks (their shares of delta grow thin) whatever is certified is proposed."""


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
        }


def certify_case_type(desk: Desk, book: Book, case_type: str) -> Judged:
    """Judge the newest model of a case type on the evidence it did not learn from.

    Evidence for an exact or a stratified test is looked at when it has grown by a quarter, each look
    with its share of delta. Evidence that only betting can judge is one stream with one share, valid
    on every night (METHODS 1).
    """
    generation = current_generation(desk, case_type)
    until = matured_before(book.as_of, desk.case_types[case_type].maturity_days)
    if generation is None:
        return _nothing_yet(case_type, until)
    frame = evidence_for(desk, book, case_type, generation)
    digest = evidence_digest(frame, generation.digest)
    live = desk.ledger.live_policy(case_type)
    incumbent = live.boundary if live is not None and generation.promoted else None
    evidence = Evidence.from_frame(frame) if len(frame) else None
    if evidence is None or not evidence.labelled.any():
        certificate = _empty(
            incumbent, "No mature, labelled case has been scored by this model yet."
        )
        proposes = False
    elif sequential(evidence, incumbent):
        certificate, proposes = _stream(desk, book, generation, evidence, incumbent, digest)
    else:
        days = days_spanned(frame)
        certificate, proposes = _look(desk, book, generation, evidence, incumbent, digest, days)
    if evidence is not None:
        targets = desk.case_types[case_type].targets
        certificate = in_days(certificate, evidence, targets, incumbent, days_spanned(frame))
    if proposes and live is not None and not generation.promoted:
        certificate, proposes = _against_champion(certificate, frame)
    audit = _planned_audit(desk, generation, certificate, evidence, frame) if proposes else None
    return Judged(
        case_type=case_type,
        certificate=certificate,
        generation=generation,
        evidence_digest=digest,
        evidence_until=until,
        rows=len(frame),
        labelled=int(evidence.labelled.sum()) if evidence else 0,
        bad=int(evidence.bad.sum()) if evidence else 0,
        may_propose=proposes,
        audit=audit,
    )


def guard_champion(desk: Desk, book: Book, case_type: str) -> Judged | None:
    """An alarm for the live boundary, on any night and whichever model is under test; None while it
    holds."""
    champion, live = champion_generation(desk, case_type), desk.ledger.live_policy(case_type)
    if champion is None or live is None or live.boundary.automates_nothing:
        return None
    frame = evidence_for(desk, book, case_type, champion)
    if frame.empty:
        return None
    evidence = Evidence.from_frame(frame)
    targets = desk.case_types[case_type].targets
    alarm = guard(evidence, _at(targets, targets.delta / len(desk.case_types)), live.boundary)
    if alarm is None:
        return None
    return Judged(
        case_type=case_type,
        certificate=alarm,
        generation=champion,
        evidence_digest=evidence_digest(frame, champion.digest),
        evidence_until=matured_before(book.as_of, desk.case_types[case_type].maturity_days),
        rows=len(frame),
        labelled=int(evidence.labelled.sum()),
        bad=int(evidence.bad.sum()),
        may_propose=True,
    )


def evidence_digest(frame: pd.DataFrame, model_digest: str) -> str:
    """SHA-256 of what a certificate rests on: cases, scores, designs and *observed* truth."""
    digest = hashlib.sha256(model_digest.encode())
    for name in ("case_id", "score", "bad", "propensity", "drawn", "automatable"):
        if name in frame:
            hashed = pd.util.hash_array(np.asarray(frame[name]), categorize=False)
            digest.update(name.encode() + hashed.tobytes())
    return digest.hexdigest()


def policy_for(desk: Desk, judged: Judged) -> Policy:
    """The policy a certificate speaks for: its model, its boundary, the configured overrides."""
    generation = judged.generation
    if generation is None:
        raise GateRefused(f"{judged.case_type} has no model, so there is no boundary to propose.")
    audit = None
    if (planned := judged.audit) is not None:
        audit = AuditPlan(planned.rate, steps=planned.steps, block_rate=planned.block_rate)
    return advised_policy(desk, generation, judged.certificate.boundary, audit)


def advised_policy(
    desk: Desk, generation: Generation, boundary: Boundary, audit: AuditPlan | None = None
) -> Policy:
    """A generation's model under a boundary, with the case type's overrides and, unless one was
    planned, its audit rate."""
    case_type = desk.case_types[generation.case_type]
    calibration = generation.load(desk).calibration
    return Policy(
        case_type=case_type.name,
        model_name=case_type.name,
        model_version=generation.version,
        model_digest=generation.digest,
        audit=audit or AuditPlan(case_type.audit_rate),
        calibration={"slope": calibration.slope, "intercept": calibration.intercept},
        boundary=boundary,
        overrides=Overrides(never_auto_pass_above_usd=case_type.never_auto_pass_above_usd),
    )


def _planned_audit(
    desk: Desk,
    generation: Generation,
    certificate: Certificate,
    evidence: Evidence | None,
    frame: pd.DataFrame,
) -> PlannedAudit | None:
    """The audit plan of a boundary to be proposed, where the case type has a budget for one."""
    case_type = desk.case_types[generation.case_type]
    certified = certificate.verdict is CertificateVerdict.CERTIFIED
    if evidence is None or case_type.audit_budget is None or not certified:
        return None
    if not certificate.automation_rate:
        return None  # a boundary that decides none of these cases leaves nothing to plan from
    # The generation was read before today's look; the plan is for the one after it.
    delta = delta_of_look(case_type.targets.delta, len(desk.case_types), generation.looks + 2)
    targets, boundary = _at(case_type.targets, delta), certificate.boundary
    return plan_audit(evidence, targets, boundary, case_type.audit_budget, days_spanned(frame))


def days_spanned(frame: pd.DataFrame) -> float:
    """Days between the first and the last case; a day at least."""
    opened = frame["opened_at"]
    return max(float((opened.max() - opened.min()) / pd.Timedelta(days=1)), 1.0)


def _look(
    desk: Desk,
    book: Book,
    generation: Generation,
    evidence: Evidence,
    incumbent: Boundary | None,
    digest: str,
    days: float,
) -> tuple[Certificate, bool]:
    targets = desk.case_types[generation.case_type].targets
    look = generation.looks + 1
    delta = delta_of_look(targets.delta, len(desk.case_types), look)
    effective = effective_sample(evidence, targets)
    first = sample_for_first_look(targets, delta)
    costs = _cheapest_at(desk, generation)
    certificate = certify(evidence, _at(targets, delta), incumbent, cheapest_at=costs)
    if evidence.fully_reviewed:
        due = exact_look_is_due(effective, generation.last_effective_sample, first)
    else:
        # The stratified test has its own price: a first look waits until nothing is missing.
        affordable = 0.0 if not certificate.labels_needed else float("inf")
        due = exact_look_is_due(effective, generation.last_effective_sample, affordable)
    if due:
        test = "exact" if evidence.fully_reviewed else "stratified"
        _spend(desk, book, generation, test, look, delta, effective, digest)
        return _worth_it(certificate, evidence, targets, incumbent, look)
    waits = generation.last_effective_sample is None and evidence.fully_reviewed
    needed = first if waits else None
    return _reported_only(certificate, incumbent, effective, needed, days), False


def _worth_it(
    certificate: Certificate,
    evidence: Evidence,
    targets: Targets,
    incumbent: Boundary | None,
    look: int,
) -> tuple[Certificate, bool]:
    """Whether a first boundary is wide enough to give up full review for.

    From the first automatic decision on, labels are few and dear. While everything is reviewed a
    better proof costs nothing but days, so a boundary far short of what the labels suggest waits
    for the next looks. Waiting cannot break a promise: it only promotes less.
    """
    first = incumbent is None or incumbent.automates_nothing
    if not first or certificate.verdict is not CertificateVerdict.CERTIFIED or look > PATIENT_LOOKS:
        return certificate, True
    suggested = plug_in_boundary(evidence.score, evidence.bad, targets, evidence.automatable)
    within_reach = evidence.automation_rate(suggested)
    # How much is proven says whether to wait, not how much of it a cost chose.
    proven = evidence.automation_rate(certificate.choices.get("widest", certificate.boundary))
    if proven >= WORTHWHILE_SHARE * within_reach:
        return certificate, True
    why = (
        f"{proven:.1%} automation is proven; the labels suggest "
        f"{within_reach:.1%}. Full review goes on until more of it can be proven (look {look})."
    )
    boundary = Boundary.everything_reviewed()
    hold = replace(certificate, verdict=CertificateVerdict.HOLD, boundary=boundary, reasons=(why,))
    return hold, False


def _stream(
    desk: Desk,
    book: Book,
    generation: Generation,
    evidence: Evidence,
    incumbent: Boundary | None,
    digest: str,
) -> tuple[Certificate, bool]:
    targets = desk.case_types[generation.case_type].targets
    delta = generation.stream_delta
    if delta is None:
        look = generation.looks + 1
        delta = delta_of_look(targets.delta, len(desk.case_types), look)
        effective = effective_sample(evidence, targets)
        _spend(desk, book, generation, "betting", look, delta, effective, digest)
    # Candidates are laid out on the model's own later slice: fixed before this stream began.
    reference = np.asarray(generation.load(desk).reference_scores)
    costs = _cheapest_at(desk, generation)
    return certify(evidence, _at(targets, delta), incumbent, reference, costs), True


def _cheapest_at(desk: Desk, generation: Generation) -> Costs | None:
    """The costs that choose among the proven boundaries, where the case type asks for it."""
    case_type = desk.case_types[generation.case_type]
    return case_type.costs if case_type.choose == "cheapest" else None


def _spend(
    desk: Desk,
    book: Book,
    generation: Generation,
    test: str,
    look: int,
    delta: float,
    effective: float,
    digest: str,
) -> None:
    said = desk.ledger.submit(
        TakeLook(
            case_type=generation.case_type,
            actor=NIGHT_ACTOR,
            base_version=last_version(desk, generation.case_type),
            evidence_digest=digest,
            look_index=look,
            delta_spent=delta,
            effective_sample=effective,
            dossier={"test": test},
        ),
        book.as_of,
    )
    if isinstance(said, Refusal):
        raise GateRefused(f"The look at {generation.case_type} was not recorded: {said.reason}")


def _at(targets: Targets, delta: float) -> Targets:
    return replace(targets, delta=delta)


def _reported_only(
    certificate: Certificate,
    incumbent: Boundary | None,
    effective: float,
    first: int | None,
    days: float,
) -> Certificate:
    """Between looks a certificate is shown and never acted on."""
    boundary = incumbent or Boundary.everything_reviewed()
    if certificate.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE:
        return replace(certificate, boundary=boundary)
    if first is not None:
        why = (
            f"The first look is due at an effective sample of {first:,}; there are {effective:,.0f}"
        )
        later = max(first / effective - 1.0, 0.0) * days if effective else float("inf")
        why += f", so in {later:,.0f} days at this traffic." if later < float("inf") else "."
        verdict = CertificateVerdict.INSUFFICIENT_EVIDENCE
    else:
        why = "No look is due until the evidence has grown by a quarter."
        verdict = CertificateVerdict.HOLD
    return replace(certificate, verdict=verdict, boundary=boundary, reasons=(why,))


def _against_champion(certificate: Certificate, frame: pd.DataFrame) -> tuple[Certificate, bool]:
    """A challenger's boundary is worth a proposal only if it automates more than today's policy
    did on the same cases."""
    today = float((frame["action"] != Action.ESCALATE.value).mean())
    if certificate.verdict is CertificateVerdict.CERTIFIED and certificate.automation_rate <= today:
        why = (
            f"The challenger is certified for {certificate.automation_rate:.1%} automation; the live "
            f"policy decided {today:.1%} of the same cases."
        )
        return replace(certificate, verdict=CertificateVerdict.HOLD, reasons=(why,)), False
    return certificate, True


def _nothing_yet(case_type: str, until: datetime) -> Judged:
    certificate = _empty(None, "There is no model for this case type yet.")
    return Judged(case_type, certificate, None, "", until, 0, 0, 0, may_propose=False)


def _empty(incumbent: Boundary | None, why: str) -> Certificate:
    return Certificate(
        verdict=CertificateVerdict.INSUFFICIENT_EVIDENCE,
        boundary=incumbent or Boundary.everything_reviewed(),
        automation_rate=0.0,
        reasons=(why,),
    )
