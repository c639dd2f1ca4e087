"""What a sequence can show of a boundary: its looks, counted again at the boundary's own cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.boundary import CertificationSequence, Cohort
from models.boundary.proof.shown_proof import shown_proofs
from models.boundary.sequence.look_table import look_table
from models.vocabulary import Boundary, Targets

TARGETS = Targets(precision=0.7, recall=0.9, delta=0.1)
CASES = 4_000


def cohort(seed: int = 1) -> Cohort:
    """Scores are uniform and calibrated by their cube (simulated); everything is labelled."""
    draw = np.random.default_rng(seed)
    score = draw.random(CASES)
    every = np.ones(CASES, dtype=np.bool_)
    return Cohort(
        score=score,
        bad=draw.random(CASES) < score**3,
        waiting=~every,
        given_up=~every,
        automatable=every,
        member=every,
        block_member=every,
        counted=every,
        credence=np.ones(CASES),
        day=np.zeros(CASES),
    )


@pytest.fixture(scope="module")
def sequence() -> CertificationSequence:
    return CertificationSequence.start(
        TARGETS, cohort(), reference_scores=np.linspace(0.0, 1.0, 1_000)
    )


def test_the_widest_proven_boundary_is_shown_by_counts_within_their_limits(
    sequence: CertificationSequence,
) -> None:
    """Recall by misses among all bad cases at the cut, precision by every step out to the cut."""
    proven = sequence.proven
    recall, precision = shown_proofs(sequence, proven, len(sequence.looks))
    assert (recall.risk, precision.risk) == ("recall", "precision")
    (step,) = recall.steps
    ((size, allowed, spent, errors),) = step.looks
    everything = sequence.cohort
    assert size == int(everything.bad.sum())
    assert errors == int((everything.bad & (everything.score <= step.cut)).sum()) == allowed
    assert spent == look_table(size, recall.limit, recall.delta, phi=step.phi).spent_by_look[0]
    assert [one.cut for one in precision.steps] == sorted(
        (s.cut for s in precision.steps), reverse=True
    )
    assert precision.steps[-1].cut == proven.block_at_or_above
    for one in precision.steps:
        beyond = everything.score >= one.cut
        assert one.passes
        assert one.looks[-1][0] == int(beyond.sum())
        assert one.looks[-1][3] == int((beyond & ~everything.bad).sum())


def test_a_narrower_pass_cut_is_shown_with_its_own_misses(sequence: CertificationSequence) -> None:
    """Misses fall with the cut; the block side must be a step that was proven."""
    low = sequence.proven.pass_at_or_below
    assert low is not None
    (wide,) = shown_proofs(sequence, Boundary(low, None), 1)
    (narrow,) = shown_proofs(sequence, Boundary(low / 2, None), 1)
    assert narrow.steps[0].looks[0][3] < wide.steps[0].looks[0][3]
    assert narrow.steps[0].looks[0][:3] == wide.steps[0].looks[0][:3]


def test_what_is_not_proven_is_not_shown(sequence: CertificationSequence) -> None:
    low, high = sequence.proven.pass_at_or_below, sequence.proven.block_at_or_above
    assert low is not None
    assert high is not None
    with pytest.raises(ValueError, match=r"no look on record proves a recall of 0\.9"):
        shown_proofs(sequence, Boundary(low + 0.05, None), 1)
    with pytest.raises(ValueError, match="no look at its recall is on record"):
        shown_proofs(sequence, Boundary(low, None), 0)
    with pytest.raises(ValueError, match="no look on record proves the promised precision"):
        shown_proofs(sequence, Boundary(None, high - 1e-4), 1)
    silent = replace(sequence, targets=Targets(recall=0.9, delta=0.1))
    with pytest.raises(ValueError, match="nothing is promised of its block side"):
        shown_proofs(silent, Boundary(None, high), 1)


def test_labels_that_were_corrected_since_count_as_they_are_now(
    sequence: CertificationSequence,
) -> None:
    """A look once taken stays taken; what is shown to others must stand today."""
    low = sequence.proven.pass_at_or_below
    assert low is not None
    before = sequence.cohort
    turned = np.flatnonzero(~before.bad & (before.score <= low))[:60]
    bad = before.bad.copy()
    bad[turned] = True
    later = replace(sequence, cohort=replace(before, bad=bad))
    assert later.proven_by_recall == low
    with pytest.raises(ValueError, match="by the labels as they are now"):
        shown_proofs(later, Boundary(low, None), 1)


def test_blocked_cases_that_turned_out_good_since_count_as_they_are_now(
    sequence: CertificationSequence,
) -> None:
    """The first step was proven long ago; half of what it blocks is good by now."""
    high = sequence.proven.block_at_or_above
    assert high is not None
    before = sequence.cohort
    first = next(one for one in sequence.ladders if high in one.proven_cuts).steps[0]
    turned = np.flatnonzero(before.bad & (before.score >= first.cut))[::2]
    bad = before.bad.copy()
    bad[turned] = False
    later = replace(sequence, cohort=replace(before, bad=bad))
    assert later.proven.block_at_or_above == high
    with pytest.raises(ValueError, match="is not proven by the labels as they are now"):
        shown_proofs(later, Boundary(None, high), 1)
