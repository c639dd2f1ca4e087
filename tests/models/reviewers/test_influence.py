"""Does one reviewer carry a certificate?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.boundary import Evidence, certify
from models.reviewers.influence import leave_one_reviewer_out, without_reviewer
from models.vocabulary import Boundary, CertificateVerdict, Targets
from tests.models.boundary.worlds import audited, cut_where, seen_as, true_recall, world

TARGETS = Targets(precision=0.95, recall=0.99)


def test_a_certificate_that_is_none_is_carried_by_nobody() -> None:
    """Twenty cases prove nothing, with or without anybody."""
    evidence = seen_as([i / 20 for i in range(20)], [i > 15 for i in range(20)])
    reviewer = np.array(["a", "b"] * 10, dtype=object)
    influence = leave_one_reviewer_out(evidence, reviewer, TARGETS)
    assert (influence.holds, influence.flipped_by) == (True, ())


def test_each_side_that_widens_must_widen_without_anybody() -> None:
    """The block side alone rests on b: the pass side's proof does not save it."""
    evidence = seen_as([0.1, 0.2, 0.8, 0.9], [False, False, True, True])
    reviewer = np.array(["a", "c", "b", "b"], dtype=object)
    both = certify(evidence, TARGETS)

    def decide(given: Evidence, targets: Targets, incumbent: Boundary | None) -> object:
        blocks = 0.8 if (given.score >= 0.8).sum() == 2 else None
        verdict = CertificateVerdict.CERTIFIED
        return type(both)(verdict, Boundary(0.3, blocks), 0.5)

    influence = leave_one_reviewer_out(evidence, reviewer, TARGETS, None, decide)
    assert influence.flipped_by == (("b", 1.0),)
    assert influence.supported == Boundary(0.3, None)


def test_leaving_a_reviewer_out_keeps_the_design() -> None:
    """An audit at 10 % below the cut: a quarter of the reviewed and of the unreviewed cases goes,
    evenly along the scores, and the reviewed share of the pass zone stays."""
    generator = np.random.default_rng(9)
    cut = cut_where(true_recall, 0.99)
    frame = audited(world(generator, 20_000), cut, 0.1, generator)
    evidence = Evidence.from_frame(frame)
    people = np.array(list("abcd"), dtype=object)[generator.integers(4, size=20_000)]
    reviewer = np.where(evidence.drawn, people, None)
    today = Boundary(cut, None)
    left = without_reviewer(evidence, reviewer, "a", today)
    below, still = evidence.score <= cut, left.score <= cut
    assert len(left) / 20_000 == pytest.approx(0.75, abs=0.02)
    assert still.mean() == pytest.approx(below.mean(), abs=0.01)
    assert left.drawn[still].mean() == pytest.approx(evidence.drawn[below].mean(), abs=0.002)
    undrawn, undrawn_left = evidence.score[~evidence.drawn], left.score[~left.drawn]
    assert stats.ks_2samp(undrawn, undrawn_left).statistic < 0.001
    again = without_reviewer(evidence, reviewer, "a", today)
    assert (again.score == left.score).all()


def test_a_reviewer_of_one_zone_is_left_out_of_that_zone_alone() -> None:
    """Both zones are audited at 10 %; b reviewed half of the passes and none of the blocks: half
    of the passes goes and every block stays, so each zone's reviewed share stays 10 %."""
    scores = [0.01 + i / 10_000 for i in range(400)] + [0.9 + i / 10_000 for i in range(400)]
    drawn = [i % 10 == 0 for i in range(800)]
    evidence = seen_as(scores, [False if one else None for one in drawn], 0.1, None, drawn)
    reviewer = np.array(["ab"[i % 20 == 0] if drawn[i] else "" for i in range(800)], dtype=object)
    reviewer[400:] = np.where(drawn[400:], "a", "")
    left = without_reviewer(evidence, reviewer, "b", Boundary(0.1, 0.8))
    passed = left.score <= 0.1
    assert (passed.sum(), (~passed).sum()) == (200, 400)
    assert (left.drawn[passed].sum(), left.drawn[~passed].sum()) == (20, 40)


@pytest.mark.parametrize(
    ("people", "named"),
    [("abcdefgh", ()), ("aaaabcde", (("a", 0.5),))],
    ids=["everybody under the cap", "one above it"],
)
def test_a_proof_so_small_that_any_eighth_of_the_labels_turns_it_is_carried_by_nobody(
    people: str, named: tuple[tuple[str, float], ...]
) -> None:
    """80 labels prove it and 79 do not: without any of eight people it is lost, and as much without
    ten labels taken evenly. Only who gave more than the cap is named all the same."""
    evidence = seen_as([0.01 + i / 1_000 for i in range(80)], [False] * 80)
    reviewer = np.array(list(people) * 10, dtype=object)
    shape = certify(evidence, TARGETS)

    def decide(given: Evidence, targets: Targets, incumbent: Boundary | None) -> object:
        low = 0.5 if len(given) == 80 else None
        return type(shape)(CertificateVerdict.CERTIFIED, Boundary(low, None), 0.5)

    influence = leave_one_reviewer_out(evidence, reviewer, TARGETS, None, decide)
    assert influence.shares.max() == (0.125 if not named else 0.5)
    assert influence.flipped_by == named


def test_under_the_cap_a_person_whose_labels_alone_turn_it_is_named() -> None:
    """As many labels taken evenly from everybody leave the boundary where it was."""
    evidence = seen_as([0.01 + i / 1_000 for i in range(80)], [False] * 80)
    reviewer = np.array(list("abcdefgh") * 10, dtype=object)
    shape = certify(evidence, TARGETS)

    def decide(given: Evidence, targets: Targets, incumbent: Boundary | None) -> object:
        without_b = not np.isin(given.score, evidence.score[reviewer == "b"]).any()
        return type(shape)(
            CertificateVerdict.CERTIFIED, Boundary(None if without_b else 0.5, None), 0.5
        )

    influence = leave_one_reviewer_out(evidence, reviewer, TARGETS, None, decide)
    assert influence.flipped_by == (("b", 0.125),)
