"""Contributions from tables are XGBoost's own, value by value, or XGBoost computes them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from models.risk import PlattCalibration, RiskModel
from models.risk.contributions import TOLERANCE, contributions, tables_of
from models.risk.forest import Forest, OutOfScope, Tree, read_forest
from models.risk.lookup import look_up
from models.risk.lookup_tables import Tables, tabulate
from models.vocabulary import Feature
from tests.models.risk.forests import LEVELS, random_booster, random_cases


def xgboost_says(booster: xgb.Booster, cases: pd.DataFrame) -> np.ndarray:
    return booster.predict(xgb.DMatrix(cases, enable_categorical=True), pred_contribs=True)


def assert_as_xgboost(booster: xgb.Booster, cases: pd.DataFrame, **how: int) -> None:
    """Each value of each row; both add up hundreds of float32 numbers, hence 1e-5."""
    tables = tabulate(read_forest(booster), **how)
    told = xgboost_says(booster, cases)
    np.testing.assert_allclose(look_up(tables, cases), told[:, :-1], rtol=0, atol=TOLERANCE)
    assert tables.bias == pytest.approx(told[0, -1], abs=TOLERANCE)


@pytest.mark.parametrize("depth", range(1, 9))
def test_every_value_is_xgboosts_own(depth: int) -> None:
    """Categories one by one and as sets, gaps to both sides, repeated, copied and idle features."""
    cases = random_cases(800, seed=depth)
    booster = random_booster(cases, seed=depth, max_depth=depth, max_cat_to_onehot=5)
    assert_as_xgboost(booster, cases)


def test_the_models_above_have_all_that_is_hard() -> None:
    """Set and single-category splits, gaps sent left and right, one feature twice on a path."""
    cases = random_cases(800, seed=6)
    forest = read_forest(random_booster(cases, seed=6, max_depth=6, max_cat_to_onehot=5))
    sets = [len(codes) for tree in forest.trees for codes in tree.right_codes.values()]
    assert min(sets) == 1
    assert max(sets) > 5
    asked = [tree.default_left[tree.left >= 0] for tree in forest.trees]
    assert 0.1 < np.concatenate(asked).mean() < 0.9
    tree = forest.trees[0]
    assert any(
        tree.feature[node] == tree.feature[child]
        for node in np.flatnonzero(tree.left >= 0)
        for child in (tree.left[node], tree.right[node])
        if tree.left[child] >= 0
    )


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 12, 15])
def test_how_leaves_are_grouped_changes_nothing(bits: int) -> None:
    """From a table a path to one table a tree; patterns of one byte and of two."""
    cases = random_cases(500, seed=3)
    booster = random_booster(cases, seed=3, max_depth=5, rounds=5)
    assert_as_xgboost(booster, cases, most_bits=bits)


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_depth": 3, "base_score": 0.02},
        {"max_depth": 0, "max_leaves": 12, "grow_policy": "lossguide"},
        {"max_depth": 4, "gamma": 3.0},
        {"max_depth": 4, "num_parallel_tree": 3, "subsample": 0.5},
        {"max_depth": 3, "objective": "binary:logitraw"},
        {"max_depth": 3, "objective": "reg:squarederror"},
    ],
)
def test_other_ways_to_grow_are_read_too(parameters: dict[str, object]) -> None:
    """A base score, lopsided and pruned trees, several trees a round, objectives without a link."""
    cases = random_cases(600, seed=9)
    assert_as_xgboost(random_booster(cases, seed=9, **parameters), cases)


def test_trees_of_one_leaf_move_the_bias_alone() -> None:
    """No split is worth a hessian of 1e6, so nothing contributes."""
    cases = random_cases(300, seed=2)
    booster = random_booster(cases, seed=2, min_child_weight=1e6, rounds=3)
    assert_as_xgboost(booster, cases)
    assert look_up(tabulate(read_forest(booster)), cases).any() == np.False_


def test_a_slice_of_a_booster_contributes_its_own_trees_only() -> None:
    """As early stopping leaves it: four trees of twelve."""
    cases = random_cases(500, seed=4)
    booster = random_booster(cases, seed=4, max_depth=4)
    assert len(read_forest(booster[:4]).trees) == 4
    assert_as_xgboost(booster[:4], cases)


def hand_made() -> Forest:
    """Ten training cases; f0 < 0.5 tells six from four, and f1 < 2 one of those from three.

    f0 < 0.5 (10) -- yes: 1 (6)
                  -- no:  f1 < 2 (4) -- yes: 3 (1)
                                     -- no:  7 (3)
    """
    return Forest(
        (
            Tree(
                left=np.array([1, -1, 3, -1, -1]),
                right=np.array([2, -1, 4, -1, -1]),
                feature=np.array([0, 0, 1, 0, 0]),
                threshold=np.array([0.5, 1.0, 2.0, 3.0, 7.0], dtype=np.float32),
                default_left=np.array([True, False, False, False, False]),
                cover=np.array([10, 6, 4, 1, 3], dtype=np.float32),
            ),
        ),
        base_margin=0.25,
        features=2,
    )


def test_a_tree_reckoned_by_hand() -> None:
    """Nothing known: (6*1 + 1*3 + 3*7)/10 = 3. For (1, 3): f0 known (1*3 + 3*7)/4 = 6, f1 known
    (6*1 + 4*7)/10 = 3.4, both 7. For (0, 3): f0 known 1, both 1."""
    tables = tabulate(hand_made())
    assert tables.bias == pytest.approx(0.25 + 3)
    cases = pd.DataFrame({"f0": [1.0, 0.0, np.nan, 1.0], "f1": [3.0, 3.0, 3.0, np.nan]})
    high = [((6 - 3) + (7 - 3.4)) / 2, ((3.4 - 3) + (7 - 6)) / 2]
    low = [((1 - 3) + (1 - 3.4)) / 2, ((3.4 - 3) + (1 - 1)) / 2]
    # A missing f0 goes left, like 0; a missing f1 goes right, like 3.
    np.testing.assert_allclose(look_up(tables, cases), [high, low, low, high], atol=1e-6)


def test_a_threshold_itself_goes_right_and_the_number_below_it_left() -> None:
    """As float32: 0.5 is not below 0.5, the float32 just below it is."""
    below = np.nextafter(np.float32(0.5), np.float32(0))
    cases = pd.DataFrame({"f0": [0.5, below, 0.0, 1.0], "f1": [3.0] * 4}).astype(np.float32)
    found = look_up(tabulate(hand_made()), cases)
    np.testing.assert_array_equal(found[[0, 1]], found[[3, 2]])


def test_shapley_values_by_their_definition() -> None:
    """Every order of knowing features, by the tree walked with a set of them known."""
    cases = random_cases(300, seed=8)
    booster = random_booster(cases, seed=8, max_depth=4, rounds=1)
    (tree,) = read_forest(booster).trees
    case = cases.iloc[[17]]
    codes = {name: int(case[name].cat.codes.iloc[0]) for name in LEVELS}
    values = [codes.get(name, case[name].iloc[0]) for name in cases]
    count = len(values)
    expected = np.zeros(count)
    for feature in range(count):
        others = [other for other in range(count) if other != feature]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for known in combinations(others, size):
                gain = walked(tree, values, {*known, feature}) - walked(tree, values, set(known))
                expected[feature] += weight * gain
    found = look_up(tabulate(read_forest(booster)), case)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def walked(tree: Tree, values: list[float], known: set[int], node: int = 0) -> float:
    """The tree's answer where features outside `known` go both ways, by cover."""
    left, right = int(tree.left[node]), int(tree.right[node])
    if left < 0:
        return float(tree.threshold[node])
    feature = int(tree.feature[node])
    if feature not in known:
        share = float(tree.cover[left]) / float(tree.cover[node])
        return share * walked(tree, values, known, left) + (1 - share) * walked(
            tree, values, known, right
        )
    value, codes = values[feature], tree.right_codes.get(node)
    missing = value != value or (codes is not None and value < 0)
    if missing:
        goes_left = bool(tree.default_left[node])
    elif codes is not None:
        goes_left = value not in codes
    else:
        goes_left = bool(np.float32(value) < tree.threshold[node])
    return walked(tree, values, known, left if goes_left else right)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), depth=st.integers(1, 6), rate=st.sampled_from([0.05, 1.0]))
def test_contributions_add_up_to_the_margin(seed: int, depth: int, rate: float) -> None:
    """On rows the model has not seen, whatever the model; and by the tables."""
    booster = random_booster(random_cases(200, seed), seed, rounds=6, max_depth=depth, eta=rate)
    told = contributions(booster, tables_of(booster), random_cases(100, seed + 1))
    np.testing.assert_allclose(told.bias + told.values.sum(axis=1), told.margin, atol=1e-5)
    assert told.road == "lookup"
    assert told.largest_difference is not None
    assert told.largest_difference <= TOLERANCE


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return random_cases(3_000, seed=5)


@pytest.fixture(scope="module")
def booster(cases: pd.DataFrame) -> xgb.Booster:
    return random_booster(cases, seed=5, max_depth=4)


def test_threads_and_parts_change_nothing(cases: pd.DataFrame, booster: xgb.Booster) -> None:
    """To the last bit, whatever the parts and who works on them."""
    tables = tabulate(read_forest(booster))
    alone = look_up(tables, cases)
    np.testing.assert_array_equal(look_up(tables, cases, threads=3, chunk=700), alone)
    np.testing.assert_array_equal(look_up(tables, cases.iloc[[7]]), alone[[7]])


def altered(tables: Tables, tree: int, change: float, *, pattern: int | None = None) -> Tables:
    """A copy with one table changed, everywhere or for one pattern; its sum with another's stays
    where `pattern` is None."""
    first, *others = tables.trees[tree].groups
    (one, table), (other, paired), *rest = first.columns
    table, paired = table.copy(), paired.copy()
    if pattern is None:
        table += np.float32(change)
        paired -= np.float32(change)
    else:
        table[pattern] += np.float32(change)
    groups = (replace(first, columns=((one, table), (other, paired), *rest)), *others)
    trees = list(tables.trees)
    trees[tree] = replace(trees[tree], groups=groups)
    return replace(tables, trees=tuple(trees))


def test_a_table_wrong_by_feature_is_noticed_though_its_sums_are_right(
    cases: pd.DataFrame, booster: xgb.Booster
) -> None:
    """.001 moved from one feature to another: every sum holds, and XGBoost computes everything."""
    wrong = altered(tabulate(read_forest(booster)), 3, 1e-3)
    told = contributions(booster, wrong, cases)
    assert told.road == "pred_contribs"
    assert "was off by 1.0e-03" in told.why
    np.testing.assert_array_equal(told.values, xgboost_says(booster, cases)[:, :-1])


def test_a_table_wrong_for_few_rows_is_noticed_by_their_sums(
    cases: pd.DataFrame, booster: xgb.Booster
) -> None:
    """A pattern that a handful of 3,000 rows has: no checked row does, but their sums tell."""
    right = tabulate(read_forest(booster))
    expected = look_up(right, cases)
    rare = {}
    for pattern in range(2 ** len(right.trees[2].groups[0].asked)):
        wrong = altered(right, 2, 1e-3, pattern=pattern)
        rare[int((look_up(wrong, cases) != expected).any(axis=1).sum())] = wrong
    rows = min(count for count in rare if count)
    told = contributions(booster, rare[rows], cases)
    assert told.largest_difference is not None
    assert told.largest_difference <= TOLERANCE, "the sample itself must agree here"
    assert f"values of {rows} rows do not add up" in told.why
    np.testing.assert_array_equal(told.values, xgboost_says(booster, cases)[:, :-1])


def test_what_is_not_a_number_is_noticed(cases: pd.DataFrame, booster: xgb.Booster) -> None:
    """NaN compares as neither far nor near."""
    told = contributions(
        booster, altered(tabulate(read_forest(booster)), 0, np.nan), cases.head(50)
    )
    assert told.road == "pred_contribs"
    assert np.isfinite(told.values).all()


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"max_depth": 9, "min_child_weight": 0}, "deep"),
        ({"booster": "dart"}, "'dart'"),
        ({"objective": "count:poisson"}, "'count:poisson'"),
    ],
)
def test_what_is_out_of_scope_is_said_and_left_to_xgboost(
    parameters: dict[str, object], why: str
) -> None:
    """The values come all the same, and still add up."""
    rows = random_cases(400, seed=1)
    odd = random_booster(rows, seed=1, rounds=4, **parameters)
    told = contributions(odd, tables_of(odd), rows)
    assert (told.road, told.largest_difference) == ("pred_contribs", None)
    assert why in told.why
    np.testing.assert_allclose(told.bias + told.values.sum(axis=1), told.margin, atol=1e-4)


def test_a_booster_of_several_outputs_and_tables_too_large_are_out_of_scope() -> None:
    """Neither is read halfway."""
    rows = random_cases(300, seed=1)
    data = xgb.DMatrix(rows, np.arange(300) % 3, enable_categorical=True)
    several = xgb.train({"objective": "multi:softprob", "num_class": 3}, data, 2)
    with pytest.raises(OutOfScope, match="several outputs"):
        read_forest(several)
    bushy = read_forest(random_booster(rows, seed=1, max_depth=6, min_child_weight=0, rounds=1))
    with pytest.raises(OutOfScope, match="MB"):
        tabulate(Forest(bushy.trees * 500, 0.0, bushy.features), most_bits=16)


@pytest.fixture(scope="module")
def model(cases: pd.DataFrame, booster: xgb.Booster) -> RiskModel:
    features = [
        Feature(name, "categorical", may_be_missing=True)
        if name in LEVELS
        else Feature(name, may_be_missing=name == "first")
        for name in cases
    ]
    levels = {name: tuple(cases[name].cat.categories) for name in LEVELS}
    return RiskModel.from_booster(
        booster, features, levels, PlattCalibration(slope=1.7, intercept=-0.4), []
    )


def test_a_models_contributions_add_up_to_its_calibrated_log_odds(
    model: RiskModel, cases: pd.DataFrame
) -> None:
    """margin = logit(score) = bias + sum; 1e-5 for float32 margins of some units, times the slope."""
    told = model.contributions(cases, threads=2)
    assert told.road == "lookup"
    assert told.features == tuple(cases.columns)
    np.testing.assert_allclose(told.margin, logit(model.score(cases)[0]), atol=1e-9)
    np.testing.assert_allclose(told.bias + told.values.sum(axis=1), told.margin, atol=1e-5)
    expected = 1.7 * xgboost_says(model.booster, cases)
    np.testing.assert_allclose(told.values, expected[:, :-1], atol=1.7e-5)
    assert told.bias == pytest.approx(expected[0, -1] - 0.4, abs=1.7e-5)


def test_a_case_that_cannot_be_scored_has_no_contributions(
    model: RiskModel, cases: pd.DataFrame
) -> None:
    """An unseen category and a missing number become NaN; their neighbours are not disturbed."""
    some = cases.head(6).copy()
    some["city"] = some["city"].astype("str").where(some["city"].notna())
    odd = some.copy()
    odd.loc[1, "city"] = "Atlantis"
    odd.loc[4, "coarse"] = np.nan
    told, undisturbed = model.contributions(odd), model.contributions(some)
    assert np.isnan(told.margin).tolist() == [False, True, False, False, True, False]
    assert np.isnan(told.values).all(axis=1).tolist() == np.isnan(told.margin).tolist()
    kept = [0, 2, 3, 5]
    np.testing.assert_array_equal(told.values[kept], undisturbed.values[kept])


def test_no_case_and_no_scorable_case_are_no_errors(model: RiskModel, cases: pd.DataFrame) -> None:
    """Shapes follow the cases; the bias is the model's own."""
    none = model.contributions(cases.head(0))
    assert (none.margin.shape, none.values.shape) == ((0,), (0, len(cases.columns)))
    unscorable = model.contributions(cases.head(3).assign(coarse=np.nan))
    assert np.isnan(unscorable.values).all()
    assert unscorable.bias == none.bias == model.contributions(cases.head(9)).bias


def test_tables_are_made_once_for_a_model(model: RiskModel) -> None:
    """They are kept on the model, and are no part of what makes two models equal."""
    assert model.lookup is model.lookup
    again = RiskModel.from_bytes(model.ubj)
    assert again == model
