"""A fresh fit and a warm start, chosen by a later slice that neither learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from models.risk import Choice, RiskModel, TrainingPlan, choose, train
from models.risk.candidates import FRESH, MOST_TREES, WARM
from models.vocabulary import Feature

FEATURES = (
    Feature("signal", monotone=1),
    Feature("channel", "categorical", levels=("app", "desk", "web")),
)
PLAN = TrainingPlan(rounds=60, early_stopping_rounds=10, seed=5)
PAST = 4_000


def simulated(count: int = 8_000, changed_from: int | None = None, seed: int = 2) -> pd.DataFrame:
    """Cases whose `web` channel turns from riskier to safer at row `changed_from`."""
    generator = np.random.default_rng(seed)
    signal = generator.normal(size=count)
    channel = generator.choice(["app", "web", "desk"], size=count)
    sign = np.ones(count)
    if changed_from is not None:
        sign[changed_from:] = -1.0
    logit = -2.0 + 1.5 * signal + np.where(channel == "web", 1.5, 0.0) * sign
    bad = generator.random(count) < 1 / (1 + np.exp(-logit))
    return pd.DataFrame({"signal": signal, "channel": channel, "bad": bad})


def present_of(cases: pd.DataFrame, plan: TrainingPlan = PLAN) -> RiskModel:
    past = cases.iloc[:PAST]
    return train(past, past["bad"].to_numpy(), np.ones(PAST), FEATURES, plan).model


def chosen(cases: pd.DataFrame, parent: RiskModel | None, **others: object) -> Choice:
    return choose(
        cases, cases["bad"].to_numpy(), np.ones(len(cases)), FEATURES, PLAN, parent=parent,
        **({"new_from": PAST} | others),
    )  # fmt: skip


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return simulated()


@pytest.fixture(scope="module")
def present(cases: pd.DataFrame) -> RiskModel:
    return present_of(cases)


@pytest.fixture(scope="module")
def choice(cases: pd.DataFrame, present: RiskModel) -> Choice:
    return chosen(cases, present)


def of_name(choice: Choice, name: str) -> object:
    return next(one for one in choice.candidates if one.name == name)


def test_equal_input_gives_every_candidate_byte_for_byte(
    cases: pd.DataFrame, present: RiskModel, choice: Choice
) -> None:
    """The digests of both candidates are those of a second run from the parent's stored bytes."""
    again = chosen(cases, RiskModel.from_bytes(present.ubj))
    digests = [one.trained.model.digest for one in choice.candidates]
    assert [one.trained.model.digest for one in again.candidates] == digests
    assert len(set(digests)) == 2


def test_a_warm_start_keeps_the_parents_trees_and_adds_some(
    cases: pd.DataFrame, present: RiskModel, choice: Choice
) -> None:
    """Cut back to as many trees as the parent has, it gives the parent's own margins: the base
    score is the parent's too, not one estimated anew from the new rows."""
    warm = of_name(choice, WARM)
    before = present.booster.num_boosted_rounds()
    assert before < warm.trained.trees <= before + PLAN.rounds
    first = replace(warm.trained.model, booster=warm.trained.model.booster[:before])
    np.testing.assert_array_equal(first.margins(cases), present.margins(cases))
    assert warm.parent_digest == present.digest
    assert warm.trained.rows == len(cases) - PAST


def test_the_parent_is_left_as_it_was(present: RiskModel, choice: Choice) -> None:
    """Continuing works on a copy: the champion in memory still has the bytes of its digest."""
    assert choice.candidates
    assert bytes(present.booster.save_raw("ubj")) == present.ubj


def test_the_later_slice_holds_no_row_that_either_learned_from(
    cases: pd.DataFrame, present: RiskModel
) -> None:
    """A quarter of 5,000 rows would reach back into the parent's 4,000; so it is half of the new."""
    short = chosen(cases.iloc[: PAST + 1_000], present)
    assert short.later_rows == 1_000 // 2
    warm, fresh = of_name(short, WARM).trained, of_name(short, FRESH).trained
    np.testing.assert_array_equal(warm.later_bad, cases["bad"].to_numpy()[4_500:5_000])
    np.testing.assert_array_equal(fresh.later_bad, warm.later_bad)


def test_later_truth_cannot_reach_the_trees_of_either(
    cases: pd.DataFrame, present: RiskModel
) -> None:
    """With rounds fixed (no early stop), flipping later truth changes calibrations and no margin."""
    plan = TrainingPlan(rounds=8, early_stopping_rounds=8, seed=5)
    flipped = cases.assign(bad=cases["bad"].to_numpy())
    places = np.arange(len(cases) - 2_000, len(cases))[::9]
    flipped.loc[places, "bad"] = ~flipped.loc[places, "bad"]
    for one, other in zip(
        *(
            choose(
                rows, rows["bad"].to_numpy(), np.ones(len(rows)), FEATURES, plan, parent=present,
                new_from=PAST,
            ).candidates
            for rows in (cases, flipped)
        ),
        strict=True,
    ):  # fmt: skip
        first, second = one.trained.model, other.trained.model
        kept = min(one.trained.trees, other.trained.trees)
        cut = [replace(model, booster=model.booster[:kept]) for model in (first, second)]
        np.testing.assert_array_equal(cut[0].margins(cases), cut[1].margins(cases))
        assert first.calibration != second.calibration


def test_the_smaller_log_loss_on_the_later_slice_wins(cases: pd.DataFrame, choice: Choice) -> None:
    """Recomputed from the models' own scores of the later rows, which are the last 2,000."""
    later = cases.iloc[-choice.later_rows :]
    losses = {
        one.name: log_loss(later["bad"], one.trained.model.score(later)[0])
        for one in choice.candidates
    }
    assert choice.chosen.name == min(losses, key=losses.get)
    for one in choice.candidates:
        assert one.trained.later_log_loss == pytest.approx(losses[one.name], abs=1e-6)
        assert f"{one.name}".lower() in choice.sentence.lower()


def test_after_a_change_the_choice_goes_to_whoever_learned_it(present: RiskModel) -> None:
    """`web` turns safe exactly where the new rows begin: the fresh fit, half of whose rows are from
    before, is beaten by the warm start, whose new trees saw nothing else (simulated)."""
    changed = simulated(count=8_000, changed_from=PAST, seed=4)
    choice = chosen(changed, present_of(changed))
    assert choice.chosen.name == WARM
    fresh, warm = (of_name(choice, name).trained.later_log_loss for name in (FRESH, WARM))
    assert warm < fresh - 0.01


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("none", "there is no model to start from"),
        ("levels", "the categories of channel are not those of the present model"),
        ("features", "the features are not those of the present model"),
        ("few", "of the rows the present model did not learn from, training needs at least 20 bad"),
    ],
)
def test_where_no_warm_start_is_possible_the_reason_is_told_and_a_fresh_fit_is_chosen(
    cases: pd.DataFrame, present: RiskModel, change: str, said: str
) -> None:
    """No model, other categories, other features, and 60 new rows."""
    rows, parent, features, new_from = cases, present, FEATURES, PAST
    if change == "none":
        parent = None
    if change == "levels":
        features = (
            FEATURES[0],
            Feature("channel", "categorical", levels=("app", "desk", "web", "x")),
        )
    if change == "features":
        features = (Feature("signal"), FEATURES[1])
    if change == "few":
        new_from = len(cases) - 60
    choice = choose(
        rows, rows["bad"].to_numpy(), np.ones(len(rows)), features, PLAN, parent=parent,
        new_from=new_from,
    )  # fmt: skip
    assert choice.chosen.name == FRESH
    assert choice.later_rows == len(cases) // 4
    if parent is not None:
        assert said in of_name(choice, WARM).why_not
        assert said in choice.sentence
    else:
        assert [one.name for one in choice.candidates] == [FRESH]


def test_a_model_of_very_many_trees_is_not_added_to(cases: pd.DataFrame) -> None:
    """Each retrain would make every later score dearer."""
    long = replace(PLAN, rounds=MOST_TREES + 1, early_stopping_rounds=MOST_TREES + 1, max_depth=1,
                   learning_rate=0.002, later_share=0.05)  # fmt: skip
    parent = present_of(cases.iloc[: PAST + 400], long)
    assert parent.booster.num_boosted_rounds() > MOST_TREES
    assert "1,001 trees" in of_name(chosen(cases, parent), WARM).why_not


def test_where_nothing_can_be_learned_the_numbers_are_told(cases: pd.DataFrame) -> None:
    """All good: no candidate, and the fresh fit's reason."""
    with pytest.raises(ValueError, match=r"it has 0 bad of 6000"):
        chosen(cases.assign(bad=False), None)


def test_heavy_weights_are_clipped_for_the_trees_and_kept_for_the_later_slice(
    cases: pd.DataFrame,
) -> None:
    """Weights 1 and 10: at most 3 for the trees, so 3 and 10 give the same margins where the later
    slice stops neither early; its log loss is weighted as designed."""
    bad = cases["bad"].to_numpy()
    plan = TrainingPlan(rounds=8, early_stopping_rounds=8, seed=5)
    heavy = np.where(np.arange(len(cases)) % 4 == 0, 10.0, 1.0)
    one, other = (
        train(cases, bad, np.minimum(heavy, most), FEATURES, plan) for most in (10.0, 3.0)
    )
    np.testing.assert_array_equal(one.model.margins(cases), other.model.margins(cases))
    later = slice(6_000, None)
    by_hand = log_loss(bad[later], one.later_scores, sample_weight=heavy[later])
    assert one.later_log_loss == pytest.approx(by_hand, rel=1e-9)
    assert one.later_log_loss != other.later_log_loss
