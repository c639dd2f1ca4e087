"""Of the cases that a fallen boundary passed, which are still worth a person's look? (METHODS 7)

What is found refutes and never proves: the cases are chosen by their score and amount.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.boundary.proof.evidence import FloatArray

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Cases by expected harm.

    Attributes:
        harm_usd: expected harm of each case, shape (cases,).
        worth: places of the cases whose expected harm is above the cost of a review, most harm first.
        understated: the factor by which the scores of the band are taken to be too low; 1: none.
    """

    harm_usd: FloatArray
    worth: IntArray
    understated: float


def understatement(score: FloatArray, bad: FloatArray, weight: FloatArray) -> float:
    """How many times as many of a band's cases are bad as their scores say, at least 1.

    A band falls because more of it is bad than was believed; the audits drawn in it by design say by
    how much (Horvitz and Thompson 1952). One factor for the band leaves the order of its scores.

    Args:
        score: calibrated P(bad) of the drawn and labelled cases, shape (cases,); bad: their truth;
            weight: one over the designed probability of each.
    """
    expected = float((weight * score).sum())
    return max(float((weight * bad).sum()) / expected, 1.0) if expected > 0.0 else 1.0


def ranked(
    score: FloatArray,
    amount_usd: FloatArray,
    *,
    review_usd: float,
    unknown_amount_usd: float,
    understated: float = 1.0,
) -> Ranked:
    """Rank cases by P(bad) times amount, and keep those above the cost of a review; ties in the order
    given.

    Args:
        score: calibrated P(bad), shape (cases,); one that is not known (NaN) counts as 1.
        amount_usd: shape (cases,); one that is not known (NaN) counts as `unknown_amount_usd`.
        review_usd: what a review costs.
        understated: see `understatement`; no probability exceeds 1.

    Raises:
        ValueError: the columns differ in length, or the factor is below 1.
    """
    if score.shape != amount_usd.shape:
        raise ValueError(
            f"{len(score)} scores and {len(amount_usd)} amounts are of different cases"
        )
    if not understated >= 1.0:
        raise ValueError(f"scores are raised by a factor of at least 1, got {understated!r}")
    likely = np.minimum(np.where(np.isnan(score), 1.0, score) * understated, 1.0)
    harm = likely * np.where(np.isnan(amount_usd), unknown_amount_usd, np.abs(amount_usd))
    order = np.argsort(-harm, kind="stable")
    return Ranked(harm, order[harm[order] > review_usd], understated)
