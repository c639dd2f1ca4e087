"""How will a boundary be tried against today's, fixed before the first case is assigned?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, ClassVar, Literal

from models.vocabulary.targets import Targets


@dataclass(frozen=True, slots=True)
class AbPlan:
    """The registration of an A/B test: horizon, margins, metrics and audit rates (METHODS 5).

    It is part of the policy it tries, so it is approved with it and cannot change afterwards.

    Attributes:
        targets: the absolute promises the treatment arm is held to; their delta is the type I
            error of each of the three tests (all three must reject, so it is not split). A case
            type's plan without promises takes over the case type's.
        treatment_share: share of the cases decided by the new policy, in (0, 1).
        horizon_days: the last look; what is not proven by then is not proven.
        automation_margin: the treatment must automate more than the control by this share.
        precision_margin: its precision may be lower than the control's by less than this.
        method: "betting" is valid at any look; "obrien_fleming" at `looks` looks, evenly spread
            over the horizon. A z-test looked at every day has a type I error of .23 and is not on
            offer.
        looks: how many looks "obrien_fleming" takes; None for "betting".
        moved_audit: (from this day on, rate): how often a treated case is reviewed where the two
            policies differ; days rising from 0, rates falling.
        salt: mixed into the hash of the case id that assigns the arms.

    Raises:
        ValueError: a value is outside its range, or promises nothing that could be tested.
    """

    targets: Targets = field(default_factory=Targets)
    treatment_share: float = 0.5
    horizon_days: float = 28.0
    automation_margin: float = 0.0
    precision_margin: float = 0.01
    method: Literal["betting", "obrien_fleming"] = "betting"
    looks: int | None = None
    moved_audit: tuple[tuple[float, float], ...] = field(default=((0.0, 1.0),))
    salt: str = "ab-1"

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        testable = (self.targets.precision, self.targets.recall, self.targets.false_omission_rate)
        if self.targets.named() and all(target is None for target in testable):
            raise ValueError(
                "an A/B tests precision, recall or a false omission rate, and the plan's targets "
                "promise none of them"
            )
        if not 0.0 < self.treatment_share < 1.0:
            raise ValueError(f"treatment_share must lie in (0, 1), got {self.treatment_share!r}")
        if not (math.isfinite(self.horizon_days) and self.horizon_days >= 1.0):
            raise ValueError(f"horizon_days must be at least 1, got {self.horizon_days!r}")
        for name in ("automation_margin", "precision_margin"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)!r}")
        if self.method not in ("betting", "obrien_fleming"):
            raise ValueError(
                f"an A/B is judged by betting (valid at any look) or obrien_fleming (at looks fixed "
                f"in advance), not by {self.method!r}: a z-test looked at daily errs in .23 of tests"
            )
        if (self.method == "obrien_fleming") != (self.looks is not None):
            raise ValueError("looks are given with obrien_fleming, and only with it")
        if self.looks is not None and not 1 <= self.looks <= self.horizon_days:
            raise ValueError(f"looks must lie in 1..horizon_days, got {self.looks!r}")
        object.__setattr__(self, "moved_audit", _steps(self.moved_audit))
        if not (isinstance(self.salt, str) and self.salt):
            raise ValueError("salt must be text that is mixed into the assignment")

    def moved_rate(self, days_since_start: float) -> float:
        """The designed audit rate of a treated case in the moved bands, that long after the start."""
        return [rate for day, rate in self.moved_audit if day <= max(days_since_start, 0.0)][-1]

    @property
    def lowest_moved_rate(self) -> float:
        return min(rate for _, rate in self.moved_audit)

    def document(self) -> dict[str, Any]:
        """The plan as plain JSON values; every field is spelled out."""
        return {
            "targets": {**self.targets.named(), "delta": self.targets.delta},
            "treatment_share": self.treatment_share,
            "horizon_days": self.horizon_days,
            "automation_margin": self.automation_margin,
            "precision_margin": self.precision_margin,
            "method": self.method,
            "looks": self.looks,
            "moved_audit": [list(step) for step in self.moved_audit],
            "salt": self.salt,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AbPlan:
        """The plan a document describes.

        Raises:
            ValueError: a key is unknown or missing, or a value cannot be used.
        """
        known = {each.name for each in fields(cls)}
        if set(document) != known:
            odd = sorted(set(document) ^ known)
            raise ValueError(f"policy A/B plan: unknown or missing key {', '.join(odd)}")
        try:
            return cls(**{**document, "targets": Targets(**document["targets"])})
        except TypeError as wrong:
            raise ValueError(f"policy A/B plan: {wrong}") from None


def _steps(said: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    steps = tuple((float(day), float(rate)) for day, rate in said)
    if not steps or steps[0][0] != 0.0:
        raise ValueError(f"moved_audit must say the rate from day 0 on, got {said!r}")
    for (day, rate), (later, lower) in pairwise(steps):
        if not (day < later and rate > lower):
            raise ValueError(f"moved_audit must have rising days and falling rates, got {said!r}")
    if not all(math.isfinite(day) and 0.0 < rate <= 1.0 for day, rate in steps):
        raise ValueError(f"moved_audit rates must lie in (0, 1], got {said!r}")
    return steps
