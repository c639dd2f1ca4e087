"""May a certificate be promoted as far as its reviewers are concerned?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.boundary import Evidence, certify
from models.reviewers.gates import ABOVE_CAP, CARRIES, DISAGREES, judge_reviewers
from models.vocabulary import Boundary, CertificateVerdict, Targets
from tests.models.boundary.desks import services
from tests.models.boundary.worlds import cut_where, most_violations, seen_as, true_recall, world

TARGETS = Targets(precision=0.95, recall=0.99)


def test_a_team_of_equals_carries_nothing_and_agrees() -> None:
    """Eight simulated reviewers, 40,000 cases: promoted, and nobody's share is above a seventh."""
    evidence, reviewer = services(np.random.default_rng(1), 40_000)
    judged = judge_reviewers(evidence, reviewer, TARGETS)
    assert certify(evidence, TARGETS).verdict is CertificateVerdict.CERTIFIED
    assert judged.holds
    assert judged.broken == ()
    assert judged.influence.shares.max() < 1 / 6


def test_a_careless_reviewer_does_not_get_a_boundary_promoted_and_is_named() -> None:
    """5 % of r3's labels near the boundary flipped, in 100,000 simulated cases: each of three
    times r3 and nobody else is named, with their share."""
    generator = np.random.default_rng(2)
    for _ in range(3):
        evidence, reviewer = services(generator, 100_000, flip=0.05)
        judged = judge_reviewers(evidence, reviewer, TARGETS)
        assert not judged.holds
        assert [one.reviewer for one in judged.disagreements] == ["r3"]
        (sentence,) = judged.broken
        assert sentence.startswith(f"{DISAGREES}: reviewer 'r3' gave 1")
        assert "% of the decisive labels" in sentence


def test_with_few_cases_a_careless_reviewer_may_go_unnamed_but_nothing_unsafe_is_promoted() -> None:
    """In 10,000 simulated cases r3 is named about every second time. A flipped label near the cut
    adds a miss more often than it hides one, so what is promoted all the same keeps its promise:
    more than 3 of 20 boundaries below .99 would refute a violation rate of .05 at 99 %."""
    generator = np.random.default_rng(8)
    named, unsafe = 0, 0
    for _ in range(20):
        evidence, reviewer = services(generator, 10_000, flip=0.05)
        judged = judge_reviewers(evidence, reviewer, TARGETS)
        assert {one.reviewer for one in judged.disagreements} <= {"r3"}
        named += not judged.holds
        low = judged.influence.certificate.boundary.pass_at_or_below
        unsafe += judged.holds and low is not None and true_recall(low) < 0.99
    assert named >= 4
    assert unsafe <= most_violations(20, 0.05)


def test_without_a_certificate_people_are_compared_around_the_cuts_hoped_for() -> None:
    """2,000 cases hold too few bad ones for a certificate, so there is no cut to compare people
    at. r3 calls half of all good cases bad, and is named at the cuts hoped for."""
    evidence, reviewer = services(np.random.default_rng(9), 2_000)
    theirs = (reviewer == "r3") & ~evidence.bad
    spoilt = replace(evidence, bad=evidence.bad | (theirs & (np.arange(2_000) % 2 == 0)))
    recall = Targets(recall=0.99)
    assert judge_reviewers(spoilt, reviewer, recall).disagreements == ()
    candidate = Boundary(cut_where(true_recall, 0.99), None)
    judged = judge_reviewers(spoilt, reviewer, recall, candidate=candidate)
    assert [one.reviewer for one in judged.disagreements] == ["r3"]
    assert not judged.holds


def test_somebody_who_hides_bad_cases_near_the_boundary_is_named() -> None:
    """r3 calls every bad case up to the boundary good; leaving r3 out flips nothing, and the
    comparison with the others names r3."""
    generator = np.random.default_rng(3)
    for _ in range(3):
        evidence, reviewer = services(generator, 100_000, hide=1.0)
        assert certify(evidence, TARGETS).verdict is CertificateVerdict.CERTIFIED
        judged = judge_reviewers(evidence, reviewer, TARGETS)
        assert judged.influence.flipped_by == ()
        (found,) = judged.disagreements
        assert (found.reviewer, found.about) == ("r3", "bad")
        assert found.seen < found.expected / 3


def test_whoever_labelled_nearly_everything_carries_the_certificate() -> None:
    """r0 gave 9 of 10 labels: without them the 1,000 cases left prove nothing."""
    generator = np.random.default_rng(7)
    frame = world(generator, 10_000)
    reviewer = np.where(generator.random(10_000) < 0.9, "r0", "r1").astype(object)
    judged = judge_reviewers(Evidence.from_frame(frame), reviewer, Targets(recall=0.99))
    ((name, share),) = judged.influence.flipped_by
    assert name == "r0"
    assert share == pytest.approx(0.9, abs=0.02)
    assert [one.gate for one in judged.gates] == [CARRIES, ABOVE_CAP]
    assert judged.influence.supported == Boundary.everything_reviewed()
    assert judged.broken[0].startswith(f"{CARRIES}: reviewer 'r0' gave 9")


def test_unusable_input_is_refused_with_the_reason() -> None:
    """Too few reviewers, a cap or an alpha that is none."""
    evidence = seen_as([0.1, 0.2], [False, False])
    with pytest.raises(ValueError, match="2 cases, 1 reviewers"):
        judge_reviewers(evidence, np.array(["a"], dtype=object), TARGETS)
    names = np.array(["a", "b"], dtype=object)
    with pytest.raises(ValueError, match="cap"):
        judge_reviewers(evidence, names, TARGETS, cap=0.0)
    with pytest.raises(ValueError, match="false alarm rate"):
        judge_reviewers(evidence, names, TARGETS, alpha=0.0)
    with pytest.raises(ValueError, match="one first word a case"):
        judge_reviewers(evidence, names, TARGETS, first_bad=np.array([True]))
