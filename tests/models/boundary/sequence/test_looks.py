"""What one look may spend."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.boundary import delta_of_look


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
