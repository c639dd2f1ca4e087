"""Where is the challenger worse, although it may be better overall?"""

from __future__ import annotations

import numpy as np
import pytest

from models.comparison.slices import FEWEST_CASES
from tests.models.comparison.worlds import forgetful, judged, later_cases


@pytest.fixture(scope="module")
def spoiled():
    """A challenger that is better but for one tenth of the cases, those of new accounts."""
    rows, new = forgetful(8_000, 1)
    known = np.where(np.arange(8_000) % 2, "known", "old")
    return rows, {"account_age": np.where(new, "new", known)}


def test_better_overall_worse_on_new_accounts(spoiled):
    """The sentence a lead needs, and the slice by its name."""
    rows, slices = spoiled
    found = judged(rows, slices=slices)
    assert found.verdict == "better"
    assert found.sentence().startswith(
        "The challenger is better overall, worse on account_age=new: "
    )
    by_name = {one.slice: one for one in found.slices}
    assert list(by_name) == ["account_age=known", "account_age=new", "account_age=old"]
    assert "log_loss" in by_name["account_age=new"].worse_on
    assert "log_loss" in by_name["account_age=known"].better_on
    (regression,) = found.regressions
    assert regression.startswith("Worse on account_age=new: log loss +")


def test_where_all_slices_gain_none_is_called_a_loss():
    """Twenty random slices of a challenger that is better throughout."""
    rows = later_cases(12_000, 2, challenger_sees=1.0)
    found = judged(rows, slices={"of_20": np.arange(len(rows)) % 20}).slices
    assert all(one.worse_on == () for one in found)
    assert sum("log_loss" in one.better_on for one in found) >= 5


def test_slices_of_noise_are_rarely_called_regressions():
    """Equal models, 24 overlapping slices a run: at most 2.5 % of runs may name any as worse (and so
    many as better); 2 of 40 are allowed for the simulation's own error."""
    named = 0
    for seed in range(40):
        rows = later_cases(4_000, 700 + seed)
        generator = np.random.default_rng(seed)
        slices = {f"noise_{n}": generator.integers(0, 8, len(rows)) for n in range(3)}
        named += any(one.worse_on for one in judged(rows, slices=slices, draws=100).slices)
    assert named <= 2


def test_a_slice_without_support_is_named_and_not_judged():
    """Too few cases, or too few of a class: the reason in words, no metric."""
    rows = later_cases(2_000, 4)
    label = np.array(["rest"] * len(rows), dtype=object)
    label[: FEWEST_CASES - 1] = "small"
    label[np.flatnonzero(~rows.bad)[-300:]] = "all good"
    found = {one.slice: one for one in judged(rows, slices={"kind": label}).slices}
    assert found["kind=rest"].metrics
    for name in ("kind=small", "kind=all good"):
        assert (found[name].metrics, found[name].worse_on) == ((), ())
        assert "at least 100 with 10 bad and 10 good ones are judged" in found[name].why_not


def test_every_row_lies_in_one_value_of_each_column_missing_ones_too():
    """Cases add up, whatever the labels' type."""
    rows = later_cases(1_000, 5)
    text = np.array(["a", None, "b", "a"] * 250, dtype=object)
    number = np.array([1.0, np.nan, 2.0, 2.0] * 250)
    found = judged(rows, slices={"text": text, "number": number}).slices
    cases = {one.slice: one.cases for one in found}
    assert cases["text=(missing)"] == cases["number=(missing)"] == 250
    assert sum(cases.values()) == 2_000
    assert sum(one.bad for one in found) == 2 * rows.bad.sum()


def test_labels_of_another_length_are_refused():
    """With both numbers."""
    with pytest.raises(ValueError, match="'kind' has 3 labels for 500 rows"):
        judged(later_cases(500, 6), slices={"kind": np.array(["a", "b", "c"])})


def test_a_slice_is_measured_like_its_rows_alone(spoiled):
    """Log loss of a slice and of a comparison of only its rows."""
    rows, slices = spoiled
    whole = judged(rows, slices=slices)
    alone = judged(rows.only(slices["account_age"] == "old"))
    (old,) = (one for one in whole.slices if one.slice == "account_age=old")
    told = old.metrics[0]
    assert told.champion.value == pytest.approx(alone.primary.champion.value)
    assert told.difference.value == pytest.approx(alone.primary.difference.value)
