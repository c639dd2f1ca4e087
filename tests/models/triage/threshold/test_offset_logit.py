"""The regression beneath triage, checked by scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from models.triage.threshold.offset_logit import fit_offset_logit, independent
from tests.models.triage.worlds import scored


def test_without_an_offset_it_is_a_plain_logistic_regression() -> None:
    """Second road: scikit-learn without a penalty reaches the same maximum."""
    phi, _, bad, _, _ = scored(1, 3_000)
    directions = phi[["age", "speed"]].to_numpy()
    fit = fit_offset_logit(directions, np.zeros(len(bad)), bad.astype(float))
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(directions, bad)
    assert fit.settled
    assert fit.slopes == pytest.approx(other.coef_[0], abs=1e-4)
    assert fit.intercept == pytest.approx(other.intercept_[0], abs=1e-4)


def test_the_right_offset_leaves_nothing_to_explain() -> None:
    """Where the offset is the truth's log-odds, all slopes lie within four standard errors of 0."""
    phi, margin, bad, _, _ = scored(2, 8_000)
    fit = fit_offset_logit(phi[["age", "degree"]].to_numpy(), margin, bad.astype(float))
    assert (np.abs(fit.slopes) < 4 * fit.ses).all()
    assert abs(fit.intercept) < 4 * fit.intercept_se


def test_standard_errors_are_never_below_the_model_based_ones() -> None:
    """One direction: the model-based variance is 1 / (sum of p(1-p)x^2 about its weighted mean)."""
    phi, margin, bad, _, _ = scored(3, 2_000)
    x = phi["age"].to_numpy()
    fit = fit_offset_logit(x[:, None], margin, bad.astype(float))
    p = 1 / (1 + np.exp(-(margin + fit.intercept + fit.slopes[0] * x)))
    w = p * (1 - p)
    information = (w * (x - (w * x).sum() / w.sum()) ** 2).sum()
    assert fit.ses[0] >= 1 / np.sqrt(information) * (1 - 1e-9)


def test_a_strong_reversed_direction_is_reached_and_not_overshot() -> None:
    """Plain Newton steps diverge from an offset that points the wrong way; halved ones arrive."""
    rng = np.random.default_rng(4)
    x = np.where(rng.random(4_000) < 0.15, 3.0, -0.5)
    truth = -1.0 + 1.5 * x
    bad = rng.random(4_000) < 1 / (1 + np.exp(-truth))
    fit = fit_offset_logit(x[:, None], -1.0 - 1.5 * x, bad.astype(float))
    assert fit.settled
    assert fit.slopes[0] == pytest.approx(3.0, abs=4 * fit.ses[0])


def test_separated_classes_do_not_settle() -> None:
    """With x alone telling bad from good the likelihood has no maximum, and the fit says so."""
    x = np.linspace(-1, 1, 200)
    fit = fit_offset_logit(x[:, None], np.zeros(200), (x > 0).astype(float))
    assert not fit.settled
    assert fit.runaway == 0


def test_a_column_that_is_the_sum_of_two_others_is_left_out() -> None:
    """Columns a, b, a + b, c: the third depends on the first two, the fourth does not."""
    rng = np.random.default_rng(5)
    a, b, c = rng.standard_normal((3, 500))
    kept, twins = independent(np.column_stack([a, b, a + b, c]))
    assert kept.tolist() == [0, 1, 3]
    assert set(twins) == {2}
