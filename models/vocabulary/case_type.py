"""What is a kind of case: its features, its promises, its clock, its costs and its people?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from models.vocabulary.ab_plan import AbPlan
from models.vocabulary.pattern import Pattern
from models.vocabulary.targets import Targets

FeatureKind = Literal["numeric", "boolean", "categorical"]
FourEyes = Literal["one_person", "two_people"]
"""How many people must agree to a proposed boundary besides who proposes it."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column the model may use.

    `monotone` is the sign the risk must follow as the value grows (+1, 0, -1; numeric and boolean
    only). `levels` are the categories that may occur; an unseen one is named, never a silent
    missing value. `family` groups features for people. `turns_with_calendar`: its distribution
    follows the date by itself (a month, a season), so that it says nothing about drift.

    Raises:
        ValueError: levels on a non-categorical feature, none on a categorical one, or a monotone
            categorical one.
    """

    name: str
    kind: FeatureKind = "numeric"
    monotone: Literal[-1, 0, 1] = 0
    family: str = ""
    levels: tuple[str, ...] = ()
    may_be_missing: bool = False
    turns_with_calendar: bool = False

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.levels and self.kind != "categorical":
            raise ValueError(
                f"feature {self.name!r} is {self.kind}; only categorical features have levels"
            )
        if self.kind == "categorical" and self.monotone != 0:
            raise ValueError(f"feature {self.name!r} is categorical and cannot be monotone")


@dataclass(frozen=True, slots=True)
class Costs:
    """What a decision costs, in US dollars a case."""

    review_usd: float = 4.0
    false_positive_usd: float = 40.0
    false_negative_usd: float = 400.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("review_usd", "false_positive_usd", "false_negative_usd"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} must be zero or more, got {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Shift:
    """`reviewers` people at work from `start_hour` (inclusive) to `end_hour` (exclusive), UTC.

    A shift may run over midnight (start 22, end 6); start 0 and end 24 is around the clock.
    """

    start_hour: int
    end_hour: int
    reviewers: int

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not (0 <= self.start_hour <= 23 and 1 <= self.end_hour <= 24):
            raise ValueError(
                f"a shift runs from hour 0..23 to hour 1..24, got {self.start_hour}-{self.end_hour}"
            )
        if self.reviewers < 0:
            raise ValueError(f"a shift cannot have {self.reviewers} reviewers")


@dataclass(frozen=True, slots=True)
class Staffing:
    """Who reviews one case type: shifts, and how long one case takes (minutes of a person)."""

    shifts: tuple[Shift, ...] = (Shift(0, 24, 4),)
    handling_minutes: float = 10.0
    sla_hours: float = 4.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not self.shifts:
            raise ValueError("staffing needs at least one shift")
        if not (self.handling_minutes > 0 and self.sla_hours > 0):
            raise ValueError("handling_minutes and sla_hours must be positive")


@dataclass(frozen=True, slots=True)
class AuditBudget:
    """What the audit of automatic decisions may cost, and when it must have paid.

    `reviews_per_day` is the most that reviewers spend on audits; `within_days` is when the next
    widening should be provable (see `models.label_cost.audit_plan`).

    Raises:
        ValueError: a number is not positive.
    """

    reviews_per_day: float
    within_days: float = 60.0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("reviews_per_day", "within_days"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0.0):
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class CaseType:
    """One kind of case, as configured in `configs/case_types/NAME.yaml`.

    `maturity_days` is the age at which a case's truth is taken as settled (outcomes may still
    arrive before it). `audit_rate` is the designed probability that an automatically decided case
    is reviewed all the same; with an `audit_budget` it holds until there is evidence to plan from,
    and each proposed boundary brings a plan of its own. `choose` says which of the proven boundaries
    is proposed: the widest, or the one that costs least at `costs`. `segments` are columns every dossier
    breaks its figures down by. `ab_plan` is how a proposed boundary is tried before it is promoted
    (None: approval is enough), `four_eyes` who must approve it (None: as `four_eyes` of the settings
    says), `certificate_days` how long a proof is believed from the end of its
    evidence, which lies `maturity_days` back, so it must exceed them (None: until it is refuted), and `senior_patterns` are the high-risk patterns that go to a senior.
    """

    name: str
    features: tuple[Feature, ...]
    targets: Targets
    maturity_days: float
    description: str = ""
    costs: Costs = field(default_factory=Costs)
    staffing: Staffing = field(default_factory=Staffing)
    audit_rate: float = 0.05
    audit_budget: AuditBudget | None = None
    choose: Literal["widest", "cheapest"] = "widest"
    segments: tuple[str, ...] = ()
    scorer: Literal["internal", "external"] = "internal"
    never_auto_pass_above_usd: float | None = None
    senior_patterns: tuple[Pattern, ...] = ()
    ab_plan: AbPlan | None = None
    certificate_days: float | None = None
    four_eyes: FourEyes | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not self.features and self.scorer == "internal":
            raise ValueError(f"case type {self.name!r} has no features to score with")
        names = [feature.name for feature in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"case type {self.name!r} names features twice: {', '.join(twice)}")
        if not 0.0 < self.audit_rate <= 1.0:
            raise ValueError(f"audit_rate must lie in (0, 1], got {self.audit_rate!r}")
        if not self.maturity_days >= 0.0:
            raise ValueError(f"maturity_days must be zero or more, got {self.maturity_days!r}")
        plan = self.ab_plan
        if plan is not None and not plan.targets.named():
            object.__setattr__(self, "ab_plan", replace(plan, targets=self.targets))
        if plan is not None and plan.horizon_days <= self.maturity_days:
            raise ValueError(
                f"the A/B test of {self.name!r} ends after {plan.horizon_days:g} days, before the "
                f"first of its cases is mature ({self.maturity_days:g} days)"
            )
        if self.certificate_days is not None and not self.certificate_days > 0.0:
            raise ValueError(f"certificate_days must be positive, got {self.certificate_days!r}")
        self._refuse_expired_proofs()

    def _refuse_expired_proofs(self) -> None:
        """A proof that has ended before its policy may decide would send every case to people."""
        trial = 0.0 if self.ab_plan is None else self.ab_plan.horizon_days
        if self.certificate_days is None or self.certificate_days > self.maturity_days + trial:
            return
        tried = f" and the {trial:g} days of the A/B test" if trial else ""
        raise ValueError(
            f"certificate_days ({self.certificate_days:g}) must exceed maturity_days "
            f"({self.maturity_days:g}){tried}: a proof is believed from the end of its evidence, and the "
            f"newest mature case is {self.maturity_days:g} days old, so every proof of {self.name!r} would "
            f"have ended before it could decide anything. {self.maturity_days + trial + 180.0:g} leaves "
            "half a year; without certificate_days a proof holds until it is refuted"
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)
