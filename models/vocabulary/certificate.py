"""What was proven about a boundary, and at what confidence?"""

from __future__ import annotations

import math
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
class DaysNeeded:
    """The price of a zone's certificate in days, at one audit rate.

    Attributes:
        zone: "pass" or "block".
        audit_rate: designed probability that an automatic decision of the zone is reviewed, in
            (0, 1]; 1 where everything is reviewed.
        days: of cases at the traffic seen until there are enough; infinite: never.
        afresh: counted from the first case at that rate, not from the evidence in hand; those
            cases count once they have matured.
    """

    zone: str
    audit_rate: float
    days: float
    afresh: bool

    def plain(self) -> dict[str, str | float | bool | None]:
        """For JSON, which knows no infinity: never is null."""
        days = self.days if math.isfinite(self.days) else None
        return {
            "zone": self.zone,
            "audit_rate": self.audit_rate,
            "days": days,
            "afresh": self.afresh,
        }


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
        days_needed: the same in days, by zone: at today's audit rate first, then at two others;
            empty until a flow, which knows the traffic, adds it.
        choices: where a cost decided, the "widest" proven boundary and the "cheapest"; else empty.
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
    days_needed: tuple[DaysNeeded, ...] = ()
    choices: Mapping[str, Boundary] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", MappingProxyType(dict(self.limits)))
        object.__setattr__(self, "choices", MappingProxyType(dict(self.choices)))
        object.__setattr__(self, "labels_needed", MappingProxyType(dict(self.labels_needed)))
