"""XGBoost gets names that it takes; a model answers for the features by theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.risk import RiskModel, TrainingPlan, train
from models.risk.tree_names import named_for_trees, tree_names
from models.vocabulary import Feature

PLAN = TrainingPlan(rounds=20, max_depth=3)


def history(names: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """800 simulated cases; the first column tells, the last one is text."""
    generator = np.random.default_rng(4)
    signal, noise = generator.normal(size=(2, 800))
    bad = signal + 0.5 * generator.normal(size=800) > 0.5
    word = np.where(generator.random(800) < 0.5, "a", "b")
    return pd.DataFrame(dict(zip(names, (signal, noise, word), strict=True))), bad


def fitted(names: list[str]) -> tuple[RiskModel, pd.DataFrame]:
    cases, bad = history(names)
    kinds = ["numeric", "numeric", "categorical"]
    features = [Feature(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return train(cases, bad, np.ones(len(bad)), features, PLAN).model, cases


def test_ordinary_names_are_the_trees_own() -> None:
    """So a model of ordinary features has the bytes that it always had."""
    plain = ["amount usd", "Größe", "a.b", "x" * 1000, "=1", "f0"]
    assert tree_names(plain) == plain
    rows = pd.DataFrame({"a": [1.0]})
    assert named_for_trees(rows) is rows
    assert fitted(["a", "b", "c"])[0].booster.feature_names == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["amount [usd]", "]", "a<b", "a\0b"])
def test_a_name_that_xgboost_refuses_gives_all_features_numbers(name: str) -> None:
    assert tree_names(["a", name]) == ["f0", "f1"]


def test_a_model_with_refused_names_says_what_one_with_plain_names_says() -> None:
    """Scores and contributions are equal to the last bit, before and after the bytes are read back;
    the card keeps the features' own names in their order."""
    odd, cases = fitted(["amount [usd]", "a<b", "word]"])
    plain, same = fitted(["amount", "a", "word"])
    again = RiskModel.from_bytes(odd.ubj)
    assert again.feature_names == ["amount [usd]", "a<b", "word]"]
    assert again.booster.feature_names == ["f0", "f1", "f2"]
    for one in (odd, again):
        np.testing.assert_array_equal(one.score(cases)[0], plain.score(same)[0])
        np.testing.assert_array_equal(
            one.contributions(cases).values, plain.contributions(same).values
        )
        assert one.contributions(cases).features == ("amount [usd]", "a<b", "word]")


def test_a_warm_start_goes_on_from_a_model_with_refused_names() -> None:
    cases, bad = history(["a [b]", "c", "d"])
    model = fitted(["a [b]", "c", "d"])[0]
    from models.risk.training import LearningRows, fit

    learning = LearningRows.of(cases, bad, np.ones(len(bad)), model.features, PLAN)
    learning = replace(learning, levels=model.levels)
    more = fit(learning, PLAN, parent=model).model
    assert more.booster.num_boosted_rounds() > model.booster.num_boosted_rounds()
