"""What selectively labelled cases prove (METHODS 1.4), each figure by a second road."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boundary import Evidence
from models.boundary.proof.betting import (
    WAGERS,
    block_e_value,
    block_refuted,
    pass_e_value,
    pass_refuted,
    recall_e_value,
    recall_refuted,
    widest_block,
    widest_pass_by_false_omission,
    widest_pass_by_recall,
)
from models.boundary.proof.candidates import block_sequences, pass_sequences
from models.vocabulary import Boundary
from tests.models.boundary.worlds import (
    audited,
    cut_where,
    most_violations,
    seen_as,
    true_false_omission,
    true_precision,
    true_recall,
    world,
)

REPETITIONS, CASES, DELTA = 200, 20_000, 0.1


def test_the_capital_is_the_mean_over_wagers_of_the_product_over_bad_cases() -> None:
    """METHODS 1.4 written out: one bad case of weight 4 passed, two of weight 1 not."""
    cases = seen_as([0.1, 0.6, 0.7, 0.2], [True, True, True, False], [0.25, 1.0, 1.0, 0.25])
    beta = 0.05
    stakes = [g / ((1 - beta) * 4) for g in WAGERS]
    by_hand = sum(
        (1 - s * (1 - beta) * 4) * (1 + s * beta * 1) * (1 + s * beta * 1) for s in stakes
    ) / len(stakes)
    assert recall_e_value(cases, 0.95, 0.3) == pytest.approx(by_hand)
    nobody = sum((1 + s * beta * 4) * (1 + s * beta * 1) ** 2 for s in stakes) / len(stakes)
    assert recall_e_value(cases, 0.95, 0.05) == pytest.approx(nobody)


def test_the_capital_of_a_share_is_the_product_over_drawn_cases_of_the_zone() -> None:
    """One bad among three audited passes (weight 2); an undrawn and an escalated one change nothing."""
    cases = seen_as(
        [0.1, 0.1, 0.2, 0.2, 0.6], [True, False, False, None, True],
        [0.5, 0.5, 0.5, 0.5, 1.0], drawn=[True, True, True, False, True],
    )  # fmt: skip
    q = 0.1
    stakes = [g / ((1 - q) * 2) for g in WAGERS]
    by_hand = sum((1 - s * (1 - q) * 2) * (1 + s * q * 2) ** 2 for s in stakes) / len(stakes)
    assert pass_e_value(cases, q, 0.2) == pytest.approx(by_hand)


def test_drawn_and_missing_is_a_loss_below_the_cut_and_silence_above() -> None:
    """As if it were a miss when passed; as if it were not there when not."""
    stops = [True] * 3
    missing = seen_as([0.1, 0.5, 0.6, 0.7], [None, *stops], [0.5, 1.0, 1.0, 1.0],
                      drawn=[True] * 4)  # fmt: skip
    missed = seen_as([0.1, 0.5, 0.6, 0.7], [True, *stops], [0.5, 1.0, 1.0, 1.0])
    absent = seen_as([0.1, 0.5, 0.6, 0.7], [None, *stops], [0.5, 1.0, 1.0, 1.0],
                     drawn=[False, True, True, True])  # fmt: skip
    assert recall_e_value(missing, 0.9, 0.3) == pytest.approx(recall_e_value(missed, 0.9, 0.3))
    assert recall_e_value(missing, 0.9, 0.05) == recall_e_value(absent, 0.9, 0.05)
    assert pass_e_value(missing, 0.1, 0.3) == pass_e_value(missed, 0.1, 0.3)
    assert block_e_value(missing, 0.9, 0.05) < block_e_value(missed, 0.9, 0.05)


def test_an_outcome_on_an_undrawn_case_moves_no_capital() -> None:
    """It was seen because it was bad; with or without it the figures are the same."""
    with_it = seen_as([0.1, 0.6, 0.9], [True, True, True], [0.1, 1.0, 0.1],
                      drawn=[False, True, False])  # fmt: skip
    without = seen_as([0.1, 0.6, 0.9], [None, True, None], [0.1, 1.0, 0.1],
                      drawn=[False, True, False])  # fmt: skip
    for capital in (recall_e_value, pass_e_value, block_e_value, recall_refuted):
        assert capital(with_it, 0.9, 0.5) == capital(without, 0.9, 0.5)


def test_a_key_users_bad_case_speaks_for_every_cut() -> None:
    """It is never passed, so it counts as caught even below the cut."""
    free = seen_as([0.1, 0.6], [True, True], [1.0, 0.5])
    key_user = seen_as([0.1, 0.6], [True, True], [1.0, 0.5], automatable=[False, True])
    caught = seen_as([0.4, 0.6], [True, True], [1.0, 0.5])
    assert recall_e_value(key_user, 0.9, 0.3) == pytest.approx(recall_e_value(caught, 0.9, 0.3))
    assert recall_e_value(key_user, 0.9, 0.3) > recall_e_value(free, 0.9, 0.3)


CASE = st.tuples(
    st.integers(0, 12), st.sampled_from([True, True, False, None]), st.sampled_from([0.2, 0.5, 1.0])
)


@settings(max_examples=80, deadline=None)
@given(st.lists(CASE, min_size=1, max_size=60), st.sampled_from([0.3, 0.6, 0.9]))
def test_the_cut_is_the_widest_of_all_cuts_tried_one_by_one(
    cases: list[tuple[int, bool | None, float]], delta: float
) -> None:
    """Second road: the capital at every score that occurs, ties and missing labels included."""
    evidence = seen_as([s / 12 for s, _, _ in cases], [b for _, b, _ in cases],
                       [p for _, _, p in cases], drawn=[True] * len(cases))  # fmt: skip
    found = widest_pass_by_recall(evidence, 0.6, delta).cut
    places = sorted({s / 12 for s, _, _ in cases})
    proven = [cut for cut in places if recall_e_value(evidence, 0.6, cut) >= 1 / delta]
    assert (found is None) == (not proven)
    if found is not None:
        assert max(proven) == max(place for place in places if place <= found)


def test_a_cut_that_would_pass_nobody_is_no_cut() -> None:
    """2,000 bad cases at .5 and nobody below: plenty of capital, and nothing to gain by it."""
    evidence = seen_as([0.5] * 2_000, [True] * 2_000, [0.5] + [1.0] * 1_999)
    assert recall_e_value(evidence, 0.99, 0.4) > 20
    assert widest_pass_by_recall(evidence, 0.99, 0.05).cut is None


def selective(generator: np.random.Generator, boundary: Boundary) -> Evidence:
    """A simulated world seen through a policy that decided on both sides and audited 10 %."""
    frame = world(generator, CASES)
    low, high = boundary.pass_at_or_below or -1.0, boundary.block_at_or_above or 2.0
    propensity = np.where((frame["score"] <= low) | (frame["score"] >= high), 0.1, 1.0)
    drawn = generator.random(CASES) < propensity
    seen = frame.assign(propensity=propensity, drawn=drawn, bad=frame["bad"].where(drawn))
    return Evidence.from_frame(seen)


@pytest.mark.parametrize("risk", ["recall", "precision", "false_omission_rate"])
def test_a_cut_proven_on_an_audit_breaks_its_promise_no_more_often_than_delta(risk: str) -> None:
    """200 simulated worlds of 20,000 cases, 10 % of the automatic decisions audited.

    The targets are loose enough for 20,000 cases to prove something (some 160 effective bad
    cases). Tolerance: the binomial 99 % point of 200 at delta = .1, which is 30.
    """
    generator = np.random.default_rng(22)
    low, high = cut_where(true_recall, 0.97), cut_where(true_precision, 0.98)
    broken = proven = 0
    for _ in range(REPETITIONS):
        if risk == "recall":
            evidence = selective(generator, Boundary(low, None))
            cut = widest_pass_by_recall(evidence, 0.92, DELTA).cut
            kept = cut is None or true_recall(cut) >= 0.92
        elif risk == "precision":
            evidence = selective(generator, Boundary(None, high))
            starts = block_sequences(evidence.score, high, None)
            cut = widest_block(evidence, 0.9, DELTA, starts).cut
            kept = cut is None or true_precision(cut) >= 0.9
        else:
            evidence = selective(generator, Boundary(low, None))
            starts = pass_sequences(evidence.score, low, None)
            cut = widest_pass_by_false_omission(evidence, 0.01, DELTA, starts).cut
            kept = cut is None or true_false_omission(cut) <= 0.01
        proven += cut is not None
        broken += not kept
    assert broken <= most_violations(REPETITIONS, DELTA)
    assert proven >= 0.5 * REPETITIONS, "a method that proves nothing breaks nothing"


def test_a_sound_boundary_is_refuted_no_more_often_than_delta() -> None:
    """An alarm's own error: incumbents that lie exactly at their limits, 200 audited worlds."""
    generator = np.random.default_rng(23)
    low, high = cut_where(true_recall, 0.95), cut_where(true_precision, 0.95)
    omission = true_false_omission(low)
    alarms = np.zeros(3)
    for _ in range(REPETITIONS):
        evidence = selective(generator, Boundary(low, high))
        capital = [
            recall_refuted(evidence, 0.95, low),
            block_refuted(evidence, 0.95, high),
            pass_refuted(evidence, omission, low),
        ]
        alarms += np.array(capital) >= 1 / DELTA
    assert alarms.max() <= most_violations(REPETITIONS, DELTA)


def test_a_boundary_far_beyond_its_promise_is_refuted() -> None:
    """Recall .80, precision .70 and twelve times the bad share allowed: each is noticed."""
    generator = np.random.default_rng(24)
    low, high = cut_where(true_recall, 0.80), cut_where(true_precision, 0.70)
    evidence = Evidence.from_frame(audited(world(generator, CASES), low, 0.1, generator))
    assert recall_refuted(evidence, 0.95, low) > 20
    assert block_refuted(evidence, 0.95, high) > 20
    assert pass_refuted(evidence, true_false_omission(low) / 12, low) > 20


def test_weights_as_seen_would_break_the_promise_that_designed_weights_keep() -> None:
    """METHODS 1.2, trap: 16 % of the bad cases lie below the cut, unseen by an audit of 2 %.

    Among 40 bad cases below the cut an audit of 2 % finds none in 45 % of runs. Whoever then calls
    the evidence fully reviewed proves a recall of .95; by the designed weights nothing is proven.
    """
    scores = [0.1] * 40 + [0.1] * 2_000 + [0.9] * 210
    bad = [None] * 40 + [None] * 2_000 + [True] * 210
    designed = seen_as(scores, bad, [0.02] * 2_040 + [1.0] * 210,
                       drawn=[False] * 2_040 + [True] * 210)  # fmt: skip
    assert widest_pass_by_recall(designed, 0.95, 0.05).cut is None
    as_seen = recall_e_value(seen_as(scores[2_040:], bad[2_040:], 1.0), 0.95, 0.5)
    assert as_seen > 1 / 0.05
    assert math.isclose(0.98**40, 0.45, abs_tol=0.01)


def test_a_capital_watched_at_every_case_still_keeps_delta() -> None:
    """Optional stopping: the running maximum of 300 streams at the limit reaches 1/delta in at most
    delta of them (99 % binomial point), and the written-out path ends where the code's capital does."""
    generator = np.random.default_rng(25)
    runs, cases, rate, limit = 300, 3_000, 0.25, 0.05
    bad = generator.random((runs, cases)) < limit
    drawn = generator.random((runs, cases)) < rate
    capital = np.zeros((runs, cases))
    for wager in WAGERS:
        gain = np.where(bad, np.log1p(-wager), np.log1p(wager * limit / (1 - limit)))
        capital += np.exp(np.cumsum(np.where(drawn, gain, 0.0), axis=1)) / len(WAGERS)
    assert 0 < (capital.max(axis=1) >= 1 / 0.05).sum() <= most_violations(runs, 0.05)
    stream = [bool(b) if seen else None for b, seen in zip(bad[0], drawn[0], strict=True)]
    evidence = seen_as([0.1] * cases, stream, rate)
    assert pass_e_value(evidence, limit, 0.1) == pytest.approx(capital[0, -1])


def test_a_walk_of_block_cuts_ends_at_its_first_cut_without_capital() -> None:
    """A run of good cases in the middle stops it, though the last cut alone has capital."""
    scores = [0.95] * 200 + [0.85] * 60 + [0.5] * 3_000
    bad = [True] * 200 + [False] * 60 + [True] * 3_000
    evidence = seen_as(scores, bad, [1.0] * 3_259 + [0.5])
    assert block_e_value(evidence, 0.95, 0.5) >= 1 / 0.05
    assert widest_block(evidence, 0.95, 0.05, [np.array([0.95, 0.85, 0.5])]).cut == 0.95


def test_the_largest_wager_on_the_rarest_draw_is_never_bankrupt() -> None:
    """Fifty misses at weight 50 leave capital above zero, so later evidence can still recover."""
    evidence = seen_as([0.1] * 50, [True] * 50, 0.02)
    assert recall_e_value(evidence, 0.99, 0.1) > 0.0
    assert pass_e_value(evidence, 0.01, 0.1) > 0.0
