"""Which cuts are tried, in which order, and how far does a sequence of tests get?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.boundary.proof.candidates import (
    FIRST_BLOCKS,
    PASS_SHARES,
    block_sequences,
    outward,
    pass_sequences,
)

SCORES = np.linspace(0.0, 1.0, 2_001)
SCORE_LISTS = st.lists(st.integers(0, 40).map(lambda place: place / 40), min_size=1, max_size=300)


def blocked(cut: float) -> int:
    return int((cut <= SCORES).sum())


def passed(cut: float) -> int:
    return int((cut >= SCORES).sum())


def test_a_walk_ends_at_its_first_failure_and_keeps_what_it_reached() -> None:
    """p-values by cut; .2 fails, so .1 is never asked though it would pass."""
    p_value = {0.9: 0.01, 0.5: 0.05, 0.2: 0.06, 0.1: 0.0}
    asked: list[float] = []

    def ask(cut: float) -> float:
        asked.append(cut)
        return p_value[cut]

    found = outward([np.array([0.9, 0.5, 0.2, 0.1])], ask, 0.05, lambda cut: (1, 30), widest=min)
    assert asked == [0.9, 0.5, 0.2]
    assert (found.cut, found.errors, found.trials, found.sample) == (0.5, 1, 30, 30)


def test_several_starts_share_delta_and_the_widest_reach_counts() -> None:
    """Two sequences at .025 each: the first is stopped at once, the second gets to .3."""
    p_value = {0.9: 0.03, 0.6: 0.02, 0.3: 0.025}
    starts = [np.array([0.9, 0.6]), np.array([0.6, 0.3])]
    found = outward(starts, lambda cut: p_value[cut], 0.05, None, widest=min)
    assert found.cut == 0.3
    assert (found.errors, found.trials, found.sample) == (None, None, 0)
    assert outward(starts[:1], lambda cut: p_value[cut], 0.05, None, widest=max).cut == 0.9


def test_no_start_and_no_success_prove_nothing() -> None:
    """Both are answered with None, never with a sentinel cut."""
    assert outward([], lambda cut: 0.0, 0.05, None, widest=min).cut is None
    assert outward([np.array([0.5])], lambda cut: 1.0, 0.05, None, widest=min).cut is None


def test_without_an_incumbent_blocks_start_at_150_and_at_600() -> None:
    """METHODS 1.3; a start that the cases cannot fill is left out."""
    assert FIRST_BLOCKS == (150, 600)
    assert [blocked(ladder[0]) for ladder in block_sequences(SCORES, None, None)] == [150, 600]
    assert len(block_sequences(SCORES[:400], None, None)) == 1
    assert block_sequences(SCORES[:100], None, None) == []


def test_each_further_cut_blocks_4_to_12_percent_more() -> None:
    """METHODS 1.3, up to one case of rounding."""
    for ladder in block_sequences(SCORES, None, None):
        sizes = np.array([blocked(cut) for cut in ladder])
        growth = sizes[1:] / sizes[:-1]
        assert (growth >= 1.04).all()
        assert (growth <= 1.12).all()
        assert sizes[-1] * 1.12 > len(SCORES), "the walk may go as far as there are cases"


@pytest.mark.parametrize("incumbent", [0.999, 0.9, 0.5])
def test_the_incumbent_block_is_tested_first_and_the_walk_goes_down(incumbent: float) -> None:
    """Each further cut is lower; 20 blocked cases are the smallest base of a step."""
    (ladder,) = block_sequences(SCORES, incumbent, None)
    assert ladder[0] == incumbent
    assert (np.diff(ladder) < 0).all()
    assert blocked(ladder[1]) == int(max(blocked(incumbent), 20) * 1.08)


def test_without_an_incumbent_passes_start_at_the_named_shares() -> None:
    """30, 60 and 85 % of the cases."""
    found = [passed(ladder[0]) / len(SCORES) for ladder in pass_sequences(SCORES, None, None)]
    assert found == pytest.approx(PASS_SHARES, abs=1 / 2_001)


def test_near_the_top_a_step_adds_8_percent_of_what_is_left() -> None:
    """Steps never overshoot: the share not passed shrinks by at most 8 % and a case of rounding."""
    for ladder in pass_sequences(SCORES, None, None):
        left = len(SCORES) - np.array([passed(cut) for cut in ladder])
        assert (left[1:] >= left[:-1] * 0.92 - 1).all()


@pytest.mark.parametrize("incumbent", [-0.0, 0.0004, 0.3, 0.95])
def test_the_incumbent_pass_is_tested_first_and_the_walk_goes_up(incumbent: float) -> None:
    """Also from an incumbent that passes next to nobody."""
    (ladder,) = pass_sequences(SCORES, incumbent, None)
    assert ladder[0] == incumbent
    assert (np.diff(ladder) > 0).all()
    assert passed(ladder[-1]) > 0.98 * len(SCORES)


@given(
    SCORE_LISTS,
    st.one_of(st.none(), st.integers(0, 40).map(lambda place: place / 40)),
    st.integers(0, 40).map(lambda place: place / 40),
)
def test_no_candidate_reaches_the_other_side_and_none_repeats(
    scores: list[float], incumbent: float | None, other: float
) -> None:
    """Whatever the ties: block cuts lie above the pass cut, pass cuts below the block cut."""
    values = np.array(scores)
    for ladder in block_sequences(values, incumbent, other, first=(1, 5)):
        assert len(ladder)
        assert (ladder > other).all()
        assert (np.diff(ladder) < 0).all()
    for ladder in pass_sequences(values, incumbent, other):
        assert len(ladder)
        assert (ladder < other).all()
        assert (np.diff(ladder) > 0).all()


@given(SCORE_LISTS, st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(scores: list[float], random: object) -> None:
    """Candidates are laid out on sorted scores: nothing about time or outcome can enter."""
    shuffled = list(scores)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for lay_out in (pass_sequences, block_sequences):
        for one, other in zip(
            lay_out(np.array(scores), None, None),
            lay_out(np.array(shuffled), None, None),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


def test_no_case_no_candidate() -> None:
    """Before the first case there is nothing to lay cuts on."""
    assert pass_sequences(np.array([]), None, None) == []
    assert block_sequences(np.array([]), None, None) == []
