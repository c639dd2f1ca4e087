"""Which cases of a fallen band are worth a look: by hand, and what never changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.boundary.live.look_back import ranked, understatement

NAN = np.nan


def test_cases_are_ranked_by_expected_harm_and_cut_at_the_cost_of_a_review() -> None:
    """$2, $9, $4 and $5 at a cost of $4: the second and the fourth."""
    score = np.array([0.02, 0.03, 0.04, 0.01])
    amount = np.array([100.0, 300.0, 100.0, 500.0])
    told = ranked(score, amount, review_usd=4.0, unknown_amount_usd=400.0)
    np.testing.assert_allclose(told.harm_usd, [0.02 * 100, 0.03 * 300, 0.04 * 100, 0.01 * 500])
    assert told.worth.tolist() == [1, 3]


def test_a_missing_amount_or_score_is_not_a_small_one() -> None:
    """The amount counts as what a passed bad case costs on average, the score as certainly bad."""
    told = ranked(
        np.array([0.02, NAN, 0.02]),
        np.array([NAN, 10.0, 10.0]),
        review_usd=4.0,
        unknown_amount_usd=400.0,
    )
    np.testing.assert_allclose(told.harm_usd, [0.02 * 400, 1.0 * 10, 0.02 * 10])
    assert told.worth.tolist() == [1, 0]


def test_what_the_audits_of_the_band_found_raises_its_scores() -> None:
    """Two bad cases at a weight of 10 where the scores say (.01 + .02 + .02) x 10 = .5: forty times."""
    score, bad = np.array([0.01, 0.02, 0.02]), np.array([0.0, 1.0, 1.0])
    factor = understatement(score, bad, np.full(3, 10.0))
    assert factor == pytest.approx((2 * 10) / (0.05 * 10))
    told = ranked(
        np.array([0.01, 0.05]),
        np.array([50.0, 50.0]),
        review_usd=4.0,
        unknown_amount_usd=1.0,
        understated=factor,
    )
    np.testing.assert_allclose(told.harm_usd, [0.4 * 50, 1.0 * 50])


def test_an_audit_that_found_nothing_lowers_no_score() -> None:
    """Fewer bad cases than expected, or no audit at all: the scores stand."""
    assert understatement(np.array([0.5]), np.array([0.0]), np.array([10.0])) == 1.0
    assert understatement(np.array([]), np.array([]), np.array([])) == 1.0


@given(
    cases=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e6)), max_size=30),
    cost=st.floats(0.01, 100.0),
    factor=st.floats(1.0, 50.0),
)
def test_the_queue_is_sorted_and_misses_nothing(
    cases: list[tuple[float, float]], cost: float, factor: float
) -> None:
    score, amount = np.array(cases, dtype=np.float64).reshape(-1, 2).T
    told = ranked(score, amount, review_usd=cost, unknown_amount_usd=1.0, understated=factor)
    harm = told.harm_usd[told.worth]
    assert (np.diff(harm) <= 0.0).all()
    assert set(told.worth.tolist()) == set(np.flatnonzero(told.harm_usd > cost).tolist())
    plain = ranked(score, amount, review_usd=cost, unknown_amount_usd=1.0)
    assert set(plain.worth.tolist()) <= set(told.worth.tolist())


def test_columns_of_different_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="2 scores and 1 amounts"):
        ranked(np.zeros(2), np.zeros(1), review_usd=4.0, unknown_amount_usd=1.0)
    with pytest.raises(ValueError, match="at least 1"):
        ranked(np.zeros(1), np.zeros(1), review_usd=4.0, unknown_amount_usd=1.0, understated=0.5)
