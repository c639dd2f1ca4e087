"""Is the score's word kept near the boundary, and is nothing said where no label speaks?"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from models.boundary import Evidence
from models.replay.reliability_bins import (
    LEAST_CASES,
    NEIGHBOURS,
    bins_around,
    reliability_bins,
)
from tests.models.boundary.worlds import audited, seen_as, world


def exact(bad, labels, confidence=0.95):
    told = binomtest(bad, labels).proportion_ci(confidence)
    return told.low, told.high


def test_one_designed_weight_is_clopper_and_pearsons_interval():
    """Ten cases, four bad."""
    table = reliability_bins(seen_as([0.5] * 10, [True] * 4 + [False] * 6), np.array([0.0, 0.6]))
    row = table.iloc[0]
    assert (row["cases"], row["labels"], row["observed"], row["predicted"]) == (10, 10, 4 / 10, 0.5)
    assert (row["low"], row["high"]) == pytest.approx(exact(4, 10))


def test_strata_of_a_bin_are_weighted_by_their_size_drawn_or_not():
    """Six cases audited at 1/2 (three drawn, one bad), two reviewed (none bad): 6/8 of 1/3."""
    evidence = seen_as(
        [0.5] * 8,
        [True, False, False, None, None, None, False, False],
        [0.5] * 6 + [1.0] * 2,
        drawn=[True] * 3 + [False] * 3 + [True] * 2,
    )
    row = reliability_bins(evidence, np.array([0.0, 1.0])).iloc[0]
    assert row["observed"] == pytest.approx(6 / 8 * 1 / 3 + 2 / 8 * 0)
    (low, high), (none, most) = exact(1, 3, 0.975), exact(0, 2, 0.975)
    assert row["low"] == pytest.approx(6 / 8 * low + 2 / 8 * none)
    assert row["high"] == pytest.approx(6 / 8 * high + 2 / 8 * most)


def test_a_bin_without_a_label_is_unsupported_and_borrows_from_no_neighbour():
    """The middle bin's cases were not drawn: counts are told, shares are not."""
    evidence = seen_as(
        [0.1, 0.1, 0.5, 0.5, 0.9, 0.9],
        [False, True, None, None, True, True],
        0.5,
        drawn=[True, True, False, False, True, True],
    )
    table = reliability_bins(evidence, np.array([0.0, 0.3, 0.7, 1.0]))
    assert table["supported"].tolist() == [True, False, True]
    assert (table["cases"].tolist(), table["labels"].tolist()) == ([2, 2, 2], [2, 0, 2])
    assert table.loc[1, ["observed", "low", "high"]].isna().all()


def test_a_bin_of_which_one_designed_part_has_no_label_is_unsupported():
    """Reviewed cases say nothing of the audited ones beside them, none of which was drawn."""
    evidence = seen_as(
        [0.5] * 4, [True, True, None, None], [1.0, 1.0, 0.1, 0.1], drawn=[True, True, False, False]
    )
    row = reliability_bins(evidence, np.array([0.0, 1.0])).iloc[0]
    assert (row["cases"], row["labels"], row["supported"]) == (4, 2, False)
    assert math.isnan(row["observed"])


def test_outcomes_that_came_by_themselves_do_not_speak():
    """A chargeback on a case nobody drew is seen because it is bad; it is no label here."""
    quiet = seen_as([0.2] * 4, [False, False, None, None], 0.5, drawn=[True, True, False, False])
    loud = seen_as([0.2] * 4, [False, False, True, True], 0.5, drawn=[True, True, False, False])
    edges = np.array([0.0, 1.0])
    assert reliability_bins(loud, edges).equals(reliability_bins(quiet, edges))


def test_cases_that_no_boundary_may_decide_are_left_out():
    """A key user's case is in no bin."""
    evidence = seen_as([0.2, 0.2], [True, False], automatable=[False, True])
    assert reliability_bins(evidence, np.array([0.0, 1.0]))["cases"].tolist() == [1]


def test_intervals_cover_the_truth_as_often_as_they_say():
    """300 simulated audits across a cut inside the bin: two weights, one interval."""
    generator = np.random.default_rng(8)
    frame = world(generator, 3_000)
    inside = frame["score"].between(0.005, 0.05)
    truth = frame.loc[inside, "bad"].mean()
    edges = np.array([0.005, np.nextafter(0.05, 1.0)])
    covered = 0
    for _ in range(300):
        seen = Evidence.from_frame(audited(frame, 0.02, 0.3, generator))
        row = reliability_bins(seen, edges).iloc[0]
        covered += row["low"] <= truth <= row["high"]
    assert covered / 300 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 300)


def test_bins_lie_on_both_sides_of_the_cut_and_hold_equally_many_cases():
    """Of 4,000 cases with the cut in the middle: four bins of 150 on each side."""
    scores = np.linspace(0.0, 1.0, 4_000, endpoint=False)
    edges = bins_around(scores, 0.5)
    assert edges.size == 2 * NEIGHBOURS + 1
    assert 0.5 in edges
    sizes = reliability_bins(seen_as(scores, [False] * 4_000), edges)["cases"]
    assert sizes.tolist() == [0.15 * 4_000 / NEIGHBOURS] * 2 * NEIGHBOURS


def test_a_side_with_few_cases_is_one_bin():
    """Twenty cases above the cut are too few for four bins."""
    scores = np.concatenate([np.linspace(0.0, 0.4, 1_000), np.linspace(0.6, 0.9, 20)])
    edges = bins_around(scores, 0.5)
    table = reliability_bins(seen_as(scores, [False] * scores.size), edges)
    assert table[table["low_edge"] >= 0.5]["cases"].tolist() == [20]
    assert LEAST_CASES > 20


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, 20).map(lambda tick: tick / 20), max_size=300),
    st.integers(-1, 21).map(lambda tick: min(max(tick / 20, 0.0), 1.0)),
)
def test_bins_are_in_order_and_no_case_at_the_cut_falls_below_it(scores, cut):
    """Whatever the ties: edges increase, and the cut parts the cases where a boundary does."""
    edges = bins_around(np.array(scores), cut)
    assert (np.diff(edges) > 0).all()
    if not scores:
        assert edges.size == 0
        return
    evidence = seen_as(scores, [False] * len(scores))
    table = reliability_bins(evidence, edges)
    below = table[table["high_edge"] <= cut]["cases"].sum()
    assert below <= (np.array(scores) < cut).sum()
    assert not ((table["low_edge"] < cut) & (table["high_edge"] > cut)).any()


def test_no_case_makes_no_bin():
    """Empty evidence: an empty table."""
    assert reliability_bins(seen_as([], []), bins_around(np.zeros(0), 0.5)).empty
