"""How does a margin become a probability, without making ties?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlattCalibration:
    """`P(bad) = sigmoid(slope * margin + intercept)`, strictly increasing (Platt 1999).

    Isotonic steps are for display only: their ties collapse automation (METHODS, notation).

    Raises:
        ValueError: the slope is not positive (such a model ranks backwards) or not finite.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept) and self.slope > 0.0):
            raise ValueError(
                f"the calibration slope is {self.slope!r}: on later rows a higher margin does not mean "
                "a higher risk, so this model cannot be used; train on more or on other evidence"
            )

    def probability(self, margins: FloatArray) -> FloatArray:
        """Calibrated probabilities, shape of `margins`."""
        return np.asarray(expit(self.slope * margins + self.intercept), dtype=np.float64)


def fit_platt(
    margins: FloatArray, bad: npt.NDArray[np.bool_], weights: FloatArray
) -> PlattCalibration:
    """Fit the two parameters by weighted maximum likelihood; arrays of shape (rows,).

    Raises:
        ValueError: one class only, or the fitted slope is not positive.
    """
    if bad.all() or not bad.any():
        raise ValueError("calibration needs both outcomes in the later slice; it has only one")
    fitted = LogisticRegression(C=1e6, max_iter=500).fit(
        margins.reshape(-1, 1), bad, sample_weight=weights
    )
    return PlattCalibration(slope=float(fitted.coef_[0, 0]), intercept=float(fitted.intercept_[0]))
