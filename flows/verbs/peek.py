"""Peek: what would the present evidence certify, were it looked at now? Nothing is spent or filed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from flows.verbs.desk import Desk
from flows.verbs.generation import Generation
from flows.verbs.truth import Book, evidence_for
from models.boundary import Evidence, certify, delta_of_look, sequential
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
            "days_needed": self.days_needed(),
            "delta": certificate.delta,
            "model_version": self.generation.version,
            "decides": self.generation.promoted,
            "rows": len(self.evidence),
            "labelled": int(self.evidence.labelled.sum()),
            "bad": int(self.evidence.bad.sum()),
            "spends_a_look": False,
            "proposes": False,
        }

    def days_needed(self) -> dict[str, float | None]:
        """By zone: how long the labels still needed take at the pace of this evidence."""
        if not len(self.frame):
            return {}
        opened = self.frame["opened_at"]
        days = max((opened.max() - opened.min()) / pd.Timedelta(days=1), 1.0)
        told: dict[str, float | None] = {}
        for zone, labels in self.certificate.labels_needed.items():
            pace = int((self.evidence.labelled & self._zone(zone)).sum()) / days
            told[zone] = labels / pace if pace else None
        return told

    def _zone(self, zone: str) -> np.ndarray:
        """The cases whose labels count for one side; all, while nothing is decided on that side."""
        today = self.incumbent or Boundary.everything_reviewed()
        cut = today.pass_at_or_below if zone == "pass" else today.block_at_or_above
        score = self.evidence.score
        if cut is None:
            return np.ones(len(score), dtype=np.bool_)
        return np.asarray(score <= cut if zone == "pass" else score >= cut)


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
    promised = desk.case_types[case_type].targets
    delta = delta_of_look(promised.delta, len(desk.case_types), generation.looks + 1)
    reference = None
    if sequential(evidence, incumbent):
        delta = generation.stream_delta or delta
        reference = np.asarray(generation.load(desk).reference_scores)
    targets = replace(promised, delta=delta)
    certificate = certify(evidence, targets, incumbent, reference)
    return Peek(generation, frame, evidence, targets, incumbent, certificate)
