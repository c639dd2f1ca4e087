"""Does a boundary wait for second reviews, and for reviewers it must not rest on?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.hub.entries import EntryKind
from tests.builders import small_history
from tests.flows.verbs.reviewed_history import (
    reasons,
    reviewed_walk,
    reviewers_of,
    walked_on,
)

CASES = small_history(days=30, per_day=400)


def kinds_of(walk) -> list[EntryKind]:
    return [entry.kind for entry in walk.desk.ledger.history("small_case")]


def noise(share: float) -> np.ndarray:
    """A random share of the good cases called bad (specificity 1 - share)."""
    return (np.random.default_rng(2).random(len(CASES)) < share) & ~CASES["bad"].to_numpy()


@pytest.mark.slow
def test_contradictions_are_asked_about_and_a_boundary_comes_once_they_are_answered(
    tmp_path: Path,
) -> None:
    walk = walked_on(reviewed_walk(tmp_path, CASES, noise(0.02)))
    asked = [night["second_reviews"] for night in walk.nights]
    assert sum(one.get("contradicts", 0) for one in asked) > 0
    assert sum(one.get("drawn_bad", 0) for one in asked) > 0
    assert EntryKind.PROMOTED in kinds_of(walk)
    assert len(walk.upstream.questions) == len(set(walk.upstream.questions))


@pytest.mark.slow
def test_nothing_is_promoted_while_nobody_answers(tmp_path: Path) -> None:
    """The hold says how many labels wait, and no look is spent on them."""
    walk = walked_on(reviewed_walk(tmp_path, CASES, noise(0.02), answers=False))
    assert EntryKind.PROMOTED not in kinds_of(walk)
    assert EntryKind.LOOK_TAKEN not in kinds_of(walk)
    assert any("have no second review" in reason for reason in reasons(walk))


@pytest.mark.slow
def test_a_careless_reviewer_holds_the_boundary_and_is_named(tmp_path: Path) -> None:
    """r3 calls a third of the bad cases near the cuts good. Nobody sees the cases that no label
    contradicts, so second reviews alone do not find it."""
    near = (CASES["signal"].to_numpy() > -0.5) & CASES["bad"].to_numpy()
    careless = near & (reviewers_of(CASES["case_id"]) == 3)
    careless &= np.random.default_rng(4).random(len(CASES)) < 0.6
    walk = walked_on(reviewed_walk(tmp_path, CASES, careless))
    assert EntryKind.PROMOTED not in kinds_of(walk)
    said = [reason for reason in reasons(walk) if "no_reviewer_labels_unlike_the_others" in reason]
    assert said
    assert all("'r3'" in reason for reason in said)
