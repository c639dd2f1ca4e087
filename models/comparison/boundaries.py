"""What would each model decide, and where does the challenger automate as much as the champion?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.comparison.rows import BoolArray, FloatArray
from models.vocabulary import Boundary


@dataclass(frozen=True, eq=False)
class Decisions:
    """What one boundary does with each case, shape (cases,); neither: a person decides."""

    passed: BoolArray
    blocked: BoolArray

    @property
    def reviewed(self) -> BoolArray:
        return ~(self.passed | self.blocked)


def decisions(score: FloatArray, automatable: BoolArray, boundary: Boundary) -> Decisions:
    """A score equal to a side is decided on that side; a key user's case by a person."""
    nothing = np.zeros(score.shape, dtype=np.bool_)
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    return Decisions(
        passed=nothing if low is None else automatable & (score <= low),
        blocked=nothing if high is None else automatable & (score >= high),
    )


def matched_boundary(
    score: FloatArray, weight: FloatArray, automatable: BoolArray, automated: Decisions
) -> Boundary:
    """The boundary on another model's score that comes closest to passing and blocking as much.

    Shares are of the weighted cases that may be automated; equal scores move together. The cuts see
    scores and designed weights, never the truth, so the comparison behind them stays fair.

    Args:
        score: the other model's, shape (cases,). weight, automatable: shape (cases,).
        automated: what the boundary to match decides.
    """
    values, at = np.unique(score[automatable], return_inverse=True)
    cases = np.bincount(at, weights=weight[automatable], minlength=values.size)
    passed = float(weight[automated.passed].sum())
    blocked = float(weight[automated.blocked].sum())
    below = _closest(np.cumsum(cases), passed)
    free = cases[below:][::-1]  # no score both passes and blocks
    above = _closest(np.cumsum(free), blocked)
    return Boundary(
        pass_at_or_below=float(values[below - 1]) if below else None,
        block_at_or_above=float(values[values.size - above]) if above else None,
    )


def _closest(cumulative: FloatArray, wanted: float) -> int:
    """How many values from the start add up to what is closest to `wanted`; 0 for none."""
    if wanted <= 0.0 or not cumulative.size:
        return 0
    distances = np.abs(np.concatenate([[0.0], cumulative]) - wanted)
    return int(distances.argmin())
