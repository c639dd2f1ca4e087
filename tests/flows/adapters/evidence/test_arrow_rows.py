"""Stored rows are read by the values of a column."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flows.adapters.evidence.arrow_rows import expression_of


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(["a", "c"], ["a", "c"]), (["b"], ["b"]), (["z"], []), ([], [])],
)
def test_rows_with_one_of_the_values_are_kept_and_none_where_there_is_none(
    wanted: list[str], found: list[str]
) -> None:
    stored = pa.table({"case_id": ["a", "b", "c"]})

    kept = stored.filter(expression_of({"case_id": wanted}, None, None, None))

    assert kept["case_id"].to_pylist() == found
