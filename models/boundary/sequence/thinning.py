"""How does a design that is no uniform audit become a cohort? (METHODS 1.2)

A cohort is a sample in which every case had one and the same probability, whatever it scored. All
draws are keyed uniforms of the case, passed in; labels take no part.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.boundary.proof.candidates import just_below
from models.boundary.proof.evidence import BoolArray, FloatArray

RESERVE_SHARE = 0.5
"""Of the cohort's later cases, those that no generation ever learns from."""


def in_cohort(uniform: FloatArray, rate: float | FloatArray) -> BoolArray:
    """Members: cases whose keyed uniform lies below the rate in force when they were opened.

    An escalated or always reviewed case above the rate is *not* a member, though its label is in:
    with those counted as caught the promise is broken nearly always.

    Args:
        uniform: the uniform that draws the audit, in [0, 1), shape (cases,).
        rate: one, or one a case, shape (cases,); 1 while everything is reviewed.
    """
    return np.asarray(uniform < rate)


def from_store(cases: pd.DataFrame, rate: float | FloatArray) -> BoolArray:
    """Who joins when past cases are drawn up to `rate`: old rate <= uniform < rate, shape (cases,).

    Nothing else of a case is asked. A bad case that came to light by itself joins like any other:
    a draw that skips it sees too few misses. Drawing twice equals drawing once at the higher rate.

    Args:
        cases: `uniform`, and `cohort_rate`, up to which the case's time has been drawn already.
        rate: one, or one a case, shape (cases,).
    """
    joins = (cases["uniform"] >= cases["cohort_rate"]) & (cases["uniform"] < rate)
    return joins.to_numpy(dtype=np.bool_)


def in_reserve(member: BoolArray, held_back: BoolArray, second_uniform: FloatArray) -> BoolArray:
    """What no generation learns from, stops, calibrates, chooses or compares on: the held-back
    slice, and cohort cases by a second keyed uniform; shape (cases,)."""
    return np.asarray(held_back | (member & (second_uniform < RESERVE_SHARE)))


def thinned(
    propensity: FloatArray,
    drawn: BoolArray,
    uniform: FloatArray,
    least: float | FloatArray,
) -> BoolArray:
    """Members among cases whose draws had other probabilities: each drawn one with least/propensity.

    What the other agent escalated has propensity 1 and stays with probability `least`. Cases above
    every cut that may be tested may have a smaller propensity than `least`: they are kept when
    drawn, and too few of them only make the proof harder.

    Args:
        propensity: the designed probability of each case's draw, in [0, 1], drawn or not; never a
            share seen among labelled rows. Shape (cases,), as all.
        drawn: by design: audited or escalated.
        uniform: a keyed uniform of the case that took no part in that draw.
        least: the smallest propensity in force when the case was decided, below any cut that may
            be tested (see `reviewable_range`).
    """
    kept = np.divide(least, propensity, out=np.ones(len(propensity)), where=propensity > 0.0)
    return np.asarray(drawn & (propensity > 0.0) & (uniform < kept))


def reviewable_range(
    score: FloatArray, propensity: FloatArray, highest: float = 1.0
) -> tuple[float, float]:
    """(least propensity, highest cut) for cases of one design.

    A case that could not be drawn at all forbids every cut at or above its score: there is no
    certificate beyond.

    Args:
        highest: no cut above it is asked for, so that smaller rates up there cost nothing.

    Raises:
        ValueError: no case below that cut could be drawn.
    """
    unseen = score[propensity <= 0.0]
    ceiling = highest
    if len(unseen):
        below = just_below(float(unseen.min()))
        ceiling = min(highest, -1.0 if below is None else below)
    below_cut = propensity[(score <= ceiling) & (propensity > 0.0)]
    if not len(below_cut):
        raise ValueError(
            f"of {len(score):,} cases none at or below {highest} could be drawn for review, so "
            "nothing can be certified there; audit them at a rate above 0"
        )
    return float(below_cut.min()), float(ceiling)
