"""Does a boundary wait for second reviews, and for reviewers it must not rest on?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.verbs.walk.walk import Walk
from models.hub.record.entries import Entry, EntryKind
from tests.builders import small_history
from tests.flows.verbs.reviewed_history import (
    reasons,
    reviewed_walk,
    reviewers_of,
    walked_on,
)

CASES = small_history(days=30, per_day=400)


def kinds_of(walk: Walk) -> list[EntryKind]:
    return [entry.kind for entry in walk.services.ledger.history("small_case")]


def entries_of(walk: Walk, kind: EntryKind) -> list[Entry]:
    return [entry for entry in walk.services.ledger.history("small_case") if entry.kind is kind]


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
    """The hold says how many labels wait. The table is fixed, and no case of it is looked at."""
    walk = walked_on(reviewed_walk(tmp_path, CASES, noise(0.02), answers=False))
    assert EntryKind.PROMOTED not in kinds_of(walk)
    looks = entries_of(walk, EntryKind.LOOK_TAKEN)
    assert [look.dossier["effective_sample"] for look in looks] == [0]
    assert any("a second review (ratchet second-reviews" in reason for reason in reasons(walk))


@pytest.mark.slow
def test_a_careless_reviewer_holds_the_boundary_and_is_named(tmp_path: Path) -> None:
    """r3 calls a third of the bad cases near the cuts good. Nobody sees the cases that no label
    contradicts, so second reviews alone do not find it. A missed bad case makes the block side look
    worse than it is and the pass side better: the block side may move, the pass side never does."""
    near = (CASES["signal"].to_numpy() > -0.5) & CASES["bad"].to_numpy()
    careless = near & (reviewers_of(CASES["case_id"]) == 3)
    careless &= np.random.default_rng(4).random(len(CASES)) < 0.6
    walk = walked_on(reviewed_walk(tmp_path, CASES, careless))
    for promoted in entries_of(walk, EntryKind.PROMOTED):
        policy = walk.services.ledger.policy(str(promoted.policy_id))
        assert policy.boundary.pass_at_or_below is None
    said = [reason for reason in reasons(walk) if "no_reviewer_labels_unlike_the_others" in reason]
    assert said
    assert all("'r3'" in reason for reason in said)
