"""Which policy decides a case, and whether the split came out as designed."""

from __future__ import annotations

import hashlib
import time
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.boundary import assign_arm, sample_ratio_p_value
from models.boundary.decision.arms import SPLIT_BROKEN_BELOW


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(max_size=8), max_size=6, unique=True),
    st.text(min_size=1),
    st.floats(0.05, 0.95),
)
def test_an_arm_belongs_to_the_case_whatever_the_order_and_the_company(
    ids: list[str], salt: str, share: float
) -> None:
    """Asked backwards, or alone, every case has the arm it had."""
    together = assign_arm(ids, salt, share)
    assert list(assign_arm(ids[::-1], salt, share)[::-1]) == list(together)
    assert [assign_arm([one], salt, share)[0] for one in ids] == list(together)


def test_the_arm_is_the_salted_sha_256_of_the_id() -> None:
    """Second road: one digest as an integer fraction of 2^256, for a thousand ids."""
    ids = [f"case-{number}" for number in range(1_000)]
    digests = [hashlib.sha256(f"4:ab-1:{one}".encode()).hexdigest() for one in ids]
    expected = ["treatment" if int(one, 16) / 2**256 < 0.3 else "control" for one in digests]
    assert list(assign_arm(ids, "ab-1", 0.3)) == expected


def test_shares_are_kept_and_a_new_salt_splits_afresh() -> None:
    """Of 20,000 cases 20 % are treated (within 4 standard errors of .0028), and under another salt
    the two assignments agree as often as chance has it, .2^2 + .8^2."""
    ids = [f"c{number}" for number in range(20_000)]
    first, second = (assign_arm(ids, salt, 0.2) == "treatment" for salt in ("a", "b"))
    assert first.mean() == pytest.approx(0.2, abs=0.0113)
    assert (first == second).mean() == pytest.approx(0.2**2 + 0.8**2, abs=0.014)


def test_an_arm_cannot_be_assigned_without_a_salt_a_share_or_an_id() -> None:
    """Each is refused in a sentence."""
    with pytest.raises(ValueError, match="salt"):
        assign_arm(["a"], "", 0.5)
    with pytest.raises(ValueError, match="share"):
        assign_arm(["a"], "s", 1.0)
    with pytest.raises(ValueError, match="case ids must be text"):
        assign_arm(["a", None], "s", 0.5)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("cases", "share"), [(50, 0.1), (60, 0.1), (100, 0.05), (1_000, 0.01), (200, 0.5), (30, 0.2)]
)
def test_a_true_split_is_called_broken_no_more_often_than_promised(
    cases: int, share: float
) -> None:
    """Every possible split with its probability: chi-square would raise .0032 false alarms where 50
    cases are split one to nine, and 2 in 1,000 where 60 are."""
    treated = np.arange(cases + 1)
    found = np.array([sample_ratio_p_value(cases - k, k, share) for k in treated.tolist()])
    alarms = stats.binom.pmf(treated, cases, share)[found < SPLIT_BROKEN_BELOW].sum()
    assert 0.0 < alarms <= SPLIT_BROKEN_BELOW


@pytest.mark.parametrize(
    ("control", "treatment", "share"),
    [(17, 23, 0.5), (48, 12, 0.1), (90, 3, 0.05), (0, 9, 0.3), (9, 0, 0.3)],
)
def test_the_p_value_is_the_sum_of_all_splits_no_likelier(
    control: int, treatment: int, share: float
) -> None:
    """Second road: whole numbers and fractions, no library (the share as the float64 that it is)."""
    cases, p = control + treatment, Fraction(share)
    chances = [comb(cases, k) * p**k * (1 - p) ** (cases - k) for k in range(cases + 1)]
    exact = sum(one for one in chances if one <= chances[treatment])
    assert sample_ratio_p_value(control, treatment, share) == pytest.approx(float(exact), rel=1e-9)


def test_many_cases_come_near_chi_square_and_take_no_time() -> None:
    """Two billion cases: within 1 % of scipy's goodness of fit, in a tenth of a second."""
    control, treatment = 1_000_000_000, 1_000_200_000
    fitted = stats.chisquare([control, treatment], [(control + treatment) / 2] * 2).pvalue
    begun = time.process_time()
    assert sample_ratio_p_value(control, treatment, 0.5) == pytest.approx(fitted, rel=0.01)
    assert time.process_time() - begun < 0.5


def test_few_cases_are_judged_exactly() -> None:
    """The one case of a 1 % arm came first: probability .01, though chi-square says 1e-23."""
    assert sample_ratio_p_value(0, 1, 0.01) == pytest.approx(0.01)
    assert sample_ratio_p_value(0, 0, 0.5) == 1.0
    with pytest.raises(ValueError, match="arms cannot hold"):
        sample_ratio_p_value(-1, 3, 0.5)
    assert np.isclose(sample_ratio_p_value(4, 0, 0.5), 2 * 0.5**4)
