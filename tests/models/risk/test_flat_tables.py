"""A few cases, looked up in all trees at once, get the bits that many cases get tree by tree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.risk import lookup
from models.risk.flat_tables import FlatTables
from models.risk.forest import read_forest
from models.risk.lookup import FEW_ROWS, look_up
from models.risk.lookup_tables import Tables, tabulate
from tests.models.risk.forests import random_booster, random_cases


def tables_and_cases(seed: int, rounds: int, depth: int) -> tuple[Tables, pd.DataFrame]:
    cases = random_cases(300, seed)
    booster = random_booster(cases, seed, rounds=rounds, max_depth=depth, max_cat_to_onehot=5)
    return tabulate(read_forest(booster)), cases


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rounds=st.integers(1, 70),  # sums are in float32 over 32 trees at a time
    depth=st.integers(1, 7),
    rows=st.integers(1, FEW_ROWS),
)
def test_few_and_many_get_the_same_bits(seed: int, rounds: int, depth: int, rows: int) -> None:
    """Categories, gaps and ties included; so does a case that comes alone."""
    tables, cases = tables_and_cases(seed, rounds, depth)
    many = look_up(tables, cases)
    assert len(cases) > FEW_ROWS
    np.testing.assert_array_equal(look_up(tables, cases.head(rows)), many[:rows], strict=True)
    np.testing.assert_array_equal(look_up(tables, cases.iloc[[rows]]), many[[rows]], strict=True)


def test_a_code_beyond_the_lists_goes_where_many_go() -> None:
    """A category that the model never saw in training goes the way of all larger codes."""
    tables, cases = tables_and_cases(seed=3, rounds=20, depth=4)
    larger = cases.assign(city=cases["city"].cat.set_categories([f"other {n}" for n in range(99)]))
    larger["city"] = pd.Categorical.from_codes(
        np.arange(len(cases)) % 99, dtype=larger["city"].dtype
    )
    few = look_up(tables, larger.tail(FEW_ROWS))
    np.testing.assert_array_equal(few, look_up(tables, larger)[-FEW_ROWS:])


@pytest.mark.parametrize("reason", ["no trees", "too large"])
def test_what_is_not_flattened_goes_the_long_road(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forest without questions, and one whose second copy would be large."""
    tables, cases = tables_and_cases(seed=4, rounds=3, depth=2)
    if reason == "no trees":
        tables = Tables((), tables.bias, tables.features)
    else:
        monkeypatch.setattr(lookup, "_MOST_FLAT_BYTES", 8)
    monkeypatch.setattr(FlatTables, "of", None)  # calling it would raise
    assert look_up(tables, cases.head(2)).shape == (2, tables.features)


def test_the_flat_copy_is_made_once_and_goes_with_its_tables() -> None:
    """A process that sees many models keeps none of their copies."""
    tables, cases = tables_and_cases(seed=5, rounds=3, depth=2)
    look_up(tables, cases.head(1))
    first = lookup._FLAT[tables]
    look_up(tables, cases.head(2))
    assert lookup._FLAT[tables] is first
    before = len(lookup._FLAT)
    del tables
    assert len(lookup._FLAT) == before - 1
