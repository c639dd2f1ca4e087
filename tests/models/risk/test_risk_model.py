"""A risk model is a value: fitted, stored, loaded and scored the same, bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from models.risk import PlattCalibration, RiskModel, TrainedModel, TrainingPlan, fit_platt, train
from models.risk.encoding import encode, encode_scorable
from models.vocabulary import Feature

FEATURES = (
    Feature("signal", monotone=1),
    Feature("channel", "categorical", levels=("app", "desk", "web")),
    Feature("note_length", may_be_missing=True),
)
PLAN = TrainingPlan(rounds=60, early_stopping_rounds=10, seed=5)


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    count = 6_000
    signal = generator.normal(size=count)
    channel = generator.choice(["app", "web", "desk"], size=count)
    logit = -2.5 + 2.0 * signal + np.where(channel == "web", 1.0, 0.0)
    return pd.DataFrame(
        {
            "signal": signal,
            "channel": channel,
            "note_length": np.where(generator.random(count) < 0.1, np.nan, 3.0),
            "bad": generator.random(count) < 1 / (1 + np.exp(-logit)),
        }
    )


def fitted(cases: pd.DataFrame, plan: TrainingPlan = PLAN) -> TrainedModel:
    return train(cases, cases["bad"].to_numpy(), np.ones(len(cases)), FEATURES, plan)


@pytest.fixture(scope="module")
def model(cases: pd.DataFrame) -> RiskModel:
    return fitted(cases).model


def test_the_same_data_and_seed_give_the_same_bytes(cases: pd.DataFrame, model: RiskModel) -> None:
    """A digest names a model; another seed is another model."""
    assert fitted(cases).model.ubj == model.ubj
    other = TrainingPlan(rounds=60, early_stopping_rounds=10, seed=6)
    assert fitted(cases, other).model.digest != model.digest


def test_a_model_read_back_from_its_bytes_scores_identically(
    cases: pd.DataFrame, model: RiskModel
) -> None:
    """Everything that scoring takes is inside the bytes."""
    again = RiskModel.from_bytes(model.ubj)
    assert (again.features, again.levels, again.calibration) == (
        model.features, model.levels, model.calibration,
    )  # fmt: skip
    np.testing.assert_array_equal(again.score(cases)[0], model.score(cases)[0])
    assert again.digest == model.digest


def test_an_unseen_category_and_a_missing_feature_are_named_not_scored(model: RiskModel) -> None:
    """A value that may be missing is scored; the other two become NaN with the rule's name."""
    rows = pd.DataFrame(
        {
            "signal": [0.1, 0.1, np.nan, 0.1],
            "channel": ["app", "carrier pigeon", "app", "app"],
            "note_length": [1.0, 1.0, 1.0, np.nan],
        }
    )
    scores, reason = model.score(rows)
    assert reason.tolist() == ["", "known_category", "features_are_present", ""]
    assert np.isnan(scores).tolist() == [False, True, True, False]


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_one_infinite_value_costs_its_own_case_and_no_other(
    cases: pd.DataFrame, model: RiskModel, value: float
) -> None:
    """XGBoost refuses a whole batch for it (1e39 is infinite as float32); every case gets an answer."""
    rows = cases.head(5).copy()
    rows.loc[2, "signal"] = value
    scores, reason = model.score(rows)
    assert reason.tolist() == ["", "", "features_are_present", "", ""]
    expected = model.score(cases.head(5))[0]
    np.testing.assert_array_equal(np.delete(scores, 2), np.delete(expected, 2))
    assert np.isnan(scores[2])


def test_a_batch_of_none_or_of_unscorable_cases_is_no_error(
    cases: pd.DataFrame, model: RiskModel
) -> None:
    """Shapes follow the cases: none in, none out; three unscorable in, three NaN out."""
    assert [part.shape for part in model.score(cases.head(0))] == [(0,), (0,)]
    odd = cases.head(3).assign(channel="carrier pigeon")
    scores, reason = model.score(odd)
    assert np.isnan(scores).all()
    assert reason.tolist() == ["known_category"] * 3


def test_levels_seen_in_training_are_stored_where_none_are_configured(cases: pd.DataFrame) -> None:
    """In order, without the missing ones, and they survive the bytes."""
    open_ended = (Feature("signal"), Feature("channel", "categorical"))
    plan = TrainingPlan(rounds=5)
    found = train(cases, cases["bad"].to_numpy(), np.ones(len(cases)), open_ended, plan).model
    assert dict(RiskModel.from_bytes(found.ubj).levels) == {"channel": ("app", "desk", "web")}


def test_a_booster_without_a_card_is_refused() -> None:
    """A model that says nothing of its features and calibration cannot be scored with."""
    data = xgb.DMatrix(np.array([[0.0], [1.0]]), label=np.array([0, 1]))
    stranger = xgb.train({"objective": "binary:logistic"}, data, num_boost_round=1)
    with pytest.raises(ValueError, match="carries no Ratchet card"):
        RiskModel.from_bytes(bytes(stranger.save_raw("ubj")))


def test_weights_undo_a_selection_by_audit(cases: pd.DataFrame) -> None:
    """Half of the good cases are dropped and the rest weighted by 2: the base rate is found again.

    Mean score against the full data's base rate: within .02 (standard error of the base rate
    here: .005, of the model's fit on the later slice: about twice that).
    """
    generator = np.random.default_rng(3)
    bad = cases["bad"].to_numpy()
    kept = bad | (generator.random(len(cases)) < 0.5)
    weights = np.where(bad, 1.0, 2.0)[kept]
    weighted = train(cases[kept], bad[kept], weights, FEATURES, PLAN).model
    plain = train(cases[kept], bad[kept], np.ones(kept.sum()), FEATURES, PLAN).model
    assert weighted.score(cases)[0].mean() == pytest.approx(bad.mean(), abs=0.02)
    assert plain.score(cases)[0].mean() > bad.mean() + 0.05


def test_one_class_alone_cannot_be_calibrated() -> None:
    """There is no slope between one outcome and nothing."""
    with pytest.raises(ValueError, match="needs both outcomes"):
        fit_platt(np.array([-1.0, 0.0, 1.0]), np.array([True, True, True]), np.ones(3))


def test_a_category_keeps_its_code_whatever_the_batch_holds(model: RiskModel) -> None:
    """One row alone is coded as it was among all."""
    rows = pd.DataFrame({"signal": [0.0], "channel": ["web"], "note_length": [1.0]})
    encoded = encode(rows, model.features, model.levels)
    assert encoded["channel"].cat.codes.tolist() == [2]
    assert list(encoded.columns) == ["signal", "channel", "note_length"]


def test_columns_may_come_in_any_order(cases: pd.DataFrame, model: RiskModel) -> None:
    """Reordered columns change no score."""
    shuffled = cases[["note_length", "bad", "channel", "signal"]]
    np.testing.assert_array_equal(model.score(shuffled)[0], model.score(cases)[0])


def test_a_monotone_feature_never_lowers_the_score(model: RiskModel) -> None:
    """signal has sign +1: along it the score only grows."""
    ladder = pd.DataFrame({"signal": np.linspace(-3, 3, 200), "channel": "app", "note_length": 3.0})
    assert (np.diff(model.score(ladder)[0]) >= 0).all()


def test_calibration_is_strictly_increasing_and_finds_its_parameters() -> None:
    """40,000 simulated margins; the fit lies within 0.1 of slope 1.5 and intercept -0.5."""
    generator = np.random.default_rng(8)
    margins = generator.normal(size=40_000) * 2
    bad = generator.random(40_000) < 1 / (1 + np.exp(-(1.5 * margins - 0.5)))
    found = fit_platt(margins, bad, np.ones(40_000))
    assert found.slope == pytest.approx(1.5, abs=0.1)
    assert found.intercept == pytest.approx(-0.5, abs=0.1)
    ladder = np.linspace(-8, 8, 1001)
    assert (np.diff(found.probability(ladder)) > 0).all()


def test_a_model_that_ranks_backwards_is_refused() -> None:
    """A negative slope would turn the boundary upside down."""
    with pytest.raises(ValueError, match="cannot be used"):
        PlattCalibration(slope=-0.2)


def test_one_class_is_refused_with_the_numbers(cases: pd.DataFrame) -> None:
    """XGBoost would train on it without a word."""
    with pytest.raises(ValueError, match=r"at least 20 bad .* it has 0 bad of 4500"):
        train(cases, np.zeros(len(cases), dtype=bool), np.ones(len(cases)), FEATURES, PLAN)


def test_candidate_scores_are_fixed_with_the_model(model: RiskModel) -> None:
    """Increasing, inside (0, 1), and stored in the bytes."""
    reference = np.array(model.reference_scores)
    assert (np.diff(reference) >= 0).all()
    assert 0 < reference[0] <= reference[-1] < 1


def test_unscorable_cases_are_left_out_of_training(cases: pd.DataFrame) -> None:
    """Ten unseen categories: ten rows fewer, and the number is told."""
    odd = cases.copy()
    odd.loc[:9, "channel"] = "carrier pigeon"
    assert (
        encode_scorable(odd, FEATURES, {"channel": ("app", "desk", "web")})[1] != ""
    ).sum() == 10
    assert fitted(odd).left_out == 10
