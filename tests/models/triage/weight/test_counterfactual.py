"""Would a correction learned from the past have held?"""

from __future__ import annotations

import numpy as np
import pytest

from models.triage import find_feature_bias
from models.triage.labelled_rows import LabelledRows
from models.triage.weight.counterfactual import blamed_errors, try_remedy
from models.triage.weight.feature_bias import FeatureBias
from tests.models.triage.worlds import scored


def test_putting_a_biased_weight_right_makes_later_blamed_errors_fewer() -> None:
    phi, margin, bad, raw, _ = scored(51, 20_000, wrong={"age": 2.0})
    (found,) = find_feature_bias(phi, margin, bad, raw, margin_of_interest=0.1)
    made = try_remedy(LabelledRows.of(phi, margin, bad, raw), found)
    assert made is not None
    assert made.supported
    assert made.errors_after < made.errors_before
    assert 0.0 < made.low < made.fall < made.high < 1.0
    assert made.later_cases <= 10_000


def test_a_bias_that_is_over_is_not_supported() -> None:
    """Too heavy in the earlier half, right in the later one: the correction does harm there."""
    phi, margin, bad, raw, _ = scored(52, 20_000)
    earlier = np.arange(20_000) < 10_000
    added = np.where(earlier, phi["age"], 0.0)
    phi["age"], margin = phi["age"] + added, margin + added
    found = FeatureBias("age", "all", -0.3, -0.35, -0.25, 1e-9)
    made = try_remedy(LabelledRows.of(phi, margin, bad, raw), found)
    assert made is not None
    assert not made.supported
    assert made.high < 0.0


def test_only_the_finding_s_own_slice_is_judged() -> None:
    phi, margin, bad, raw, rings = scored(53, 20_000, wrong={"age": -1.0}, ring="west")
    (found,) = find_feature_bias(phi, margin, bad, raw, rings, margin_of_interest=0.1)
    made = try_remedy(LabelledRows.of(phi, margin, bad, raw, rings), found)
    assert made is not None
    assert made.supported
    assert made.later_cases <= (rings == "west").sum() / 2 + 1


def test_blamed_are_errors_that_the_correction_moves_towards_the_truth() -> None:
    """Margins +1, +1, -1, -1; truth good, bad, bad, good; corrections -0.5, -0.5, -0.5, +0.5: only
    the first is both wrong and moved the right way."""
    margin = np.array([1.0, 1.0, -1.0, -1.0])
    bad = np.array([False, True, True, False])
    correction = np.array([-0.5, -0.5, -0.5, 0.5])
    assert blamed_errors(margin, bad, correction).tolist() == [True, False, False, False]


def test_a_feature_that_cannot_be_estimated_in_the_earlier_half_has_no_counterfactual() -> None:
    phi, margin, bad, raw, _ = scored(54, 4_000)
    bad = bad & (np.arange(4_000) >= 2_000)
    found = FeatureBias("age", "all", -0.3, -0.4, -0.2, 1e-6)
    assert try_remedy(LabelledRows.of(phi, margin, bad, raw), found) is None


def test_the_interval_is_the_paired_one() -> None:
    """By hand: two moved cases, savings s1 and s2; half width 1.96 * sd * sqrt(2) over the loss."""
    phi, margin, bad, raw, _ = scored(55, 6_000, wrong={"age": 2.0})
    (found,) = find_feature_bias(phi, margin, bad, raw, margin_of_interest=0.1)
    made = try_remedy(LabelledRows.of(phi, margin, bad, raw), found)
    assert made is not None
    assert made.high - made.fall == pytest.approx(made.fall - made.low, rel=1e-9)
