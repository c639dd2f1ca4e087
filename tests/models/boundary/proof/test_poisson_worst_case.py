"""The worst split of errors over strata, checked against closed forms and a fine grid of splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.boundary.proof.poisson_worst_case import worst_case_excess, worst_case_probability


def at_most(seen: float, weights: list[float], means: list[float]) -> float:
    """P(sum of weight * Poisson(mean) <= seen), one count after the other."""
    if len(weights) == 1:
        return float(stats.poisson.cdf(np.floor(seen / weights[0] + 1e-9), means[0]))
    counts = range(int(np.floor(seen / weights[0] + 1e-9)) + 1)
    return sum(
        float(stats.poisson.pmf(count, means[0]))
        * at_most(seen - weights[0] * count, weights[1:], means[1:])
        for count in counts
    )


def test_one_stratum_is_the_plain_poisson_test() -> None:
    """Three errors of weight 10 against 100 allowed: P(Poisson(10) <= 3)."""
    assert worst_case_probability(30.0, [10.0], 100.0) == pytest.approx(stats.poisson.cdf(3, 10))


def test_without_errors_the_heaviest_stratum_hides_them_best() -> None:
    """Nothing seen: exp(-sum c_j / w_j), largest when all 100 lie where one in 20 is seen.

    The cell's lower corner leaves out one of 64 parts of the 100, at weight 20 and at weight 1.
    """
    found = worst_case_probability(0.0, [1.0, 20.0], 100.0)
    assert np.exp(-100 / 20) <= found <= np.exp(-(100 - 100 / 64) / 20)


def test_a_limit_on_the_audited_stratum_moves_the_rest_into_full_sight() -> None:
    """At most 40 of 100 errors can hide at weight 20, so 60 are seen for certain on average."""
    found = worst_case_probability(0.0, [20.0, 1.0], 100.0, [40.0])
    assert np.exp(-40 / 20 - 60) <= found <= np.exp(-40 / 20 - 60 + 40 / 64)


def test_limits_below_what_is_allowed_leave_no_split_at_all() -> None:
    """Audited strata that can hold 5 + 7 errors cannot hold 13, and nothing else is there."""
    assert worst_case_probability(50.0, [10.0, 20.0], 13.0, [5.0, 7.0]) == 0.0
    assert worst_case_probability(50.0, [10.0], 13.0, [12.0]) == 0.0
    assert worst_case_probability(50.0, [10.0, 20.0], 11.0, [5.0, 7.0]) > 0.0


def test_a_weighted_sum_that_rounding_moved_just_under_a_count_keeps_that_count() -> None:
    """Three draws at rate .07 add up to a hair less than 3 / .07; two errors would be a lie."""
    weight = 1 / 0.07
    seen = 3 * weight * (1 - 1e-13)
    assert worst_case_probability(seen, [weight], 60.0) == pytest.approx(
        stats.poisson.cdf(3, 60 * 0.07)
    )
    assert worst_case_excess(seen, [weight], 60.0) == pytest.approx(stats.poisson.sf(2, 60 * 0.07))


WEIGHT = st.sampled_from([1.0, 2.5, 10.0, 33.4])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(WEIGHT, min_size=2, max_size=3, unique=True),
    st.floats(0.0, 60.0),
    st.floats(0.5, 80.0),
    st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3),
)
def test_no_split_is_worse_than_the_worst_case(
    weights: list[float], seen: float, allowed: float, shares: list[float]
) -> None:
    """Any split whatever, both tails, in any order of the strata."""
    parts = np.array(shares[: len(weights)]) + 1e-3
    split = allowed * parts / parts.sum()
    means = [float(true / weight) for true, weight in zip(split, weights, strict=True)]
    below = at_most(seen, weights, means)
    assert worst_case_probability(seen, weights, allowed) >= below - 1e-9
    limits = [float(true) + 1e-9 for true, w in zip(split, weights, strict=True) if w > 1.0]
    assert worst_case_probability(seen, weights, allowed, limits) >= below - 1e-9
    assert worst_case_excess(seen, weights, allowed) >= 1.0 - below - 1e-9


@pytest.mark.parametrize(("seen", "allowed"), [(20.0, 60.0), (100.0, 160.0), (400.0, 520.0)])
def test_finer_cells_come_down_to_the_worst_split_of_a_fine_grid(
    seen: float, allowed: float
) -> None:
    """Two strata: 2,000 cells lie within 1 % above the largest of 400 exact splits."""
    best = max(
        at_most(seen, [10.0, 1.0], [true / 10, allowed - true])
        for true in np.linspace(0.0, allowed, 401)
    )
    fine = worst_case_probability(seen, [10.0, 1.0], allowed, cells=2_000)
    assert best <= fine <= 1.01 * best
    assert fine <= worst_case_probability(seen, [10.0, 1.0], allowed)


def test_three_strata_with_one_empty_come_down_to_two() -> None:
    """A stratum that may hold next to nothing changes next to nothing."""
    two = worst_case_probability(60.0, [10.0, 1.0], 120.0, [90.0], cells=400)
    three = worst_case_probability(60.0, [10.0, 30.0, 1.0], 120.0, [90.0, 1e-9], cells=400)
    # The common step leaves one more cell, 90 / 400, out of the rest: a factor exp(.225) at most.
    assert two <= three <= two * np.exp(90 / 400)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 200.0), st.floats(0.0, 50.0), st.floats(1.0, 200.0))
def test_more_errors_seen_never_make_a_broken_promise_less_likely(
    seen: float, more: float, allowed: float
) -> None:
    """The search for the widest cut rests on it."""
    for weights, upper in (
        ([10.0], None),
        ([10.0, 1.0], [80.0]),
        ([10.0, 25.0, 1.0], [50.0, 90.0]),
    ):
        few = worst_case_probability(seen, weights, allowed, upper)
        many = worst_case_probability(seen + more, weights, allowed, upper)
        assert few <= many + 1e-12
        assert 0.0 <= few <= 1.0 + 1e-12


@pytest.mark.parametrize(
    ("weights", "upper", "words"),
    [
        ([10.0, 5.0, 2.0, 1.0], None, "4 strata were asked for"),
        ([], None, "0 strata were asked for"),
        ([0.5], None, "at least 1"),
        ([10.0, 1.0], [3.0, 4.0], "2 upper limits for 1 audited strata"),
    ],
)
def test_what_is_not_covered_is_refused_in_words(
    weights: list[float], upper: list[float] | None, words: str
) -> None:
    """The message says what was asked and what would work."""
    with pytest.raises(ValueError, match=words):
        worst_case_probability(5.0, weights, 10.0, upper)


def test_negative_counts_are_refused() -> None:
    """Neither a negative sum seen nor a negative number allowed is an error count."""
    with pytest.raises(ValueError, match="cannot be negative"):
        worst_case_probability(-1.0, [10.0], 5.0)
    with pytest.raises(ValueError, match="cannot be negative"):
        worst_case_excess(1.0, [10.0], -5.0)


@pytest.mark.parametrize("weights", [[10.0], [10.0, 1.0], [20.0, 10.0, 1.0]])
def test_an_excess_far_beyond_what_is_allowed_keeps_its_digits(weights: list[float]) -> None:
    """1 minus a probability would end at 1e-16. With one stratum Poisson's own tail; with more, at
    least that of everything in the heaviest stratum, and never zero."""
    heaviest = stats.poisson.sf(500 / weights[0] - 1, 20 / weights[0])
    found = worst_case_excess(500.0, weights, 20.0)
    assert heaviest * (1.0 - 1e-9) <= found < 1e-20
    if len(weights) == 1:
        assert found == pytest.approx(heaviest)
