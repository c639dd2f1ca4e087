"""Does a cell mean the same whichever type it came in, and is nothing guessed?"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.words import NumberFormat, off_scale, read_flags, read_numbers


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("yes", True), ("Y", True), ("t", True), ("TRUE", True), (" on ", True), ("1", True),
        ("1.0", True), (1, True), (True, True), (1.0, True),
        ("no", False), ("N", False), ("f", False), ("False", False), ("off", False), ("0", False),
        (0, False), (False, False),
        ("", None), ("NA", None), (r"\N", None), ("null", None), ("-", None), (None, None),
    ],
)  # fmt: skip
def test_words_for_yes_and_no(cell, read):
    """Beside a cell that is sure, so that the column has two kinds."""
    found = read_flags(pd.Series([cell, True], dtype=object))
    assert found.values.isna().tolist() == [read is None, False]
    assert read is None or bool(found.values[0]) is read
    assert found.stray == 0


@pytest.mark.parametrize("cell", ["ja", "nein", "pending", "2", 2, -1, 0.5, "fraud", "x"])
def test_any_other_word_is_neither(cell):
    """It is never true because it is not empty."""
    found = read_flags(pd.Series([cell, True, False], dtype=object))
    assert found.unreadable.tolist() == [True, False, False]
    assert found.values.isna().tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("cell", "value", "stray", "foreign"),
    [
        ("1320.5", 1320.5, 0, 0),
        (" -1e3 ", -1000.0, 0, 0),
        ("NA", np.nan, 0, 0),
        (r"\N", np.nan, 0, 0),
        ("1,320.50", np.nan, 1, 1),
        ("1320,50", np.nan, 1, 1),
        ("1 320", np.nan, 1, 1),
        ("$12", np.nan, 1, 1),
        ("12 USD", np.nan, 1, 1),
        ("EUR 12,5", np.nan, 1, 1),
        ("12%", np.nan, 1, 1),
        ("(12.50)", np.nan, 1, 1),
        ("twelve", np.nan, 1, 0),
        ("3G", np.nan, 1, 0),
    ],
)
def test_numbers_in_plain_notation_only(cell, value, stray, foreign):
    """A number in another format is told apart from what is no number."""
    found = read_numbers(pd.Series([cell, "7"], dtype="str"))
    np.testing.assert_array_equal(found.values.to_numpy(), [value, 7.0])
    assert (found.stray, found.foreign) == (stray, foreign)


@pytest.mark.parametrize(
    ("cells", "at_fault"),
    [
        (["x"] + ["1"] * 9, True),  # 1 of 10
        (["x"] * 2 + ["1"] * 8, False),  # 2 of 10
        (["x", "1"], True),  # one cell beside a sound one
        (["x"], False),
        (["1,320"] + ["1"] * 99, False),  # a format is the column's, and shows where it can
        (["1,320"] + ["1"] * 1_999, True),  # 1 of 2,000 is a slip
    ],
)
def test_whose_fault_an_unreadable_cell_is(cells, at_fault):
    """Up to a tenth of the cells is the rows'; of numbers in another format, up to a thousandth."""
    assert read_numbers(pd.Series(cells, dtype="str")).rows_are_at_fault is at_fault


@pytest.mark.parametrize(
    ("style", "cell", "plain"),
    [
        (NumberFormat(",", "."), "1.320,50", "1320.50"),
        (NumberFormat(",", "."), "-7", "-7"),
        (NumberFormat(",", "."), "1320.50", None),  # grouped wrongly
        (NumberFormat(",", "", "EUR"), "EUR 3,5", "3.5"),
        (NumberFormat(",", "", "EUR"), "3,5 EUR", "3.5"),
        (NumberFormat(".", ",", "$"), "-$1,234.5", "-1234.5"),
        (NumberFormat(".", " "), "12 345", "12345"),
        (NumberFormat(".", "", "%"), "12 %", "12"),
    ],
)
def test_a_stated_format(style, cell, plain):
    """What is not written like it is nothing."""
    found = style.as_plain(pd.Series([cell], dtype="str"))[0]
    assert found == plain if plain is not None else pd.isna(found)


def test_a_scale_is_the_batchs_and_a_slip_the_rows():
    """Three and a thousandth: 2 of 10 are slips, 3 of 10 are a scale, 3 of 10,000 are slips."""
    fine = pd.Series(np.linspace(0, 1, 10_000))
    assert off_scale(pd.concat([fine[:8], pd.Series([1.2, 97.0])])) is None
    assert "percentages?" in off_scale(pd.concat([fine[:7], pd.Series([3.0, 40.0, 97.0])]))
    assert "log-odds?" in off_scale(pd.Series([-3.0, 0.2, 4.0, -1.0]))
    assert "which scale" in off_scale(pd.Series([3.0, 512.0, 97.0]))
    assert off_scale(pd.concat([fine, pd.Series([1.2, 1.2, 97.0])])) is None


@given(st.lists(st.one_of(st.floats(allow_nan=False, width=32), st.none()), max_size=30))
def test_numbers_survive_being_written_as_text(numbers):
    """The text of a number is read as that number, to the bit."""
    text = pd.Series([None if one is None else repr(one) for one in numbers], dtype=object)
    wanted = [np.nan if one is None else one for one in numbers]
    np.testing.assert_array_equal(read_numbers(text).values.to_numpy(), wanted)
