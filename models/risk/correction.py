"""How much did a feature's weight change from one model to the next, on the same cases?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk.model import RiskModel

FloatArray = npt.NDArray[np.float64]

MOST_CASES = 2_000
DEAD = 0.03
"""A contribution with a smaller standard deviation (logits) is noise: nothing is a multiple of it."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One feature in two models, on the same cases.

    Attributes:
        mean_before, mean_after: mean absolute contribution to the calibrated log-odds.
        slope: of the new contributions on the old ones by least squares: 0.67 means that the weight
            fell by a third, 1 that it stayed. None where the feature was dead before.
        cases: it was measured on.
    """

    feature: str
    mean_before: float
    mean_after: float
    slope: float | None
    cases: int

    def plain(self) -> dict[str, object]:
        return asdict(self)


def contributions_of(model: RiskModel, cases: pd.DataFrame) -> pd.DataFrame:
    """What each feature adds to each case's calibrated log-odds: shape (cases, features), index as
    `cases`. Exact, by path-dependent TreeSHAP (Lundberg et al. 2020).

    Calibrated, because a model that stopped early has small margins and a steep calibration, and its
    weights are not small for that.
    """
    values = model.contributions(cases).values
    return pd.DataFrame(values, columns=pd.Index(model.feature_names), index=cases.index)


def corrections(
    before: RiskModel, after: RiskModel, cases: pd.DataFrame, features: Sequence[str]
) -> list[Correction]:
    """Every named feature's change on evenly spaced cases, 2,000 at most, which both models can
    score; empty where there is no case.

    Raises:
        ValueError: one of the models has no feature of that name.
    """
    for model in (before, after):
        unknown = [name for name in features if name not in model.feature_names]
        if unknown:
            raise ValueError(
                f"a model has no feature {', '.join(unknown)}; it has "
                f"{', '.join(model.feature_names)}"
            )
    if cases.empty or not features:
        return []
    places = np.unique(np.linspace(0, len(cases) - 1, min(len(cases), MOST_CASES)).astype(int))
    sampled = cases.iloc[places]
    old, new = contributions_of(before, sampled), contributions_of(after, sampled)
    return [
        Correction(
            feature=name,
            mean_before=float(old[name].abs().mean()),
            mean_after=float(new[name].abs().mean()),
            slope=_slope(old[name].to_numpy(), new[name].to_numpy()),
            cases=len(sampled),
        )
        for name in features
    ]


def _slope(old: FloatArray, new: FloatArray) -> float | None:
    if len(old) < 2 or old.std() < DEAD:
        return None
    centred = old - old.mean()
    return float(centred @ (new - new.mean()) / (centred @ centred))
