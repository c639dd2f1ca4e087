"""What would another boundary have done to the cases already seen?"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.replay.replay import replay, replay_all
from models.vocabulary import Boundary, Costs

NOT_SEEN = math.nan
COSTS = Costs(review_usd=4.0, false_positive_usd=40.0, false_negative_usd=400.0)

#        score  bad       propensity  automatable
TABLE = [
    (0.05, 0.0, 0.5, True),
    (0.10, NOT_SEEN, 0.5, True),
    (0.20, 1.0, 0.5, True),
    (0.30, 0.0, 1.0, True),
    (0.30, 1.0, 1.0, True),
    (0.35, 0.0, 1.0, False),  # a key user: reviewed, whatever the score
    (0.60, 1.0, 1.0, True),
    (0.80, 0.0, 1.0, True),
    (0.90, 1.0, 0.25, True),
    (0.95, NOT_SEEN, 0.25, True),
]


def columns(table):
    scores, bad, propensity, automatable = zip(*table, strict=True)
    return np.array(scores), np.array(bad, float), np.array(propensity), np.array(automatable)


def move(current, moved, table=TABLE):
    return replay(*columns(table), current, moved, COSTS)


def test_case_counts_are_exact_and_add_up():
    """From (.2, .9) to (.3, .8): two tied cases join the passes and one the blocks."""
    result = move(Boundary(0.20, 0.90), Boundary(0.30, 0.80))
    before, after = result.before, result.after
    assert (before.auto_passed, before.auto_blocked, before.escalated) == (3, 2, 5)
    assert (after.auto_passed, after.auto_blocked, after.escalated) == (3 + 2, 2 + 1, 5 - 3)
    assert (result.moved_to_pass.cases, result.moved_to_block.cases) == (2, 1)
    assert result.moved_to_review.cases == 0
    assert after.automation_rate == (5 + 3) / 10


def test_errors_are_weighted_by_the_designed_propensity():
    """A bad case seen with probability 1/2 stands for two; one seen for certain for itself."""
    result = move(Boundary(0.20, 0.90), Boundary(0.30, 0.80))
    assert result.before.missed_bad.value == 1 / 0.5
    assert result.after.missed_bad.value == 1 / 0.5 + 1 / 1.0
    assert result.after.missed_bad.labels == 4
    assert result.before.false_blocks.value == 0.0
    assert result.after.false_blocks.value == 1 / 1.0
    assert result.after.expected_loss_usd.value == 400 * (2 + 1) + 40 * 1 + 4 * 2


def test_intervals_hold_the_estimate_and_stay_open_above_when_no_error_was_seen():
    """No false block among audited blocks still leaves an upper limit."""
    blocks = move(Boundary(None, 0.90), Boundary(None, 0.90)).before.false_blocks
    assert (blocks.value, blocks.low) == (0.0, 0.0)
    # One observation's weight 4 times the Poisson limit for zero events, -ln(.025).
    assert blocks.high == pytest.approx(4 * -math.log(0.025))
    missed = move(Boundary(0.3, None), Boundary(0.3, None)).before.missed_bad
    assert missed.low < missed.value < missed.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """400 simulated audits: gamma limits are conservative, so coverage is at least .95 - 3 se."""
    generator, covered = np.random.default_rng(5), 0
    for _ in range(400):
        bad = (generator.random(4_000) < 0.02).astype(float)
        propensity = np.where(np.arange(4_000) < 2_000, 0.1, 0.5)
        seen = np.where(generator.random(4_000) < propensity, bad, NOT_SEEN)
        table = (np.full(4_000, 0.1), seen, propensity, np.ones(4_000, bool))
        missed = replay(*table, Boundary(0.2), Boundary(0.2), COSTS).before.missed_bad
        covered += missed.low <= 0.02 * 4_000 <= missed.high
    assert covered / 400 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400)


def test_estimates_are_unbiased_over_repeated_audits():
    """2,000 draws of who is audited: the mean estimate is the true 7 misses within 4 se."""
    generator = np.random.default_rng(9)
    bad, propensity = np.zeros(60), np.full(60, 0.25)
    bad[:7] = 1.0
    values = []
    while len(values) < 2_000:
        seen = np.where(generator.random(60) < propensity, bad, NOT_SEEN)
        table = (np.full(60, 0.1), seen, propensity, np.ones(60, bool))
        values.append(replay(*table, Boundary(0.2), Boundary(0.2), COSTS).after.missed_bad.value)
    assert abs(np.mean(values) - 7) < 4 * np.std(values) / math.sqrt(len(values))


def test_a_moved_band_without_a_label_is_unsupported_not_extrapolated():
    """The passes are labelled, the band that would join them is not: nothing is guessed."""
    table = [(0.1, 0.0, 0.5, True), (0.4, NOT_SEEN, 0.5, True), (0.9, 1.0, 1.0, True)]
    result = move(Boundary(0.1), Boundary(0.5), table)
    assert result.before.missed_bad.value == 0.0
    assert not result.after.missed_bad.supported
    assert result.after.expected_loss_usd.value is None
    assert (result.moved_to_pass.bad.value, result.moved_to_pass.unsupported_cases) == (None, 1)
    assert result.after.auto_passed == 2  # counts stay exact
    assert result.unsupported == (
        "unsupported: 1 cases moved from review to auto-pass have no label, "
        "so how many of them are bad is not known",
    )


def test_labels_of_one_origin_do_not_support_another():
    """Review to pass is labelled, block to pass is not: the union's label proves nothing for it."""
    table = [(0.2, 0.0, 1.0, True), (0.6, NOT_SEEN, 0.1, True)]
    result = move(Boundary(None, 0.5), Boundary(0.7, None), table)
    assert (result.moved_to_pass.labels, result.moved_to_pass.unsupported_cases) == (1, 1)
    assert result.after.missed_bad.value is None


def test_narrowing_back_to_review_needs_no_label_to_know_the_errors_left():
    """Cases given back to people are their errors no more."""
    result = move(Boundary(0.30, 0.90), Boundary.everything_reviewed())
    assert result.after.missed_bad.value == 0.0
    assert result.after.expected_loss_usd.value == 4 * 10
    assert result.moved_to_review.cases == 5 + 2
    assert result.moved_to_review.bad.value == 1 / 0.5 + 1 + 1 / 0.25


def test_key_users_are_always_reviewed():
    """With everything at or below .5 passed, the key user at .35 stays with people."""
    result = move(Boundary.everything_reviewed(), Boundary(0.5))
    assert result.after.auto_passed == 5
    table = [(NOT_SEEN, 1.0, 1.0, False), (0.1, 0.0, 1.0, True)]
    assert move(Boundary(0.5), Boundary(0.5), table).after.escalated == 1


def test_a_newer_models_boundary_is_replayed_on_its_own_scores():
    """Today's .2 cut sorts by the old scores, the moved one by the new: two cases change places."""
    old = np.array([0.1, 0.2, 0.8, 0.9])
    new = np.array([0.1, 0.9, 0.2, 0.8])
    bad = np.array([0.0, 1.0, 0.0, 1.0])
    seen = np.ones(4), np.ones(4, dtype=bool)
    cut = Boundary(0.2)
    told = replay(old, bad, *seen, cut, cut, COSTS, moved_scores=new)
    assert (told.before.missed_bad.value, told.after.missed_bad.value) == (1, 0)
    assert (told.moved_to_pass.cases, told.moved_to_review.cases) == (1, 1)
    with pytest.raises(ValueError, match="equally long"):
        replay(old, bad, *seen, cut, cut, COSTS, moved_scores=new[:3])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((NOT_SEEN, 0.0, 1.0, True), "no score"),
        ((1.5, 0.0, 1.0, True), "no score"),
        ((0.5, 0.0, 0.0, True), "propensity"),
        ((0.5, 0.0, NOT_SEEN, True), "propensity"),
        ((0.5, 0.5, 1.0, True), "bad"),
    ],
)
def test_values_out_of_range_are_refused_with_their_position(row, message):
    """The second row is broken and the message says which and why."""
    with pytest.raises(ValueError, match=rf"1 .*{message}.*position 1"):
        move(Boundary(0.1), Boundary(0.2), [(0.5, 0.0, 1.0, True), row])


def test_columns_of_different_length_are_refused():
    """Shapes are named."""
    scores, bad, propensity, automatable = columns(TABLE)
    with pytest.raises(ValueError, match="equally long"):
        replay_all(scores[:-1], bad, propensity, automatable)


def test_candidates_as_a_table():
    """Ties move together; misses accumulate with their weights; the key user is no candidate."""
    frame = replay_all(*columns(TABLE))
    assert frame["pass_at_or_below"].tolist() == [0.05, 0.1, 0.2, 0.3, 0.6, 0.8, 0.9, 0.95]
    assert frame["auto_passed"].tolist() == [1, 2, 3, 5, 6, 7, 8, 9]
    assert frame["automation"].iloc[3] == 5 / 10
    assert frame["supporting_labels"].tolist() == [1, 1, 2, 4, 5, 6, 7, 7]
    assert frame["estimated_misses"].iloc[:4].tolist() == [0, 0, 1 / 0.5, 1 / 0.5 + 1]
    assert frame["estimated_recall"].iloc[3] == pytest.approx(1 - 3 / (2 + 1 + 1 + 4))
    assert frame["supported"].tolist() == [True] * 7 + [False]
    assert frame["unsupported_cases"].iloc[-1] == 1
    assert math.isnan(frame["estimated_misses"].iloc[-1])


def test_block_candidates_as_a_table():
    """From the highest score down: false blocks and precision by inverse probability."""
    frame = replay_all(*columns(TABLE), side="block")
    assert frame["block_at_or_above"].iloc[:4].tolist() == [0.95, 0.9, 0.8, 0.6]
    assert frame["supported"].iloc[:3].tolist() == [False, True, True]
    assert frame["estimated_false_blocks"].iloc[1:4].tolist() == [0.0, 1.0, 1.0]
    assert frame["estimated_precision"].iloc[3] == pytest.approx((4 + 1) / (4 + 1 + 1))


logs = st.lists(
    st.tuples(
        st.integers(0, 12).map(lambda tick: tick / 12),
        st.sampled_from([0.0, 1.0, NOT_SEEN]),
        st.sampled_from([0.1, 0.5, 1.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(logs, st.integers(1, 8))
def test_each_candidate_agrees_with_replaying_that_boundary_alone(table, points):
    """The cumulative sums and the one-boundary replay are two roads to the same figures."""
    frame = replay_all(*columns(table), points=points)
    assert len(frame) <= points
    for row in frame.itertuples():
        boundary = Boundary(float(row.pass_at_or_below))
        outcome = move(Boundary.everything_reviewed(), boundary, table).after
        assert outcome.auto_passed == row.auto_passed
        assert outcome.missed_bad.labels == row.supporting_labels
        if row.supported:
            assert outcome.missed_bad.value == pytest.approx(row.estimated_misses)


@settings(max_examples=60, deadline=None)
@given(logs)
def test_few_points_keep_the_widest_candidate(table):
    """Thinning never drops the candidate that automates most."""
    scores, bad, propensity, automatable = columns(table)
    all_rows = replay_all(scores, bad, propensity, automatable)
    few = replay_all(scores, bad, propensity, automatable, points=3)
    assert few["auto_passed"].max() == all_rows["auto_passed"].max() or all_rows.empty
    assert few["auto_passed"].is_monotonic_increasing


def test_no_automatable_case_gives_no_candidate():
    """Key users only: an empty table, not an invented row."""
    assert replay_all(*columns([(0.2, 1.0, 1.0, False)])).empty
