"""Does a boundary keep its promises in every segment, or does a good total hide a bad one?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.comparison.boundaries import decisions
from models.comparison.figures import Estimate
from models.comparison.intervals import share_interval
from models.comparison.rows import BoolArray, FloatArray
from models.vocabulary import Boundary

ALL = "all"
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """What a boundary does in one segment; None: not estimable there.

    Attributes:
        column, value: "channel" is "web"; both "all" for the total.
        cases, bad: how many cases, and how many of them are known to be bad.
        automation_rate: share of its cases that the boundary decides.
        precision, recall: with 95 % intervals, from designed weights. They are shown, not tested: a
            promise is proven for the total.
    """

    column: str
    value: str
    cases: int
    bad: int
    automation_rate: float
    precision: Estimate | None
    recall: Estimate | None

    def plain(self) -> dict[str, object]:
        """For a dossier."""
        return {
            "column": self.column,
            "value": self.value,
            "cases": self.cases,
            "bad": self.bad,
            "automation_rate": self.automation_rate,
            "precision": self.precision.plain() if self.precision else None,
            "recall": self.recall.plain() if self.recall else None,
        }


@dataclass(frozen=True, eq=False)
class SegmentRows:
    """Evidence as the segments need it; every array has shape (cases,).

    `bad` counts only where `labelled`; `propensity` is designed, in (0, 1].
    """

    score: FloatArray
    bad: BoolArray
    labelled: BoolArray
    propensity: FloatArray
    automatable: BoolArray


def by_segment(
    rows: SegmentRows, boundary: Boundary, segments: Mapping[str, pd.Series]
) -> tuple[SegmentFigures, ...]:
    """The total first, then every value of every segment, largest first.

    Args:
        segments: by column, each case's value, shape (cases,); a missing one is its own segment.
    """
    everywhere = np.ones(len(rows.score), dtype=np.bool_)
    told = [_figures(rows, boundary, ALL, ALL, everywhere)]
    for column, values in segments.items():
        text = values.astype(object).where(values.notna(), "missing").astype(str)
        codes, names = pd.factorize(text)
        for code in np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable"):
            told.append(_figures(rows, boundary, column, str(names[code]), codes == code))
    return tuple(told)


def _figures(
    rows: SegmentRows, boundary: Boundary, column: str, value: str, here: BoolArray
) -> SegmentFigures:
    done = decisions(rows.score, rows.automatable, boundary)
    weight = np.where(rows.labelled, 1.0 / rows.propensity, 0.0)
    known, bad = here & rows.labelled, here & rows.labelled & rows.bad
    return SegmentFigures(
        column=column,
        value=value,
        cases=int(here.sum()),
        bad=int(bad.sum()),
        automation_rate=float((done.passed | done.blocked)[here].mean()) if here.any() else 0.0,
        precision=_kept(known & ~rows.bad, known & done.blocked, known & done.blocked, weight),
        recall=_kept(done.passed, bad, known & done.passed, weight),
    )


def _kept(
    errors: BoolArray, among: BoolArray, exposed: BoolArray, weight: FloatArray
) -> Estimate | None:
    """1 minus the weighted share of errors; None where there is nothing to take a share of."""
    total = float(weight[among].sum())
    if total <= 0.0:
        return None
    low, high = share_interval(errors, among, exposed, weight, CONFIDENCE)
    return Estimate(1.0 - float(weight[among & errors].sum()) / total, 1.0 - high, 1.0 - low)
