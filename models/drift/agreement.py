"""Does one person's share of some labels differ from the others' on like cases?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln

from models.drift.sample import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PersonCount:
    """One person's labels, compared with everybody else's.

    Attributes:
        labels: by this person; seen: how many of them are of the kind compared.
        expected: what the others' share in each band would give.
        at_most, at_least: exact probabilities of so few and of so many.
    """

    person: str
    labels: int
    seen: int
    expected: float
    at_most: float
    at_least: float

    @property
    def two_sided(self) -> float:
        return min(1.0, 2.0 * min(self.at_most, self.at_least))


def compare_people(person: npt.NDArray[Any], event: BoolArray, band: IntArray) -> list[PersonCount]:
    """Compare everybody with all others, band by band; in order of name.

    Given each band's labels and how many of them are events, a person who has a random part of the
    band has a hypergeometric number of them, and over the bands their sum (Birch 1964: the exact
    form of the Mantel and Haenszel 1959 test). So the test is valid for any bands that do not
    depend on who labelled what. Nobody, where there is no event or nobody to compare with.

    Args:
        person: who gave each label; event: whether it is of the kind compared; band: of like
            cases, 0, 1, ...; shape (labels,).
    """
    who, names = pd.factorize(person, sort=True)
    if len(names) < 2 or not event.any():
        return []
    bands = int(band.max()) + 1
    cell, size = who * bands + band, len(names) * bands
    labels = np.bincount(cell, minlength=size).reshape(len(names), bands)
    events = np.bincount(cell[event], minlength=size).reshape(len(names), bands)
    all_labels, all_events = labels.sum(axis=0), events.sum(axis=0)
    others = all_labels - labels
    share = (all_events - events) / np.maximum(others, 1)
    # Where nobody else labelled, there is nothing to compare with.
    expected = np.where(others > 0, labels * share, events).sum(axis=1)
    return [
        PersonCount(
            str(name),
            int(labels[row].sum()),
            int(events[row].sum()),
            float(expected[row]),
            *exact_tails(int(events[row].sum()), labels[row], all_labels, all_events),
        )
        for row, name in enumerate(names)
    ]


def exact_tails(
    seen: int, labels: IntArray, all_labels: IntArray, all_events: IntArray
) -> tuple[float, float]:
    """(P(count <= seen), P(count >= seen)) of a sum of independent hypergeometric counts.

    Args:
        labels: drawn from each band; all_labels, all_events: what it holds; shape (bands,).
    """
    probability = np.ones(1)
    for band in _hypergeometric(labels, all_labels, all_events):
        probability = np.convolve(probability, band)
    at_most, at_least = probability[: seen + 1].sum(), probability[max(seen, 0) :].sum()
    return min(float(at_most), 1.0), min(float(at_least), 1.0)


def score_bands(
    score: FloatArray, event: BoolArray, design: FloatArray, bands: int = 10
) -> IntArray:
    """Bands of like cases: score bands with equally many events, apart for each designed weight.

    They depend on everybody's labels together, never on whose they are. At least one event is
    needed.

    Returns:
        Band of each label, numbered 0, 1, ... without gaps; shape (labels,).
    """
    edges = np.unique(np.quantile(score[event], np.arange(1, bands) / bands))
    _, weight = np.unique(design, return_inverse=True)
    cells = weight * (len(edges) + 1) + np.searchsorted(edges, score, side="left")
    _, band = np.unique(cells, return_inverse=True)
    return np.asarray(band, dtype=np.int64)


def _hypergeometric(drawn: IntArray, total: IntArray, events: IntArray) -> FloatArray:
    """P(k events among `drawn` of `total` cases that hold `events`), shape (bands, counts k).

    From factorials, as scipy's own takes ten times as long for a whole table; 0 where k cannot be.
    """
    drawn, total, events = drawn[:, None], total[:, None], events[:, None]
    k = np.arange(int(events.max(initial=0)) + 1)
    possible = (k >= drawn + events - total) & (k <= np.minimum(drawn, events))
    k = np.where(possible, k, np.minimum(drawn, events))

    def log_ways(of: IntArray, chosen: IntArray) -> FloatArray:
        ways = gammaln(of + 1) - gammaln(chosen + 1) - gammaln(of - chosen + 1)
        return np.asarray(ways, dtype=np.float64)

    ways = log_ways(events, k) + log_ways(total - events, drawn - k) - log_ways(total, drawn)
    probability: FloatArray = np.where(possible, np.exp(ways), 0.0)
    return probability
