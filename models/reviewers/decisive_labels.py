"""Whose word is the label of each case, and what share of the labels that decide is theirs?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.proof.evidence import BoolArray, Evidence, FloatArray
from models.vocabulary import Boundary, Targets

ReviewerArray = npt.NDArray[Any]
"""Who reviewed each case first, shape (cases,); "" or missing: nobody did."""


def names(evidence: Evidence, reviewer: ReviewerArray) -> ReviewerArray:
    """Reviewers as text, "" where nobody reviewed the case; shape (cases,).

    Raises:
        ValueError: not one reviewer a case.
    """
    if len(reviewer) != len(evidence):
        raise ValueError(
            f"one reviewer a case is needed ('' where nobody reviewed it): {len(evidence)} cases, "
            f"{len(reviewer)} reviewers"
        )
    codes, people = pd.factorize(np.asarray(reviewer, dtype=object))
    return np.array([*map(str, people), ""], dtype=object)[codes]


def decisive_shares(
    evidence: Evidence, reviewer: ReviewerArray, targets: Targets, boundary: Boundary
) -> pd.Series:
    """Each person's share of the decisive labels, largest first; index reviewer.

    Decisive are the labels that the tests count: at or below the pass cut, at or above the block
    cut, and, where recall is promised, every bad label. Each counts with its designed weight, in
    its own group; a person's share is the largest of the three, so that a few labels of great
    consequence are not lost among many. Labels by outcomes are nobody's, and count in the whole.

    Raises:
        ValueError: not one reviewer a case.
    """
    people = names(evidence, reviewer)
    known = evidence.labelled
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    groups: list[BoolArray] = []
    if low is not None:
        groups.append(known & evidence.automatable & (evidence.score <= low))
        if targets.recall is not None:
            groups.append(known & evidence.bad)
    if high is not None:
        groups.append(known & evidence.automatable & (evidence.score >= high))
    weight = 1.0 / evidence.propensity
    parts = [_shares(weight[group], people[group]) for group in groups if group.any()]
    if not parts:
        return pd.Series(dtype="float64")
    largest: pd.Series = pd.concat(parts).groupby(level=0).max()
    return largest.sort_values(ascending=False, kind="stable")


def over_cap(shares: pd.Series, cap: float = 0.25) -> tuple[tuple[str, float], ...]:
    """(reviewer, share) of everybody above the cap, largest first.

    Raises:
        ValueError: the cap is out of (0, 1].
    """
    if not 0.0 < cap <= 1.0:
        raise ValueError(f"the cap on one reviewer's share must lie in (0, 1], got {cap!r}")
    above = shares[shares > cap].sort_values(ascending=False, kind="stable")
    return tuple((str(name), float(share)) for name, share in above.items())


def _shares(weight: FloatArray, people: ReviewerArray) -> pd.Series:
    summed: pd.Series = pd.Series(weight).groupby(people).sum()
    return (summed / summed.sum()).drop("", errors="ignore")
