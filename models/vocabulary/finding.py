"""Why did the agent err: which cause was found, how large is it, and who else says so?"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from models.vocabulary.actions import FeedbackPath

EVERYWHERE = "all"
"""The slice of a finding that holds for every case of its case type."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Would the remedy have helped: a refit on earlier evidence, judged on later evidence.

    Attributes:
        errors_before: blamed errors on the later part: the score is on the wrong side of even odds,
            and the remedy moves it towards the truth.
        errors_after: those that remain, and those the remedy makes anew.
        fall: the share of the log loss of the cases it moves that the remedy takes away (negative:
            it adds some).
        low, high: the fall's 95 % interval.
        later_cases: labelled cases in the later part that the remedy moves.
    """

    errors_before: int
    errors_after: int
    fall: float
    low: float
    high: float
    later_cases: int

    @property
    def supported(self) -> bool:
        """Whether the blamed errors fall, and the log loss falls for sure: a count of errors alone
        could fall by luck, a log loss alone without one decision changed."""
        return self.low > 0.0 and self.errors_after < self.errors_before


@dataclass(frozen=True, slots=True)
class Finding:
    """One pattern of errors of one case type, with the cause that the statistics give it.

    Attributes:
        path: A (a feature's weight), B (the threshold) or C (the procedure); never `none`.
        subject: what is to blame: a feature, "score", or "sop_clause=KYC-14", "root_cause=...",
            "topic=...", "slice=column=value".
        slice: where it holds: "all", or "column=value".
        effect, low, high: its size with a 95 % interval, in `unit`.
        unit: "relative weight", "logits per standard deviation", "logits", "times as many errors".
        p_value: of the test that found it, before false-discovery control.
        cases, errors: labelled cases of the slice, and errors among them that it is blamed for.
        money_usd: what those errors cost at the case type's `costs`.
        marks: how many of the blamed errors their reviewers marked A, B and C.
        sentence: for people.
        counterfactual: of a Type A finding; None where none was made.

    Raises:
        ValueError: the path is none, or a number is not finite.
    """

    case_type: str
    path: FeedbackPath
    subject: str
    slice: str
    effect: float
    low: float
    high: float
    unit: str
    p_value: float
    cases: int
    errors: int
    money_usd: float
    sentence: str
    marks: Mapping[str, int] = field(default_factory=dict)
    counterfactual: Counterfactual | None = None

    def __post_init__(self) -> None:
        if self.path is FeedbackPath.NONE:
            raise ValueError("a finding names a cause: A, B or C")
        for name in ("effect", "low", "high", "p_value", "money_usd"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"a finding's {name} must be finite, got {getattr(self, name)!r}")
        object.__setattr__(self, "marks", MappingProxyType(dict(self.marks)))

    @property
    def pattern_id(self) -> str:
        """Names the pattern from night to night: what is blamed, where, and for which case type."""
        told = "\n".join([self.case_type, self.path.value, self.subject, self.slice])
        return hashlib.sha256(told.encode("utf-8")).hexdigest()[:16]

    @property
    def fires(self) -> bool:
        """Whether it asks for a retrain: a Type A finding that a counterfactual supports."""
        supported = self.counterfactual is not None and self.counterfactual.supported
        return self.path is FeedbackPath.FEATURE_WEIGHT and supported

    def plain(self) -> dict[str, object]:
        """For JSON, a ledger or a store: plain values, no row."""
        made = self.counterfactual
        return {
            "pattern_id": self.pattern_id,
            "case_type": self.case_type,
            "path": self.path.value,
            "subject": self.subject,
            "slice": self.slice,
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
            "unit": self.unit,
            "p_value": self.p_value,
            "cases": self.cases,
            "errors": self.errors,
            "money_usd": self.money_usd,
            "marks": dict(self.marks),
            "sentence": self.sentence,
            "fires": self.fires,
            "counterfactual": None
            if made is None
            else {
                "errors_before": made.errors_before,
                "errors_after": made.errors_after,
                "fall": made.fall,
                "low": made.low,
                "high": made.high,
                "later_cases": made.later_cases,
            },
        }
