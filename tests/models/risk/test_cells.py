"""One cell that says nothing of its kind is missing and named; every other cell keeps its value."""

from __future__ import annotations

import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk.cells import read_cells
from models.vocabulary import Feature

SPEED = Feature("speed")
DEVICE = Feature("device", "boolean")
NETWORK = Feature("network", "categorical", levels=("home", "NA"))
FEATURES = (SPEED, DEVICE, NETWORK)
nan = float("nan")


@pytest.mark.parametrize(
    ("said", "number", "unreadable"),
    [
        ("4.5", 4.5, False),
        (" -1e3 ", -1000.0, False),
        (Decimal("0.25"), 0.25, False),
        (True, 1.0, False),
        ("NA", nan, False),
        ("\\N", nan, False),
        ("", nan, False),
        (None, nan, False),
        ("abc", nan, True),
        ("1,234.5", nan, True),
        ("1,5", nan, True),
        ("$5", nan, True),
        ("1_000", nan, True),
        ("0x1f", nan, True),
        ([1.0], nan, True),
        ({"value": 1}, nan, True),
        (b"1", nan, True),
        (10**400, nan, True),
    ],
)
@pytest.mark.parametrize("beside", [7.25, "7.25"])
def test_a_number(said: object, number: float, unreadable: bool, beside: object) -> None:
    """Beside a cell that is a number, or text that is one."""
    read = read_cells(pd.DataFrame({"speed": pd.Series([said, beside], dtype=object)}), FEATURES)
    np.testing.assert_array_equal(read.cases["speed"].to_numpy(dtype=float), [number, 7.25])
    assert read.unreadable.tolist() == [unreadable, False]
    given_cells = 2 if unreadable or not np.isnan(number) else read.columns.get("speed", (0, 0))[1]
    assert read.columns == ({"speed": (1, given_cells)} if unreadable else {})


@pytest.mark.parametrize(
    ("said", "yes", "unreadable"),
    [
        ("True", True, False),
        ("no", False, False),
        ("t", True, False),
        (1, True, False),
        (0.0, False, False),
        ("NULL", None, False),
        ("perhaps", None, True),
        (2, None, True),
        ([True], None, True),
    ],
)
def test_a_yes_or_no(said: object, yes: bool | None, unreadable: bool) -> None:
    """Words as the world writes them; what is neither is neither."""
    read = read_cells(pd.DataFrame({"device": pd.Series([said, True], dtype=object)}), FEATURES)
    assert read.cases["device"].astype(object).where(
        read.cases["device"].notna(), None
    ).tolist() == [
        yes,
        True,
    ]
    assert read.unreadable.tolist() == [unreadable, False]


def test_a_column_of_zeros_and_ones_with_a_two() -> None:
    """Numbers throughout: the two alone is lost."""
    read = read_cells(pd.DataFrame({"device": [0, 1, 2]}), FEATURES)
    assert read.cases["device"].isna().tolist() == [False, False, True]
    assert read.unreadable.tolist() == [False, False, True]


def test_a_word_is_a_word_whatever_it_says() -> None:
    """NA is Namibia here; a code may be a whole number; a list is no word."""
    said = pd.Series(["NA", "home", 3, None, ["home"], 1.5], dtype=object)
    read = read_cells(pd.DataFrame({"network": said}), FEATURES)
    assert read.cases["network"].astype(object).where(read.cases["network"].notna(), None).tolist() == [
        "NA", "home", "3", None, None, None,
    ]  # fmt: skip
    assert read.unreadable.tolist() == [False, False, False, False, True, True]


def test_priority_is_a_whole_number_and_an_amount_any() -> None:
    """50.5 is no priority; 50.0 is one."""
    cases = pd.DataFrame({"priority": [50.5, 50.0, nan], "amount_usd": ["1.5", "1 500", "NA"]})
    read = read_cells(cases, ())
    assert read.unreadable.tolist() == [True, True, False]
    np.testing.assert_array_equal(read.cases["priority"], [nan, 50.0, nan])
    np.testing.assert_array_equal(read.cases["amount_usd"], [1.5, nan, nan])
    assert read.columns == {"priority": (1, 2), "amount_usd": (1, 2)}


def test_columns_of_the_right_type_are_handed_on_as_they_are() -> None:
    """Not even copied; a column of another type throughout is unreadable throughout."""
    cases = pd.DataFrame({"speed": [1.5, nan], "device": [True, False], "network": ["home", "x"]})
    assert read_cells(cases, FEATURES).cases is cases
    stamps = cases.assign(speed=pd.Timestamp("2026-01-01", tz="UTC"))
    assert read_cells(stamps, FEATURES).columns == {"speed": (2, 2)}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_a_number_written_as_text_is_the_number_that_a_file_holds(values: list[float]) -> None:
    """One bad cell turns a column of a CSV into text: the others must not change by a bit."""
    written = "speed\n" + "\n".join(map(repr, values)) + "\n"
    clean = pd.read_csv(io.StringIO(written))["speed"].to_numpy(dtype=float)
    spoilt = pd.read_csv(io.StringIO(written + "what\n"))
    read = read_cells(spoilt, FEATURES)
    np.testing.assert_array_equal(read.cases["speed"].to_numpy()[:-1], clean)
    assert read.unreadable.tolist() == [False] * len(values) + [True]
