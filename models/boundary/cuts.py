"""Where exactly does a cut lie, so that a score decides alike as float32 and as float64?

A proof reads float64 scores; a file, a table or an agent may deliver the same cases in float32. The
score nearest to a cut is the case that the proof excluded, or the last one that it covers, and one
rounding could carry it across. So a cut that is made lies on a border between two neighbouring float32
numbers: all float64 scores that round to one of them lie on the same side of it as that number does.
Scores that are the same float32 number are ties, and move together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def just_below(score: float) -> float:
    """The highest cut that does not reach `score`, however the score is stored.

    Negative where no score in [0, 1] lies below: such a cut passes nobody.
    """
    return float(all_just_below(np.asarray(score, dtype=np.float64)))


def all_just_below(scores: FloatArray) -> FloatArray:
    """`just_below` of each score, shape kept: the largest float64 that rounds to a smaller float32
    number than the score does."""
    nearest = scores.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    # Exact: the sum of two neighbouring float32 numbers has one bit more than they have.
    middle = (nearest.astype(np.float64) + below.astype(np.float64)) / 2.0
    reaches = middle.astype(np.float32) >= nearest
    return np.where(reaches, np.nextafter(middle, -np.inf), middle)


def at_most(scores: FloatArray) -> FloatArray:
    """Pass cuts that reach each of these scores, however it is stored; shape kept, at most 1."""
    above = np.nextafter(scores.astype(np.float32), np.float32(np.inf))
    return np.minimum(all_just_below(above.astype(np.float64)), 1.0)


def at_least(scores: FloatArray) -> FloatArray:
    """Block cuts that reach each of these scores, however it is stored; shape kept, at least 0."""
    return np.maximum(np.nextafter(all_just_below(scores), np.inf), 0.0)
