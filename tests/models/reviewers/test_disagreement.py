"""Who labels unlike everybody else where a certificate rests?"""

from __future__ import annotations

import numpy as np
from scipy import stats

from models.reviewers.disagreement import disagreeing_reviewers
from models.vocabulary import Boundary
from tests.models.boundary.desks import services
from tests.models.boundary.worlds import cut_where, seen_as, true_recall


def test_honest_teams_are_almost_never_accused() -> None:
    """150 simulated desks of 5,000 cases: alarms at .05 and at the default .01 both stay within
    the 99 % binomial limit (13 and 5 desks)."""
    generator = np.random.default_rng(4)
    boundary = Boundary(cut_where(true_recall, 0.99), 0.8)
    smallest = []
    for _ in range(150):
        evidence, reviewer = services(generator, 5_000)
        found = disagreeing_reviewers(evidence, reviewer, boundary, alpha=0.05)
        smallest.append(min((one.p_value for one in found), default=1.0))
    for alpha in (0.05, 0.01):
        alarms = int((np.array(smallest) <= alpha).sum())
        assert alarms <= stats.binom.ppf(0.99, 150, alpha)


def test_overturned_first_words_name_a_reviewer_whose_settled_labels_are_right() -> None:
    """Second reviews mended 5 % of r3's good labels near the cut, and none of the others'."""
    generator = np.random.default_rng(5)
    evidence, reviewer = services(generator, 20_000)
    slips = (reviewer == "r3") & ~evidence.bad & (generator.random(20_000) < 0.05)
    boundary = Boundary(cut_where(true_recall, 0.99), None)
    assert disagreeing_reviewers(evidence, reviewer, boundary) == ()
    found = disagreeing_reviewers(evidence, reviewer, boundary, first_bad=evidence.bad | slips)
    assert [(one.reviewer, one.about) for one in found] == [("r3", "false bad")]


def test_words_within_the_promised_accuracy_are_no_finding() -> None:
    """r3 errs in 1 % of good cases, the others never: significant, and better than .98."""
    generator = np.random.default_rng(6)
    evidence, reviewer = services(generator, 20_000)
    slips = (reviewer == "r3") & ~evidence.bad & (generator.random(20_000) < 0.01)
    boundary = Boundary(cut_where(true_recall, 0.99), None)
    said = evidence.bad | slips
    assert disagreeing_reviewers(evidence, reviewer, boundary, first_bad=said) == ()


def test_of_two_reviewers_who_differ_both_are_named() -> None:
    """Nobody can say which of the two is right."""
    evidence = seen_as([0.05 + i / 10_000 for i in range(400)], [i % 8 == 0 for i in range(400)])
    reviewer = np.where(np.arange(400) % 16 < 8, "ann", "ben").astype(object)
    assert disagreeing_reviewers(evidence, reviewer, Boundary(0.07, None)) == ()
    moved = np.where(evidence.bad, "ann", reviewer).astype(object)
    found = disagreeing_reviewers(evidence, moved, Boundary(0.07, None))
    assert sorted(one.reviewer for one in found) == ["ann", "ben"]
