"""Between which two scores does the agent ask a person?"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Boundary:
    """Auto-pass at or below one score, auto-block at or above another; between them a person decides.

    Either side may be None: that side is never automated. Scores are calibrated probabilities of
    'bad' in [0, 1].

    Raises:
        ValueError: a side is NaN or outside [0, 1], or the sides meet or cross.
    """

    pass_at_or_below: float | None = None
    block_at_or_above: float | None = None

    def __post_init__(self) -> None:
        for side in ("pass_at_or_below", "block_at_or_above"):
            score = getattr(self, side)
            if score is not None and not (math.isfinite(score) and 0.0 <= score <= 1.0):
                raise ValueError(
                    f"{side} must be a score in [0, 1] or None (that side is reviewed), got {score!r}"
                )
        if (
            self.pass_at_or_below is not None
            and self.block_at_or_above is not None
            and self.pass_at_or_below >= self.block_at_or_above
        ):
            raise ValueError(
                f"pass_at_or_below ({self.pass_at_or_below}) must lie below block_at_or_above "
                f"({self.block_at_or_above}): no score both passes and blocks"
            )

    @classmethod
    def everything_reviewed(cls) -> Boundary:
        """The boundary before anything is proven: every case goes to a person."""
        return cls(None, None)

    @property
    def automates_nothing(self) -> bool:
        return self.pass_at_or_below is None and self.block_at_or_above is None
