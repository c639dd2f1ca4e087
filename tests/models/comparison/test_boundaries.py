"""What would each model decide, and where does the challenger automate as much?"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.comparison.boundaries import decisions, matched_boundary
from models.vocabulary import Boundary

EVERY = np.ones(6, dtype=np.bool_)


def test_a_score_equal_to_a_side_is_decided_and_a_key_user_never():
    """Six cases at the boundary (0.2, 0.8); the last belongs to a key user."""
    free = np.array([True, True, True, True, True, False])
    decided = decisions(np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.05]), free, Boundary(0.2, 0.8))
    assert decided.passed.tolist() == [True, True, False, False, False, False]
    assert decided.blocked.tolist() == [False, False, False, False, True, False]
    assert decided.reviewed.tolist() == [False, False, True, True, False, True]


def test_a_boundary_without_sides_decides_nothing():
    """Everything reviewed stays everything reviewed, for either model."""
    score = np.linspace(0.1, 0.6, 6)
    decided = decisions(score, EVERY, Boundary())
    assert decided.reviewed.all()
    assert matched_boundary(score, np.ones(6), EVERY, decided) == Boundary()


def test_the_matched_cuts_pass_and_block_the_same_weight():
    """The champion passes weight 1 + 20 and blocks 1; so does the challenger at (0.4, 0.9)."""
    weight = np.array([1.0, 20.0, 1.0, 1.0, 1.0, 20.0])
    live = decisions(np.array([0.1, 0.1, 0.5, 0.5, 0.9, 0.5]), EVERY, Boundary(0.1, 0.9))
    other = np.array([0.3, 0.4, 0.9, 0.5, 0.6, 0.7])
    assert matched_boundary(other, weight, EVERY, live) == Boundary(0.4, 0.9)


def test_ties_move_together_to_the_closest_share():
    """2 of 6 are to be passed, but four are tied: 0 and 4 are equally far, and fewer wins."""
    live = decisions(np.linspace(0.0, 0.5, 6), EVERY, Boundary(0.1))
    tied = np.array([0.2, 0.2, 0.2, 0.2, 0.6, 0.7])
    assert matched_boundary(tied, np.ones(6), EVERY, live) == Boundary()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 8), st.sampled_from([1.0, 5.0]), st.booleans()),
        min_size=1, max_size=40,
    )
)  # fmt: skip
def test_no_other_cut_comes_closer(rows):
    """Brute force over every cut: neither side can match the champion's weight better."""
    table = np.array([row[:3] for row in rows], dtype=np.float64)
    champion, challenger, weight = table[:, 0] / 8, table[:, 1] / 8, table[:, 2]
    free = np.array([row[3] for row in rows])
    live = decisions(champion, free, Boundary(0.3, 0.8))
    found = matched_boundary(challenger, weight, free, live)
    same = decisions(challenger, free, found)
    wanted = weight[live.passed].sum()
    every_cut = [weight[free & (challenger <= cut)].sum() for cut in (-1.0, *challenger[free])]
    assert abs(weight[same.passed].sum() - wanted) == min(abs(np.array(every_cut) - wanted))
    assert not (same.passed & same.blocked).any()
