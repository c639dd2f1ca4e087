"""O'Brien and Fleming's constants against the published table and a simulation."""

from __future__ import annotations

import numpy as np
import pytest

from models.boundary.ab.group_sequential import (
    crossing_probability,
    obrien_fleming_constant,
    obrien_fleming_limits,
)


@pytest.mark.parametrize(
    ("looks", "at_01", "at_05", "at_10"),
    [
        (1, 2.576, 1.960, 1.645),
        (2, 2.580, 1.977, 1.678),
        (3, 2.595, 2.004, 1.710),
        (4, 2.609, 2.024, 1.733),
        (5, 2.621, 2.040, 1.751),
        (10, 2.660, 2.087, 1.801),
    ],
)
def test_constants_are_the_published_ones(
    looks: int, at_01: float, at_05: float, at_10: float
) -> None:
    """Two-sided, to the three decimals of table 2.3 of Jennison and Turnbull 2000."""
    found = [obrien_fleming_constant(looks, alpha, two_sided=True) for alpha in (0.01, 0.05, 0.10)]
    assert np.round(found, 3) == pytest.approx([at_01, at_05, at_10])


def test_one_sided_limits_err_together_in_alpha() -> None:
    """Second road, 200,000 simulated trials of five looks: .05 within 4 standard errors (.002)."""
    steps = np.random.default_rng(5).standard_normal((200_000, 5))
    z = steps.cumsum(axis=1) / np.sqrt(np.arange(1, 6))
    crossed = (z >= obrien_fleming_limits(5, 0.05)).any(axis=1)
    assert crossed.mean() == pytest.approx(0.05, abs=0.002)


def test_one_look_is_the_plain_test() -> None:
    """Probability of z above 1.6449 is .05."""
    assert crossing_probability(1.6448536, 1) == pytest.approx(0.05, abs=1e-7)


@pytest.mark.parametrize(("looks", "alpha"), [(0, 0.05), (3, 0.0), (3, 0.5)])
def test_a_design_without_looks_or_error_is_refused(looks: int, alpha: float) -> None:
    """In a sentence."""
    with pytest.raises(ValueError, match="at least one look"):
        obrien_fleming_constant(looks, alpha)
