"""How a feature's weight changed, told by its contributions in two models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from models.risk import RiskModel, TrainingPlan, train
from models.risk.correction import MOST_CASES, contributions_of, corrections
from models.vocabulary import Feature

FEATURES = (Feature("first"), Feature("second"), Feature("noise"))
PLAN = TrainingPlan(rounds=120, learning_rate=0.15, early_stopping_rounds=20, seed=1)


def simulated(weight: float, count: int = 24_000) -> pd.DataFrame:
    """bad ~ sigmoid(-1 + weight * first + second); `noise` says nothing."""
    generator = np.random.default_rng(7)
    cases = pd.DataFrame(generator.normal(size=(count, 3)), columns=["first", "second", "noise"])
    logit = -1.0 + weight * cases["first"] + cases["second"]
    return cases.assign(bad=generator.random(count) < 1 / (1 + np.exp(-logit)))


def fitted(cases: pd.DataFrame) -> RiskModel:
    return train(cases, cases["bad"].to_numpy(), np.ones(len(cases)), FEATURES, PLAN).model


@pytest.fixture(scope="module")
def heavy() -> RiskModel:
    return fitted(simulated(weight=1.5))


@pytest.fixture(scope="module")
def right() -> RiskModel:
    return fitted(simulated(weight=1.0))


def test_contributions_add_up_to_the_calibrated_log_odds(heavy: RiskModel) -> None:
    """But for the bias, the same for every case (float32 sums: within 1e-4)."""
    cases = simulated(weight=1.5, count=300)
    rest = logit(heavy.score(cases)[0]) - contributions_of(heavy, cases).sum(axis="columns")
    np.testing.assert_allclose(rest, rest.iloc[0], atol=1e-4)


def test_a_weight_that_falls_by_a_third_is_seen_and_the_others_stay(
    heavy: RiskModel, right: RiskModel
) -> None:
    """1.5 to 1.0 is a slope of .67 (within .07: two fits on 24,000 cases each); `second` stays 1."""
    cases = simulated(weight=1.0, count=5_000)
    first, second = corrections(heavy, right, cases, ["first", "second"])
    assert first.slope == pytest.approx(1.0 / 1.5, abs=0.07)
    assert second.slope == pytest.approx(1.0, abs=0.07)
    assert first.mean_after / first.mean_before == pytest.approx(1.0 / 1.5, abs=0.07)
    assert first.cases == MOST_CASES


def test_the_slope_is_that_of_least_squares(heavy: RiskModel, right: RiskModel) -> None:
    """A second road: numpy's own line through the two contributions."""
    cases = simulated(weight=1.0, count=800)
    (told,) = corrections(heavy, right, cases, ["second"])
    old, new = contributions_of(heavy, cases)["second"], contributions_of(right, cases)["second"]
    assert told.slope == pytest.approx(np.polyfit(old, new, 1)[0], rel=1e-6)
    assert told.mean_before == pytest.approx(np.mean(np.abs(old)), rel=1e-12)


def test_a_model_against_itself_changed_nothing(heavy: RiskModel) -> None:
    """Slope one, equal means."""
    (told,) = corrections(heavy, heavy, simulated(1.0, count=500), ["first"])
    assert told.slope == pytest.approx(1.0)
    assert told.mean_before == told.mean_after


def test_a_model_that_stopped_early_is_not_called_light() -> None:
    """12 rounds leave margins at about half; its calibration makes up for it (within .15)."""
    cases = simulated(weight=1.0, count=8_000)
    short = TrainingPlan(rounds=12, learning_rate=0.08, seed=1)
    early = train(cases, cases["bad"].to_numpy(), np.ones(len(cases)), FEATURES, short).model
    (told,) = corrections(early, fitted(cases), cases, ["first"])
    assert early.calibration.slope > 1.5
    assert told.slope == pytest.approx(1.0, abs=0.15)


def test_a_dead_feature_has_no_slope(heavy: RiskModel) -> None:
    """A model that never saw `noise` vary gives it nothing, and no multiple of nothing is known."""
    cases = simulated(1.0, count=8_000)
    dead = fitted(cases.assign(noise=0.0))
    (told,) = corrections(dead, heavy, cases, ["noise"])
    assert told.slope is None
    assert told.mean_before == 0.0
    assert told.mean_after > 0.0


def test_nothing_asked_or_no_case_gives_nothing(heavy: RiskModel) -> None:
    """And a feature that a model does not have is named."""
    cases = simulated(1.0, count=10)
    assert corrections(heavy, heavy, cases, []) == []
    assert corrections(heavy, heavy, cases.head(0), ["first"]) == []
    with pytest.raises(ValueError, match="no feature third; it has first, second, noise"):
        corrections(heavy, heavy, cases, ["third"])
