"""Does a score of 30 % mean 30 % (Type B), once biased features are accounted for?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.stats import beta, chi2, norm

from models.triage.labelled_rows import FEWEST_OF_A_CLASS
from models.triage.threshold.offset_logit import fit_offset_logit, independent

FloatArray = npt.NDArray[np.float64]

CURVE_BINS = 10
_WIDTH = float(norm.ppf(0.975))


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """One bin of a reliability curve: mean score, observed bad share, its exact 95 % interval."""

    cases: int
    score: float
    bad_share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Miscalibration:
    """How the truth's log-odds follow the score's: `truth = shift + slope * (margin - mean) + mean`.

    Attributes:
        shift, slope: 0 and 1 when the score is calibrated; the shift is at the mean margin, in
            logits. shift_low ... slope_high: 95 % intervals.
        p_value: Wald chi-square, 2 degrees of freedom (Cox 1958).
        material: whether shift or slope lies, for sure, beyond the margin of interest.
        curve: for people, by tenths of the cases.
        settled: False where the classes separate; then nothing was estimated.
    """

    shift: float
    shift_low: float
    shift_high: float
    slope: float
    slope_low: float
    slope_high: float
    p_value: float
    material: bool
    curve: tuple[CalibrationBin, ...]
    settled: bool = True

    @property
    def found(self) -> bool:
        """Whether the score is off significantly, and by more than the margin of interest."""
        return self.settled and self.material


def fit_calibration(
    margin: FloatArray,
    bad: FloatArray,
    biased: FloatArray | None = None,
    *,
    alpha: float = 0.05,
    margin_of_interest: float = 0.1,
) -> Miscalibration | None:
    """Cox's test of calibration after Type A (METHODS 4.2); None with too few of either class.

    Args:
        margin: the score's log-odds, shape (rows,). bad: 0.0 or 1.0, shape (rows,).
        biased: what the features found in Type A contribute, shape (rows, found): Cox's test also
            rejects under a pure Type A, so those terms are fitted beside shift and slope. A weight
            can be wrong around any neutral point: a shift that vanishes when it is wrong around
            zero instead of the mean is Type A's, and no finding.
        alpha: of the joint test.
        margin_of_interest: of the shift in logits and of the slope; a score within it is left alone.
    """
    fewer = int(min(bad.sum(), len(bad) - bad.sum()))
    if fewer < FEWEST_OF_A_CLASS:
        return None
    middle = float(margin.mean())
    columns = [margin - middle]
    if biased is not None and biased.shape[1]:
        columns += list((biased - biased.mean(axis=0)).T)
    terms = np.zeros((len(margin), 0)) if biased is None else biased
    neutral = np.concatenate([[0.0], terms.mean(axis=0)])
    directions = np.column_stack(columns)
    spread = directions.std(axis=0)
    if spread[0] < 1e-9:
        directions, neutral = np.zeros((len(margin), 0)), np.zeros(0)
    else:
        kept = np.flatnonzero(spread > 1e-9)
        kept = kept[independent(directions[:, kept])[0]]
        directions, neutral = directions[:, kept], neutral[kept]
    fit = fit_offset_logit(directions, margin, bad)
    has_slope = directions.shape[1] > 0
    slope = float(fit.slopes[0]) if has_slope else 0.0
    slope_se = float(fit.ses[0]) if has_slope else 0.0
    size = 2 if has_slope else 1
    estimate = np.array([fit.intercept, slope])[:size]
    wald = float(estimate @ np.linalg.pinv(fit.covariance[:size, :size]) @ estimate)
    p_value = float(chi2.sf(wald, size))
    # Beyond the margin for sure: else enough cases would turn any score into a finding.
    one_sided = float(norm.ppf(1.0 - alpha / 2.0))
    around_zero = np.concatenate([[1.0], -neutral])
    shifts = (
        (fit.intercept, fit.intercept_se),
        (
            float(around_zero @ np.append(fit.intercept, fit.slopes)),
            float(np.sqrt(around_zero @ fit.covariance @ around_zero)),
        ),
    )
    beyond = (
        all(abs(shift) - margin_of_interest > one_sided * se for shift, se in shifts)
        or abs(slope) - margin_of_interest > one_sided * slope_se
    )
    return Miscalibration(
        shift=fit.intercept,
        shift_low=fit.intercept - _WIDTH * fit.intercept_se,
        shift_high=fit.intercept + _WIDTH * fit.intercept_se,
        slope=1.0 + slope,
        slope_low=1.0 + slope - _WIDTH * slope_se,
        slope_high=1.0 + slope + _WIDTH * slope_se,
        p_value=p_value,
        material=p_value <= alpha and beyond,
        curve=reliability_curve(margin, bad),
        settled=fit.settled and math.isfinite(p_value),
    )


def recalibrated(margin: FloatArray, found: Miscalibration, middle: float) -> FloatArray:
    """The margins the remedy would give, ranking unchanged, shape (rows,)."""
    return np.asarray(middle + found.shift + found.slope * (margin - middle), dtype=np.float64)


def reliability_curve(margin: FloatArray, bad: FloatArray) -> tuple[CalibrationBin, ...]:
    """Mean score against observed bad share by tenths of the cases, ties kept together; intervals
    after Clopper and Pearson 1934."""
    if not len(margin):
        return ()
    cuts = np.unique(np.quantile(margin, np.linspace(0.0, 1.0, CURVE_BINS + 1)[1:-1]))
    bins = np.searchsorted(cuts, margin, side="left")
    size = len(cuts) + 1
    cases = np.bincount(bins, minlength=size)
    scores = np.bincount(bins, weights=expit(margin), minlength=size)
    bads = np.bincount(bins, weights=bad, minlength=size)
    found = []
    for count, total, hits in zip(cases, scores, bads, strict=True):
        if not count:
            continue
        low = float(beta.ppf(0.025, hits, count - hits + 1)) if hits > 0 else 0.0
        high = float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0
        found.append(
            CalibrationBin(int(count), float(total / count), float(hits / count), low, high)
        )
    return tuple(found)
