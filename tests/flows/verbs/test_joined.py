"""Joining tables by case id without making Python objects of the keys."""

from __future__ import annotations

import pandas as pd

from flows.verbs.joined import looked_up
from flows.verbs.truth import in_order_of_time


def test_each_case_finds_its_row_and_a_stranger_finds_nothing() -> None:
    """Yes and no become 1 and 0, so that 'nothing is known' has a place."""
    ids = pd.Series(["b", "x", "a"], index=[7, 8, 9], dtype="str")
    known = pd.DataFrame({"case_id": pd.Series(["a", "b"], dtype="str"), "bad": [True, False]})
    found = looked_up(ids, known["bad"], by=known["case_id"])
    assert found.index.tolist() == [7, 8, 9]
    assert found.fillna(-1.0).tolist() == [0.0, -1.0, 1.0]
    words = looked_up(ids, known["case_id"], by=known["case_id"])
    assert words.isna().tolist() == [False, True, False]


def test_nothing_is_found_in_an_empty_table() -> None:
    """A table without rows leaves every case without a value."""
    empty = pd.DataFrame({"case_id": pd.Series(dtype="str"), "score": pd.Series(dtype="float64")})
    found = looked_up(pd.Series(["a"], dtype="str"), empty["score"], by=empty["case_id"])
    assert found.isna().tolist() == [True]


def test_cases_opened_at_one_moment_stand_in_order_of_their_names() -> None:
    """The order must not depend on how a delivery was cut into batches."""
    stamps = pd.to_datetime([3, 1, 3, 2, 3], unit="D", utc=True)
    rows = pd.DataFrame({"opened_at": stamps, "case_id": ["z", "k", "a", "m", "c"]})
    assert in_order_of_time(rows)["case_id"].tolist() == ["k", "m", "a", "c", "z"]
