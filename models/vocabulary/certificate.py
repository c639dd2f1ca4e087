"""What was proven about a boundary, and at what confidence?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from models.vocabulary.boundary import Boundary


class CertificateVerdict(StrEnum):
    """The four answers a certificate can give (METHODS 1)."""

    CERTIFIED = "certified"
    HOLD = "hold"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"
    INCUMBENT_UNCERTIFIED = "incumbent_uncertified"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The proof, or why there is none.

    Attributes:
        verdict: one of the four answers.
        boundary: the boundary to use: the certified one, the incumbent on `hold` and
            `insufficient_evidence`, the narrowed one on `incumbent_uncertified`.
        automation_rate: share of the evidence's cases the boundary would decide by itself
            (cases that must never be automated count as reviewed).
        limits: by risk, the bound proven for `boundary` at this look's confidence: a lower bound
            for precision and recall, an upper one for the false omission rate.
        precision_lower, recall_lower: the same bounds; None means not estimable.
        labels_needed: by zone ("pass", "block"), how many more labels the cheapest certificate
            would take; empty when nothing is missing.
        reasons: sentences for people, most important first.
        delta: the error probability this look spent.
        effective_sample: bad cases (recall) or passed cases (false omission) in hand, each times
            the smallest designed observation probability.
        drawn_and_missing: cases designed to be observed whose truth is not in; counted as the
            worst case.
    """

    verdict: CertificateVerdict
    boundary: Boundary
    automation_rate: float
    limits: Mapping[str, float] = field(default_factory=dict)
    precision_lower: float | None = None
    recall_lower: float | None = None
    labels_needed: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    delta: float = 0.05
    effective_sample: float = 0.0
    drawn_and_missing: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", MappingProxyType(dict(self.limits)))
        object.__setattr__(self, "labels_needed", MappingProxyType(dict(self.labels_needed)))
