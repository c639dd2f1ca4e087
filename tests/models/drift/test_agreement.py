"""Does one person label like cases differently?"""

from __future__ import annotations

import time
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.drift.agreement import compare_people, exact_tails, score_bands


def test_one_band_is_fishers_exact_test() -> None:
    """Ann has 1 event in 10 labels, the others 9 in 30."""
    person = np.array(["ann"] * 10 + ["ben"] * 30, dtype=object)
    event = np.array([True] + [False] * 9 + [True] * 9 + [False] * 21)
    ann, ben = compare_people(person, event, np.zeros(40, dtype=np.int64))
    table = [[1, 9], [9, 21]]
    assert ann.at_most == pytest.approx(stats.fisher_exact(table, alternative="less").pvalue)
    assert ann.at_least == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)
    assert (ann.seen, ann.labels, ann.expected) == (1, 10, pytest.approx(10 * 9 / 30))
    assert ben.at_least == pytest.approx(ann.at_most)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12), st.integers(0, 12)), min_size=1,
                max_size=5))  # fmt: skip
def test_the_tails_of_a_sum_over_bands_meet_at_what_was_seen(
    bands: list[tuple[int, int, int]],
) -> None:
    """P(<= k) + P(>= k + 1) = 1 for every count, and the extremes are certain."""
    totals = np.array([band[0] for band in bands])
    drawn = np.minimum([band[1] for band in bands], totals)
    events = np.minimum([band[2] for band in bands], totals)
    for seen in range(int(totals.sum()) + 1):
        below = exact_tails(seen, drawn, totals, events)[0]
        above = exact_tails(seen + 1, drawn, totals, events)[1]
        assert below + above == pytest.approx(1.0)
    assert exact_tails(0, drawn, totals, events)[1] == pytest.approx(1.0)


def test_the_tails_agree_with_shuffled_labels() -> None:
    """A second road: 20,000 shuffles within three bands, tolerance 4 standard errors (.014)."""
    generator = np.random.default_rng(2)
    totals, drawn, events = np.array([30, 20, 50]), np.array([6, 10, 5]), np.array([9, 5, 3])
    counts = generator.hypergeometric(events, totals - events, drawn, (20_000, 3)).sum(axis=1)
    for seen in range(10):
        at_most, at_least = exact_tails(seen, drawn, totals, events)
        assert at_most == pytest.approx((counts <= seen).mean(), abs=0.015)
        assert at_least == pytest.approx((counts >= seen).mean(), abs=0.015)


def test_one_band_agrees_with_the_library_far_into_its_tails() -> None:
    """2,000 cases with 700 events, 300 of them drawn: scipy's hypergeometric distribution."""
    total, events, drawn = (np.array([number]) for number in (2_000, 700, 300))
    for seen in (60, 105, 150):
        at_most, at_least = exact_tails(seen, drawn, total, events)
        assert at_most == pytest.approx(stats.hypergeom.cdf(seen, 2_000, 700, 300), rel=1e-7)
        assert at_least == pytest.approx(stats.hypergeom.sf(seen - 1, 2_000, 700, 300), rel=1e-7)


def test_somebody_with_harder_cases_is_not_taken_for_somebody_else() -> None:
    """Ann has 90 of the 100 risky cases; within the bands she labels like Ben."""
    person = np.array((["ann"] * 90 + ["ben"] * 10) + (["ann"] * 10 + ["ben"] * 90), dtype=object)
    band = np.repeat([0, 1], 100)
    event = np.tile(np.arange(10) < 5, 20) & (band == 0)
    ann, _ = compare_people(person, event, band)
    assert ann.seen == ann.expected == 45
    assert ann.two_sided == 1.0
    together, _ = compare_people(person, event, np.zeros(200, dtype=np.int64))
    assert together.two_sided < 1e-6


def test_there_is_nothing_to_compare_without_a_second_person_or_an_event() -> None:
    """One person; two people and no event."""
    band = np.zeros(4, dtype=np.int64)
    assert compare_people(np.array(["a"] * 4), np.ones(4, dtype=bool), band) == []
    assert compare_people(np.array(["a", "a", "b", "b"]), np.zeros(4, dtype=bool), band) == []


def test_bands_hold_like_scores_and_one_weight() -> None:
    """Numbered without gaps; no band mixes designed weights, and bands are ranges of scores."""
    generator = np.random.default_rng(4)
    score = generator.random(500)
    weight = np.where(score < 0.4, 0.1, 1.0)
    band = score_bands(score, generator.random(500) < 0.3, weight)
    assert set(band) == set(range(band.max() + 1))
    spans = [(score[band == one].min(), score[band == one].max()) for one in range(band.max() + 1)]
    assert all(a[1] < b[0] for a, b in zip(sorted(spans), sorted(spans)[1:], strict=False))
    assert all(len(set(weight[band == one])) == 1 for one in range(band.max() + 1))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40)), min_size=1,
                max_size=3))  # fmt: skip
def test_the_tails_are_exact_to_double_precision_however_small(
    bands: list[tuple[int, int, int]],
) -> None:
    """Second road: whole numbers and fractions, at every count there can be and one beyond."""
    totals = [band[0] for band in bands]
    drawn = [min(band[1], band[0]) for band in bands]
    events = [min(band[2], band[0]) for band in bands]
    chance = {0: Fraction(1)}
    for n, size, of in zip(drawn, totals, events, strict=True):
        more: dict[int, Fraction] = {}
        for k in range(max(0, n + of - size), min(n, of) + 1):
            here = Fraction(comb(of, k) * comb(size - of, n - k), comb(size, n))
            for before, one in chance.items():
                more[before + k] = more.get(before + k, Fraction(0)) + one * here
        chance = more
    for seen in range(-1, sum(totals) + 2):
        found = exact_tails(seen, np.array(drawn), np.array(totals), np.array(events))
        at_most = float(sum(one for k, one in chance.items() if k <= seen))
        at_least = float(sum(one for k, one in chance.items() if k >= seen))
        assert found == pytest.approx((at_most, at_least), rel=1e-12, abs=0.0)


def test_two_hundred_thousand_labels_are_told_at_once() -> None:
    """Ten bands of 20,000 (quadratic convolution took 1.4 s a person, some 15 s in all), against the
    normal distribution near the middle, and one band against the library."""
    drawn, totals, events = np.full(10, 2_500), np.full(10, 20_000), np.full(10, 8_000)
    begun = time.process_time()
    near, far = (exact_tails(seen, drawn, totals, events)[1] for seen in (10_100, 12_000))
    assert time.process_time() - begun < 1.0
    variance = 10 * 2_500 * 0.4 * 0.6 * (17_500 / 19_999)
    assert near == pytest.approx(stats.norm.sf(99.5 / variance**0.5), rel=1e-3)
    assert 0.0 < far < 1e-160
    one = [np.array([number]) for number in (100_000, 200_000, 20_000)]
    expected = stats.hypergeom.sf(10_499, 200_000, 20_000, 100_000)
    assert exact_tails(10_500, *one)[1] == pytest.approx(expected, rel=1e-10)


def test_without_an_event_or_a_label_there_is_nothing_to_tell_apart() -> None:
    """One band for each designed weight, and none for no label; the sum over no band is 0."""
    nothing = np.zeros(3, dtype=np.bool_)
    assert score_bands(np.array([0.1, 0.5, 0.9]), nothing, np.array([1.0, 2.0, 1.0])).tolist() == [
        0,
        1,
        0,
    ]
    assert score_bands(np.empty(0), nothing[:0], np.empty(0)).tolist() == []
    none = np.empty(0, dtype=np.int64)
    assert [exact_tails(seen, none, none, none) for seen in (-1, 0, 1)] == [(0, 1), (1, 1), (1, 0)]
