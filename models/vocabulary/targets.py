"""Which promises must an automatic decision keep, and how sure must we be?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

SMALLEST_DELTA = 1e-250
"""A share of it is still a float64 of full precision, and so is its inverse."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The risks a boundary is certified for; None means 'not promised'.

    precision, recall and accuracy are lower limits (shares in (0, 1)); false_omission_rate is an
    upper limit (a share in (0, 1)); expected_loss is an upper limit in US dollars a case. `delta`
    is the accepted probability that any boundary promoted for one model generation breaks a promise
    (METHODS, notation).

    Raises:
        ValueError: a limit or delta is outside its range.
    """

    precision: float | None = None
    recall: float | None = None
    false_omission_rate: float | None = None
    accuracy: float | None = None
    expected_loss: float | None = None
    delta: float = 0.05

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("precision", "recall", "false_omission_rate", "accuracy"):
            share = getattr(self, name)
            if share is not None and not (math.isfinite(share) and 0.0 < share < 1.0):
                raise ValueError(
                    f"target {name} must be a share strictly between 0 and 1, got {share!r}"
                )
        loss = self.expected_loss
        if loss is not None and not (math.isfinite(loss) and loss > 0.0):
            raise ValueError(f"target expected_loss must be a positive amount, got {loss!r}")
        if not (math.isfinite(self.delta) and 0.0 < self.delta < 0.5):
            raise ValueError(f"delta must lie strictly between 0 and 0.5, got {self.delta!r}")
        if self.delta < SMALLEST_DELTA:
            raise ValueError(
                f"delta {self.delta!r} is too small to be computed with once it is split over looks "
                f"and risks; give {SMALLEST_DELTA!r} or more"
            )

    def named(self) -> dict[str, float]:
        """The promises that were made, by the risk's name."""
        names = ("precision", "recall", "false_omission_rate", "accuracy", "expected_loss")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}
