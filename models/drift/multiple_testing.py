"""Which of many tests may be believed?"""

from __future__ import annotations

import numpy as np

from models.drift.sample import BoolArray, FloatArray

_TIE = 1e-12
"""Of a bound: a p-value on it is on it, whichever way its last digit was rounded."""


def holm(p_values: FloatArray) -> FloatArray:
    """Adjusted p-values of Holm's (1979) step-down procedure, in the given order; shape kept."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    adjusted: FloatArray = np.empty_like(stepped)
    adjusted[order] = stepped
    return adjusted


def discoveries(p_values: FloatArray, rate: float) -> BoolArray:
    """Which of many tests stay with the share of false ones held at `rate` (Benjamini and Hochberg
    1995); shape kept.

    The k smallest of m p-values, for the largest k whose p-value is at most `rate * k / m`: one that
    equals the bound is a discovery.
    """
    found = np.zeros(p_values.shape, dtype=np.bool_)
    if not p_values.size:
        return found
    order = np.argsort(p_values, kind="stable")
    bounds = rate * np.arange(1, p_values.size + 1) / p_values.size
    kept = p_values[order] <= bounds * (1.0 + _TIE)
    if kept.any():
        found[order[: int(np.flatnonzero(kept)[-1]) + 1]] = True
    return found
