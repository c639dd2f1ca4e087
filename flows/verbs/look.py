"""One look at a case type's evidence: is it due, what does it spend, and what may come of it?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from configs.errors import GateRefused
from flows.verbs.desk import Desk
from flows.verbs.generation import Generation, last_version
from flows.verbs.label_trust import believed, held, past_the_gates
from flows.verbs.truth import Book, FloatArray
from models.boundary import (
    Evidence,
    certify,
    delta_of_look,
    effective_sample,
    exact_look_is_due,
    sample_for_first_look,
)
from models.boundary.hindsight import plug_in_boundary
from models.boundary.influence import Decide
from models.boundary.price import price_named
from models.hub import Refusal, TakeLook
from models.hub.people import NIGHT
from models.truth import contradictions
from models.vocabulary import Boundary, Certificate, CertificateVerdict, Costs, Targets

WORTHWHILE_SHARE = 0.75
"""A first boundary is proposed once it automates this share of what the labels suggest."""

PATIENT_LOOKS = 6
"""After so many looks (their shares of delta grow thin) whatever is certified is proposed."""


@dataclass(frozen=True)
class Given:
    """What one case type's certificate is made from.

    labels: the evidence's rows with who reviewed them first and what was confirmed. hoped: how far
    the boundary in force or the labels reach.
    """

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

    @property
    def costs(self) -> Costs | None:
        """The costs that choose among the proven boundaries, where the case type asks for it."""
        case_type = self.desk.case_types[self.generation.case_type]
        return case_type.costs if case_type.choose == "cheapest" else None

    @property
    def countable(self) -> pd.DataFrame:
        """Labels that could be misses or false blocks: a person decides the others anyway."""
        return self.labels[self.evidence.automatable]

    def delta_of(self, look: int) -> float:
        return delta_of_look(self.targets.delta, len(self.desk.case_types), look)


def look(given: Given) -> tuple[Certificate, bool]:
    """A certificate by the exact or the stratified test, and whether it may be acted on.

    Looked at when the evidence has grown by a quarter, each look with its share of delta. A look
    waits while labels that contradict the boundary hoped for are unconfirmed.
    """
    generation, evidence = given.generation, given.evidence
    number = generation.looks + 1
    delta = given.delta_of(number)
    effective = effective_sample(evidence, given.targets)
    first = sample_for_first_look(given.targets, delta)
    doubted, targets = believed(evidence, given.labels, given.hoped, _at(given.targets, delta))
    decide = partial(certify, cheapest_at=given.costs)
    certificate = decide(doubted, targets, given.incumbent)
    if evidence.fully_reviewed:
        due = exact_look_is_due(effective, generation.last_effective_sample, first)
    else:
        # The stratified test has its own price: a first look waits until nothing is missing.
        affordable = 0.0 if not certificate.labels_needed else float("inf")
        due = exact_look_is_due(effective, generation.last_effective_sample, affordable)
    if not due:
        waits = generation.last_effective_sample is None and evidence.fully_reviewed
        needed = first if waits else None
        return _reported_only(certificate, given, effective, needed), False
    questions = contradictions(given.countable, given.hoped)
    if questions.hold:
        # A look spends delta, and second reviews take a night or two.
        return held(certificate, given.incumbent, [questions.sentence]), False
    _spend(given, "exact" if evidence.fully_reviewed else "stratified", number, delta, effective)
    certificate = _past_the_gates(given, certificate, doubted, targets, decide)
    return _worth_it(certificate, evidence, given, number)


def stream(given: Given) -> tuple[Certificate, bool]:
    """A certificate by betting, which is one stream with one share of delta, valid on every night;
    and whether it may be acted on."""
    delta = given.generation.stream_delta
    if delta is None:
        number = given.generation.looks + 1
        delta = given.delta_of(number)
        effective = effective_sample(given.evidence, given.targets)
        _spend(given, "betting", number, delta, effective)
    # Candidates are laid out on the model's own later slice: fixed before this stream began.
    reference: FloatArray = given.generation.reference_scores(given.desk)
    decide = partial(certify, reference_scores=reference, cheapest_at=given.costs)
    doubted, targets = believed(
        given.evidence, given.labels, given.hoped, _at(given.targets, delta)
    )
    certificate = decide(doubted, targets, given.incumbent)
    if certificate.verdict is CertificateVerdict.CERTIFIED:
        questions = contradictions(given.countable, certificate.boundary)
        if questions.hold:
            return held(certificate, given.incumbent, [questions.sentence]), False
        certificate = _past_the_gates(given, certificate, doubted, targets, decide)
    return certificate, True


def _past_the_gates(
    given: Given, certificate: Certificate, evidence: Evidence, targets: Targets, decide: Decide
) -> Certificate:
    return past_the_gates(
        certificate,
        evidence,
        given.labels,
        targets,
        given.incumbent,
        decide,
        hoped=given.hoped,
        cap=given.desk.reviewer_share_cap,
    )


def _worth_it(
    certificate: Certificate, evidence: Evidence, given: Given, look: int
) -> tuple[Certificate, bool]:
    """Whether a first boundary is wide enough to give up full review for.

    From the first automatic decision on, labels are few and dear. While everything is reviewed a
    better proof costs nothing but days, so a boundary far short of what the labels suggest waits
    for the next looks. Waiting cannot break a promise: it only promotes less. Where the past was
    imported nobody knows whether its full review goes on, so the person who approves is told.
    """
    first = given.incumbent is None or given.incumbent.automates_nothing
    if not first or certificate.verdict is not CertificateVerdict.CERTIFIED or look > PATIENT_LOOKS:
        return certificate, True
    suggested = plug_in_boundary(evidence.score, evidence.bad, given.targets, evidence.automatable)
    within_reach = evidence.automation_rate(suggested)
    # How much is proven says whether to wait, not how much of it a cost chose.
    proven = evidence.automation_rate(certificate.choices.get("widest", certificate.boundary))
    if proven >= WORTHWHILE_SHARE * within_reach:
        return certificate, True
    shown = f"{proven:.1%} automation is proven; the labels suggest up to {within_reach:.1%}."
    if not given.desk.patient:
        more = f"{shown} Approve this now, or wait: more cases that are all reviewed prove more."
        return replace(certificate, reasons=(*certificate.reasons, more)), True
    why = f"{shown} Full review goes on until more of it can be proven (look {look})."
    boundary = Boundary.everything_reviewed()
    hold = replace(
        certificate,
        verdict=CertificateVerdict.HOLD,
        boundary=boundary,
        automation_rate=0.0,
        reasons=(why,),
    )
    return hold, False


def _spend(given: Given, test: str, number: int, delta: float, effective: float) -> None:
    case_type = given.generation.case_type
    said = given.desk.ledger.submit(
        TakeLook(
            case_type=case_type,
            actor=NIGHT,
            base_version=last_version(given.desk, case_type),
            evidence_digest=given.digest,
            look_index=number,
            delta_spent=delta,
            effective_sample=effective,
            # Looks of another agent's model are told from those of ours in shadow beside it.
            dossier={"test": test}
            | ({"model_digest": given.generation.digest} if given.generation.external else {}),
        ),
        given.book.as_of,
    )
    if isinstance(said, Refusal):
        raise GateRefused(f"The look at {case_type} was not recorded: {said.reason}")


def _at(targets: Targets, delta: float) -> Targets:
    return replace(targets, delta=delta)


def _reported_only(
    certificate: Certificate, given: Given, effective: float, first: int | None
) -> Certificate:
    """Between looks a certificate is shown and never acted on."""
    boundary = given.incumbent or Boundary.everything_reviewed()
    certificate = replace(certificate, automation_rate=given.evidence.automation_rate(boundary))
    if certificate.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE:
        return replace(certificate, boundary=boundary)
    if first is None:
        why = "No look is due until the evidence has grown by a quarter."
        return replace(
            certificate, verdict=CertificateVerdict.HOLD, boundary=boundary, reasons=(why,)
        )
    # Before the first bad case: as if half a one had been seen.
    growth = first / max(effective, 0.5) - 1.0
    passes = {"recall", "false_omission_rate"} & set(given.targets.named())
    zone = "pass" if passes else "block"
    needed = {zone: max(math.ceil(growth * float(given.evidence.labelled.sum())), 1)}
    counted = "bad cases" if given.targets.recall is not None else "labelled cases"
    why = f"The first look is due at {first:,} {counted}; there are {effective:,.0f}."
    return replace(
        certificate,
        verdict=CertificateVerdict.INSUFFICIENT_EVIDENCE,
        boundary=boundary,
        reasons=(price_named(needed), why),
        labels_needed=needed,
    )
