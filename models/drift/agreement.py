"""Does one person's share of some labels differ from the others' on like cases?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.drift.sample import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class PersonCount:
    """One person's labels, compared with everybody else's.

    Attributes:
        labels: by this person; seen: how many of them are of the kind compared.
        expected: what the others' share in each band would give.
        by_band: labels by this person, by all, and how many of these are of the kind; shape (3, bands).
    """

    person: str
    labels: int
    seen: int
    expected: float
    by_band: IntArray = field(repr=False)

    # Computed when asked for: it costs milliseconds, and for most people the share alone says enough.
    @cached_property
    def _tails(self) -> tuple[float, float]:
        return exact_tails(self.seen, *self.by_band)

    @property
    def at_most(self) -> float:
        """Exact probability of so few."""
        return self._tails[0]

    @property
    def at_least(self) -> float:
        """Exact probability of so many."""
        return self._tails[1]

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
            np.stack([labels[row], all_labels, all_events]),
        )
        for row, name in enumerate(names)
    ]


def exact_tails(
    seen: int, labels: IntArray, all_labels: IntArray, all_events: IntArray
) -> tuple[float, float]:
    """(P(count <= seen), P(count >= seen)) of a sum of independent hypergeometric counts.

    Exact to double precision, however small: each count's distribution is tilted exponentially until
    the sum's mean is at what was seen (Esscher 1932), cut off where nothing is left of it, convolved
    and tilted back.

    Args:
        labels: drawn from each band; all_labels, all_events: what it holds; shape (bands,).
    """
    bands = [_Band.of(*band) for band in zip(labels, all_labels, all_events, strict=True)]
    least, most = sum(band.least for band in bands), sum(band.most for band in bands)
    if not least <= seen <= most:
        return float(seen > most), float(seen < least)
    # The smaller tail, made as probable as anything: nothing is then added to or taken from it that
    # is larger than itself, and what is dropped is beyond its last digit.
    tilt = _tilt_towards(seen, bands)
    probability, first, peak, log_scale = np.ones(1), 0, 0, 0.0
    for one in (band.tilted(tilt) for band in bands):
        probability, first = np.convolve(probability, one.mass), first + one.first
        peak, log_scale = peak + one.peak, log_scale + one.log_mean
    log_scale += tilt * (peak - seen)
    beyond = first + np.arange(len(probability)) - seen
    inside = beyond >= 0 if tilt >= 0.0 else beyond <= 0
    tail = probability[inside] * np.exp(-tilt * beyond[inside])
    scale = math.exp(log_scale)
    at_seen = scale * float(probability[beyond == 0].sum())
    near = min(scale * float(tail.sum()), 1.0)
    far = min(1.0 - near + at_seen, 1.0)
    return (far, near) if tilt >= 0.0 else (near, far)


def score_bands(
    score: FloatArray, event: BoolArray, design: FloatArray, bands: int = 10
) -> IntArray:
    """Bands of like cases: score bands with equally many events, apart for each designed weight.

    They depend on everybody's labels together, never on whose they are. Without an event there is
    one band a weight.

    Returns:
        Band of each label, numbered 0, 1, ... without gaps; shape (labels,).
    """
    inner = np.arange(1, bands) / bands
    edges = np.unique(np.quantile(score[event], inner)) if event.any() else np.empty(0)
    _, weight = np.unique(design, return_inverse=True)
    cells = weight * (len(edges) + 1) + np.searchsorted(edges, score, side="left")
    _, band = np.unique(cells, return_inverse=True)
    return np.asarray(band, dtype=np.int64)


_STEEPEST = 64.0
"""Tilt, in log odds a case, at which even a billion labels' largest count is the likeliest."""

_DROPPED = math.log(1e-20)


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """P(k events among `drawn` of `total` cases that hold `events`), for k = least .. most.

    log_mass: of each k, shape (most - least + 1,); by the ratios of neighbours from the mode on, as
    log factorials of 100,000 are rounded to nine digits.
    """

    least: int
    most: int
    log_mass: FloatArray

    @classmethod
    def of(cls, drawn: int, total: int, events: int) -> _Band:
        drawn, total, events = int(drawn), int(total), int(events)
        least, most = max(drawn + events - total, 0), min(drawn, events)
        k = np.arange(least, most, dtype=np.float64)
        up = np.log((events - k) / (k + 1.0)) + np.log(
            (drawn - k) / (total - events - drawn + k + 1.0)
        )
        mode = int(np.count_nonzero(up > 0.0))
        above, below = np.cumsum(up[mode:]), -np.cumsum(up[:mode][::-1])[::-1]
        log_mass = np.concatenate([below, [0.0], above])
        return cls(least, most, log_mass - math.log(np.exp(log_mass).sum()))

    def moments(self, tilt: float) -> tuple[float, float]:
        """Mean and variance with every k made exp(tilt * k) times as probable."""
        told = self.tilted(tilt)
        k = np.arange(len(told.mass))
        mean = float(told.mass @ k)
        return told.first + mean, float(told.mass @ (k - mean) ** 2)

    def tilted(self, tilt: float) -> _Tilted:
        """Every k exp(tilt * k) times as probable; below 1e-20 of the peak it is left out."""
        raised = self.log_mass + tilt * np.arange(len(self.log_mass))
        peak = int(raised.argmax())
        kept = np.flatnonzero(raised >= raised[peak] + _DROPPED)
        mass = np.exp(raised[kept[0] : kept[-1] + 1] - raised[peak])
        total = float(mass.sum())
        return _Tilted(
            mass / total,
            self.least + int(kept[0]),
            self.least + peak,
            float(self.log_mass[peak]) + math.log(total),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Tilted:
    """Tilted probabilities, the counts of the first and of the likeliest of them, and the log of the
    mean of exp(tilt * (k - peak))."""

    mass: FloatArray
    first: int
    peak: int
    log_mean: float


def _tilt_towards(seen: int, bands: list[_Band]) -> float:
    """A tilt that carries the sum's mean to within a standard deviation of what was seen."""
    low, high, tilt = -_STEEPEST, _STEEPEST, 0.0
    while high - low > 1e-9:
        moments = [band.moments(tilt) for band in bands]
        short = seen - sum(mean for mean, _ in moments)
        if abs(short) <= max(math.sqrt(sum(variance for _, variance in moments)), 0.5):
            break
        low, high = (tilt, high) if short > 0.0 else (low, tilt)
        tilt = (low + high) / 2.0
    return tilt
