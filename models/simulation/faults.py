"""Which mistakes can be planted in the reference agent, so that triage can be judged by them?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.simulation.keyed_draws import KeyedDraws


@dataclass(frozen=True, slots=True)
class WeightFault:
    """The agent multiplies one feature's contribution by `factor` (Type A), maybe in one slice only.

    Raises:
        ValueError: the factor is not finite, or only one half of the slice is given.
    """

    case_type: str
    feature: str
    factor: float
    slice_column: str | None = None
    slice_value: str | float | bool | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.factor):
            raise ValueError(
                f"a weight fault's factor must be a finite number, got {self.factor!r}"
            )
        if (self.slice_column is None) != (self.slice_value is None):
            raise ValueError("a weight fault in a slice needs both slice_column and slice_value")

    def applies(self, cases: pd.DataFrame) -> NDArray[np.bool_]:
        """Where the weight is wrong, shape (n,)."""
        if self.slice_column is None:
            return np.ones(len(cases), dtype=np.bool_)
        return matches(cases, self.slice_column, self.slice_value)


@dataclass(frozen=True, slots=True)
class ThresholdFault:
    """The agent reports `shift + slope * log-odds` (Type B): ranking kept, probabilities wrong.

    Raises:
        ValueError: the shift is not finite or the slope is not positive.
    """

    case_type: str
    shift: float
    slope: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.shift) and math.isfinite(self.slope) and self.slope > 0.0):
            raise ValueError(
                f"a threshold fault needs a finite shift and a positive slope (it keeps the "
                f"ranking), got shift {self.shift!r} and slope {self.slope!r}"
            )


@dataclass(frozen=True, slots=True)
class ProcedureFault:
    """Where `column` is `value`, `flip_share` of the cases are read the wrong way round (Type C).

    The written procedure misleads on this pattern: the agent's log-odds change their sign there,
    and no feature's weight explains it.

    Raises:
        ValueError: the flip share is outside (0, 1].
    """

    case_type: str
    sop_clause: str
    column: str
    value: str | float | bool
    flip_share: float

    def __post_init__(self) -> None:
        if not 0.0 < self.flip_share <= 1.0:
            raise ValueError(f"flip_share must lie in (0, 1], got {self.flip_share!r}")

    def applies(self, cases: pd.DataFrame) -> NDArray[np.bool_]:
        """Where the pattern holds, shape (n,); a share of these cases is misread."""
        return matches(cases, self.column, self.value)


Fault = WeightFault | ThresholdFault | ProcedureFault


def misread(fault: ProcedureFault, cases: pd.DataFrame, seed: int) -> NDArray[np.bool_]:
    """Which cases the written procedure gets the wrong way round, shape (n,)."""
    pattern = fault.applies(cases)
    drawn = KeyedDraws(seed, cases["case_id"]).uniform("procedure", fault.sop_clause)
    return np.asarray(pattern & (drawn < fault.flip_share), dtype=np.bool_)


def matches(
    cases: pd.DataFrame, column: str, value: str | float | bool | None
) -> NDArray[np.bool_]:
    """Where a column has a value, shape (n,); a missing cell matches nothing.

    Raises:
        ValueError: there is no such column.
    """
    if column not in cases.columns:
        raise ValueError(
            f"a fault names column {column!r}, which these cases do not have; they have: "
            f"{', '.join(map(str, cases.columns))}"
        )
    return np.asarray((cases[column] == value).fillna(False), dtype=np.bool_)
