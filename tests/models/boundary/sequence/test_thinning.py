"""How a design becomes a cohort, and what draws from the store may ask (METHODS 1.2)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.boundary import (
    CertificationSequence,
    from_store,
    in_cohort,
    in_reserve,
    reviewable_range,
    thinned,
)
from models.boundary.proof.candidates import just_above, just_below
from models.boundary.sequence.look_table import LookTable, look_table
from models.vocabulary import Targets
from tests.models.boundary.worlds import cut_where, most_violations, true_recall, world

BETA, DELTA, FIRST = 0.05, 0.035, 400
LIVES, TICKS, BAD_A_TICK = 2_000, 60, 40


def test_a_draw_from_the_store_asks_for_the_uniform_alone() -> None:
    """Old rate <= u < new rate: what surfaced by itself joins like any other, and twice is once."""
    cases = pd.DataFrame(
        {
            "uniform": [0.05, 0.10, 0.25, 0.25, 0.30, 0.90],
            "cohort_rate": [0.10, 0.10, 0.10, 0.20, 0.10, 1.00],
            "surfaced": [False, True, False, True, False, True],
        }
    )
    joins = from_store(cases, 0.3)
    assert joins.tolist() == [False, True, True, True, False, False]
    again = cases.assign(cohort_rate=cases["cohort_rate"].clip(lower=0.3))
    assert not from_store(again, 0.3).any()
    in_steps = from_store(cases, 0.2) | from_store(
        cases.assign(cohort_rate=cases["cohort_rate"].clip(lower=0.2)), 0.3
    )
    assert in_steps.tolist() == joins.tolist()


def test_the_reserve_is_the_held_back_slice_and_half_of_the_cohort() -> None:
    member = np.array([True, True, False, False])
    held_back = np.array([False, False, True, False])
    second = np.array([0.49, 0.5, 0.9, 0.1])
    assert in_reserve(member, held_back, second).tolist() == [True, False, True, False]


def test_thinning_gives_every_drawn_case_one_probability() -> None:
    """Rates .5, .1 and 1 (escalated), least .1: each is kept with .1 in all, within 4 errors."""
    rng = np.random.default_rng(1)
    propensity = np.repeat([0.5, 0.1, 1.0], 40_000)
    drawn = rng.random(120_000) < propensity
    kept = thinned(propensity, drawn, rng.random(120_000), 0.1)
    shares = kept.reshape(3, 40_000).mean(axis=1)
    np.testing.assert_allclose(shares, 0.1, atol=4 * np.sqrt(0.1 * 0.9 / 40_000))
    assert not kept[~drawn].any()


def test_the_least_rate_is_the_designs_not_the_labels() -> None:
    """The pass zone's audit at 2 % found nobody; its rate still sets the thinning."""
    score = np.array([0.1, 0.2, 0.5, 0.9, 0.95])
    propensity = np.array([0.02, 0.1, 1.0, 0.01, 0.0])
    # Blocks above every cut asked for may be audited less, or not at all.
    assert reviewable_range(score, propensity, highest=0.6) == (0.02, 0.6)
    least, ceiling = reviewable_range(score, propensity)
    assert least == 0.01
    assert 0.9 < ceiling < 0.95
    with pytest.raises(ValueError, match="rate above 0"):
        reviewable_range(score, np.zeros(5))


def test_another_agents_design_is_proven_as_a_cohort() -> None:
    """Audits at .3 and .1 by score, escalations labelled: thinned to .1, 40 simulated lives break
    recall about as often as promised; with every label taken as a member they nearly always do."""
    cut = cut_where(true_recall, 0.99)
    broken = {"thinned": 0, "labels": 0}
    for seed in range(40):
        rng = np.random.default_rng([7, seed])
        frame = world(rng, 120_000)[["score", "bad"]]
        score = frame["score"].to_numpy()
        propensity = np.where(score < cut / 2, 0.3, np.where(score < 4 * cut, 0.1, 1.0))
        drawn = rng.random(len(frame)) < propensity
        least, ceiling = reviewable_range(score, propensity)
        members = thinned(propensity, drawn, rng.random(len(frame)), least)
        for name, kept in (("thinned", members), ("labels", drawn)):
            found = CertificationSequence.start(
                Targets(recall=0.99, delta=0.1), frame[kept], ceiling=ceiling
            ).proven_by_recall
            broken[name] += found is not None and found > cut
    assert broken["thinned"] <= most_violations(40, 0.1)
    assert broken["labels"] > 30


def test_cuts_beside_a_score_hold_in_32_bits() -> None:
    """Just below excludes it and just above includes it, in both precisions."""
    for score in (0.1, 0.3, 0.7, 1e-3, 0.999999, 1.0):
        below, above = just_below(score), just_above(score)
        assert below is not None
        assert max(below, float(np.float32(below))) < min(score, float(np.float32(score)))
        assert above >= max(score, float(np.float32(score))) or above == 1.0
    assert just_below(0.0) is None


# ---- a whole life under an adversary


def lives(seed: int, table: LookTable) -> float:
    """The share of simulated lives in which a look passes a cut that misses exactly beta.

    An adversary sets the audit's rate anew at every tick and draws the store whenever the next look
    is close to passing; half of the missed bad cases come to light by themselves.
    """
    rng = np.random.default_rng(seed)
    shape = (LIVES, TICKS * BAD_A_TICK)
    uniform, missed = rng.random(shape), rng.random(shape) < BETA
    surfaced = missed & (rng.random(shape) < 0.5)
    rate = np.zeros(shape)
    entered = np.zeros((LIVES, FIRST + shape[1]), dtype=np.bool_)
    entered[:, :FIRST] = rng.random((LIVES, FIRST)) < BETA
    count = np.full(LIVES, FIRST)

    def enter(rows: np.ndarray, joins: np.ndarray, missed: np.ndarray) -> None:
        place = count[rows][:, None] + joins.cumsum(axis=1) - 1
        life = np.broadcast_to(rows[:, None], joins.shape)
        entered[life[joins], place[joins]] = missed[joins]
        count[rows] += joins.sum(axis=1)

    every = np.arange(LIVES)
    sizes, allowed = np.array(table.sizes), np.array(table.allowed)
    for tick in range(TICKS):
        now = slice(tick * BAD_A_TICK, (tick + 1) * BAD_A_TICK)
        next_look = np.minimum(np.searchsorted(sizes, count, side="left"), len(sizes) - 1)
        close = entered.sum(axis=1) <= allowed[next_look] + 3
        rate[:, now] = np.where(close, 0.1, 0.6)[:, None]
        enter(every, in_cohort(uniform[:, now], rate[:, now]), missed[:, now])
        rows = np.flatnonzero(close & (rng.random(LIVES) < 0.3))
        past = slice(0, now.stop)
        cases = pd.DataFrame(
            {
                "uniform": uniform[rows, past].ravel(),
                "cohort_rate": rate[rows, past].ravel(),
                "surfaced": surfaced[rows, past].ravel(),
            }
        )
        joins = from_store(cases, 0.7).reshape(len(rows), now.stop)
        enter(rows, joins, missed[rows, past])
        rate[rows, past] = np.maximum(rate[rows, past], 0.7)
    so_far = entered.cumsum(axis=1)[:, sizes - 1]
    return float(((so_far <= allowed) & (sizes <= count[:, None])).any(axis=1).mean())


def test_an_adversary_who_moves_the_rate_and_draws_the_store_gains_nothing() -> None:
    """2,000 simulated lives; a method that keeps .035 exceeds the limit in one of a hundred tests.
    A store draw that skips what surfaced by itself passes far more often."""
    table = look_table(FIRST, BETA, DELTA, looks=35)
    assert lives(1, table) * LIVES <= most_violations(LIVES, DELTA)
