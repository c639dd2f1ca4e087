"""Peek: what would the present evidence certify, were it looked at now? Nothing is spent or filed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from flows.verbs.certify.generation import Generation
from flows.verbs.certify.inputs import certification_inputs
from flows.verbs.certify.look import sequence_of
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import EvidenceServices
from models.boundary import Evidence
from models.vocabulary import Boundary, Certificate, CertificateVerdict, Targets


@dataclass(frozen=True)
class Peek:
    """A certificate that nobody may act on, and what it rests on.

    Attributes:
        generation: the model under test; frame: its cohort, row by row with `evidence`.
        targets: the promises at what the whole life of the sequence may spend.
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


def peek(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str, generation: Generation
) -> Peek | None:
    """The certificate of tonight's looks, without taking them into the ledger; None before the first
    label. Nothing rests on it: what is certified is proposed by the night."""
    given = certification_inputs(services, snapshot, generation)
    if not given.frame["bad"].notna().any():
        return None
    sequence, _ = sequence_of(given)
    members = given.frame[given.frame["in_cohort"].to_numpy(dtype=np.bool_)]
    return Peek(
        generation,
        members.reset_index(drop=True),
        sequence.evidence,
        sequence.targets,
        given.incumbent,
        given.certificate(sequence),
    )
