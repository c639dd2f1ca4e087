"""Exact statements about an error share."""

from __future__ import annotations

import pytest
from scipy import stats

from models.boundary.bounds import (
    share_is_above,
    share_is_below,
    trials_for_power,
    trials_without_error,
    upper_limit,
)


@pytest.mark.parametrize(
    ("limit", "delta", "trials"),
    [(0.01, 0.05, 299), (0.01, 0.025, 368), (0.01, 0.01, 459), (0.01, 0.005, 528),
     (0.05, 0.05, 59), (0.02, 0.05, 149)],
)  # fmt: skip
def test_error_free_trials_that_prove_a_limit(limit: float, delta: float, trials: int) -> None:
    """The numbers of METHODS 2; one trial fewer proves nothing."""
    assert trials_without_error(limit, delta) == trials
    assert share_is_below(0, trials, limit) <= delta < share_is_below(0, trials - 1, limit)


@pytest.mark.parametrize(
    ("misses", "trials"),
    [(0, 299), (1, 473), (2, 628), (3, 773), (5, 1049), (8, 1441), (20, 2902), (50, 6323)],
)
def test_bad_cases_needed_with_misses_seen(misses: int, trials: int) -> None:
    """METHODS 2, recall 99 % at delta .05: so many bad cases allow so many misses, no fewer do."""
    assert share_is_below(misses, trials, 0.01) <= 0.05 < share_is_below(misses, trials - 1, 0.01)


def test_the_upper_limit_is_where_the_test_turns() -> None:
    """Clopper and Pearson: at the limit itself the p-value equals delta."""
    limit = upper_limit(3, 400, 0.05)
    assert limit is not None
    assert share_is_below(3, 400, limit) == pytest.approx(0.05)
    assert upper_limit(0, 0, 0.05) is None
    assert upper_limit(5, 5, 0.05) == 1.0


def test_nothing_tried_proves_nothing() -> None:
    """Without a trial neither direction can be rejected."""
    assert share_is_below(0, 0, 0.01) == share_is_above(0, 0, 0.01) == 1.0


def test_power_is_reached_at_the_planned_size_and_not_well_below() -> None:
    """80 % power at 30 % of the limit, recomputed from the binomial itself."""

    def power(size: int) -> float:
        allowed = max(k for k in range(-1, 60) if stats.binom.cdf(k, size, 0.01) <= 0.035)
        return float(stats.binom.cdf(allowed, size, 0.003))

    size = trials_for_power(0.01, 0.035)
    assert power(size) >= 0.8
    assert power(int(size * 0.8)) < 0.8
