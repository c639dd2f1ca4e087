"""Do the worlds know the truth of their own cases?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.worlds import (
    BetaWorld,
    ExchangePlan,
    GaussianWorld,
    PoolWorld,
    World,
    exchange_world,
    family,
    without_crossing,
)
from models.vocabulary import Boundary, Targets

TARGETS = Targets(precision=0.95, recall=0.99)
LIMIT = 1e-6


def _small_pool() -> PoolWorld:
    """50,000 cases; scores in steps of 0.00001, so that there are ties."""
    scores, bad = GaussianWorld().draw(np.random.default_rng(11), 50_000)
    return PoolWorld("small", np.round(scores, 5), bad)


WORLDS = [
    pytest.param(GaussianWorld(), id="gaussian"),
    pytest.param(GaussianWorld("gaussian_near", distance=2.5), id="gaussian_near"),
    pytest.param(BetaWorld(), id="beta"),
    pytest.param(_small_pool(), id="pool"),
]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("cut", [0.002, 0.01, 0.5, 0.9])
def test_the_exact_shares_are_those_of_a_large_draw(world: World, cut: float) -> None:
    """Within 5 standard errors of 400,000 drawn cases: of 64 comparisons none should stray so far."""
    score, bad = world.draw(np.random.default_rng(5), 400_000)
    passed, blocked = score <= cut, score >= cut
    for truth, hits, trials in [
        (world.share_passed(cut), passed.sum(), len(score)),
        (world.share_blocked(cut), blocked.sum(), len(score)),
        (world.true_miss_share(cut), (passed & bad).sum(), bad.sum()),
        (world.true_false_share(cut), (blocked & ~bad).sum(), blocked.sum()),
    ]:
        error = np.sqrt(truth * (1.0 - truth) / trials)
        assert abs(hits / trials - truth) <= 5.0 * error


@pytest.mark.parametrize("world", [GaussianWorld(), BetaWorld()], ids=["gaussian", "beta"])
def test_scores_of_the_closed_form_families_are_calibrated(world: World) -> None:
    """In each of 5 bands of score the bad are as many as the scores say, within 5 standard errors."""
    score, bad = world.draw(np.random.default_rng(6), 400_000)
    for low, high in [(0.0, 0.01), (0.01, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.0)]:
        band = (score > low) & (score <= high)
        error = np.sqrt((score[band] * (1.0 - score[band])).sum())
        assert abs(bad[band].sum() - score[band].sum()) <= 5.0 * error


@pytest.mark.parametrize("world", WORLDS)
def test_the_oracle_keeps_both_promises_and_nothing_wider_does(world: World) -> None:
    """A pass cut half as high again, or a block cut lower by .02, breaks its side."""
    oracle = world.oracle(TARGETS)
    low, high = oracle.pass_at_or_below, oracle.block_at_or_above
    assert low is not None
    assert high is not None
    assert not world.breaks(oracle, TARGETS)
    assert world.breaks(Boundary(low * 1.5, high), TARGETS)
    assert world.breaks(Boundary(low, high - 0.02), TARGETS)


@pytest.mark.parametrize("world", [GaussianWorld(), GaussianWorld("near", 2.5), BetaWorld()])
def test_the_oracle_of_a_continuous_score_meets_its_limits_exactly(world: World) -> None:
    """Miss share 1 - .99 and false share 1 - .95, and automation that is neither nothing nor all."""
    oracle = world.oracle(TARGETS)
    assert world.miss_share(oracle) == pytest.approx(1.0 - 0.99, rel=LIMIT)
    assert world.false_share(oracle) == pytest.approx(1.0 - 0.95, rel=LIMIT)
    assert 0.5 < world.automation(oracle) < 0.9


@pytest.mark.parametrize("world", WORLDS)
def test_an_incumbent_automates_its_fraction_of_each_side(world: World) -> None:
    """0.8 of what the oracle passes and 0.8 of what it blocks; ties of the pool move it by 2 %."""
    oracle, today = world.oracle(TARGETS), world.incumbent(TARGETS, 0.8)
    assert today.pass_at_or_below is not None
    assert today.block_at_or_above is not None
    passed = world.share_passed(today.pass_at_or_below)
    blocked = world.share_blocked(today.block_at_or_above)
    assert passed == pytest.approx(0.8 * world.share_passed(oracle.pass_at_or_below), rel=0.02)
    assert blocked == pytest.approx(0.8 * world.share_blocked(oracle.block_at_or_above), rel=0.02)
    assert not world.breaks(today, TARGETS)


@given(
    cases=st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40).filter(
        lambda cases: any(bad for _, bad in cases)
    ),
    cut=st.integers(0, 6),
)
def test_the_truth_of_a_pool_is_what_counting_gives(
    cases: list[tuple[int, bool]], cut: int
) -> None:
    """Ties included, for every cut on and between the scores."""
    score = np.array([rank / 6.0 for rank, _ in cases])
    bad = np.array([is_bad for _, is_bad in cases])
    world, at = PoolWorld("any", score, bad), cut / 6.0
    passed, blocked = score <= at, score >= at
    assert world.share_passed(at) == pytest.approx(passed.mean())
    assert world.share_blocked(at) == pytest.approx(blocked.mean())
    assert world.true_miss_share(at) == pytest.approx((passed & bad).sum() / bad.sum())
    expected = (blocked & ~bad).sum() / blocked.sum() if blocked.any() else 0.0
    assert world.true_false_share(at) == pytest.approx(expected)


def test_a_draw_is_a_function_of_its_generator() -> None:
    """The same seed gives the same cases, another one does not."""
    world = BetaWorld()
    first = world.draw(np.random.default_rng(1), 50)
    again = world.draw(np.random.default_rng(1), 50)
    other = world.draw(np.random.default_rng(2), 50)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_the_exchange_pool_is_built_once_and_read_back_the_same(tmp_path: Path) -> None:
    """A small pool: the second world comes from the file, which a commit ignores."""
    plan = ExchangePlan(cases_per_day=2000, training_days=4, pool_days=2)
    built = exchange_world(tmp_path, plan)
    written = (tmp_path / plan.file_name).stat().st_mtime_ns
    read = exchange_world(tmp_path, plan)
    assert (tmp_path / plan.file_name).stat().st_mtime_ns == written
    assert built.recipe == read.recipe
    assert len(read.scores) > 3000
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_cuts_that_meet_automate_everything_under_the_block_cut() -> None:
    """No score both passes and blocks; apart they stay as they are."""
    assert without_crossing(0.2, 0.7) == Boundary(0.2, 0.7)
    assert without_crossing(0.7, 0.7) == Boundary(float(np.nextafter(0.7, 0.0)), 0.7)
    assert without_crossing(0.5, 0.0) == Boundary(None, 0.0)
    assert without_crossing(None, None) == Boundary.everything_reviewed()


def test_an_unknown_family_is_refused_by_name(tmp_path: Path) -> None:
    """The message lists the families there are."""
    with pytest.raises(ValueError, match="gaussian, gaussian_near, beta, exchange"):
        family("cauchy", tmp_path)


def test_a_world_refuses_promises_it_cannot_judge() -> None:
    """Recall and precision, both, and nothing else."""
    with pytest.raises(ValueError, match="false_omission_rate"):
        GaussianWorld().oracle(Targets(false_omission_rate=0.002))
