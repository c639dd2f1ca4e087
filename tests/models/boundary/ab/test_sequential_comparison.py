"""Two arms compared as their cases come in, whenever one looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boundary import AbVerdict, SequentialComparison
from models.boundary.proof.wagers import AB_WAGERS

OUTCOMES = st.lists(st.sampled_from([0.0, 0.25, 1.0]), max_size=40)


def test_two_pairs_are_bet_on_as_written_on_paper() -> None:
    """Differences 1 and -1 at margin 0: the mean over stakes of (1 + g)(1 - g); highest was after
    the first pair, the mean of (1 + g)."""
    shown = SequentialComparison().observe([0, 1], [1, 0])
    assert shown.e_value == pytest.approx(np.mean(1 + AB_WAGERS))
    assert shown.opposite_e_value == 1.0
    assert (shown.pairs, shown.mean_difference) == (2, 0.0)
    assert shown.verdict is AbVerdict.CONTINUE


def test_a_margin_sets_both_the_hypothesis_and_the_stake() -> None:
    """Non-inferiority by .25: a pair that ties gains .25 of a stake of g/.75."""
    shown = SequentialComparison(margin=-0.25).observe([1, 1], [1, 1])
    assert shown.e_value == pytest.approx(np.mean((1 + AB_WAGERS / 0.75 * 0.25) ** 2))


@settings(max_examples=25, deadline=None)
@given(OUTCOMES, OUTCOMES, st.integers(1, 3), st.data())
def test_looks_change_nothing(
    control: list[float], treatment: list[float], allocation: int, data: st.DataObject
) -> None:
    """However the cases are cut into looks, uneven and empty ones included, the end is the same."""
    whole = SequentialComparison(allocation=allocation).observe(control, treatment)
    parts = SequentialComparison(allocation=allocation)
    left = data.draw(st.integers(0, len(control)))
    right = data.draw(st.integers(0, len(treatment)))
    parts.observe(control[:left], treatment[:right])
    parts.observe([], [])
    last = parts.observe(control[left:], treatment[right:])
    assert (last.verdict, last.pairs) == (whole.verdict, whole.pairs)
    assert last.e_value == pytest.approx(whole.e_value)
    assert last.opposite_e_value == pytest.approx(whole.opposite_e_value)


def test_cases_without_a_partner_wait_for_the_next_look() -> None:
    """Two controls go with each treatment; the third treatment finds its second control later."""
    comparison = SequentialComparison(allocation=2)
    assert comparison.observe([0, 1, 0, 0, 1], [1, 1, 0]).pairs == 2
    shown = comparison.observe([1], [])
    assert shown.pairs == 3
    assert shown.mean_difference == pytest.approx(((1 - 0.5) + (1 - 0.0) + (0 - 1.0)) / 3)


def test_a_batch_larger_than_memory_is_kept_to_gives_what_small_ones_give() -> None:
    """80,000 pairs at once, beyond one chunk, against thirty looks."""
    rng = np.random.default_rng(1)
    control, treatment = rng.random(80_000) < 0.5, rng.random(80_000) < 0.5
    whole = SequentialComparison().observe(control, treatment)
    parts = SequentialComparison()
    for left, right in zip(np.array_split(control, 30), np.array_split(treatment, 30), strict=True):
        parts.observe(left, right)
    assert parts.e_value == pytest.approx(whole.e_value)
    assert parts.verdict is whole.verdict


@pytest.mark.parametrize(
    ("control", "treatment", "margin", "verdict"),
    [
        (0.10, 0.20, 0.0, AbVerdict.PROMOTE),
        (0.20, 0.10, 0.0, AbVerdict.STOP),
        (0.10, 0.15, 0.10, AbVerdict.STOP),
        (0.10, 0.10, -0.05, AbVerdict.PROMOTE),
        (0.20, 0.10, -0.05, AbVerdict.STOP),
    ],
)
def test_a_clear_difference_is_told_either_way(
    control: float, treatment: float, margin: float, verdict: AbVerdict
) -> None:
    """20,000 cases an arm: better, worse, better but by less than the margin, no worse, worse."""
    rng = np.random.default_rng(7)
    shown = SequentialComparison(margin).observe(
        rng.random(20_000) < control, rng.random(20_000) < treatment
    )
    assert shown.verdict is verdict


def test_the_first_verdict_stands() -> None:
    """What comes after a proof does not take it back; the highest capital only rises."""
    comparison = SequentialComparison()
    before = comparison.observe(np.zeros(50), np.ones(50))
    after = comparison.observe(np.ones(500), np.zeros(500))
    assert before.verdict is after.verdict is comparison.verdict is AbVerdict.PROMOTE
    assert after.e_value == comparison.e_value >= before.e_value >= 20
    assert after.opposite_e_value > 20


def test_a_tie_looked_at_daily_is_seldom_called_better() -> None:
    """100 simulated runs of 28 looks at delta .05, arms alike: 14 or more wrong promotions would
    have a probability of .0005 if the error were .05. The benchmark makes 4,000 runs."""
    rng = np.random.default_rng(11)
    promoted = 0
    for _ in range(100):
        comparison = SequentialComparison()
        for _ in range(28):
            comparison.observe(rng.random(40) < 0.3, rng.random(40) < 0.3)
        promoted += comparison.verdict is AbVerdict.PROMOTE
    assert promoted < 14


@pytest.mark.parametrize("wrong", [[0.5, math.nan], [1.5], [-0.1], [[0.5]], ["x"], [None]])
def test_an_outcome_that_is_none_is_refused_and_nothing_is_taken_in(wrong: list) -> None:
    """Missing, out of range, not in one dimension or no number."""
    comparison = SequentialComparison()
    with pytest.raises(ValueError, match="outcomes"):
        comparison.observe([0.0, 1.0], wrong)
    assert comparison.observe([], [1.0]).pairs == 0


@pytest.mark.parametrize(
    "wrong",
    [{"margin": 1.0}, {"margin": math.nan}, {"delta": 0.0}, {"delta": 1.0}, {"allocation": 0},
     {"allocation": 1.5}, {"allocation": True}],
)  # fmt: skip
def test_a_comparison_that_could_not_be_valid_is_refused(wrong: dict) -> None:
    """By the value's name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SequentialComparison(**wrong)
