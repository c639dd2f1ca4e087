"""How well does each score rank, and how sure is the difference?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from models.comparison.auc import (
    auc_influence,
    delong_error,
    ranking,
    resampled_auc,
    seen_placements,
)
from models.comparison.bootstrap import resample
from tests.models.comparison.worlds import later_cases


def pair_count(score, bad, weight):
    """The definition, pair by pair."""
    won = total = 0.0
    for i, j in itertools.product(np.flatnonzero(bad), np.flatnonzero(~bad)):
        pair = weight[i] * weight[j]
        won += pair * (1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0)
        total += pair
    return won / total


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.booleans(), st.sampled_from([1.0, 3.0, 20.0])),
        min_size=2, max_size=30,
    ).filter(lambda rows: len({row[1] for row in rows}) == 2)
)  # fmt: skip
def test_auc_is_the_weighted_share_of_pairs_won(rows):
    """Ties, weights and all; and scikit-learn agrees."""
    score, bad, weight = (np.array(column) for column in zip(*rows, strict=True))
    found = ranking(score / 5.0, bad, weight)
    assert found.auc == pytest.approx(pair_count(score, bad, weight), abs=1e-12)
    assert found.auc == pytest.approx(roc_auc_score(bad, score, sample_weight=weight), abs=1e-9)


def test_placements_average_to_the_auc_in_both_classes():
    """The mean over bad cases and the mean over good ones are one number."""
    rows = later_cases(500, 1, audit=0.2)
    found = ranking(rows.champion, rows.bad, rows.weight)
    for part in (rows.bad, ~rows.bad):
        placed = np.average(seen_placements(found, rows.bad)[part], weights=rows.weight[part])
        assert placed == pytest.approx(found.auc)


def test_delong_agrees_with_the_bootstrap():
    """Standard errors of each AUC and of the difference: 2,000 draws know them within some 4 %
    (1 / sqrt(2 * draws) = 1.6 %, and a finite sample differs a little)."""
    rows = later_cases(3_000, 2)
    ranks = [ranking(score, rows.bad, rows.weight) for score in (rows.champion, rows.challenger)]
    _, drawn = resample(np.zeros((len(rows), 1)), ranks, rows.weight, 2_000, seed=1)
    placed = [seen_placements(one, rows.bad) for one in ranks]
    contrasts = (placed[0], placed[1], placed[1] - placed[0])
    scatter = (drawn[:, 0], drawn[:, 1], drawn[:, 1] - drawn[:, 0])
    for contrast, values in zip(contrasts, scatter, strict=True):
        assert delong_error(contrast, rows.bad) == pytest.approx(values.std(), rel=0.07)


def test_influence_is_delongs_scatter_where_weights_are_equal():
    """The sum of squared contributions, up to DeLong's n - 1."""
    rows = later_cases(2_000, 3)
    found = ranking(rows.champion, rows.bad, rows.weight)
    moved = auc_influence(found, rows.bad, rows.weight, rows.champion)
    placed = seen_placements(found, rows.bad)
    assert moved.linear_error() == pytest.approx(delong_error(placed, rows.bad), rel=0.01)
    # Calibrated scores expect what is seen.
    assert moved.expected_error() == pytest.approx(moved.linear_error(), rel=0.1)


def test_a_resampled_auc_is_the_auc_of_the_resampled_rows():
    """Rows repeated as often as they were drawn, ranked anew; one class only: NaN."""
    rows = later_cases(200, 4, audit=0.3)
    found = ranking(rows.challenger, rows.bad, rows.weight)
    counts = np.random.default_rng(5).integers(0, 3, size=(3, len(rows)), dtype=np.uint8)
    counts[2] = rows.bad
    drawn = resampled_auc(found, rows.weight, counts)
    for number in (0, 1):
        again = np.repeat(np.arange(len(rows)), counts[number])
        repeated = ranking(rows.challenger[again], rows.bad[again], rows.weight[again])
        assert drawn[number] == pytest.approx(repeated.auc)
    assert np.isnan(drawn[2])


def test_one_class_has_no_auc():
    """Said, not divided by zero."""
    with pytest.raises(ValueError, match="one of the two is missing"):
        ranking(np.array([0.1, 0.2]), np.array([True, True]), np.ones(2))
