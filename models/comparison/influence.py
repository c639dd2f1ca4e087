"""How far does each row move a figure, and how far could it have moved it?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.comparison.rows import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Influence:
    """Each row's linear contribution to a figure or a difference, in its unit.

    Selective labels make errors of ordinary samples: an audited case weighs twenty, and a handful of
    bad ones among thousands of passed cases may happen not to be drawn at all. The rows seen then
    scatter too little, and always in the champion's favour, whose own pass zone it is that was
    audited. The scores say what could have come, so both are kept, and the larger is believed.

    Attributes:
        seen: with the truth as it is, shape (cases,).
        if_bad, if_good: with either truth, shape (cases,).
        chance: of being bad, in [0, 1], shape (cases,).
    """

    seen: FloatArray
    if_bad: FloatArray
    if_good: FloatArray
    chance: FloatArray

    @classmethod
    def of(
        cls, if_bad: FloatArray, if_good: FloatArray, bad: BoolArray, chance: FloatArray
    ) -> Influence:
        return cls(np.where(bad, if_bad, if_good), if_bad, if_good, chance)

    def __sub__(self, other: Influence) -> Influence:
        return Influence(
            self.seen - other.seen,
            self.if_bad - other.if_bad,
            self.if_good - other.if_good,
            self.chance,
        )

    @property
    def is_nothing(self) -> bool:
        """No row could move the figure, whatever its truth."""
        return not (self.if_bad.any() or self.if_good.any())

    def linear_error(self) -> float:
        """Standard error from the contributions seen (the sandwich)."""
        cases = self.seen.size
        return math.sqrt(float((self.seen**2).sum()) * cases / max(cases - 1, 1))

    def expected_error(self) -> float:
        """Standard error from the contributions that the scores expect."""
        expected = self.chance * self.if_bad**2 + (1.0 - self.chance) * self.if_good**2
        return math.sqrt(float(expected.sum()))

    def degrees_of_freedom(self) -> float:
        """Satterthwaite's (1946), of the squared contributions seen: how many rows carry them."""
        squares = self.seen**2
        total = float(squares.sum())
        spread = float((squares**2).sum()) - total**2 / squares.size
        # Equal squares do not scatter at all; rounding may put them a hair below.
        return max(2.0 * total**2 / spread, 1.0) if spread > 1e-12 * total**2 else math.inf
