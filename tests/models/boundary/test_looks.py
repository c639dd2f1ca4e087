"""What one look may spend."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.boundary import delta_of_look
from models.boundary.looks import GROWTH, exact_look_is_due


def test_the_first_look_has_six_over_pi_squared_and_the_third_a_ninth_of_it() -> None:
    """delta 6 / (pi^2 i^2), divided over the case types."""
    first = 0.05 * 6 / math.pi**2
    assert delta_of_look(0.05, 1, 1) == pytest.approx(first)
    assert delta_of_look(0.05, 1, 3) == pytest.approx(first / 9)
    assert delta_of_look(0.05, 5, 3) == pytest.approx(first / 9 / 5)


@pytest.mark.parametrize(("case_types", "look"), [(0, 1), (1, 0), (1, -2)])
def test_looks_and_case_types_count_from_one(case_types: int, look: int) -> None:
    """A look numbered 0 would have no finite share."""
    with pytest.raises(ValueError, match="count from 1"):
        delta_of_look(0.05, case_types, look)


@given(st.floats(1e-6, 0.4), st.integers(1, 40), st.integers(1, 400))
def test_however_many_looks_are_taken_delta_is_never_overspent(
    delta: float, case_types: int, looks: int
) -> None:
    """All case types, all looks together: at most delta, and each look costs less than the last."""
    spent = [delta_of_look(delta, case_types, look) for look in range(1, looks + 1)]
    assert sum(spent) * case_types < delta
    assert all(later < earlier for earlier, later in pairwise(spent))


def test_a_growing_sample_gets_few_looks() -> None:
    """100 nights of 30 bad cases each, the first look at 1,000: sizes rise by a quarter or more."""
    taken: list[int] = []
    for effective in range(30, 3_001, 30):
        if exact_look_is_due(effective, taken[-1] if taken else None, 1_000):
            taken.append(effective)
    assert taken == [1_020, 1_290, 1_620, 2_040, 2_550]
    assert all(later >= GROWTH * earlier for earlier, later in pairwise(taken))


def test_peeking_every_night_breaks_the_promise_and_the_schedule_keeps_it() -> None:
    """48 nightly exact tests of a share at its limit, 2,000 simulated histories.

    At full delta the nightly test errs in well over .05 of histories; split over the due looks it
    stays below delta (99 % binomial limit).
    """
    generator = np.random.default_rng(31)
    limit, delta, nights, a_night = 0.05, 0.05, 48, 60
    errors = generator.binomial(a_night, limit, (2_000, nights)).cumsum(axis=1)
    trials = a_night * np.arange(1, nights + 1)
    p_values = stats.binom.cdf(errors, trials, limit)
    assert (p_values <= delta).any(axis=1).mean() > 0.1

    allowed, last, look = np.zeros(nights), None, 1
    for night, size in enumerate(trials):
        if exact_look_is_due(float(size), last, 100):
            allowed[night], last, look = delta_of_look(delta, 1, look), float(size), look + 1
    scheduled = int((p_values <= allowed).any(axis=1).sum())
    assert 0 < scheduled <= stats.binom.ppf(0.99, 2_000, delta)
