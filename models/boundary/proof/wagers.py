"""How fast does a bettor's capital grow against a hypothesis, whenever we look?

Against 'the mean of z is at most 0' a stake lambda multiplies the capital by 1 + lambda z at each
case. The stakes are fixed in advance and averaged, so under the hypothesis the capital is a
nonnegative supermartingale: it ever reaches 1/delta with probability at most delta (Ville 1939;
Waudby-Smith and Ramdas 2024; METHODS 1.4, 5).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.boundary.proof.betting import WAGERS

FloatArray = npt.NDArray[np.float64]

AB_WAGERS: FloatArray = np.concatenate([[0.00125, 0.0025, 0.005, 0.01], WAGERS])
"""Shares of the largest stake that cannot lose everything. An A/B has whole populations of cases,
so small stakes are added: a difference below half the smallest one would never be proven."""


def log_capital_by_day(z: FloatArray, counts: FloatArray, largest_loss: float) -> FloatArray:
    """Log of the capital at the end of each day.

    Args:
        z: what one case of a kind contributes, shape (kinds,), never below `-largest_loss`.
        counts: cases of each kind a day, shape (..., days, kinds).
        largest_loss: the largest possible fall of z, by design and not as seen, above 0.

    Returns:
        Shape (..., days).
    """
    gains = np.log1p(AB_WAGERS[:, None] / largest_loss * z)
    return mixed(np.cumsum(counts @ gains.T, axis=-2))


def mixed(log_by_wager: FloatArray) -> FloatArray:
    """Log of the mean capital over the wagers on the last axis."""
    highest = log_by_wager.max(axis=-1)
    # Much faster here than scipy's logsumexp, which a look of few cases would mostly wait for.
    shares = np.exp(log_by_wager - highest[..., None]).mean(axis=-1)
    mean: FloatArray = highest + np.log(shares)
    return mean


def e_value(log_capital: float) -> float:
    """Capital as a number people can read; capped where a float would overflow."""
    return float(np.exp(min(log_capital, 700.0)))
