"""How far may a figure be from the truth, and which of many changes are real?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.comparison.influence import Influence
from models.comparison.intervals import (
    auc_interval,
    effective_number,
    share_interval,
    student,
)
from models.drift.multiple_testing import discoveries


def flags(*counts: int) -> np.ndarray:
    """So many True, then so many False."""
    return np.repeat([True, False], counts)


@pytest.mark.parametrize(("errors", "cases"), [(0, 30), (1, 30), (7, 200), (30, 30)])
@pytest.mark.parametrize("weight", [1.0, 20.0])
def test_equal_weights_give_clopper_and_pearson(errors, cases, weight):
    """scipy's exact interval, whatever the common weight."""
    among = np.ones(cases, dtype=np.bool_)
    found = share_interval(
        flags(errors, cases - errors), among, among, np.full(cases, weight), 0.95
    )
    exact = stats.binomtest(errors, cases).proportion_ci(0.95)
    assert found == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_an_audit_that_found_nothing_is_not_certain():
    """500 bad cases were caught and 60 audited passes (weight 20) were all good: one miss more would
    be 20, so the upper limit is that of 0 in 500 / 20 = 25."""
    caught, audited = flags(500, 60), flags(0, 500 + 60)
    audited[500:] = True
    weight = np.where(audited, 20.0, 1.0)
    nothing = np.zeros(560, dtype=np.bool_)
    low, high = share_interval(nothing, caught, audited, weight, 0.95)
    assert low == 0.0
    assert high == pytest.approx(1.0 - 0.025 ** (1 / 25))


def test_where_nothing_is_passed_nothing_is_missed():
    """No case could have been an error, so the share is zero for sure."""
    nothing = np.zeros(5, dtype=np.bool_)
    assert share_interval(nothing, ~nothing, nothing, np.ones(5), 0.95) == (0.0, 0.0)


def test_the_interval_of_a_share_covers_it_under_selection():
    """Two strata, weights 1 and 20, 5 % and 1 % errors: in 400 repetitions (standard error 1.1 %) the
    95 % interval covers at least 93 %; a normal interval would fail where no heavy error is seen."""
    generator = np.random.default_rng(7)
    sizes = (2_000, 60)
    weight = np.concatenate([np.ones(sizes[0]), np.full(sizes[1], 20.0)])
    truth = (sizes[0] * 0.05 + 20 * sizes[1] * 0.01) / (sizes[0] + 20 * sizes[1])
    rates = np.concatenate([np.full(sizes[0], 0.05), np.full(sizes[1], 0.01)])
    among = np.ones(len(weight), dtype=np.bool_)
    covered = 0
    for _ in range(400):
        errors = generator.random(len(weight)) < rates
        low, high = share_interval(errors, among, among, weight, 0.95)
        covered += low <= truth <= high
    assert covered / 400 >= 0.93


def moved(*seen: float, if_bad: float = 0.0) -> Influence:
    """Contributions as seen; with the other truth `if_bad`, at a chance of one half."""
    values = np.array(seen)
    return Influence(
        values, np.full(values.shape, if_bad), np.zeros(values.shape), values * 0 + 0.5
    )


def test_one_heavy_row_makes_a_wide_interval():
    """Two degrees of freedom where one row carries the variance; many where all are alike."""
    heavy = student(1.0, 0.4, moved(1.0, *[1e-6] * 99, if_bad=1e-9), 0.95)
    assert heavy.degrees_of_freedom == pytest.approx(2 / (1 - 1 / 100), rel=1e-3)
    assert heavy.low == pytest.approx(1 - 0.4 * stats.t.ppf(0.975, heavy.degrees_of_freedom))
    alike = student(1.0, 0.4, moved(*[0.1, -0.1] * 50, if_bad=1e-9), 0.95)
    assert alike.degrees_of_freedom == math.inf
    assert alike.low == pytest.approx(1 - 0.4 * 1.959964, rel=1e-5)
    assert alike.p_value == pytest.approx(2 * stats.norm.sf(2.5))


def test_what_could_have_come_floors_the_error():
    """Nothing was seen to move, but each of 100 rows had an even chance to move it by 0.1."""
    told = student(0.0, 0.0, moved(*[0.0] * 100, if_bad=0.1), 0.95)
    assert told.standard_error == pytest.approx((100 * 0.5 * 0.1**2) ** 0.5)


def test_rows_treated_alike_are_no_difference_for_sure():
    """No row could have moved it, whatever its truth."""
    told = student(0.0, 0.0, moved(*[0.0] * 10), 0.95)
    assert (told.low, told.high, told.p_value) == (0.0, 0.0, 1.0)


def test_an_interval_of_shares_ends_at_one():
    """A difference of shares cannot be larger; the p-value stays what it is."""
    told = student(0.5, 2.0, moved(*[0.1, -0.1] * 50, if_bad=1e-9), 0.95, largest=1.0)
    assert (told.low, told.high) == (-1.0, 1.0)


def test_an_auc_stays_below_one_and_a_perfect_one_has_no_interval():
    """Logit scale: asymmetric and inside; nothing scatters where every case is separated."""
    low, high = auc_interval(0.99, 0.008, 0.95)
    assert 0.95 < low < 0.99 < high < 1.0
    assert 0.99 - low > high - 0.99
    assert auc_interval(1.0, 0.0, 0.95) == (None, None)


def test_kishs_number_of_cases():
    """(1 + 1 + 4)^2 / (1 + 1 + 16) = 2; none for no case."""
    assert effective_number(np.array([1.0, 1.0, 4.0])) == pytest.approx(2.0)
    assert effective_number(np.array([])) == 0.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.0, 1.0), max_size=30), st.sampled_from([0.025, 0.05, 0.2]))
def test_discoveries_are_benjamini_and_hochbergs(p_values, rate):
    """scipy's adjusted p-values at or below the rate."""
    values = np.array(p_values)
    found = discoveries(values, rate)
    if values.size:
        adjusted = stats.false_discovery_control(values)
        clear = np.abs(adjusted - rate) > 1e-12  # a tie at the rate may round either way
        np.testing.assert_array_equal(found[clear], (adjusted <= rate)[clear])
    else:
        assert found.size == 0
