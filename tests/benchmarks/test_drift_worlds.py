"""Does the benchmark of drift worlds simulate what it says, and take the looks the loop would take?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import drift_worlds as bench
from models.boundary import CertificationSequence, delta_of_sequence
from models.boundary.live.restarted_bets import Counted, refuting_capital
from models.vocabulary import Targets


def drawn(name: str, seed: int = 1) -> tuple[bench.World, bench.Cases]:
    world = bench.World.named(name)
    return world, bench.Cases.drawn(world, np.random.default_rng(seed))


@pytest.mark.parametrize("name", bench.WORLDS)
def test_the_truth_of_a_cut_is_that_of_the_cases_drawn(name: str) -> None:
    """Simulated cases of the last 26 weeks, where every move has begun; four standard errors."""
    world, cases = drawn(name)
    late = cases.week >= bench.WEEKS - 26
    weeks = range(bench.WEEKS - 26, bench.WEEKS)
    for cut in (1.0, 2.0):
        below = cases.x[late & cases.bad] <= cut
        told = float(np.mean([world.miss_share(cut, week) for week in weeks]))
        assert abs(below.mean() - told) < 4.0 * np.sqrt(told / len(below))
        passed = cases.x[late] <= cut
        told = float(np.mean([world.passed(cut, week) for week in weeks]))
        assert abs(passed.mean() - told) < 4.0 * 0.5 / np.sqrt(len(passed))


def test_only_the_worlds_of_moving_bad_cases_move_the_promise() -> None:
    cut = bench.DISTANCE + float(bench.norm.ppf(0.008))
    first, last = 0, bench.WEEKS - 1
    for name in bench.WORLDS:
        world = bench.World.named(name)
        rose = world.miss_share(cut, last) > 1.5 * world.miss_share(cut, first)
        assert rose == name.startswith("bads")
    slowly = bench.World.named("bads_slowly").closer
    assert np.diff(slowly).max() == pytest.approx(bench.BADS_CLOSER / bench.SLOWLY)
    assert slowly[-1] == pytest.approx(bench.BADS_CLOSER)


def test_a_score_and_its_place_are_inverse() -> None:
    for x in (-3.0, 0.4, 2.2):
        assert bench.x_of(float(bench.score_of(np.array([x]))[0])) == pytest.approx(x)


def test_looks_taken_at_once_are_those_of_extending_week_by_week() -> None:
    """Second road: the loop's own way."""
    _, cases = drawn("nothing", seed=2)
    life = bench.Life(bench.World.named("nothing"), cases, [])
    proven = life._sequence(1, 4, 12)
    sequence = None
    for week in range(12, bench.WEEKS):
        seen = cases.bad & (cases.week >= 4) & (cases.week < week)
        frame = pd.DataFrame({"score": cases.score[seen], "bad": 1.0})
        if sequence is None:
            targets = Targets(recall=bench.RECALL, delta=delta_of_sequence(bench.DELTA, 1))
            sequence = CertificationSequence.start(targets, frame)
        else:
            sequence = sequence.extend(frame)
        assert proven.by(week) == sequence.proven_by_recall
    assert proven.by(bench.WEEKS - 1) is not None


def test_the_guards_capital_from_counts_is_its_capital_from_rows() -> None:
    """Second road: the guard's own function, a row a bad case."""
    missed, caught = np.array([3, 5, 0, 9]), np.array([800, 820, 790, 805])
    week = np.repeat(np.arange(4), missed + caught)
    error = np.concatenate([np.arange(m + c) < m for m, c in zip(missed, caught, strict=True)])
    rows = Counted(
        error=error,
        weights=np.where(error, 1.0 / bench.RATE, 1.0),
        week=week,
        limit=1.0 - bench.RECALL,
        heaviest_error=1.0 / bench.RATE,
        heaviest=1.0 / bench.RATE,
        weeks=4,
    )
    found = bench.capital_against_recall(missed, caught)
    assert found == pytest.approx(refuting_capital(rows), rel=1e-9)
    assert found > 1.0


def test_evidence_that_is_a_year_old_starts_again_with_its_newer_half() -> None:
    """365 days after week 0 is in week 53, so with its beginning."""
    _, cases = drawn("nothing", seed=3)
    (aged,) = bench.restarts_of_the_certified(cases, hoped=0.01)
    assert (aged.why, aged.found) == ("aged", 53)
    assert aged.begins == int(53 - bench.EVIDENCE_WEEKS / 2.0)


def test_the_former_rule_ends_evidence_for_a_season_and_the_one_in_force_does_not() -> None:
    _, cases = drawn("season", seed=4)
    former = bench.restarts_of_the_former(cases, hoped=0.01)
    assert len(former) >= 2
    assert [one.why for one in bench.restarts_of_the_certified(cases, hoped=0.01)] == ["aged"]


def test_bad_cases_that_moved_at_once_are_found_within_weeks_where_the_former_rule_took_months() -> (
    None
):
    _, cases = drawn("bads_at_once", seed=5)
    (found, *_) = bench.restarts_of_the_certified(cases, 0.01)
    (late, *_) = bench.restarts_of_the_former(cases, 0.01)
    assert bench.MOVES_IN - 1 <= found.begins <= found.found <= bench.MOVES_IN + 4
    assert late.found > found.found + 8
