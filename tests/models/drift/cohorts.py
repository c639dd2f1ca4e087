"""Simulated cohorts in windows whose laws are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from models.drift import CohortWindows

DISTANCE, BASE_RATE = 2.5, 0.1


def cohort(
    generator: np.random.Generator,
    cases: int,
    windows: int,
    *,
    towards: Sequence[float] = (),
    good: Sequence[float] = (),
    base_rate: Sequence[float] = (),
) -> CohortWindows:
    """Simulated: good cases at N(0, 1), one in ten bad at N(2.5, 1), scored by the posterior.

    Args:
        cases: a window.
        towards: by window, how far bad cases moved towards the good ones; good: how far good cases
            moved up; base_rate: the share of bad cases. Empty: nothing moves.
    """
    window = np.repeat(np.arange(windows), cases)
    closer = np.asarray(towards if len(towards) else [0.0] * windows)[window]
    up = np.asarray(good if len(good) else [0.0] * windows)[window]
    share = np.asarray(base_rate if len(base_rate) else [BASE_RATE] * windows)[window]
    bad = generator.random(len(window)) < share
    x = generator.normal(size=len(window)) + np.where(bad, DISTANCE - closer, up)
    prior = np.log(BASE_RATE / (1.0 - BASE_RATE))
    every = np.ones(len(window), dtype=np.bool_)
    score = expit(prior + DISTANCE * x - DISTANCE**2 / 2.0)
    return CohortWindows(score, bad, every, every, every, window, windows)


def of_rows(
    score: Sequence[float], bad: Sequence[int], window: Sequence[int], **flags: Sequence[int]
) -> CohortWindows:
    """A small visible table; flags as `automatable`, `member`, `block_member`, all 1 by default."""
    every = np.ones(len(score), dtype=np.bool_)
    told = {name: np.array(values, dtype=np.bool_) for name, values in flags.items()}
    return CohortWindows(
        score=np.array(score, dtype=np.float64),
        bad=np.array(bad, dtype=np.bool_),
        automatable=told.get("automatable", every),
        member=told.get("member", every),
        block_member=told.get("block_member", told.get("member", every)),
        window=np.array(window, dtype=np.int64),
        windows=int(max(window)) + 1,
    )
