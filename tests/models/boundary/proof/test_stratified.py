"""What labels from an audit prove (METHODS 1.2 and 1.3), each figure by a second road."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.boundary import Evidence
from models.boundary.proof import exact
from models.boundary.proof.candidates import block_sequences, pass_sequences
from models.boundary.proof.poisson_worst_case import worst_case_probability
from models.boundary.proof.stratified import (
    block_fallback_reason,
    block_p_value,
    block_refuted,
    false_omission_upper_limit,
    pass_fallback_reason,
    pass_p_value,
    pass_refuted,
    precision_lower_limit,
    recall_lower_limit,
    recall_p_value,
    recall_refuted,
    widest_block,
    widest_pass_by_false_omission,
    widest_pass_by_recall,
)
from models.vocabulary import Boundary
from tests.models.boundary.worlds import (
    cut_where,
    most_violations,
    seen_as,
    true_false_omission,
    true_precision,
    true_recall,
    world,
)

REPETITIONS, CASES, DELTA = 100, 20_000, 0.1


def services(
    passed: list[bool | None],
    escalated: list[bool | None],
    blocked: list[bool | None] | None = None,
    rate: float = 0.1,
    missing: int = 0,
) -> Evidence:
    """Cases at .1 (passed), .2, .3, ... (escalated) and .9 (blocked); None: not drawn.

    `missing` of the passed that are None were drawn all the same.
    """
    blocked = blocked or []
    scores = [0.1] * len(passed)
    scores += list(np.linspace(0.2, 0.8, max(len(escalated), 1)))[: len(escalated)]
    scores += [0.9] * len(blocked)
    sides = [rate] * len(passed) + [1.0] * len(escalated) + [rate] * len(blocked)
    bad = [*passed, *escalated, *blocked]
    drawn = [truth is not None for truth in bad]
    for place in [i for i, truth in enumerate(passed) if truth is None][:missing]:
        drawn[place] = True
    return seen_as(scores, bad, sides, drawn=drawn)


TODAY = Boundary(0.1, 0.9)


def bad_cases_by_hand(escalated: int, blocked: int, weight: float, spend: float) -> float:
    """Lower limit of METHODS 1.2 with scipy's gamma distribution."""
    return float(
        stats.gamma.ppf(spend / 2, escalated) + weight * stats.gamma.ppf(spend / 2, blocked)
    )


def test_at_todays_cut_the_p_value_is_one_poisson_probability() -> None:
    """Two misses of weight 10 among 300 and 10 x 40 bad cases elsewhere: no split, no gamma."""
    evidence = services([True] * 2 + [None] * 500, [True] * 300, [True] * 40 + [None] * 360)
    allowed = 0.1 * bad_cases_by_hand(300, 40, 10.0, 0.1 * 0.05)
    by_hand = 0.1 * 0.05 + stats.poisson.cdf(2, allowed / 10)
    assert recall_p_value(evidence, 0.9, 0.05, TODAY, 0.1) == pytest.approx(by_hand)


def test_beyond_todays_cut_the_audited_misses_are_bounded_and_the_rest_are_counted() -> None:
    """60 escalated bad cases of 300 come in at weight 1, after two of weight 10."""
    evidence = services([True] * 2 + [None] * 500, [True] * 300, [True] * 40 + [None] * 360)
    cut = float(np.linspace(0.2, 0.8, 300)[59])
    gamma = 0.15 * 0.05
    allowed = 0.4 * bad_cases_by_hand(300, 40, 10.0, 0.1 * 0.05)
    limit = 10 * stats.gamma.ppf(1 - gamma, 2 + 1)
    worst = worst_case_probability(10 * 2 + 60, [10.0, 1.0], allowed, [limit])
    by_hand = 0.1 * 0.05 + gamma + worst
    assert recall_p_value(evidence, 0.6, 0.05, TODAY, cut) == pytest.approx(by_hand)


def test_an_audit_that_found_no_bad_case_is_not_a_full_review() -> None:
    """METHODS 1.2, trap: 16 % of the bad cases lie below the cut, unseen by an audit of 2 %.

    Nothing seen there in 45 % of runs (.98 ** 40). Strata of the labelled rows' weights would leave
    weight 1 alone and prove a recall of .95; the designed weight 50 proves nothing.
    """
    evidence = services([None] * 2_040, [True] * 210, rate=0.02)
    assert not evidence.labelled[evidence.score == 0.1].any()
    assert widest_pass_by_recall(evidence, 0.95, 0.05, TODAY).cut is None
    allowed = 0.05 * stats.gamma.ppf(0.005, 210)
    assert worst_case_probability(0.0, [1.0], allowed) <= 0.05, "the trap is set"
    assert recall_p_value(evidence, 0.95, 0.05, TODAY, 0.1) >= np.exp(-allowed / 50)


def test_one_audited_case_without_a_bad_label_keeps_its_stratum() -> None:
    """The weight of cases never drawn counts as much as the weight of cases drawn."""
    none_drawn = services([None] * 500, [True] * 400)
    all_good = services([False] * 50 + [None] * 450, [True] * 400)
    for cut in (0.1, 0.3):
        p_values = {recall_p_value(case, 0.9, 0.05, TODAY, cut) for case in (none_drawn, all_good)}
        assert len(p_values) == 1


def test_drawn_and_missing_is_a_miss_below_the_cut_and_nothing_above() -> None:
    """Each missing label among the passed weighs as much as a bad one; none adds to the bad cases."""
    missed = services([True] * 3 + [None] * 500, [True] * 400)
    missing = services([None] * 503, [True] * 400, missing=3)
    assert recall_p_value(missing, 0.9, 0.05, TODAY, 0.1) == pytest.approx(
        recall_p_value(missed, 0.9, 0.05, TODAY, 0.1)
    )
    assert pass_p_value(missing, 0.1, 0.05, TODAY, 0.1) == pytest.approx(
        pass_p_value(missed, 0.1, 0.05, TODAY, 0.1)
    )
    silent = services([None] * 500, [True] * 400 + [None] * 50)
    absent = services([None] * 500, [True] * 400 + [False] * 50)
    assert recall_p_value(silent, 0.9, 0.05, TODAY, 0.1) == recall_p_value(
        absent, 0.9, 0.05, TODAY, 0.1
    )


def test_a_case_no_policy_may_decide_is_caught_whatever_its_score() -> None:
    """Forty bad cases of key users below the cut raise the bad cases, and are no misses."""
    scores = [0.1] * 540 + [0.5] * 200
    bad = [None] * 500 + [True] * 240
    rates = [0.1] * 500 + [1.0] * 240
    key_users = seen_as(scores, bad, rates, automatable=[True] * 500 + [False] * 40 + [True] * 200)
    elsewhere = seen_as([0.1] * 500 + [0.5] * 240, bad, rates)
    incumbent = Boundary(0.1, None)
    assert recall_p_value(key_users, 0.9, 0.05, incumbent, 0.1) == pytest.approx(
        recall_p_value(elsewhere, 0.9, 0.05, incumbent, 0.1)
    )


def test_the_pass_cut_stays_below_audited_blocks_and_not_below_reviewed_ones() -> None:
    """Where the blocks were audited their misses are not all seen; where reviewed, they are."""
    audited = services([False] * 50 + [None] * 450, [False] * 50, [True] * 600)
    assert widest_pass_by_recall(audited, 0.9, 0.05, TODAY).cut == np.nextafter(0.9, -np.inf)
    scores = [0.1] * 500 + [0.9] * 40 + [0.95] * 600
    rates = [0.1] * 500 + [1.0] * 640
    reviewed = seen_as(scores, [None] * 500 + [False] * 40 + [True] * 600, rates)
    cut = widest_pass_by_recall(reviewed, 0.9, 0.05, TODAY).cut
    assert cut == np.nextafter(0.95, -np.inf)


def test_a_fully_reviewed_desk_is_judged_by_the_exact_test() -> None:
    """Every propensity 1: METHODS 1.1 and 1.3, incumbent or not."""
    generator = np.random.default_rng(4)
    evidence = Evidence.from_frame(world(generator, 4_000))
    assert widest_pass_by_recall(evidence, 0.95, 0.05, TODAY) == exact.widest_pass_by_recall(
        evidence, 0.95, 0.05
    )
    starts = block_sequences(evidence.score, 0.9, 0.1)
    assert widest_block(evidence, 0.9, 0.05, starts, TODAY) == exact.widest_block(
        evidence, 0.9, 0.05, starts
    )


def test_blocks_never_drawn_prove_nothing_and_refute_nothing() -> None:
    """No draw among 400 blocked cases: m_A = 0."""
    evidence = services([None] * 50, [True] * 300, [None] * 400)
    assert block_p_value(evidence, 0.9, 0.05, TODAY, 0.9) == 1.0
    assert block_refuted(evidence, 0.9, TODAY, 0.9) == 1.0
    starts = [np.array([0.9, 0.8])]
    assert widest_block(evidence, 0.9, 0.05, starts, TODAY).cut is None


def test_a_block_cut_weighs_the_audit_by_cases_over_draws() -> None:
    """400 blocked, 50 drawn, 1 good and 1 without a label: 2 errors of weight 8, no gamma at b0."""
    blocked = [False] + [True] * 48 + [None] * 351
    evidence = seen_as([0.9] * 400, blocked, 0.1, drawn=[True] * 50 + [False] * 350)
    assert block_p_value(evidence, 0.8, 0.05, TODAY, 0.9) == pytest.approx(
        stats.poisson.cdf(2, 0.2 * 400 / 8)
    )
    assert block_refuted(evidence, 0.99, TODAY, 0.9) == pytest.approx(
        stats.poisson.sf(0, 0.01 * 400 / 8)
    ), "a missing label speaks for the incumbent"


def test_a_lower_block_cut_adds_reviewed_cases_at_weight_one() -> None:
    """Four good among 100 newly blocked beside the audit's one good case of weight 10."""
    escalated = [False] * 4 + [True] * 96
    evidence = services([None] * 20, escalated, [False] + [True] * 39 + [None] * 360)
    gamma = 0.15 * 0.05
    limit = 10 * stats.gamma.ppf(1 - gamma, 1 + 1)
    by_hand = gamma + worst_case_probability(10 + 4, [10.0, 1.0], 0.1 * 500, [limit])
    assert block_p_value(evidence, 0.9, 0.05, TODAY, 0.2) == pytest.approx(by_hand)


def test_false_omission_allows_its_share_of_the_cases_passed() -> None:
    """1 bad of weight 10 among 1,000 passed, at most 5 % allowed: P(Poisson(5) <= 1)."""
    evidence = services([True] + [False] * 99 + [None] * 900, [True] * 50)
    assert pass_p_value(evidence, 0.05, 0.05, TODAY, 0.1) == pytest.approx(
        stats.poisson.cdf(1, 0.05 * 1_000 / 10)
    )


def test_a_cut_that_passes_nobody_proves_no_false_omission() -> None:
    """A share of nothing is not estimable."""
    evidence = services([False] * 50, [True] * 50)
    assert pass_p_value(evidence, 0.05, 0.05, TODAY, 0.01) == 1.0
    assert false_omission_upper_limit(evidence, 0.05, TODAY, 0.01) is None


def test_the_limits_shown_are_where_the_p_value_meets_delta() -> None:
    """A little stricter than the limit fails, the limit itself holds."""
    evidence = services([True] + [False] * 99 + [None] * 900, [True] * 400, [True] * 99 + [False])
    recall = recall_lower_limit(evidence, 0.05, TODAY, 0.1)
    omission = false_omission_upper_limit(evidence, 0.05, TODAY, 0.1)
    precision = precision_lower_limit(evidence, 0.05, TODAY, 0.9)
    assert recall is not None
    assert omission is not None
    assert precision is not None
    assert recall_p_value(evidence, recall, 0.05, TODAY, 0.1) <= 0.05
    assert recall_p_value(evidence, recall + 3e-4, 0.05, TODAY, 0.1) > 0.05
    assert pass_p_value(evidence, omission, 0.05, TODAY, 0.1) <= 0.05
    assert pass_p_value(evidence, omission * 0.999, 0.05, TODAY, 0.1) > 0.05
    assert block_p_value(evidence, precision, 0.05, TODAY, 0.9) <= 0.05
    assert block_p_value(evidence, precision + 3e-4, 0.05, TODAY, 0.9) > 0.05
    assert recall_lower_limit(services([None] * 9, []), 0.05, TODAY, 0.1) is None


def test_a_sum_refutes_recall_by_the_bad_cases_caught() -> None:
    """12 misses of weight 10 against 300 caught: `M <= K / 9`, K at most its upper limit."""
    evidence = services([True] * 12 + [None] * 500, [True] * 300)
    spend = 0.1 * 0.05
    caught = stats.gamma.ppf(1 - spend, 301)
    by_hand = spend + stats.poisson.sf(11, caught / 9 / 10)
    assert recall_refuted(evidence, 0.9, 0.05, TODAY, 0.1) == pytest.approx(by_hand)
    missing = services([None] * 512, [True] * 300, missing=12)
    assert recall_refuted(missing, 0.9, 0.05, TODAY, 0.1) == 1.0


def test_designs_outside_the_test_say_so_and_are_refused() -> None:
    """Three weights above 1 below the cut, an audited middle, two weights among the blocks."""
    three = seen_as([0.1, 0.1, 0.1, 0.5], [None] * 3 + [True], [0.1, 0.2, 0.5, 1.0])
    assert "3 designed weights" in (pass_fallback_reason(three, TODAY) or "")
    middle = seen_as([0.1, 0.5], [None, None], [0.1, 0.1])
    assert "escalates" in (pass_fallback_reason(middle, TODAY) or "")
    assert "escalates" in (pass_fallback_reason(middle, None) or "")
    two = seen_as([0.1, 0.9, 0.95], [None] * 3, [0.1, 0.2, 0.5])
    assert pass_fallback_reason(two, TODAY) is None
    assert "2 designed weights" in (block_fallback_reason(two, TODAY) or "")
    for evidence in (three, middle):
        with pytest.raises(ValueError, match="betting"):
            widest_pass_by_recall(evidence, 0.9, 0.05, TODAY)
    with pytest.raises(ValueError, match="betting"):
        block_p_value(two, 0.9, 0.05, TODAY, 0.9)


CASE = st.tuples(st.integers(0, 12), st.sampled_from([True, True, False, None]))


@settings(max_examples=50, deadline=None)
@given(st.lists(CASE, min_size=1, max_size=80), st.sampled_from([0.1, 0.4]))
def test_the_cut_is_the_widest_of_all_cuts_tried_one_by_one(
    cases: list[tuple[int, bool | None]], delta: float
) -> None:
    """Second road: the p-value at every score that occurs, two designed weights, ties included."""
    scores = [score / 12 for score, _ in cases]
    rates = [0.4 if s <= 2 / 12 else 0.6 if s <= 4 / 12 or s >= 11 / 12 else 1.0 for s in scores]
    # One case was audited among the passed and one among the blocked in every example.
    scores, rates = [0.0, *scores, 1.0], [0.4, *rates, 0.6]
    truths = [False, *[bad for _, bad in cases], True]
    evidence = seen_as(scores, truths, rates, drawn=[True] * len(scores))
    incumbent = Boundary(4 / 12, 11 / 12)
    found = widest_pass_by_recall(evidence, 0.4, delta, incumbent).cut
    places = sorted(set(scores))
    # Blocks, where there are any, were audited: no cut may reach into them.
    open_to_cuts = [place for place in places if place < 11 / 12]
    proven = [
        cut for cut in open_to_cuts if recall_p_value(evidence, 0.4, delta, incumbent, cut) <= delta
    ]
    assert (found is None) == (not proven)
    if found is not None:
        assert max(proven) == max(place for place in places if place <= found)


def selective(generator: np.random.Generator, boundary: Boundary, rate: float = 0.1) -> Evidence:
    """A simulated world seen through a policy that decided on both sides and audited a share."""
    frame = world(generator, CASES)
    low, high = boundary.pass_at_or_below or -1.0, boundary.block_at_or_above or 2.0
    propensity = np.where((frame["score"] <= low) | (frame["score"] >= high), rate, 1.0)
    drawn = generator.random(CASES) < propensity
    seen = frame.assign(propensity=propensity, drawn=drawn, bad=frame["bad"].where(drawn))
    return Evidence.from_frame(seen)


@pytest.mark.parametrize("risk", ["recall", "precision", "false_omission_rate"])
def test_a_cut_proven_on_an_audit_breaks_its_promise_no_more_often_than_delta(risk: str) -> None:
    """100 simulated worlds of 20,000 cases, 10 % of the automatic decisions audited.

    The targets are loose enough for 20,000 cases to prove something (some 160 effective bad
    cases). Tolerance: the binomial 99 % point of 100 at delta = .1, which is 17.
    """
    generator = np.random.default_rng(22)
    low, high = cut_where(true_recall, 0.98), cut_where(true_precision, 0.98)
    today = Boundary(low, high)
    broken = wider = 0
    for _ in range(REPETITIONS):
        evidence = selective(generator, today)
        if risk == "recall":
            cut = widest_pass_by_recall(evidence, 0.92, DELTA, today).cut
            kept = cut is None or true_recall(cut) >= 0.92
            wider += cut is not None and cut > low
        elif risk == "precision":
            starts = block_sequences(evidence.score, high, low)
            cut = widest_block(evidence, 0.9, DELTA, starts, today).cut
            kept = cut is None or true_precision(cut) >= 0.9
            wider += cut is not None and cut < high
        else:
            starts = pass_sequences(evidence.score, low, high)
            cut = widest_pass_by_false_omission(evidence, 0.01, DELTA, starts, today).cut
            kept = cut is None or true_false_omission(cut) <= 0.01
            wider += cut is not None and cut > low
        broken += not kept
    assert broken <= most_violations(REPETITIONS, DELTA)
    assert wider >= 0.5 * REPETITIONS, "a method that proves nothing breaks nothing"


def test_a_sound_boundary_is_refuted_no_more_often_than_delta() -> None:
    """An alarm's own error: incumbents exactly at their limits, 100 audited worlds (99 % point)."""
    generator = np.random.default_rng(23)
    low, high = cut_where(true_recall, 0.95), cut_where(true_precision, 0.95)
    today, omission = Boundary(low, high), true_false_omission(low)
    alarms = np.zeros(3)
    for _ in range(REPETITIONS):
        evidence = selective(generator, today)
        p_values = [
            recall_refuted(evidence, 0.95, DELTA, today, low),
            block_refuted(evidence, 0.95, today, high),
            pass_refuted(evidence, omission, low),
        ]
        alarms += np.array(p_values) <= DELTA
    assert alarms.max() <= most_violations(REPETITIONS, DELTA)


def test_a_boundary_far_beyond_its_promise_is_refuted() -> None:
    """Recall .80, precision .70 and twelve times the bad share allowed: each is noticed."""
    generator = np.random.default_rng(24)
    low, high = cut_where(true_recall, 0.80), cut_where(true_precision, 0.70)
    recall_side, block_side = Boundary(low, None), Boundary(None, high)
    passing, blocking = selective(generator, recall_side), selective(generator, block_side)
    assert recall_refuted(passing, 0.95, 0.05, recall_side, low) < 0.05
    assert pass_refuted(passing, true_false_omission(low) / 12, low) < 0.05
    assert block_refuted(blocking, 0.95, block_side, high) < 0.05
