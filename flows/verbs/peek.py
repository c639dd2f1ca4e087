"""Peek: what would the present evidence certify, were it looked at now? Nothing is spent or filed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from flows.verbs.desk import Desk
from flows.verbs.generation import Generation, current_generation
from flows.verbs.label_trust import believed, hoped_boundary, with_second_draws
from flows.verbs.proposed_policy import days_spanned
from flows.verbs.truth import Book, evidence_for
from models.boundary import Evidence, certify, delta_of_look, sequential
from models.boundary.waiting import in_days
from models.vocabulary import Boundary, Certificate, CertificateVerdict, Targets


@dataclass(frozen=True)
class Peek:
    """A certificate that nobody may act on, and what it rests on.

    Attributes:
        generation: the model under test; frame: its EVIDENCE table, row by row with `evidence`.
        targets: the promises at the delta that the next look may spend.
        incumbent: the boundary in force for this model; None: it decides nothing yet.
    """

    generation: Generation
    frame: pd.DataFrame
    evidence: Evidence
    targets: Targets
    incumbent: Boundary | None
    certificate: Certificate

    @property
    def found(self) -> bool:
        """Whether there is a boundary to move to: a wider one, or the narrowed one of an alarm."""
        return self.certificate.verdict in (
            CertificateVerdict.CERTIFIED,
            CertificateVerdict.INCUMBENT_UNCERTIFIED,
        )

    def summary(self) -> dict[str, object]:
        """For a report: plain values, no row."""
        certificate = self.certificate
        return {
            "verdict": certificate.verdict.value,
            "reasons": list(certificate.reasons),
            "limits": dict(certificate.limits),
            "labels_needed": dict(certificate.labels_needed),
            "days_needed": [price.plain() for price in certificate.days_needed],
            "delta": certificate.delta,
            "model_version": self.generation.version,
            "decides": self.generation.promoted,
            "rows": len(self.evidence),
            "labelled": int(self.evidence.labelled.sum()),
            "bad": int(self.evidence.bad.sum()),
            "spends_a_look": False,
            "proposes": False,
        }


def peek(desk: Desk, book: Book, case_type: str, generation: Generation) -> Peek | None:
    """The certificate of the next look, without taking it; None before the first label.

    It has the delta, the incumbent and the test that tonight's look would have. Between looks the
    night holds even when this is certified (METHODS 1, looks): seen more often than it is paid for,
    a certificate proves nothing, so this one is for reading only.
    """
    frame = evidence_for(desk, book, case_type, generation)
    if frame.empty:
        return None
    evidence = Evidence.from_frame(frame)
    if not evidence.labelled.any():
        return None
    live = desk.ledger.live_policy(case_type)
    incumbent = live.boundary if live is not None and generation.promoted else None
    newest = current_generation(desk, case_type) == generation
    hoped = hoped_boundary(desk, book, case_type) if newest else incumbent
    promised = desk.case_types[case_type].targets
    delta = delta_of_look(promised.delta, len(desk.case_types), generation.looks + 1)
    reference = None
    if sequential(evidence, incumbent):
        delta = generation.stream_delta or delta
        reference = generation.reference_scores(desk)
    labels = with_second_draws(desk, case_type, frame)
    given = replace(promised, delta=delta)
    doubted, targets = believed(evidence, labels, hoped or Boundary.everything_reviewed(), given)
    certificate = certify(doubted, targets, incumbent, reference)
    certificate = in_days(certificate, evidence, promised, incumbent, days_spanned(frame))
    return Peek(generation, frame, doubted, targets, incumbent, certificate)
