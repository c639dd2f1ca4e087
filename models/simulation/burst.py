"""When do attackers come in numbers, and how well have they learnt to look clean?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.simulation.recipe import BoolArray


@dataclass(frozen=True, slots=True)
class Burst:
    """Days in which one case type's attackers come in numbers and have learnt to look clean.

    `disguise` is the part of the way that a bad case's disguised features move to those of an
    ordinary case (0 none, 1 all); `disguised_features` is how many of the case type's strongest
    ring features they disguise; volume and ring share are multiplied.

    Raises:
        ValueError: a figure is out of range.
    """

    case_type: str = "withdrawal_anomaly"
    first_day: int = 70
    days: int = 3
    disguise: float = 0.7
    disguised_features: int = 4
    volume_factor: float = 1.5
    ring_factor: float = 1.5

    def __post_init__(self) -> None:
        if self.days < 1 or not 0.0 <= self.disguise <= 1.0 or self.disguised_features < 0:
            raise ValueError(
                "a burst lasts at least a day, with a disguise in [0, 1] and no negative number of "
                f"disguised features, got {self!r}"
            )
        if not (self.volume_factor > 0.0 and self.ring_factor > 0.0):
            raise ValueError(f"a burst's factors must be positive, got {self!r}")

    def covers(self, case_type: str, days: NDArray[np.int64]) -> BoolArray:
        inside = (days >= self.first_day) & (days < self.first_day + self.days)
        return np.asarray(inside & (case_type == self.case_type), dtype=np.bool_)


DEFAULT_BURST = Burst()
