"""What of a window of cases is compared with the windows before it?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.vocabulary import Boundary

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

ZONES = ("pass", "review", "block")
"""The score bands of a boundary, in the order of their scores."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The cases of one window; row i of everything belongs to case i.

    Attributes:
        scores: calibrated P(bad) by one model, shape (cases,), in [0, 1].
        features: one column a feature: numbers, flags or categories; missing values allowed.
        bad: 1 bad, 0 good, NaN where truth was not observed by design, shape (cases,).
        propensity: designed probability that truth is observed, shape (cases,), in (0, 1].
        boundary: whose score bands the risks are compared in; the same for all samples compared.

    Raises:
        ValueError: the columns differ in length or a value is out of range.
    """

    scores: FloatArray
    features: pd.DataFrame
    bad: FloatArray
    propensity: FloatArray
    boundary: Boundary = field(default_factory=Boundary.everything_reviewed)

    def __post_init__(self) -> None:
        lengths = {
            "scores": len(self.scores),
            "features": len(self.features),
            "bad": len(self.bad),
            "propensity": len(self.propensity),
        }
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ValueError(f"a sample needs one value a case of everything, got {told}")
        _refuse(~((self.scores >= 0.0) & (self.scores <= 1.0)), "scores", "lie in [0, 1]")
        _refuse(
            ~((self.propensity > 0.0) & (self.propensity <= 1.0)), "propensity", "lie in (0, 1]"
        )
        known = np.isnan(self.bad) | (self.bad == 0.0) | (self.bad == 1.0)
        _refuse(~known, "bad", "be 0, 1 or NaN (not observed)")

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def zone(self) -> IntArray:
        """Index into `ZONES` of each case's score band, shape (cases,)."""
        low, high = self.boundary.pass_at_or_below, self.boundary.block_at_or_above
        found = np.ones(len(self), dtype=np.int64)
        if low is not None:
            found[self.scores <= low] = 0
        if high is not None:
            found[self.scores >= high] = 2
        return found

    def rows(self, first: int, beyond: int) -> Sample:
        """The cases from place `first` up to, not including, place `beyond`."""
        part = slice(first, beyond)
        return Sample(
            self.scores[part],
            self.features.iloc[part],
            self.bad[part],
            self.propensity[part],
            self.boundary,
        )

    def ordered(self, order: IntArray) -> Sample:
        """The same cases in another order; `order` holds their places, shape (cases,)."""
        return Sample(
            self.scores[order],
            self.features.iloc[order],
            self.bad[order],
            self.propensity[order],
            self.boundary,
        )


def _refuse(wrong: BoolArray, name: str, must: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{int(wrong.sum())} values of {name!r} are unusable (first at row {row}); they must {must}"
        )
