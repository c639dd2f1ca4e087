"""Does each peer do what its description says?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.peers import (
    PEERS,
    Labelled,
    block_cuts,
    clopper_pearson,
    ipw_wald,
    mapie,
    pass_cuts,
    plug_in,
    tuned_cv,
)
from benchmarks.worlds import GaussianWorld
from models.boundary.proof.bounds import share_is_below
from models.vocabulary import Boundary, Targets

TARGETS = Targets(precision=0.95, recall=0.99, delta=0.05)
WORLD = GaussianWorld()


def _drawn(count: int, seed: int) -> Labelled:
    score, bad = WORLD.draw(np.random.default_rng(seed), count)
    return Labelled(score, bad, np.ones(count))


def _passed(boundary: Boundary, cases: Labelled) -> int:
    low = boundary.pass_at_or_below
    return 0 if low is None else int((cases.score <= low).sum())


def _blocked(boundary: Boundary, cases: Labelled) -> int:
    high = boundary.block_at_or_above
    return 0 if high is None else int((cases.score >= high).sum())


def test_plug_in_takes_the_observed_shares_at_their_word() -> None:
    """Half of the bad may be passed, so up to 0.8; half of the blocked may be good, so from 0.8 on."""
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    bad = np.array([0, 1, 0, 0, 0, 0, 0, 1], dtype=bool)
    loose = Targets(precision=0.5, recall=0.5)
    assert plug_in(Labelled(score, bad, np.ones(8)), loose) == Boundary(
        float(np.nextafter(0.8, 0.0)), 0.8
    )


def test_the_shared_grid_has_a_hundred_cuts_a_side() -> None:
    """Pass cuts at evenly spaced ranks, block cuts from 0.1 % to 30 % of the cases, increasing."""
    score = np.random.default_rng(2).permutation(np.arange(101_000) / 101_000)
    assert pass_cuts(score) == pytest.approx(np.arange(1, 101) * 1000 / 101_000)
    blocked = [(score >= cut).sum() for cut in block_cuts(score)]
    assert (blocked[0], blocked[-1]) == (30_300, 101)
    assert np.diff(blocked).max() < 0
    assert len(blocked) == 100


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_clopper_pearson_agrees_with_testing_cut_by_cut(seed: int) -> None:
    """A plain loop over the grid with the exact test of one share finds the same boundary."""
    cases = _drawn(8000, seed)
    low = high = None
    for flag in pass_cuts(cases.score):
        missed = int((cases.bad & (cases.score < flag)).sum())
        if share_is_below(missed, int(cases.bad.sum()), 0.01) <= 0.7 * 0.05 / 100:
            low = float(np.nextafter(flag, -1.0))
    for cut in block_cuts(cases.score)[::-1]:
        zone = cases.score >= cut
        if (
            share_is_below(int((zone & ~cases.bad).sum()), int(zone.sum()), 0.05)
            <= 0.3 * 0.05 / 100
        ):
            high = float(cut)
    found = clopper_pearson(cases, TARGETS)
    assert found.pass_at_or_below == low
    assert found.block_at_or_above == high


def test_clopper_pearson_needs_some_hundreds_of_bad_cases() -> None:
    """With no miss seen .99^B must fall to .7 * .05 / 100: B = 792; 700 prove nothing, 800 do."""
    assert 0.99**792 <= 0.7 * 0.05 / 100 < 0.99**791
    for bad, proven in [(700, False), (800, True)]:
        score = np.concatenate([np.linspace(0.0, 0.4, 5000), np.linspace(0.6, 1.0, bad)])
        cases = Labelled(score, score > 0.5, np.ones(len(score)))
        assert (clopper_pearson(cases, TARGETS).pass_at_or_below is not None) is proven


def test_mapie_is_between_the_exact_test_and_the_observed_share() -> None:
    """Holm's steps reject all that Bonferroni does, and a controlled risk lies below its target."""
    cases = _drawn(60_000, 3)
    found, narrow, naive = (method(cases, TARGETS) for method in (mapie, clopper_pearson, plug_in))
    assert 0 < _passed(narrow, cases) <= _passed(found, cases) <= _passed(naive, cases)
    assert 0 < _blocked(narrow, cases) <= _blocked(found, cases) <= _blocked(naive, cases)


def test_tuned_cv_meets_the_constraint_in_every_fold() -> None:
    """Each of the five stratified folds keeps recall .99 and precision .95 at the chosen cuts."""
    cases = _drawn(40_000, 4)
    found = tuned_cv(cases, TARGETS)
    assert found.pass_at_or_below is not None
    assert found.block_at_or_above is not None
    # Unshuffled stratified folds deal each class out in its order of appearance, in five runs.
    for bad, good in zip(
        np.array_split(np.flatnonzero(cases.bad), 5),
        np.array_split(np.flatnonzero(~cases.bad), 5),
        strict=True,
    ):
        missed = (cases.score[bad] <= found.pass_at_or_below).sum()
        caught = (cases.score[bad] >= found.block_at_or_above).sum()
        falsely = (cases.score[good] >= found.block_at_or_above).sum()
        # Folds may differ from these by one case at their ends.
        assert missed <= 0.01 * len(bad) + 1
        assert falsely <= 0.05 * (caught + falsely) + 1


def test_ipw_wald_weighs_each_case_by_its_design() -> None:
    """Its cut is the last of the grid whose limit, written out for that cut alone, is met."""
    score, bad = WORLD.draw(np.random.default_rng(8), 60_000)
    propensity = np.where(score <= 0.001, 0.25, 1.0)
    seen = np.random.default_rng(9).random(60_000) < propensity
    cases = Labelled(score[seen], bad[seen], 1.0 / propensity[seen])

    def upper(error: np.ndarray, zone: np.ndarray, delta: float) -> float:
        weight, wrong = cases.weight[zone], error[zone]
        share = (weight * wrong).sum() / weight.sum()
        deviation = math.sqrt((weight**2 * (wrong - share) ** 2).sum()) / weight.sum()
        return float(share + stats.norm.ppf(1.0 - delta) * deviation)

    flags = [
        flag
        for flag in pass_cuts(cases.score)
        if upper(cases.score < flag, cases.bad, 0.7 * 0.05) <= 1.0 - 0.99
    ]
    cuts = [
        cut
        for cut in block_cuts(cases.score)
        if upper(~cases.bad, cases.score >= cut, 0.3 * 0.05) <= 1.0 - 0.95
    ]
    found = ipw_wald(cases, TARGETS)
    assert found == Boundary(float(np.nextafter(max(flags), -1.0)), float(min(cuts)))


@pytest.mark.parametrize("name", ["tuned_cv", "mapie", "clopper_pearson"])
def test_a_score_that_tells_nothing_automates_nothing(name: str) -> None:
    """No cut keeps recall .99 or precision .95 where good and bad cases score alike."""
    rng = np.random.default_rng(10)
    cases = Labelled(rng.random(2000), rng.random(2000) < 0.1, np.ones(2000))
    assert PEERS[name](cases, TARGETS).automates_nothing


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_changes_nothing_it_is_given(name: str) -> None:
    """All methods of a repetition read the same arrays, so none may sort them in place."""
    cases = _drawn(5000, 12)
    before = cases.score.copy(), cases.bad.copy(), cases.weight.copy()
    PEERS[name](cases, TARGETS)
    assert all(
        np.array_equal(old, new)
        for old, new in zip(before, (cases.score, cases.bad, cases.weight), strict=True)
    )


def test_labelled_cases_must_be_there_and_match() -> None:
    """No case, or columns of different lengths, are refused."""
    with pytest.raises(ValueError, match="at least one labelled case"):
        Labelled(np.array([]), np.array([], dtype=bool), np.array([]))
    with pytest.raises(ValueError, match="one value a case"):
        Labelled(np.array([0.1, 0.2]), np.array([True]), np.array([1.0, 1.0]))
