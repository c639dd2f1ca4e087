"""A column that says what the truth will say is told with the rows that agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.risk.giveaways import Giveaway, giveaways

BAD = pd.Series(np.arange(1000) % 10 == 0)
NOISE = np.random.default_rng(2).normal(size=1000)


def found(column: object, bad: pd.Series = BAD) -> tuple[Giveaway, ...]:
    return giveaways(pd.DataFrame({"x": column}), ["x"], bad)


@pytest.mark.parametrize(
    "copy",
    [
        BAD,
        ~BAD,
        BAD.astype(float) * 7,
        BAD.map({True: "fraud", False: "fine"}),
        BAD.map({True: "charged back", False: None}),
        np.where(BAD, 10 + NOISE**2, NOISE.clip(max=9)),
        np.where(BAD, -10.0 - NOISE**2, NOISE.clip(min=-9)),
        pd.Series(np.where(BAD, np.arange(1000) % 4, 9)).astype(str),
    ],
    ids=["copy", "inverse", "code", "words", "filled where bad", "above", "below", "levels"],
)
def test_a_column_that_tells_good_from_bad_is_named(copy: object) -> None:
    assert found(copy) == (Giveaway("x", 1000, 1000),)


def test_a_slip_in_a_copy_is_counted_and_does_not_hide_it() -> None:
    """1 of 100 bad cases is written as good: 999 of 1,000 rows agree. With 2 it is a feature."""
    one, two = BAD.copy(), BAD.copy()
    one[0] = False
    two[[0, 10]] = False
    assert found(one) == (Giveaway("x", 1000 - 1, 1000),)
    assert found(two) == ()


def test_rows_of_unknown_truth_do_not_count() -> None:
    known = BAD.astype("boolean")
    known[:100] = pd.NA
    assert found(BAD, known) == (Giveaway("x", 1000 - 100, 1000 - 100),)


@pytest.mark.parametrize(
    "column",
    [NOISE, NOISE + 2 * BAD, np.ones(1000), [f"id{n}" for n in range(1000)], np.arange(1000) % 7],
    ids=["noise", "a good feature", "constant", "ids", "levels"],
)
def test_a_feature_is_no_giveaway(column: object) -> None:
    """Not even a good one; and an id, of which each is met once, tells nothing of the next."""
    assert found(column) == ()


def test_with_too_few_of_a_class_nothing_is_said() -> None:
    few = pd.Series(np.arange(1000) < 19)
    assert found(few, few) == ()
