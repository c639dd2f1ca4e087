"""What fully reviewed cases prove (METHODS 1.1 and 1.3), each figure by a second road."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.boundary import Evidence
from models.boundary.proof.candidates import block_sequences, pass_sequences
from models.boundary.proof.exact import (
    block_errors,
    block_refuted,
    pass_errors,
    recall_errors,
    widest_block,
    widest_pass_by_false_omission,
    widest_pass_by_recall,
)
from tests.models.boundary.worlds import (
    most_violations,
    seen_as,
    true_false_omission,
    true_precision,
    true_recall,
    world,
)

REPETITIONS, CASES, DELTA = 200, 12_000, 0.1


def bad_cases_above_one_good(count: int) -> Evidence:
    """A good case at the bottom, so that a cut below every bad case passes somebody."""
    scores = np.concatenate([[0.01], np.linspace(0.1, 0.9, count)])
    return seen_as(scores.tolist(), [False] + [True] * count)


@pytest.mark.parametrize(
    ("misses", "bad"),
    [(0, 299), (1, 473), (2, 628), (3, 773), (5, 1049), (8, 1441), (20, 2902), (50, 6323)],
)
def test_so_many_bad_cases_allow_so_many_misses(misses: int, bad: int) -> None:
    """METHODS 2, through the cut itself: it lies just below the next bad case; one fewer, less."""
    found = widest_pass_by_recall(bad_cases_above_one_good(bad), 0.99, 0.05)
    assert (found.errors, found.trials) == (misses, bad)
    ladder = np.linspace(0.1, 0.9, bad)
    assert found.cut == np.nextafter(ladder[misses], 0.0)
    short = widest_pass_by_recall(bad_cases_above_one_good(bad - 1), 0.99, 0.05)
    assert short.errors == (misses - 1 if misses else None)


def test_59_flawless_blocks_prove_precision_95_and_58_do_not() -> None:
    """METHODS 2: log(.05) / log(.95) = 58.4."""
    one_cut = [np.array([0.9])]
    assert widest_block(seen_as([0.95] * 59, [True] * 59), 0.95, 0.05, one_cut).cut == 0.9
    assert widest_block(seen_as([0.95] * 58, [True] * 58), 0.95, 0.05, one_cut).cut is None


def test_tied_bad_cases_move_together() -> None:
    """299 + 200 bad cases, two of them tied: one miss would be allowed, two at once are not."""
    ladder = np.linspace(0.2, 0.9, 497).tolist()
    free = seen_as([0.01, 0.10, 0.11, *ladder], [False] + [True] * 499)
    assert widest_pass_by_recall(free, 0.99, 0.05).cut == np.nextafter(0.11, 0.0)
    tied = seen_as([0.01, 0.10, 0.10, *ladder], [False] + [True] * 499)
    found = widest_pass_by_recall(tied, 0.99, 0.05)
    assert (found.cut, found.errors) == (np.nextafter(0.10, 0.0), 0)


def test_a_case_equal_to_the_cut_is_inside() -> None:
    """`<=` passes and `>=` blocks: on the cut counts, just beside it does not."""
    cases = seen_as([0.2, 0.5, 0.8], [True, False, False])
    assert recall_errors(cases, 0.2) == (1, 1)
    assert recall_errors(cases, np.nextafter(0.2, 0.0)) == (0, 1)
    assert pass_errors(cases, 0.5) == (1, 2)
    assert block_errors(cases, 0.8) == (1, 1)
    assert block_errors(cases, np.nextafter(0.8, 1.0)) == (0, 0)


def test_drawn_and_missing_counts_against_every_claim_it_could_break() -> None:
    """One unseen case at .5: a miss when passed, a false positive when blocked, absent elsewhere."""
    cases = seen_as([0.1, 0.5, 0.9], [False, None, True])
    assert recall_errors(cases, 0.5) == (0 + 1, 1 + 1)
    assert recall_errors(cases, 0.4) == (0, 1)
    assert pass_errors(cases, 0.5) == (0 + 1, 2)
    assert block_errors(cases, 0.5) == (0 + 1, 2)


def test_a_key_users_bad_case_is_caught_and_counts_among_the_bad() -> None:
    """A person sees it whatever its score: no miss, no block, but one of two bad cases."""
    cases = seen_as([0.1, 0.2, 0.9], [True, False, True], automatable=[False, True, True])
    assert recall_errors(cases, 0.5) == (0, 2)
    assert pass_errors(cases, 0.5) == (0, 1)
    assert block_errors(cases, 0.0) == (1, 2)


CASE = st.tuples(
    st.integers(0, 15), st.sampled_from([True, False, None]), st.sampled_from([True, True, False])
)


@settings(max_examples=80, deadline=None)
@given(st.lists(CASE, min_size=1, max_size=80), st.sampled_from([0.02, 0.1, 0.3]))
def test_the_recall_cut_is_the_widest_of_all_cuts_counted_one_by_one(
    cases: list[tuple[int, bool | None, bool]], delta: float
) -> None:
    """Second road: count each cut in plain Python, key users and missing labels included."""
    found = widest_pass_by_recall(
        seen_as([s / 15 for s, _, _ in cases], [b for _, b, _ in cases],
                automatable=[a for _, _, a in cases]), 0.7, delta,
    )  # fmt: skip

    def proven(cut: float) -> bool:
        below = [bad for score, bad, free in cases if free and score / 15 <= cut]
        missing, missed = below.count(None), below.count(True)
        trials = [bad for _, bad, _ in cases].count(True) + missing
        return bool(below and trials and stats.binom.cdf(missed + missing, trials, 0.3) <= delta)

    # A cut is only ever stopped by a case that may be bad; above the last one nothing is claimed.
    stops = [score / 15 for score, bad, free in cases if free and bad is not False]
    places = sorted({score / 15 for score, _, _ in cases if stops and score / 15 < max(stops)})
    widest = max((cut for cut in places if proven(cut)), default=None)
    assert (found.cut is None) == (widest is None)
    if found.cut is not None and widest is not None:
        assert proven(found.cut)
        assert widest <= found.cut
        assert not [cut for cut in places if widest < cut <= found.cut], "no case in between"


@pytest.mark.parametrize("risk", ["recall", "precision", "false_omission_rate"])
def test_a_proven_cut_breaks_its_promise_no_more_often_than_delta(risk: str) -> None:
    """200 fully reviewed simulated worlds of 12,000 cases against their closed-form truth.

    A method whose violation probability is exactly delta = .1 exceeds the tolerance (the binomial
    99 % point, 30 of 200) once in a hundred choices of the seed; the seed is fixed.
    """
    generator = np.random.default_rng(21)
    broken = proven = 0
    for _ in range(REPETITIONS):
        evidence = Evidence.from_frame(world(generator, CASES))
        if risk == "recall":
            cut = widest_pass_by_recall(evidence, 0.99, DELTA).cut
            kept = cut is None or true_recall(cut) >= 0.99
        elif risk == "precision":
            starts = block_sequences(evidence.score, None, None)
            cut = widest_block(evidence, 0.95, DELTA, starts).cut
            kept = cut is None or true_precision(cut) >= 0.95
        else:
            starts = pass_sequences(evidence.score, None, None)
            cut = widest_pass_by_false_omission(evidence, 0.004, DELTA, starts).cut
            kept = cut is None or true_false_omission(cut) <= 0.004
        proven += cut is not None
        broken += not kept
    assert broken <= most_violations(REPETITIONS, DELTA)
    assert proven >= 0.9 * REPETITIONS, "a method that proves nothing breaks nothing"


def test_the_simulation_would_notice_a_threshold_that_is_merely_tuned() -> None:
    """The same worlds and tolerance reject the plug-in cut, which breaks its promise about half the time."""
    generator = np.random.default_rng(21)
    broken = 0
    for _ in range(REPETITIONS):
        frame = world(generator, CASES)
        tuned = float(frame.loc[frame["bad"] == 1.0, "score"].quantile(0.01))
        broken += true_recall(tuned) < 0.99
    assert broken > most_violations(REPETITIONS, DELTA)


def test_a_block_sequence_ends_at_its_first_failure() -> None:
    """Precision is not monotone: what lies behind a failed cut is never looked at."""
    scores = [0.95] * 59 + [0.85] * 40 + [0.5] * 800
    evidence = seen_as(scores, [True] * 59 + [False] * 40 + [True] * 800)
    assert stats.binom.cdf(40, 899, 0.1) <= 0.05, "the last cut alone would pass"
    outward = np.array([0.95, 0.85, 0.5])
    found = widest_block(evidence, 0.9, 0.05, [outward])
    assert (found.cut, found.errors, found.trials) == (0.95, 0, 59)
    assert widest_block(evidence, 0.9, 0.05, [outward[1:]]).cut is None


def test_two_sequences_share_delta() -> None:
    """59 flawless blocks prove precision .95 at .05, but not at .025 each, which takes 72."""
    one, other = np.array([0.9]), np.array([0.97])
    assert widest_block(seen_as([0.95] * 59, [True] * 59), 0.95, 0.05, [one, other]).cut is None
    assert widest_block(seen_as([0.95] * 72, [True] * 72), 0.95, 0.05, [one, other]).cut == 0.9


def test_299_flawless_passes_prove_one_percent_and_298_do_not() -> None:
    """False omission; the next cut holds bad cases and is not reached."""
    cuts = [np.array([0.1, 0.3])]
    for clean, cut in ((299, 0.1), (298, None)):
        evidence = seen_as([0.1] * clean + [0.3] * 100, [False] * clean + [True] * 100)
        assert widest_pass_by_false_omission(evidence, 0.01, 0.05, cuts).cut == cut


def test_good_cases_that_nobody_may_block_refute_no_block_side() -> None:
    """Forty key users' good cases above the cut beside forty bad ones that were blocked."""
    scores, bad = [0.95] * 80, [False] * 40 + [True] * 40
    theirs = seen_as(scores, bad, automatable=[False] * 40 + [True] * 40)
    assert block_refuted(theirs, 0.95, 0.9) == 1.0
    assert block_refuted(seen_as(scores, bad), 0.95, 0.9) < 1e-20
