"""The size of a finding in words, checked against the model that it speaks of."""

from __future__ import annotations

import math

import pytest

from models.vocabulary.finding_words import (
    IGNORED,
    RATIO,
    SHIFT,
    WEIGHT,
    plain_interval,
    plain_size,
    remedy_of,
)
from tests.findings import SUPPORTED, UNSUPPORTED, a_finding


@pytest.mark.parametrize(
    ("effect", "unit", "said"),
    [
        (1 / 1.6 - 1, WEIGHT, "1.6 times what the labels say"),
        (1 / 0.5 - 1, WEIGHT, "0.50 times what the labels say"),
        (1 / 25 - 1, WEIGHT, "25 times what the labels say"),
        (-1.0, WEIGHT, "the labels say none"),
        (-1.5, WEIGHT, "the labels say the opposite"),
        (-math.log(1.6), SHIFT, "odds 1.6 times what the labels say"),
        (math.log(2.0), SHIFT, "odds 0.50 times what the labels say"),
        (-math.log(1.6), IGNORED, "the labels' odds change 1.6 times per standard deviation, the score's do not"),
        (2.04, RATIO, "2.0 times as many errors"),
    ],
)  # fmt: skip
def test_an_effect_is_a_comparison_with_the_labels(effect: float, unit: str, said: str) -> None:
    assert plain_size(effect, unit) == said


@pytest.mark.parametrize("truth", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("ratio", [0.3, 0.9, 1.6, 4.0])
def test_a_weight_is_so_many_times_the_truth_whatever_the_truth(truth: float, ratio: float) -> None:
    """Second road: the model's weight, the correction that leads to the truth, and back."""
    model = ratio * truth
    delta = (truth - model) / model
    assert plain_size(delta, WEIGHT) == plain_size(1 / ratio - 1, WEIGHT)


@pytest.mark.parametrize(
    ("low", "high", "unit", "said"),
    [
        (1 / 1.8 - 1, 1 / 1.4 - 1, WEIGHT, "1.4 to 1.8"),
        (-1.2, 1 / 1.4 - 1, WEIGHT, "at least 1.4"),
        (-1.4, -1.1, WEIGHT, "the opposite"),
        (-math.log(2.0), -math.log(1.5), SHIFT, "1.5 to 2.0"),
        (-math.log(2.0), -math.log(1.5), IGNORED, "1.5 to 2.0"),
        (1.6, 3.0, RATIO, "1.6 to 3.0"),
    ],
)
def test_an_interval_begins_with_its_smaller_end(
    low: float, high: float, unit: str, said: str
) -> None:
    assert plain_interval(low, high, unit) == said


def test_a_remedy_held_exactly_where_the_finding_fires() -> None:
    """It did not hold where errors stay or the log loss may not fall; B and C have none to try."""
    for made, said in ((SUPPORTED, "held"), (UNSUPPORTED, "did not hold"), (None, "cannot be told yet")):  # fmt: skip
        finding = a_finding(counterfactual=made)
        assert remedy_of("A", finding.plain()["counterfactual"]) == said  # type: ignore[arg-type]
        assert finding.fires == (said == "held")
    assert remedy_of("B", None) is remedy_of("C", None) is None
