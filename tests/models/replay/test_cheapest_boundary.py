"""Of all boundaries, is the one that is found truly the cheapest?"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.replay import cheapest_boundary as module
from models.replay.cheapest_boundary import cheapest_boundary
from models.replay.replay import replay
from models.vocabulary import Boundary, Costs

NOT_SEEN = math.nan
COSTS = Costs(review_usd=4.0, false_positive_usd=40.0, false_negative_usd=400.0)
NOBODY = Boundary.everything_reviewed()


def every_boundary(scores):
    """Each pair of distinct scores, either side left out too; none where they cross."""
    cuts = [None, *np.unique(scores).tolist()]
    for low in cuts:
        for high in cuts:
            if low is None or high is None or low < high:
                yield Boundary(low, high)


def brute_force(scores, bad, propensity, automatable, costs):
    """The least loss over all boundaries, each one replayed by itself."""
    columns = scores, bad, propensity, automatable
    outcomes = [replay(*columns, NOBODY, b, costs).after for b in every_boundary(scores)]
    return min(one.expected_loss_usd.value for one in outcomes if one.expected_loss_usd.supported)


def a_log(generator, cases, levels=None):
    """Simulated calibrated scores, rounded to `levels` for ties."""
    bad = generator.random(cases) < 0.1
    margin = math.log(0.1 / 0.9) + 2.0 * (generator.normal(size=cases) + 2.0 * bad) - 2.0
    scores = 1.0 / (1.0 + np.exp(-margin))
    return (scores if levels is None else np.round(scores * levels) / levels), bad


money = st.sampled_from([0.0, 1.0, 3.0, 40.0])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), min_size=1, max_size=30),
    st.sampled_from([1.0, 1e-6]),
    st.builds(Costs, money, money, money),
)
def test_no_boundary_at_all_is_cheaper(rows, spread, costs):
    """Fully labelled, with ties and key users; spread thin, all scores fall into a bin or two."""
    ticks, bad, free = (np.array(column) for column in zip(*rows, strict=True))
    scores = 0.5 + spread * (ticks / 9 - 0.5)
    found = cheapest_boundary(scores, bad, costs, automatable=free)
    expected = brute_force(scores, bad.astype(float), np.ones(len(rows)), free, costs)
    assert found.loss_usd == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("levels", [None, 50, 1_000])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("spread", [1.0, 0.01, 0.001])
def test_it_costs_to_the_cent_what_sorting_everything_finds(levels, kind, spread):
    """A second road, 20,000 cases in many bins or few: one sort and one prefix minimum over all
    distinct scores."""
    scores, bad = a_log(np.random.default_rng(2), 20_000, levels)
    scores = (0.5 + spread * (scores - 0.5)).astype(kind)
    found = cheapest_boundary(scores, bad, COSTS)
    distinct, place = np.unique(scores, return_inverse=True)
    cases, misses = np.bincount(place), np.bincount(place[bad], minlength=distinct.size)
    low = np.concatenate([[0], np.cumsum(400.0 * misses - 4.0 * cases)])
    blocked = np.cumsum((40.0 * (cases - misses) - 4.0 * cases)[::-1])[::-1]
    expected = (np.minimum.accumulate(low) + np.append(blocked, 0)).min() + 4.0 * 20_000
    assert found.loss_usd == expected
    if levels is None and spread == 1.0:
        assert 0 < found.sorted_cases < 20_000 / 2


@pytest.mark.parametrize("levels", [None, 200])
def test_the_boundary_it_names_costs_what_it_says(levels):
    """Replayed by itself, the boundary gives the same loss, counts and errors."""
    scores, bad = a_log(np.random.default_rng(4), 5_000, levels)
    generator = np.random.default_rng(5)
    propensity = np.where(scores < 0.05, 0.25, 1.0)
    seen = np.where(generator.random(5_000) < propensity, bad.astype(float), NOT_SEEN)
    free = generator.random(5_000) < 0.95
    found = cheapest_boundary(scores, seen, COSTS, propensity, free)
    after = replay(scores, seen, propensity, free, NOBODY, found.boundary, COSTS).after
    assert found.loss_usd == pytest.approx(after.expected_loss_usd.value)
    assert (found.auto_passed, found.auto_blocked) == (after.auto_passed, after.auto_blocked)
    assert found.escalated == after.escalated
    assert found.missed_bad == pytest.approx(after.missed_bad.value)
    assert found.false_blocks == pytest.approx(after.false_blocks.value)
    assert found.auto_passed > 0
    assert found.auto_blocked > 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 6), st.sampled_from([0.0, 1.0]), st.sampled_from([0.25, 0.5, 1.0])
        ),
        min_size=1,
        max_size=25,
    )
)
def test_weighted_labels_are_compared_by_what_they_stand_for(rows):
    """Designed weights 1, 2 and 4: still no boundary is cheaper."""
    ticks, bad, propensity = (np.array(column) for column in zip(*rows, strict=True))
    free = np.ones(len(rows), dtype=bool)
    found = cheapest_boundary(ticks / 6, bad, COSTS, propensity)
    assert found.loss_usd == pytest.approx(brute_force(ticks / 6, bad, propensity, free, COSTS))


def test_nothing_is_automated_beyond_the_outermost_label():
    """Good cases seen up to .3; those above are not known, so the cut stops there."""
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.9])
    seen = np.array([0.0, 0.0, 0.0, NOT_SEEN, NOT_SEEN, NOT_SEEN])
    found = cheapest_boundary(scores, seen, COSTS, np.full(6, 0.5))
    assert 0.3 <= found.boundary.pass_at_or_below < 0.4
    assert found.boundary.block_at_or_above is None
    assert found.loss_usd == 4.0 * 3
    nothing = cheapest_boundary(scores, np.full(6, NOT_SEEN), COSTS, np.full(6, 0.5))
    assert nothing.boundary == NOBODY


def test_what_no_label_supports_hides_nothing_cheaper_elsewhere():
    """Passing everything would save most, but 500 cases beside the last label are not known: the
    cheapest parts the good from the bad case that share a bin below it, and blocks the rest."""
    scores = np.array([0.2, 0.2 + 1e-6, *[0.4] * 5, *[0.4 + 1e-7] * 500])
    seen = np.array([0.0, 1.0, *[0.0] * 5, *[NOT_SEEN] * 500])
    found = cheapest_boundary(scores, seen, Costs(4.0, 7.0, 10.0), np.ones(507))
    assert (found.auto_passed, found.auto_blocked, found.loss_usd) == (1, 1 + 5 + 500, 7.0 * 5)
    mirrored = cheapest_boundary(1.0 - scores, 1.0 - seen, Costs(4.0, 10.0, 7.0), np.ones(507))
    assert (mirrored.auto_passed, mirrored.auto_blocked) == (506, 1)


def test_the_ends_of_the_scale_are_reached():
    """Scores of exactly 0 and 1: all good passes them all, all bad blocks them all."""
    scores = np.array([0.0, 0.5, 1.0])
    assert cheapest_boundary(scores, np.zeros(3, bool), COSTS).auto_passed == 3
    blocked = cheapest_boundary(scores, np.ones(3, bool), COSTS)
    assert (blocked.auto_blocked, blocked.loss_usd) == (3, 0.0)
    split = cheapest_boundary(scores, np.array([False, True, True]), COSTS)
    assert (split.auto_passed, split.auto_blocked) == (1, 2)


def test_pieces_of_the_log_add_up(monkeypatch):
    """Handled 97 cases at a time, the answer is the same."""
    scores, bad = a_log(np.random.default_rng(6), 1_000)
    whole = cheapest_boundary(scores, bad, COSTS)
    monkeypatch.setattr(module, "CHUNK", 97)
    assert cheapest_boundary(scores, bad, COSTS) == whole


def test_nobody_to_decide_about_is_everything_reviewed():
    """No case, and key users only."""
    empty = cheapest_boundary(np.zeros(0), np.zeros(0, bool), COSTS)
    assert (empty.boundary, empty.loss_usd) == (NOBODY, 0.0)
    key_users = cheapest_boundary(
        np.array([NOT_SEEN, 0.2]), np.zeros(2, bool), COSTS, automatable=np.zeros(2, bool)
    )
    assert (key_users.boundary, key_users.loss_usd) == (NOBODY, 4.0 * 2)


@pytest.mark.parametrize(
    ("score", "bad", "propensity", "said"),
    [
        (1.5, 0.0, 1.0, "no score"),
        (NOT_SEEN, 0.0, 1.0, "no score"),
        (0.5, 0.5, 1.0, "bad"),
        (0.5, 0.0, 0.0, "propensity"),
    ],
)
def test_values_out_of_range_are_refused(score, bad, propensity, said):
    """One wrong value among right ones."""
    columns = np.array([0.5, score]), np.array([1.0, bad]), COSTS, np.array([1.0, propensity])
    with pytest.raises(ValueError, match=said):
        cheapest_boundary(*columns)


def test_columns_of_different_length_are_refused():
    """Shapes are named."""
    with pytest.raises(ValueError, match="equally long"):
        cheapest_boundary(np.zeros(3), np.zeros(2, bool), COSTS)
