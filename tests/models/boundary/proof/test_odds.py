"""Is evidence said in words that people can weigh, and never as stronger than it is?"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.boundary.proof.odds import MOST, odds


@pytest.mark.parametrize(
    ("e_value", "said"),
    [
        (0.0, "no evidence yet"),
        (1.0, "no evidence yet"),
        (2.54, "1 in 2.5"),
        (9.99, "1 in 9.9"),
        (20.0, "1 in 20"),
        (1 / 0.05, "1 in 20"),
        (1234.9, "1 in 1,234"),
        (1e9, "less than 1 in a billion"),
        (1.01e304, "less than 1 in a billion"),
        (math.inf, "less than 1 in a billion"),
    ],
)
def test_evidence_in_words(e_value: float, said: str) -> None:
    assert odds(e_value) == said


@pytest.mark.parametrize("wrong", [-0.1, math.nan])
def test_what_is_no_evidence_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="zero or more"):
        odds(wrong)


@given(st.floats(1.0, MOST, exclude_min=True, exclude_max=True))
def test_it_is_rounded_to_the_weaker_side(e_value: float) -> None:
    said = odds(e_value)
    assert said.startswith("1 in ")
    number = float(said.removeprefix("1 in ").replace(",", ""))
    assert 0.9 * e_value - 0.1 <= number <= e_value * (1.0 + 1e-8)
