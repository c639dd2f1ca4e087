"""On which later cases are two models compared, and how much does each case weigh?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Cases with known truth, scored by both models; every array has shape (cases,).

    The caller sees to it that all cases were opened after *both* models' training cut-offs: a row
    that one of the models has learned from would flatter it.

    Attributes:
        champion, challenger: calibrated probabilities of 'bad' in [0, 1], float64.
        bad: the truth.
        weight: 1 / the designed probability that the truth was observed, so at least 1. Labels are
            selective (every escalated case, a share of the automatic ones), so every figure is
            weighted by it.
        automatable: False for cases that a person decides whatever the score (key users).

    Raises:
        ValueError: the shapes or types differ from these, or a value is outside its range.
    """

    champion: FloatArray
    challenger: FloatArray
    bad: BoolArray
    weight: FloatArray
    automatable: BoolArray

    def __post_init__(self) -> None:
        cases = np.shape(self.bad)
        for name in ("champion", "challenger", "weight"):
            _need(name, getattr(self, name), np.dtype(np.float64), cases)
        for name in ("bad", "automatable"):
            _need(name, getattr(self, name), np.dtype(np.bool_), cases)
        for name in ("champion", "challenger"):
            score = getattr(self, name)
            _refuse(~((score >= 0.0) & (score <= 1.0)), name, "a probability in [0, 1]")
        # A weight below 1 is most likely the propensity itself, not its inverse.
        sound = np.isfinite(self.weight) & (self.weight >= 1.0)
        _refuse(~sound, "weight", "1 / the designed probability of observation, so at least 1")

    def __len__(self) -> int:
        return len(self.bad)

    @property
    def equally_weighted(self) -> bool:
        return len(self) == 0 or bool((self.weight == self.weight[0]).all())

    def only(self, kept: BoolArray) -> ScoredRows:
        """The same rows without some of them; `kept` has shape (cases,)."""
        return ScoredRows(
            self.champion[kept],
            self.challenger[kept],
            self.bad[kept],
            self.weight[kept],
            self.automatable[kept],
        )


def _need(name: str, array: object, kind: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != kind:
        found = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"{name} must be an array of {kind}, got {found}")
    if array.shape != shape or array.ndim != 1:
        raise ValueError(
            f"{name} has shape {array.shape}; bad has {shape}, and both must be (cases,)"
        )


def _refuse(wrong: BoolArray, name: str, what: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{int(wrong.sum())} rows have no valid {name} (first at row {row}); it must be {what}"
        )
