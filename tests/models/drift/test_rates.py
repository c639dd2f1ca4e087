"""Has a rare event's rate changed?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from models.drift.rates import compare_rates


def sums(cases: int, bad: int, weight: float = 1.0) -> np.ndarray:
    """Row of `Tally.risks` for labels of one weight."""
    return np.array([weight * cases, weight**2 * cases, weight * bad, weight**2 * bad])


def test_few_events_are_compared_exactly() -> None:
    """3 of 1,000 against 12 of 2,000: given 15, the later ones are binomial with share 2/3."""
    change = compare_rates(sums(1_000, 3), sums(2_000, 12))
    tails = stats.binom.cdf(12, 15, 2 / 3), stats.binom.sf(11, 15, 2 / 3)
    assert change is not None
    assert change.p_value == pytest.approx(2 * min(tails))
    assert change.ratio == pytest.approx((12 / 2_000) / (3 / 1_000))
    assert change.low < change.ratio < change.high


def test_a_common_weight_changes_nothing() -> None:
    """Labels of an audit at 10 % say what as many labels of full review say."""
    assert compare_rates(sums(500, 4, 10.0), sums(800, 9, 10.0)) == compare_rates(
        sums(500, 4), sums(800, 9)
    )


def test_where_most_cases_are_bad_the_good_ones_are_compared() -> None:
    """97 % bad and 94 % bad: the good share doubled."""
    change = compare_rates(sums(1_000, 970), sums(1_000, 940))
    assert change is not None
    assert (change.of, change.ratio) == ("good", pytest.approx(60 / 30))


def test_no_event_before_is_an_infinite_ratio_with_a_finite_lower_limit() -> None:
    """0 of 1,000, then 20 of 1,000; and the other way round."""
    rose, fell = (compare_rates(sums(1_000, a), sums(1_000, b)) for a, b in ((0, 20), (20, 0)))
    assert rose is not None
    assert fell is not None
    assert (rose.ratio, rose.high) == (math.inf, math.inf)
    assert rose.low > 4.0
    assert (fell.ratio, fell.low) == (0.0, 0.0)
    assert fell.high == pytest.approx(1 / rose.low)


def test_nothing_is_said_where_nothing_was_labelled() -> None:
    """None on either side; no event on both is no change."""
    assert compare_rates(np.zeros(4), sums(100, 1)) is None
    nothing = compare_rates(sums(100, 0), sums(100, 0))
    assert nothing is not None
    assert (nothing.p_value, nothing.ratio) == (1.0, 1.0)


@pytest.mark.parametrize(("rate", "audit"), [(0.004, 0.1), (0.02, 0.1), (0.3, 0.5)])
def test_mixed_weights_keep_their_false_alarm_rate_and_the_interval_its_coverage(
    rate: float, audit: float
) -> None:
    """2,000 simulated pairs, half of the labels audited: p <= .05 in at most .05 (plus 3 standard
    errors, .015), and the 95 % interval holds the true ratio 1 in at least .93."""
    generator = np.random.default_rng(9)
    p_values, covered = [], []
    for _ in range(2_000):
        rows = []
        for cases in (1_500, 1_000):
            full = generator.binomial(cases, 0.5)
            drawn = generator.binomial(cases - full, audit)
            hits = generator.binomial([full, drawn], rate)
            rows.append(sums(full, hits[0]) + sums(drawn, hits[1], 1 / audit))
        change = compare_rates(rows[0], rows[1])
        assert change is not None
        p_values.append(change.p_value)
        covered.append(change.low <= 1.0 <= change.high)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.065
    assert np.mean(covered) >= 0.93
