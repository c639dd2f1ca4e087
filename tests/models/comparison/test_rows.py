"""On which rows are two models compared?"""

from __future__ import annotations

import numpy as np
import pytest

from models.comparison import ScoredRows

GOOD = {
    "champion": np.array([0.1, 0.9]),
    "challenger": np.array([0.2, 0.8]),
    "bad": np.array([False, True]),
    "weight": np.array([20.0, 1.0]),
    "automatable": np.array([True, True]),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"champion": np.array([0.1, 1.1])}, "1 rows have no valid champion .first at row 1"),
        ({"challenger": np.array([np.nan, 0.5])}, "challenger .first at row 0"),
        ({"weight": np.array([0.05, 1.0])}, "1 / the designed probability"),
        ({"weight": np.array([np.inf, 1.0])}, "at least 1"),
        ({"bad": np.array([0, 1])}, "bad must be an array of bool, got int64"),
        ({"champion": np.array([0.1, 0.9], dtype=np.float32)}, "got float32"),
        ({"automatable": np.array([True])}, r"automatable has shape \(1,\)"),
        ({"champion": [0.1, 0.9]}, "got list"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(changes, message):
    """Range, finiteness, type and shape; a propensity in place of its inverse is noticed."""
    with pytest.raises(ValueError, match=message):
        ScoredRows(**(GOOD | changes))


def test_a_part_of_the_rows_is_rows():
    """Every column is cut alike."""
    part = ScoredRows(**GOOD).only(np.array([False, True]))
    assert (len(part), part.champion[0], part.weight[0]) == (1, 0.9, 1.0)
    assert part.equally_weighted
    assert not ScoredRows(**GOOD).equally_weighted
