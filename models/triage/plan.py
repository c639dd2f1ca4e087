"""When is a deviation worth a finding?"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TriagePlan:
    """What people set about triage.

    Attributes:
        q: false-discovery rate of each cause's search.
        weight_margin: a feature's weight may be off by this share before anybody is told.
        ignored_margin: the same for an ignored feature, in logits per standard deviation.
        least_effect: what it must move a typical case's log-odds by; 0.08 logits are two points of
            probability at even odds.
        calibration_margin: the same as the weights', for the score's shift (logits) and slope.
        fewest_errors: errors that a procedure finding must rest on.
        least_ratio: times as many errors as elsewhere that it takes.

    Raises:
        ValueError: a value is out of its range.
    """

    q: float = 0.05
    weight_margin: float = 0.1
    ignored_margin: float = 0.1
    least_effect: float = 0.08
    calibration_margin: float = 0.2
    fewest_errors: int = 20
    least_ratio: float = 1.5

    def __post_init__(self) -> None:
        if not 0.0 < self.q < 0.5:
            raise ValueError(f"q must lie strictly between 0 and 0.5, got {self.q!r}")
        for name in ("weight_margin", "ignored_margin", "least_effect", "calibration_margin"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0.0):
                raise ValueError(f"{name} must be zero or more, got {getattr(self, name)!r}")
        if self.fewest_errors < 1:
            raise ValueError(f"fewest_errors must be 1 or more, got {self.fewest_errors!r}")
        if not self.least_ratio >= 1.0:
            raise ValueError(f"least_ratio must be 1 or more, got {self.least_ratio!r}")
