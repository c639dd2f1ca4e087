"""Certify: what does a case type's evidence prove tonight, and is today's boundary refuted?"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import GateRefused
from flows.verbs.desk import Desk
from flows.verbs.generation import Generation, champion_generation, current_generation
from flows.verbs.label_trust import hoped_boundary, with_second_draws
from flows.verbs.look import Given, look, stream
from flows.verbs.proposed_policy import advised_policy, days_spanned, planned_audit
from flows.verbs.segment_figures import segment_figures
from flows.verbs.truth import Book, evidence_for
from models.boundary import Evidence, certify, delta_of_look, guard, sequential
from models.boundary.audit_plan import PlannedAudit
from models.boundary.certificate import NO_CASE_YET
from models.boundary.waiting import in_days
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
    """Judge the newest model of a case type on the evidence it did not learn from.

    Evidence for an exact or a stratified test is looked at when it has grown by a quarter, each look
    with its share of delta. Evidence that only betting can judge is one stream with one share, valid
    on every night (METHODS 1).
    """
    generation = current_generation(desk, case_type)
    until = book.mature_until(desk, case_type)
    if generation is None:
        certificate = _before_any_label(desk, case_type, None, 1)
        why = ("There is no model for this case type yet.", certificate.reasons[0])
        unproven = replace(certificate, reasons=why)
        return Judged(case_type, unproven, None, "", until, 0, 0, 0, may_propose=False)
    frame = evidence_for(desk, book, case_type, generation)
    digest = evidence_digest(frame, generation.digest)
    live = desk.ledger.live_policy(case_type)
    incumbent = live.boundary if live is not None and generation.promoted else None
    evidence = Evidence.from_frame(frame) if len(frame) else None
    if evidence is None or not evidence.labelled.any():
        number = generation.looks + 1
        certificate, proposes = _before_any_label(desk, case_type, incumbent, number), False
        if incumbent is not None:
            certificate = _since_the_promotion(certificate, generation)
    else:
        hoped = hoped_boundary(desk, book, case_type)
        labels = with_second_draws(desk, case_type, frame)
        given = Given(desk, book, generation, evidence, labels, incumbent, hoped, digest)
        certificate, proposes = (stream if sequential(evidence, incumbent) else look)(given)
        targets = desk.case_types[case_type].targets
        certificate = in_days(certificate, evidence, targets, incumbent, days_spanned(frame))
    if proposes and live is not None and not generation.promoted:
        certificate, proposes = _against_champion(certificate, frame)
    audit = planned_audit(desk, generation, certificate, evidence, frame) if proposes else None
    told = proposes and certificate.verdict is CertificateVerdict.CERTIFIED
    boundary = certificate.boundary
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
        segments=tuple(segment_figures(desk, case_type, frame, boundary)) if told else (),
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


def evidence_digest(frame: pd.DataFrame, model_digest: str) -> str:
    """SHA-256 of what a certificate rests on: cases, scores, designs, *observed* truth, and whose
    word it is and who confirmed it."""
    digest = hashlib.sha256(model_digest.encode())
    for name in (
        "case_id", "score", "bad", "propensity", "drawn", "automatable", "surfaced", "confirmed",
        "first_bad", "reviewer",
    ):  # fmt: skip
        if name in frame:
            digest.update(name.encode() + _hashed(frame[name]).tobytes())
    return digest.hexdigest()


def _hashed(values: pd.Series) -> npt.NDArray[np.uint64]:
    """A hash a value, the same whether words are stored as text or as categories: of few words each is
    hashed once."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return pd.util.hash_array(np.asarray(values), categorize=False)
    words = np.array([*values.cat.categories, np.nan], dtype=object)
    hashed = pd.util.hash_array(words, categorize=False)
    return np.asarray(hashed[values.cat.codes.to_numpy()])


def policy_for(desk: Desk, judged: Judged) -> Policy:
    """The policy a certificate speaks for: its model, its boundary, the configured overrides, how it
    must be tried first, and when its proof expires."""
    generation = judged.generation
    if generation is None:
        raise GateRefused(f"{judged.case_type} has no model, so there is no boundary to propose.")
    audit = None
    if (planned := judged.audit) is not None:
        audit = AuditPlan(planned.rate, steps=planned.steps, block_rate=planned.block_rate)
    advised = advised_policy(desk, generation, judged.certificate.boundary, audit)
    case_type = desk.case_types[judged.case_type]
    days = case_type.certificate_days
    until = None if days is None else judged.evidence_until + timedelta(days=days)
    return replace(advised, ab_plan=case_type.ab_plan, valid_until=until)


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


def _since_the_promotion(certificate: Certificate, generation: Generation) -> Certificate:
    """A live model has scored many cases: none of them may prove what comes after its boundary."""
    why = (
        f"No case opened since {generation.evidence_since:%Y-%m-%d %H:%M} is mature yet: evidence counts "
        "anew from where the live boundary's ended, and that boundary stays as it is."
    )
    reasons = tuple(why if one == NO_CASE_YET else one for one in certificate.reasons)
    return replace(certificate, reasons=reasons)


def _before_any_label(
    desk: Desk, case_type: str, incumbent: Boundary | None, look_number: int
) -> Certificate:
    """What a first proof would take, at what the next look may spend."""
    targets = desk.case_types[case_type].targets
    delta = delta_of_look(targets.delta, len(desk.case_types), look_number)
    return certify(Evidence.none(), replace(targets, delta=delta), incumbent)
