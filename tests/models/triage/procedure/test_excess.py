"""Does a group hold more errors than its share of the expected ones?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.drift.multiple_testing import discoveries
from models.triage.procedure.excess import (
    MOST_RATIO,
    STRATUM_CUTS,
    ErrorCounts,
    excess_in,
    refuse_impossible,
    strata_of,
    tally,
)


def sums(errors: list[float], expected: list[float]) -> ErrorCounts:
    """A tally whose cases do not matter."""
    return ErrorCounts(np.zeros(len(errors)), np.array(errors), np.array(expected))


def test_one_stratum_is_the_plain_binomial_test() -> None:
    """30 of 100 errors where 10 of 100 were expected: ratio (30 / 10) / (70 / 90)."""
    excess = excess_in(sums([30.0], [10.0]), sums([100.0], [100.0]))
    interval = stats.binomtest(30, 100).proportion_ci(0.95, method="exact")
    assert excess is not None
    assert excess.p_value == pytest.approx(stats.binom.sf(29, 100, 10 / 100))
    assert excess.ratio == pytest.approx((30 / 10) / (70 / 90))
    assert excess.low == pytest.approx(interval.low / (1 - interval.low) / (10 / 90))
    assert excess.high == pytest.approx(interval.high / (1 - interval.high) / (10 / 90))


def test_a_tolerated_ratio_moves_the_null() -> None:
    """Tolerating a ratio of 2, a tenth of what is expected may hold 2 * 10 / (2 * 10 + 90)."""
    excess = excess_in(sums([30.0], [10.0]), sums([100.0], [100.0]), tolerated=2.0)
    assert excess is not None
    assert excess.p_value == pytest.approx(stats.binom.sf(29, 100, 20 / 110))


def test_a_model_that_is_wrong_by_a_factor_in_each_stratum_makes_no_excess() -> None:
    """Three times too many sure errors and half the doubtful ones, in the group as outside it."""
    excess = excess_in(sums([30.0, 5.0], [10.0, 10.0]), sums([90.0, 50.0], [30.0, 100.0]))
    assert excess is not None
    assert excess.ratio == pytest.approx(1.0)
    assert excess.p_value > 0.4


def test_the_ratio_solves_the_conditional_likelihood_equation() -> None:
    """Errors expected in the group at the estimated ratio, given each stratum's, are those seen."""
    inside, whole = sums([12.0, 20.0], [4.0, 9.0]), sums([40.0, 60.0], [30.0, 50.0])
    excess = excess_in(inside, whole)
    assert excess is not None
    scaled = excess.ratio * inside.expected
    rest = whole.expected - inside.expected
    assert (whole.errors * scaled / (scaled + rest)).sum() == pytest.approx(12 + 20)


def test_the_p_value_is_never_too_small_under_the_null() -> None:
    """Simulated: errors spread as expected, in 1,000 draws; one in twenty at .05, at most.

    The tolerance is three standard errors of a rate of .05 in 1,000 draws.
    """
    rng = np.random.default_rng(5)
    inside, rest = np.array([3.0, 12.0]), np.array([20.0, 30.0])
    draws = [(rng.poisson(inside * 1.7), rng.poisson(rest * 1.7)) for _ in range(1_000)]
    found = [
        excess_in(sums(list(a), list(inside)), sums(list(a + b), list(inside + rest)))
        for a, b in draws
    ]
    rate = np.mean([excess is not None and excess.p_value <= 0.05 for excess in found])
    assert rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1_000)
    covered = [e is not None and e.low <= 1.0 <= e.high for e in found]
    assert np.mean(covered) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 1_000)


def test_where_all_errors_lie_inside_the_ratio_is_cut_off() -> None:
    """Ten of ten errors: no end to the ratio, but a finite number and a lower limit."""
    excess = excess_in(sums([10.0], [2.0]), sums([10.0], [20.0]))
    assert excess is not None
    assert excess.ratio == pytest.approx(MOST_RATIO)
    assert excess.high == pytest.approx(MOST_RATIO)
    assert 1.0 < excess.low < MOST_RATIO


@pytest.mark.parametrize(
    ("inside", "whole"),
    [
        (sums([3.0], [5.0]), sums([3.0], [5.0])),  # the group is everything
        (sums([0.0], [0.0]), sums([3.0], [5.0])),  # the group is nothing
        (sums([0.0], [2.0]), sums([0.0], [5.0])),  # no error anywhere
    ],
)
def test_nothing_is_said_where_nothing_can_be_compared(
    inside: ErrorCounts, whole: ErrorCounts
) -> None:
    """No rest, no group, or no error."""
    assert excess_in(inside, whole) is None


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40), st.integers(0, 40), st.floats(0.1, 50.0), st.floats(0.1, 50.0)
        ),
        min_size=1,
        max_size=3,
    ),
    st.floats(0.1, 10.0),
)
def test_scaling_the_model_changes_nothing(
    rows: list[tuple[int, int, float, float]], factor: float
) -> None:
    """A global factor on all expected errors cancels; limits enclose the ratio."""
    a, b, e, f = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    once = excess_in(sums(list(a), list(e)), sums(list(a + b), list(e + f)))
    scaled = excess_in(sums(list(a), list(factor * e)), sums(list(a + b), list(factor * (e + f))))
    assert (once is None) == (scaled is None)
    if once is not None and scaled is not None:
        assert scaled.ratio == pytest.approx(once.ratio, rel=1e-6)
        assert scaled.p_value == pytest.approx(once.p_value, rel=1e-6)
        assert once.low <= once.ratio * (1 + 1e-9)
        assert once.ratio <= once.high * (1 + 1e-9)


def test_a_tally_sums_by_group_and_stratum_and_leaves_other_groups_out() -> None:
    """Five cases, two groups, one case in neither."""
    expected = np.array([0.05, 0.3, 0.02, 0.4, 0.2])
    wrong = np.array([True, False, True, True, True])
    stratum = strata_of(expected)
    assert STRATUM_CUTS == (0.1,)
    assert stratum.tolist() == [0, 1, 0, 1, 1]
    sums_ = tally(np.array([0, 0, 1, 1, -1]), 2, stratum, wrong, expected)
    assert sums_.cases.tolist() == [[1, 1], [1, 1]]
    assert sums_.errors.tolist() == [[1, 0], [1, 1]]
    assert sums_.expected.tolist() == [[0.05, 0.3], [0.02, 0.4]]
    assert sums_.whole.errors.tolist() == [1 + 1, 0 + 1]


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    """Of four at .05: .01 <= .05 * 1/4 and .02 <= .05 * 2/4, but .04 > .05 * 3/4."""
    assert discoveries(np.array([0.04, 0.01, 0.9, 0.02]), 0.05).tolist() == [
        False,
        True,
        False,
        True,
    ]
    assert discoveries(np.array([]), 0.05).tolist() == []


@pytest.mark.parametrize(
    ("wrong", "expected", "says"),
    [
        ([True], [0.1, 0.2], "one value a case"),
        ([True, False], [0.1, 1.2], "lie outside"),
        ([True, False], [0.1, np.nan], "lie outside"),
        ([True, False], [0.0, 0.2], "although their expected probability is 0"),
    ],
)
def test_what_cannot_be_true_is_refused(
    wrong: list[bool], expected: list[float], says: str
) -> None:
    """Shapes, probabilities and errors that contradict each other."""
    with pytest.raises(ValueError, match=says):
        refuse_impossible(np.array(wrong), np.array(expected), 2)
