"""Type B: Cox's test after Type A, with a margin of interest."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from models.triage.threshold.miscalibration import fit_calibration, recalibrated, reliability_curve
from tests.models.triage.worlds import scored


def test_a_shifted_and_flattened_score_is_found_with_its_remedy() -> None:
    """Margins times 0.7 plus 0.5: the truth's slope is 1/0.7, and the remedy brings back the truth."""
    _, margin, bad, _, _ = scored(41, 20_000)
    told = 0.7 * margin + 0.5
    found = fit_calibration(told, bad.astype(float))
    assert found is not None
    assert found.found
    assert found.slope_low <= 1 / 0.7 <= found.slope_high
    mended = recalibrated(told, found, float(told.mean()))
    assert np.abs(mended - margin).mean() < 0.15


def test_a_calibrated_score_is_left_alone() -> None:
    _, margin, bad, _, _ = scored(42, 20_000)
    found = fit_calibration(margin, bad.astype(float))
    assert found is not None
    assert not found.found
    assert found.shift_low <= 0.0 <= found.shift_high


def test_a_pure_weight_bias_is_no_miscalibration_once_its_term_is_fitted() -> None:
    """Cox's test alone rejects under a weight twice too large; beside the biased feature it does not."""
    phi, margin, bad, _, _ = scored(43, 20_000, wrong={"age": 2.0})
    alone = fit_calibration(margin, bad.astype(float))
    beside = fit_calibration(margin, bad.astype(float), phi[["age"]].to_numpy())
    assert alone is not None
    assert beside is not None
    assert alone.found
    assert not beside.found


def test_a_deviation_within_the_margin_is_no_finding_however_many_cases() -> None:
    """A shift of 0.1 logits among 200,000 simulated cases is significant, and not material."""
    _, margin, bad, _, _ = scored(44, 200_000)
    found = fit_calibration(margin + 0.1, bad.astype(float), margin_of_interest=0.2)
    assert found is not None
    assert found.p_value < 0.001
    assert not found.found


def test_too_few_of_a_class_give_no_answer() -> None:
    bad = np.zeros(500)
    bad[:9] = 1.0
    assert fit_calibration(np.zeros(500), bad) is None


def test_one_score_for_all_cases_can_only_be_shifted() -> None:
    """A constant margin of 0 where a quarter is bad: the shift is log(0.25 / 0.75), slope untouched.
    The fit stops when a step would be below a ten-thousandth of a standard error (here 0.12)."""
    bad = np.array([1.0, 0.0, 0.0, 0.0] * 100)
    found = fit_calibration(np.zeros(400), bad)
    assert found is not None
    assert found.shift == pytest.approx(np.log(1 / 3), abs=1.2e-5)
    assert found.slope == 1.0


def test_the_curve_counts_every_case_once_and_its_intervals_are_exact() -> None:
    """Second road: scipy's binomial test gives the same Clopper-Pearson interval."""
    _, margin, bad, _, _ = scored(45, 2_000)
    curve = reliability_curve(margin, bad.astype(float))
    assert sum(one.cases for one in curve) == 2_000
    first = curve[3]
    hits = round(first.bad_share * first.cases)
    exact = binomtest(hits, first.cases).proportion_ci(0.95, method="exact")
    assert (first.low, first.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
