"""What has to be counted of a sample so that drift can be judged from sums alone?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from models.drift.bins import Levels, Ranges, bins_for, is_number
from models.drift.sample import ZONES, FloatArray, IntArray, Sample
from models.vocabulary import Boundary

SCORE_BINS, FEATURE_BINS = 20, 10


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums over a sample, so that windows pool by adding.

    Attributes:
        rows: cases.
        counts: cases in each bin of the score, then of each feature, one column after another;
            shape (all bins,).
        risks: for each of `ZONES`, over its labelled cases with weight w = 1/propensity and truth
            y: sum w, sum w^2, sum w y, sum w^2 y; shape (3, 4).
    """

    rows: int
    counts: IntArray
    risks: FloatArray

    @classmethod
    def total(cls, tallies: Sequence[Tally]) -> Tally:
        """The tally of several samples together, counted with one ruler."""
        return cls(
            sum(one.rows for one in tallies),
            np.sum([one.counts for one in tallies], axis=0),
            np.sum([one.risks for one in tallies], axis=0),
        )


@dataclass(frozen=True, eq=False)
class Ruler:
    """Bins of the score and of each feature, laid out on one sample and applied to others."""

    scores: Ranges | Levels
    features: Mapping[str, Ranges | Levels]
    boundary: Boundary

    @classmethod
    def laid_on(cls, sample: Sample) -> Ruler:
        """Bins by the quantiles or levels of this sample."""
        frame = sample.features
        return cls(
            bins_for(pd.Series(sample.scores, name="score"), SCORE_BINS),
            {str(name): bins_for(frame[name], FEATURE_BINS) for name in frame.columns},
            sample.boundary,
        )

    @property
    def columns(self) -> list[tuple[str, Ranges | Levels]]:
        """(name, bins) in the order in which they are counted: the score, then each feature."""
        return [("score", self.scores), *self.features.items()]

    @cached_property
    def begins(self) -> IntArray:
        """Place in `Tally.counts` at which each column begins, shape (columns,)."""
        sizes = np.array([bins.size for _, bins in self.columns])
        return np.asarray(np.cumsum(sizes) - sizes, dtype=np.int64)

    def tally(self, sample: Sample) -> Tally:
        """Count a sample.

        Raises:
            ValueError: its boundary or its features are not those the ruler was laid on.
        """
        columns = {str(name): column for name, column in sample.features.items()}
        self._refuse_another_kind(sample.boundary, columns)
        counts = [self.scores.counts(pd.Series(sample.scores))]
        counts += [bins.counts(columns[name]) for name, bins in self.features.items()]
        return Tally(len(sample), np.concatenate(counts), _risk_sums(sample))

    def _refuse_another_kind(self, boundary: Boundary, columns: Mapping[str, pd.Series]) -> None:
        if boundary != self.boundary:
            raise ValueError(
                f"the samples have different boundaries, {self.boundary} and {boundary}; "
                "risks can only be compared in the same score bands"
            )
        here, there = set(self.features), set(columns)
        if here != there:
            odd = ", ".join(map(repr, sorted(here ^ there)))
            raise ValueError(
                f"the samples do not have the same features: only one of them has {odd}; give both "
                "the features of the model under test"
            )
        for name, bins in self.features.items():
            column = columns[name]
            if bins.of_numbers and not is_number(column) and column.notna().any():
                raise ValueError(
                    f"feature {name!r} holds numbers in one sample and {column.dtype} in the other; "
                    "read both with the same column types"
                )


def _risk_sums(sample: Sample) -> FloatArray:
    seen = ~np.isnan(sample.bad)
    zone, bad = sample.zone[seen], sample.bad[seen]
    weight = 1.0 / sample.propensity[seen]
    parts = (weight, weight**2, weight * bad, weight**2 * bad)
    sums = [np.bincount(zone, weights=part, minlength=len(ZONES)) for part in parts]
    return np.stack(sums, axis=1)
