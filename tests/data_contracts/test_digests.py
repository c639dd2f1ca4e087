"""Do equal rows have equal digests however they were delivered, and different rows different ones?"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.digests import row_digests

PINNED = [18086840503956690460, 7948397798477863688]
STAMP = pd.Timestamp("2026-01-01 08:00", tz="UTC")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([7], [7.0]),
        ([True, None], pd.array([True, None], dtype="boolean")),
        (["a", None], pd.Categorical(["a", None])),
        ([1, None], pd.array([1, None], dtype="Int64")),
        ([None, None], [np.nan, np.nan]),
        ([0.0], [-0.0]),
        ([STAMP], [STAMP.tz_convert("Asia/Tokyo")]),
        ([[{"b": 1, "a": None}]], [np.array([{"a": None, "b": 1}], dtype=object)]),
    ],
)
def test_one_value_has_one_digest_in_any_type(one, other):
    """A type that changed between deliveries does not make a new row."""
    digests = [row_digests(pd.DataFrame({"x": pd.Series(values)})) for values in (one, other)]
    assert digests[0].tolist() == digests[1].tolist()


def test_a_missing_column_is_an_empty_one_and_columns_have_no_order():
    """Only what is there counts, under its name."""
    rows = pd.DataFrame({"a": [1], "b": ["x"]})
    assert row_digests(rows) == row_digests(rows.assign(c=None)[["c", "b", "a"]])
    assert row_digests(rows) != row_digests(rows.rename(columns={"a": "b", "b": "a"}))


def test_the_digest_is_pinned():
    """Stored digests must be found again by every later version."""
    rows = pd.DataFrame({"a": [1, 2], "b": ["x", None], "at": [STAMP, None]})
    assert row_digests(rows).tolist() == PINNED


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.text()), unique=True, min_size=2))
def test_different_rows_have_different_digests(rows):
    """Whole numbers beyond a float's precision and any text included."""
    frame = pd.DataFrame(rows, columns=["number", "text"])
    assert len(set(row_digests(frame).tolist())) == len(rows)
