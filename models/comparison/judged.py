"""What is a ratio metric for each model, and what does its difference prove?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.comparison.figures import Compared, Difference, Estimate, Metric
from models.comparison.influence import Influence
from models.comparison.intervals import share_interval, student
from models.comparison.ratios import Part, Ratio, RatioPair
from models.comparison.rows import BoolArray, FloatArray

_FEWEST_DEFINED = 0.9  # of the resamples, to call a figure's scatter known


@dataclass(frozen=True, eq=False)
class Labelled:
    """What every metric needs of the rows: truth, weight, and the chance of being bad by both
    models' mean score; shapes (cases,)."""

    bad: BoolArray
    weight: FloatArray
    chance: FloatArray


@dataclass(frozen=True, eq=False)
class Scatter:
    """Resampled values of one ratio metric of champion and challenger, each of shape (draws,)."""

    champion: FloatArray
    challenger: FloatArray


def judge(
    pair: RatioPair,
    rows: Labelled,
    confidence: float,
    judged_at: float,
    scatter: Scatter | None = None,
) -> Compared:
    """Both figures, their difference and their intervals.

    Args:
        confidence: of the intervals. judged_at: of `Compared.change`.
        scatter: bootstrap values; None: standard errors by linearisation, the same for many cases
            and cheap enough for every slice.
    """
    drawn = (None, None) if scatter is None else (scatter.champion, scatter.challenger)
    values = [None if side is None else _value(pair.metric, side, rows) for side in pair.sides]
    estimates = [
        None
        if side is None or value is None
        else _estimate(pair.metric, side, value, rows, confidence, resampled)
        for side, value, resampled in zip(pair.sides, values, drawn, strict=True)
    ]
    told, why_not = _difference(pair, values[0], values[1], rows, confidence, scatter)
    return Compared(
        pair.metric, estimates[0], estimates[1], told, pair.why_not or why_not, judged_at
    )


def ratio_columns(pairs: tuple[RatioPair, ...], rows: Labelled) -> FloatArray:
    """Weighted amount and weight of both sides of each pair, shape (cases, 4 * pairs)."""
    nothing = np.zeros(rows.weight.shape)
    columns: list[FloatArray] = []
    for pair in pairs:
        for side in pair.sides:
            part = Part(nothing, nothing) if side is None else side.seen(rows.bad)
            columns.extend((rows.weight * part.counts * part.amount, rows.weight * part.counts))
    return np.column_stack(columns)


def scatters(pairs: tuple[RatioPair, ...], sums: FloatArray) -> Mapping[str, Scatter]:
    """Resampled figures by metric, from resampled sums of `ratio_columns`; NaN where undefined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = sums[:, 0::2] / sums[:, 1::2]
    return {
        pair.metric.name: Scatter(
            _as_stated(pair.metric, ratios[:, 2 * place]),
            _as_stated(pair.metric, ratios[:, 2 * place + 1]),
        )
        for place, pair in enumerate(pairs)
    }


def _as_stated(metric: Metric, ratio: FloatArray) -> FloatArray:
    """Shares are stated as what goes well; the ratio is of what goes wrong."""
    return 1.0 - ratio if metric.unit == "share" else ratio


def _value(metric: Metric, side: Ratio, rows: Labelled) -> float | None:
    part = side.seen(rows.bad)
    counted = rows.weight * part.counts
    total = float(counted.sum())
    if total <= 0.0:
        return None
    ratio = float(np.dot(counted, part.amount)) / total
    return 1.0 - ratio if metric.unit == "share" else ratio


def _estimate(
    metric: Metric,
    side: Ratio,
    value: float,
    rows: Labelled,
    confidence: float,
    resampled: FloatArray | None,
) -> Estimate:
    if metric.unit == "share":
        part = side.seen(rows.bad)
        low, high = share_interval(
            part.amount > 0.0, part.counts > 0.0, side.exposed, rows.weight, confidence
        )
        return Estimate(value, 1.0 - high, 1.0 - low)
    moved = _influence(metric, side, value, rows)
    error = moved.linear_error() if resampled is None else float(resampled.std(ddof=1))
    told = student(value, error, moved, confidence)
    return Estimate(value, None if told.low is None else max(told.low, 0.0), told.high)


def _difference(
    pair: RatioPair,
    champion: float | None,
    challenger: float | None,
    rows: Labelled,
    confidence: float,
    scatter: Scatter | None,
) -> tuple[Difference | None, str]:
    """The difference, and why it or its interval is not estimable."""
    metric, first, second = pair.metric, pair.champion, pair.challenger
    if first is None or second is None or champion is None or challenger is None:
        return None, f"{metric.title}: {_nothing_to_count(metric, champion, challenger)}"
    moved = _influence(metric, second, challenger, rows) - _influence(metric, first, champion, rows)
    value, error = challenger - champion, moved.linear_error()
    if scatter is not None:
        resampled = scatter.challenger - scatter.champion
        resampled = resampled[np.isfinite(resampled)]
        if resampled.size < _FEWEST_DEFINED * scatter.champion.size:
            return Difference(value), f"{metric.title}: too many resamples have no case to count"
        error = float(resampled.std(ddof=1))
    largest = 1.0 if metric.unit == "share" else math.inf
    return student(value, error, moved, confidence, largest), ""


def _influence(metric: Metric, side: Ratio, value: float, rows: Labelled) -> Influence:
    """Of a weighted ratio: weight * (amount - ratio) over the total weight that counts."""
    share = metric.unit == "share"
    ratio = 1.0 - value if share else value
    scale = rows.weight / float((rows.weight * side.seen(rows.bad).counts).sum())
    if share:
        scale = -scale
    if_bad, if_good = (
        scale * part.counts * (part.amount - ratio) for part in (side.if_bad, side.if_good)
    )
    return Influence.of(if_bad, if_good, rows.bad, rows.chance)


def _nothing_to_count(metric: Metric, champion: float | None, challenger: float | None) -> str:
    sides = (("champion", champion), ("challenger", challenger))
    whose = " and ".join(name for name, value in sides if value is None)
    kind = metric.name.split("_")[0]
    what = {"recall": "no bad case", "precision": "no blocked case"}.get(kind, "no case")
    return f"{what} to count ({whose})"
