"""Certify: take a look at a case type's evidence when one is due, and say what it proves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

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
from flows.verbs.truth import Book, FloatArray, evidence_for
from models.boundary import (
    Evidence,
    certify,
    delta_of_look,
    effective_sample,
    exact_look_is_due,
    guard,
    judge_reviewers,
    sample_for_first_look,
    sequential,
)
from models.boundary.hindsight import plug_in_boundary
from models.hub.policy import AuditPlan, Overrides, Policy
from models.hub.transitions import Refusal, TakeLook
from models.truth import contradictions, credence, matured_before
from models.vocabulary import Action, Boundary, Certificate, CertificateVerdict, Targets

WORTHWHILE_SHARE = 0.75
"""A first boundary is proposed once it automates this share of what the labels suggest."""

PATIENT_LOOKS = 6
"""After so many looks (their shares of delta grow thin) whatever is certified is proposed."""


CREDENCE_SHARE = 0.05
"""Of a look's delta, for the limit on false bad labels where some are unconfirmed."""


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
            "delta": certificate.delta,
            "rows": self.rows,
            "labelled": self.labelled,
            "bad": self.bad,
            "drawn_and_missing": certificate.drawn_and_missing,
            "model_version": self.generation.version if self.generation else None,
            "evidence_digest": self.evidence_digest,
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
    else:
        hoped = hoped_boundary(desk, book, case_type)
        labels = _labels(desk, case_type, frame)
        given = _Given(desk, book, generation, evidence, labels, incumbent, hoped, digest)
        judge = _stream if sequential(evidence, incumbent) else _look
        certificate, proposes = judge(given)
    if proposes and live is not None and not generation.promoted:
        certificate, proposes = _against_champion(certificate, frame)
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
    return advised_policy(desk, generation, judged.certificate.boundary)


def advised_policy(desk: Desk, generation: Generation, boundary: Boundary) -> Policy:
    """A generation's model under a boundary, with the case type's audit rate and overrides."""
    case_type = desk.case_types[generation.case_type]
    calibration = generation.load(desk).calibration
    return Policy(
        case_type=case_type.name,
        model_name=case_type.name,
        model_version=generation.version,
        model_digest=generation.digest,
        audit=AuditPlan(case_type.audit_rate),
        calibration={"slope": calibration.slope, "intercept": calibration.intercept},
        boundary=boundary,
        overrides=Overrides(never_auto_pass_above_usd=case_type.never_auto_pass_above_usd),
    )


def hoped_boundary(desk: Desk, book: Book, case_type: str) -> Boundary:
    """How far the boundary in force or the present labels reach, whichever is further on each side:
    where a label that contradicts it must be confirmed. It proves nothing."""
    if case_type not in book.hoped:
        book.hoped[case_type] = _hoped(desk, book, case_type)
    return book.hoped[case_type]


def _hoped(desk: Desk, book: Book, case_type: str) -> Boundary:
    generation, live = current_generation(desk, case_type), desk.ledger.live_policy(case_type)
    reached = [live.boundary] if live is not None else []
    frame = evidence_for(desk, book, case_type, generation) if generation else pd.DataFrame()
    if len(frame):
        labelled = Evidence.from_frame(frame)
        labelled = labelled.only(labelled.labelled)
        targets = desk.case_types[case_type].targets
        reached.append(
            plug_in_boundary(labelled.score, labelled.bad, targets, labelled.automatable)
        )
    lows = [one.pass_at_or_below for one in reached if one.pass_at_or_below is not None]
    highs = [one.block_at_or_above for one in reached if one.block_at_or_above is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low >= high:
        return reached[0]
    return Boundary(low, high)


@dataclass(frozen=True)
class _Given:
    """What one case type's certificate is made from."""

    desk: Desk
    book: Book
    generation: Generation
    evidence: Evidence
    labels: pd.DataFrame
    incumbent: Boundary | None
    hoped: Boundary
    digest: str

    @property
    def targets(self) -> Targets:
        return self.desk.case_types[self.generation.case_type].targets

    def believed(self, delta: float) -> tuple[Evidence, Targets]:
        """The evidence with bad labels believed as far as they are confirmed, and the targets at
        what that leaves of a look's delta (METHODS 1.6)."""
        bad = self.labels["bad"].to_numpy(dtype=np.float64) == 1.0
        if self.labels["confirmed"].to_numpy(dtype=np.bool_)[bad].all():
            return self.evidence, replace(self.targets, delta=delta)
        spent = CREDENCE_SHARE * delta
        believed = replace(self.evidence, credence=credence(self.labels, self.hoped, spent))
        return believed, replace(self.targets, delta=delta - spent)


def _labels(desk: Desk, case_type: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The evidence with `second_drawn`: whether a second review of a bad first word was designed."""
    said_bad = frame["first_bad"].to_numpy(dtype=np.bool_)
    drawn = np.zeros(len(frame), dtype=np.bool_)
    uniform = desk.second_review_draw(case_type, frame["case_id"][said_bad])
    drawn[said_bad] = uniform < desk.second_review_share
    return frame.assign(second_drawn=drawn)


def _look(given: _Given) -> tuple[Certificate, bool]:
    desk, generation, evidence = given.desk, given.generation, given.evidence
    look = generation.looks + 1
    delta = delta_of_look(given.targets.delta, len(desk.case_types), look)
    effective = effective_sample(evidence, given.targets)
    first = sample_for_first_look(given.targets, delta)
    believed, targets = given.believed(delta)
    certificate = certify(believed, targets, given.incumbent)
    if evidence.fully_reviewed:
        due = exact_look_is_due(effective, generation.last_effective_sample, first)
    else:
        # The stratified test has its own price: a first look waits until nothing is missing.
        affordable = 0.0 if not certificate.labels_needed else float("inf")
        due = exact_look_is_due(effective, generation.last_effective_sample, affordable)
    open_questions = contradictions(given.labels, given.hoped)
    if due and open_questions.hold:
        # A look spends delta, and second reviews take a night or two.
        return _held(certificate, given.incumbent, [open_questions.sentence]), False
    if due:
        test = "exact" if evidence.fully_reviewed else "stratified"
        _spend(given, test, look, delta, effective)
        certificate = _past_the_gates(given, believed, targets, certificate)
        return _worth_it(certificate, evidence, given.targets, given.incumbent, look)
    waits = generation.last_effective_sample is None and evidence.fully_reviewed
    needed = first if waits else None
    return _reported_only(certificate, given.incumbent, effective, needed), False


def _past_the_gates(
    given: _Given,
    evidence: Evidence,
    targets: Targets,
    certificate: Certificate,
    reference: FloatArray | None = None,
) -> Certificate:
    """The certificate, or a hold that names the reviewers it must not rest on (METHODS 6)."""
    named = given.labels["reviewer"].notna().to_numpy()
    if not named.any():
        return certificate
    judged = judge_reviewers(
        evidence,
        given.labels["reviewer"].to_numpy(dtype=object),
        targets,
        given.incumbent,
        partial(certify, reference_scores=reference),
        first_bad=given.labels["first_bad"].to_numpy(dtype=np.bool_),
        candidate=None if certificate.verdict is CertificateVerdict.CERTIFIED else given.hoped,
        cap=given.desk.reviewer_share_cap,
    )
    if judged.holds:
        return certificate
    if certificate.verdict is CertificateVerdict.CERTIFIED:
        return _held(certificate, given.incumbent, judged.broken)
    return replace(certificate, reasons=(*certificate.reasons, *judged.broken))


def _held(
    certificate: Certificate, incumbent: Boundary | None, reasons: Sequence[str]
) -> Certificate:
    """Nothing moves, and why."""
    return replace(
        certificate,
        verdict=CertificateVerdict.HOLD,
        boundary=incumbent or Boundary.everything_reviewed(),
        reasons=tuple(reasons),
        labels_needed={},
    )


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
    if certificate.automation_rate >= WORTHWHILE_SHARE * within_reach:
        return certificate, True
    why = (
        f"{certificate.automation_rate:.1%} automation is proven; the labels suggest "
        f"{within_reach:.1%}. Full review goes on until more of it can be proven (look {look})."
    )
    boundary = Boundary.everything_reviewed()
    hold = replace(certificate, verdict=CertificateVerdict.HOLD, boundary=boundary, reasons=(why,))
    return hold, False


def _stream(given: _Given) -> tuple[Certificate, bool]:
    desk, generation, evidence = given.desk, given.generation, given.evidence
    delta = generation.stream_delta
    if delta is None:
        look = generation.looks + 1
        delta = delta_of_look(given.targets.delta, len(desk.case_types), look)
        _spend(given, "betting", look, delta, effective_sample(evidence, given.targets))
    # Candidates are laid out on the model's own later slice: fixed before this stream began.
    reference = np.asarray(generation.load(desk).reference_scores)
    believed, targets = given.believed(delta)
    certificate = certify(believed, targets, given.incumbent, reference)
    if certificate.verdict is CertificateVerdict.CERTIFIED:
        open_questions = contradictions(given.labels, certificate.boundary)
        if open_questions.hold:
            return _held(certificate, given.incumbent, [open_questions.sentence]), False
        certificate = _past_the_gates(given, believed, targets, certificate, reference)
    return certificate, True


def _spend(given: _Given, test: str, look: int, delta: float, effective: float) -> None:
    case_type = given.generation.case_type
    said = given.desk.ledger.submit(
        TakeLook(
            case_type=case_type,
            actor=NIGHT_ACTOR,
            base_version=last_version(given.desk, case_type),
            evidence_digest=given.digest,
            look_index=look,
            delta_spent=delta,
            effective_sample=effective,
            dossier={"test": test},
        ),
        given.book.as_of,
    )
    if isinstance(said, Refusal):
        raise GateRefused(f"The look at {case_type} was not recorded: {said.reason}")


def _at(targets: Targets, delta: float) -> Targets:
    return replace(targets, delta=delta)


def _reported_only(
    certificate: Certificate, incumbent: Boundary | None, effective: float, first: int | None
) -> Certificate:
    """Between looks a certificate is shown and never acted on."""
    boundary = incumbent or Boundary.everything_reviewed()
    if certificate.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE:
        return replace(certificate, boundary=boundary)
    if first is not None:
        why = f"The first look is due at an effective sample of {first:,}; there are {effective:,.0f}."
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
