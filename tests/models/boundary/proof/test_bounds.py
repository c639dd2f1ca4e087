"""Exact statements about an error share."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from models.boundary.proof.bounds import (
    share_is_above,
    share_is_below,
    trials_allowing,
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


@pytest.mark.parametrize(("limit", "delta"), [(0.05, 0.05), (0.01, 0.035), (0.3, 0.01), (0.5, 0.1)])
@pytest.mark.parametrize(("true_share", "wanted"), [(0.3, 0.8), (0.3, 0.85), (0.5, 0.8)])
def test_no_smaller_number_of_trials_has_the_power(
    limit: float, delta: float, true_share: float, wanted: float
) -> None:
    """Second road: every number of trials up to the answer, one by one; at 5 % and .05 it is 153."""
    found = trials_for_power(limit, delta, true_share, wanted)
    sizes = np.arange(1, found + 1)
    allowed = stats.binom.ppf(delta, sizes, limit)
    allowed -= stats.binom.cdf(allowed, sizes, limit) > delta
    reached = stats.binom.cdf(allowed, sizes, true_share * limit) >= wanted
    assert reached[-1]
    assert not reached[:-1].any()
    assert trials_for_power(0.05, 0.05) == 153


@pytest.mark.parametrize("delta", [1e-12, 1e-17, 1e-60, 1e-200])
def test_a_limit_at_a_tiny_delta_is_a_limit(delta: float) -> None:
    """Without an error the limit is 1 - delta^(1/n), whatever is left of 1 - delta in float64; with
    three, its own p-value is delta."""
    assert upper_limit(0, 5_000, delta) == pytest.approx(-math.expm1(math.log(delta) / 5_000))
    limit = upper_limit(3, 5_000, delta)
    assert limit is not None
    assert share_is_below(3, 5_000, limit) == pytest.approx(delta, rel=1e-6)


@pytest.mark.parametrize(
    ("limit", "delta"), [(0.0, 0.05), (1.0, 0.05), (0.1, 0.0), (0.1, 1.0), (math.nan, 0.05)]
)
def test_shares_of_zero_and_one_are_refused_in_a_sentence(limit: float, delta: float) -> None:
    """No number of trials proves an error share below 0."""
    for asked in (trials_without_error, trials_for_power):
        with pytest.raises(ValueError, match="strictly between 0 and 1"):
            asked(limit, delta)
    with pytest.raises(ValueError, match="reached by no number of trials"):
        trials_for_power(0.05, 0.05, true_share=1.0)


def test_a_rare_error_takes_as_many_trials_as_it_is_rare() -> None:
    """-log(.05) / limit, which no loop over trials would reach."""
    assert trials_without_error(1e-12, 0.05) == pytest.approx(-math.log(0.05) * 1e12)
    assert trials_allowing(2, 1e-8, 0.05) == pytest.approx(stats.chi2.isf(0.05, 6) / 2e-8, rel=1e-6)
