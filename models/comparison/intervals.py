"""How far may a figure be from the truth, and which of many changes are real?"""

from __future__ import annotations

import math
from dataclasses import replace

from scipy.special import betaincinv, expit, logit, ndtr, stdtr

from models.comparison.figures import Difference, student_quantile
from models.comparison.influence import Influence
from models.comparison.rows import BoolArray, FloatArray


def share_interval(
    errors: BoolArray, among: BoolArray, exposed: BoolArray, weight: FloatArray, confidence: float
) -> tuple[float, float]:
    """Interval of the weighted share of errors among some cases, honest with few errors or none.

    Clopper and Pearson's (1934) limits at effective counts: the errors' own mean weight stands for
    one event, and the upper limit adds one event of the largest weight an error could have had (as
    Fay and Feuer 1997 do for weighted Poisson sums). With equal weights it is Clopper and Pearson's
    interval itself.

    Args:
        errors, among: masks of shape (cases,); errors count only among `among`.
        exposed: where an error could have been seen, had the truth been another (of the misses: the
            passed cases, good or bad).
        weight: shape (cases,).
    """
    total = float(weight[among].sum())
    if not exposed.any():
        return 0.0, 0.0  # no such error can happen, whatever the cases
    tail = 0.5 * (1.0 - confidence)
    seen = weight[among & errors]
    largest = float(weight[exposed].max())
    low = 0.0
    if seen.size:
        events, trials = _effective(float(seen.sum()), float((seen**2).sum()), total)
        low = float(betaincinv(events, max(trials - events, 0.0) + 1.0, tail))
    wide, wide_squares = float(seen.sum()) + largest, float((seen**2).sum()) + largest**2
    events, trials = _effective(wide, wide_squares, total)
    if trials - events + 1.0 <= 0.0 or seen.sum() >= total:
        return low, 1.0
    return low, float(betaincinv(events, max(trials - events, 0.0) + 1.0, 1.0 - tail))


def auc_interval(
    auc: float, standard_error: float, confidence: float
) -> tuple[float | None, float | None]:
    """Interval on the logit scale, so that it stays within (0, 1); None where nothing scatters."""
    if not 0.0 < auc < 1.0 or not standard_error > 0.0:
        return None, None
    reach = student_quantile(confidence, math.inf) * standard_error / (auc * (1.0 - auc))
    return float(expit(logit(auc) - reach)), float(expit(logit(auc) + reach))


def student(
    value: float, error: float, moved: Influence, confidence: float, largest: float = math.inf
) -> Difference:
    """A difference (or one model's figure) with Student's interval and two-sided p-value.

    Few heavy rows can carry the variance, and a normal interval is then too short: the degrees of
    freedom say how few.

    Args:
        error: its standard error, floored here by what the scores expect (see `Influence`).
        moved: how far each row moves it.
        largest: the interval is cut there and at its negative.
    """
    if moved.is_nothing:
        # Both models treat every row alike, whatever its truth.
        return Difference(value, value, value, 0.0, math.inf, 1.0)
    error = max(error, moved.expected_error())
    if not error > 0.0:
        return Difference(value)
    freedom = moved.degrees_of_freedom()
    away = -abs(value) / error
    p_value = 2.0 * float(ndtr(away) if math.isinf(freedom) else stdtr(freedom, away))
    made = Difference(value, None, None, error, freedom, p_value, largest)
    low, high = made.at(confidence) or (None, None)
    return replace(made, low=low, high=high)


def effective_number(weight: FloatArray) -> float:
    """How many equally weighted cases say as much (Kish 1965); 0 for none."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if weight.size else 0.0


def _effective(events: float, squares: float, total: float) -> tuple[float, float]:
    """Events and trials in units of the events' mean weight."""
    unit = squares / events
    return events / unit, total / unit
