"""Where is the challenger worse, although it may be better overall?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.comparison.comparison import SliceCompared
from models.comparison.figures import PRIMARY, Compared, Metric
from models.comparison.judged import Labelled, judge
from models.comparison.ratios import RatioPair
from models.drift.multiple_testing import discoveries

SLICE_METRICS = (PRIMARY, "recall_same_automation", "precision_same_automation")

FEWEST_CASES = 100
FEWEST_OF_A_CLASS = 10
"""A slice is judged with so many labelled cases, and so many bad and good ones (METHODS 4.1)."""

MISSING = "(missing)"

IntArray = npt.NDArray[np.intp]
Labels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Test:
    """One metric in one slice; `worse` is its one-sided p-value for a loss, 1 - worse for a gain."""

    place: int
    metric: str
    worse: float


def compare_slices(
    rows: Labelled,
    pairs: Mapping[str, RatioPair],
    slices: Mapping[str, Labels],
    confidence: float,
) -> tuple[SliceCompared, ...]:
    """Log loss, recall and precision at the same automation in every slice value.

    The false discovery rate is held at `1 - confidence`, half of it for losses and half for gains,
    each over every test of every supported slice (Benjamini and Hochberg 1995, valid for tests that
    depend on each other positively, as overlapping slices do), so a slice of noise is not called a
    regression. Gains are kept apart lest many of them make it easy for a loss to be called.

    Args:
        pairs: by metric's name, over all rows.
        slices: column -> label of each row, shape (cases,); a missing label is a value of its own.

    Raises:
        ValueError: a column has another number of labels than there are rows.
    """
    found = [
        _compare_slice(rows, pairs, name, chosen, confidence)
        for name, chosen in _values(slices, len(rows.bad))
    ]
    tests = [
        _Test(place, compared_.metric.name, _p_worse(compared_))
        for place, one in enumerate(found)
        for compared_ in one.metrics
        if compared_.difference is not None and compared_.difference.p_value is not None
    ]
    rate = 0.5 * (1.0 - confidence)
    losses = np.array([test.worse for test in tests])
    worse = _named(tests, discoveries(losses, rate))
    better = _named(tests, discoveries(1.0 - losses, rate))
    return tuple(
        replace(one, worse_on=tuple(worse.get(place, ())), better_on=tuple(better.get(place, ())))
        for place, one in enumerate(found)
    )


def _values(slices: Mapping[str, Labels], cases: int) -> Iterator[tuple[str, IntArray]]:
    """Each "column=value" with its row numbers, in the order of columns and sorted values."""
    for column, labels in slices.items():
        if len(labels) != cases:
            raise ValueError(
                f"slice column {column!r} has {len(labels)} labels for {cases} rows; give one a row"
            )
        told = pd.Series(labels)
        text = told.astype("str").where(told.notna(), MISSING).to_numpy(dtype=object)
        codes, names = pd.factorize(text, sort=True)
        order = np.argsort(codes, kind="stable")
        ends = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
        for name, chosen in zip(names, np.split(order, ends), strict=True):
            yield f"{column}={name}", chosen


def _compare_slice(
    rows: Labelled,
    pairs: Mapping[str, RatioPair],
    name: str,
    chosen: IntArray,
    confidence: float,
) -> SliceCompared:
    cases, bad = chosen.size, int(rows.bad[chosen].sum())
    if cases < FEWEST_CASES or min(bad, cases - bad) < FEWEST_OF_A_CLASS:
        why = (
            f"{cases} labelled cases, {bad} of them bad; at least {FEWEST_CASES} with {FEWEST_OF_A_CLASS} bad "
            f"and {FEWEST_OF_A_CLASS} good ones are judged"
        )
        return SliceCompared(name, cases, bad, why_not=why)
    here = Labelled(rows.bad[chosen], rows.weight[chosen], rows.chance[chosen])
    metrics = tuple(
        judge(pairs[metric].at(chosen), here, confidence, confidence) for metric in SLICE_METRICS
    )
    return SliceCompared(name, cases, bad, metrics)


def _p_worse(compared_: Compared) -> float:
    told = compared_.difference
    assert told is not None
    assert told.p_value is not None
    half = 0.5 * told.p_value
    return half if _is_loss(compared_.metric, told.value) else 1.0 - half


def _is_loss(metric: Metric, change: float) -> bool:
    return change < 0.0 if metric.higher_is_better else change > 0.0


def _named(tests: list[_Test], chosen: npt.NDArray[np.bool_]) -> dict[int, list[str]]:
    named: dict[int, list[str]] = {}
    for test, kept in zip(tests, chosen, strict=True):
        if kept:
            named.setdefault(test.place, []).append(test.metric)
    return named
