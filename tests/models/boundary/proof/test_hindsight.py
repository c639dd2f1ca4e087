"""What the labels themselves suggest, and whether a boundary kept its promise in truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boundary.proof.hindsight import HindsightCounts, plug_in_boundary
from models.vocabulary import Boundary, Targets

#   score  bad
SCORES = np.array([0.1, 0.2, 0.2, 0.3, 0.5, 0.7, 0.8, 0.8, 0.9, 0.9])
BAD = np.array([0, 0, 1, 0, 0, 1, 0, 1, 1, 1], dtype=bool)


@pytest.mark.parametrize(
    ("targets", "boundary"),
    [
        (Targets(recall=0.99), Boundary(0.1, None)),  # 0 of 5 missed; 0.2 holds a bad case
        (Targets(recall=0.8), Boundary(0.5, None)),  # 1 of 5 missed
        (Targets(precision=0.99), Boundary(None, 0.9)),  # 2 of 2
        (Targets(precision=0.8), Boundary(None, 0.7)),  # 4 of 5, though 0.8 gives only 3 of 4
        (Targets(false_omission_rate=0.2), Boundary(0.5, None)),  # 1 of 5
        (Targets(false_omission_rate=0.25, recall=0.99), Boundary(0.1, None)),  # both bind
        (Targets(accuracy=0.9), Boundary(None, None)),  # nothing that binds a side
    ],
)
def test_the_widest_boundary_whose_observed_risks_fit(targets: Targets, boundary: Boundary) -> None:
    """Ten visible cases, every target counted by hand; a limit met exactly is met."""
    assert plug_in_boundary(SCORES, BAD, targets) == boundary


def test_sides_that_would_meet_leave_no_case_between() -> None:
    """All is decided: the pass side ends just below the block side, and 0.0 cannot have a below."""
    scores, bad = np.array([0.1, 0.2, 0.8]), np.array([False, False, True])
    found = plug_in_boundary(scores, bad, Targets(recall=0.5, precision=0.3))
    assert found == Boundary(np.nextafter(0.1, 0), 0.1)
    everything = Targets(recall=0.01, false_omission_rate=0.99, precision=0.4)
    zero = plug_in_boundary(np.array([0.0, 0.0]), np.array([False, True]), everything)
    assert zero == Boundary(None, 0.0)


def test_a_key_user_is_neither_passed_nor_blocked_but_is_a_bad_case() -> None:
    """1 of 2 bad cases is a key user's: caught, so recall .5 allows the other to be missed."""
    scores, bad = np.array([0.1, 0.2, 0.3]), np.array([False, True, True])
    free = np.array([True, True, False])
    assert plug_in_boundary(scores, bad, Targets(recall=0.5), free) == Boundary(0.2, None)
    nobody = np.zeros(3, dtype=bool)
    assert plug_in_boundary(scores, bad, Targets(recall=0.5), nobody) == Boundary(None, None)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40),
    st.sampled_from([0.5, 0.6, 0.75, 0.9]),
    st.sampled_from([0.5, 0.75, 0.95]),
)
def test_no_cut_further_out_would_fit(
    cases: list[tuple[int, bool]], recall: float, precision: float
) -> None:
    """Second road: every score as a cut, one at a time, each risk counted from the start."""
    scores = np.array([place / 10 for place, _ in cases])
    bad = np.array([is_bad for _, is_bad in cases])
    low = plug_in_boundary(scores, bad, Targets(recall=recall)).pass_at_or_below
    fits = [cut for cut in set(scores) if kept(bad[scores > cut].sum(), bad.sum(), recall)]
    assert low == max(fits, default=None)
    high = plug_in_boundary(scores, bad, Targets(precision=precision)).block_at_or_above
    fits = [
        cut
        for cut in set(scores)
        if kept(bad[scores >= cut].sum(), (scores >= cut).sum(), precision)
    ]
    assert high == min(fits, default=None)


def kept(right: int, whole: int, share: float) -> bool:
    """Compared in hundredths, free of rounding."""
    return int(right) * 100 >= round(share * 100) * int(whole)


def test_misses_and_false_blocks_are_told_apart() -> None:
    """Sums left unsimplified."""
    passed, blocked = SCORES <= 0.2, SCORES >= 0.7
    tally = HindsightCounts.of(passed, blocked, BAD)
    assert tally == HindsightCounts(
        cases=10, bad=5, auto_passed=3, auto_blocked=5, missed=1, falsely_blocked=1
    )
    assert tally.escalated == 10 - 3 - 5
    assert tally.rates() == {
        "automation_rate": (3 + 5) / 10,
        "true_precision": 1 - 1 / 5,
        "true_recall": 1 - 1 / 5,
        "true_false_omission": 1 / 3,
    }


def test_a_risk_without_a_case_is_undefined_not_perfect() -> None:
    """Nothing blocked: no precision; nothing bad: no recall; nothing passed: no false omission."""
    nothing = np.zeros(3, dtype=bool)
    assert HindsightCounts.of(nothing, nothing, nothing).rates() == {
        "automation_rate": 0.0,
        "true_precision": None,
        "true_recall": None,
        "true_false_omission": None,
    }
    assert HindsightCounts().broken_promises(Targets(precision=0.9, recall=0.9)) == ()


@pytest.mark.parametrize(("missed", "broken"), [(3, ()), (4, ("recall",))])
def test_a_promise_is_broken_when_chance_no_longer_explains_it(
    missed: int, broken: tuple[str, ...]
) -> None:
    """Recall 99 % of 100 bad cases: P(4 or more misses) is .018, P(3 or more) .079."""
    tally = HindsightCounts(cases=1_000, bad=100, auto_passed=500, missed=missed)
    assert tally.broken_promises(Targets(recall=0.99)) == broken


def test_every_broken_promise_is_named_and_only_promised_ones() -> None:
    """Half of everything is wrong; what was not promised is not broken."""
    tally = HindsightCounts(
        cases=400, bad=100, auto_passed=100, auto_blocked=100, missed=50, falsely_blocked=50
    )
    every = Targets(precision=0.95, recall=0.99, false_omission_rate=0.02)
    assert tally.broken_promises(every) == ("precision", "recall", "false_omission_rate")
    assert tally.broken_promises(Targets(precision=0.95)) == ("precision",)
