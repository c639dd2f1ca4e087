"""A closed period's audit (METHODS 7): by hand, by simulation at the limit, and whatever is topped up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boundary.live.period_audit import (
    LAMBDAS,
    Period,
    PeriodVerdict,
    audited_period,
    capital_path,
    fewest_breaking,
)

NAN = np.nan
Bools = npt.NDArray[np.bool_]


def pool(cases: int, misses: int, draw: np.random.Generator) -> Bools:
    """So many bad cases at random places: the keyed order of a closed period."""
    bad = np.zeros(cases, dtype=np.bool_)
    bad[draw.choice(cases, misses, replace=False)] = True
    return bad


def period(missed: npt.ArrayLike, caught: int, **more: float) -> Period:
    """Nothing is doubted and nothing is open but the rest of the order."""
    truth = np.asarray(missed, dtype=np.float64)
    return Period(truth, truth == 1.0, caught, caught, **more)


@pytest.mark.parametrize(
    ("caught", "share", "breaks"),
    [
        (0, 0.01, 1),  # 1 / 1 is more than .01
        (98, 0.01, 1),  # 1 / 99
        (99, 0.01, 2),  # 1 / 100 is .01, and no more than that
        (1_000, 0.01, 11),  # 10 / 1010 = .0099, 11 / 1011 = .0109
        (90, 0.1, 11),  # 10 / 100 is .1
    ],
)
def test_the_least_number_of_misses_that_breaks_the_promise(
    caught: int, share: float, breaks: int
) -> None:
    assert fewest_breaking(caught, share) == breaks
    assert breaks / (breaks + caught) > share
    assert breaks == 1 or (breaks - 1) / (breaks - 1 + caught) <= share


def test_the_capital_of_a_small_pool_by_hand() -> None:
    """Five cases, and two bad ones would break it: m = 2/5, then 2/4; after a bad one 1/3."""
    found = np.exp(capital_path(np.array([False, False, True]), 5, 2))
    first = np.mean([1 + lam * (2 / 5) for lam in LAMBDAS])
    second = np.mean([(1 + lam * (2 / 5)) * (1 + lam * (2 / 4)) for lam in LAMBDAS])
    third = np.mean(
        [(1 + lam * (2 / 5)) * (1 + lam * (2 / 4)) * (1 + lam * (2 / 3 - 1)) for lam in LAMBDAS]
    )
    np.testing.assert_allclose(found, [1.0, first, second, third], rtol=1e-12)


def test_what_can_no_longer_be_broken_is_proven_for_certain() -> None:
    """Four of five are good: two bad ones do not fit into what is left, whatever alpha is."""
    told = audited_period(period([0, 0, 0, 0, NAN], 90, miss_share=0.02, alpha=1e-9))
    assert (told.breaks_at, told.verdict, told.likely_more) == (2, PeriodVerdict.PROVEN, 0)


def test_a_pool_seen_whole_is_judged_as_it_is() -> None:
    """10 of 1,010 bad cases were passed, which 1 % allows; 11 of 1,011 break it."""
    draw = np.random.default_rng(1)
    kept = audited_period(period(pool(300, 10, draw), 1_000, alpha=1e-6))
    broken = audited_period(period(pool(300, 11, draw), 1_000, alpha=1e-6))
    assert (kept.verdict, broken.verdict) == (PeriodVerdict.PROVEN, PeriodVerdict.REFUTED)
    assert (kept.misses, kept.breaks_at, broken.misses) == (10, 11, 11)


LIVES = 4_000


@pytest.mark.parametrize(("cases", "caught"), [(400, 100), (300, 1_000)])
def test_a_broken_promise_is_rarely_proven_at_any_prefix(cases: int, caught: int) -> None:
    """Exactly as many misses as break it, and a look after every single case (simulated): at most .05
    of 4,000 pools; three standard errors are .0103."""
    draw, breaks = np.random.default_rng(7), fewest_breaking(caught, 0.01)
    wrong = [
        capital_path(pool(cases, breaks, draw), cases, breaks).max() >= np.log(20.0)
        for _ in range(LIVES)
    ]
    assert 0.0 < np.mean(wrong) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / LIVES)


POOLS = 300


def test_a_kept_promise_is_rarely_refuted_before_it_is_seen_whole() -> None:
    """Exactly as many misses as are allowed (simulated), at five looks before the whole is seen: at most
    .05 of 300 pools; three standard errors are .038."""
    draw, wrong = np.random.default_rng(8), 0
    for _ in range(POOLS):
        bad = pool(300, 10, draw).astype(np.float64)
        looks = [np.where(np.arange(300) < end, bad, NAN) for end in (30, 60, 120, 200, 290)]
        told = [audited_period(period(one, 1_000)).verdict for one in looks]
        wrong += PeriodVerdict.REFUTED in told
    assert wrong / POOLS <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / POOLS)


def test_a_pool_far_above_the_limit_is_refuted_from_a_part_of_it() -> None:
    """A tenth of 2,000 is bad where 10 were allowed; the first 100 cases hold some ten."""
    bad = pool(2_000, 200, np.random.default_rng(3)).astype(np.float64)
    told = audited_period(period(np.where(np.arange(2_000) < 60, bad, NAN), 1_000))
    assert (told.verdict, told.likely_more) == (PeriodVerdict.REFUTED, None)
    assert told.misses < told.breaks_at  # by the bets, not by counting


def test_sure_misses_beyond_the_prefix_refute_and_prove_nothing() -> None:
    """Eleven chargebacks anywhere break it, before anybody has reviewed a case."""
    missed = np.full(500, NAN)
    missed[100:111] = 1.0
    told = audited_period(period(missed, 1_000))
    assert (told.verdict, told.reviewed, told.capital) == (PeriodVerdict.REFUTED, 0, 1.0)


def test_doubt_is_held_against_a_proof_and_against_a_refutation() -> None:
    """Eleven misses in one person's word only: neither proven nor refuted."""
    missed = np.where(np.arange(500) % 40 == 30, 1.0, NAN)
    missed[:30], missed[471:] = 0.0, NAN
    doubted = Period(missed, np.zeros(500, dtype=np.bool_), 1_000, 1_000)
    assert audited_period(doubted).verdict is PeriodVerdict.NOT_YET
    sure = replace(doubted, surely_missed=missed == 1.0)
    assert audited_period(sure).verdict is PeriodVerdict.REFUTED
    # Escalated cases without a word yet may be bad, and caught.
    later = replace(sure, caught_at_most=1_200)
    assert audited_period(later).verdict is not PeriodVerdict.REFUTED
    # Ten in a row are no accident where ten of 500 are allowed, once somebody has confirmed them.
    ten = np.where(np.arange(500) < 10, 1.0, NAN)
    row = Period(ten, np.zeros(500, dtype=np.bool_), 1_000, 1_000)
    assert audited_period(row).verdict is PeriodVerdict.NOT_YET
    assert audited_period(replace(row, surely_missed=ten == 1.0)).verdict is PeriodVerdict.REFUTED


def test_as_many_more_cases_as_were_said_prove_it() -> None:
    """If none of them is bad: the last of them, and not the one before."""
    start = np.full(2_000, NAN)
    start[:200], start[50] = 0.0, 1.0
    told = audited_period(period(start, 1_000))
    assert told.verdict is PeriodVerdict.NOT_YET
    assert told.least_more is not None
    assert told.likely_more is not None
    assert told.likely_more > told.least_more
    for more, verdict in ((0, PeriodVerdict.PROVEN), (-1, PeriodVerdict.NOT_YET)):
        topped_up = start.copy()
        topped_up[200 : 200 + told.least_more + more] = 0.0
        assert audited_period(period(topped_up, 1_000)).verdict is verdict


@settings(max_examples=60, deadline=None)
@given(
    bad=st.lists(st.booleans(), min_size=1, max_size=40),
    left=st.integers(0, 40),
    breaks=st.integers(1, 12),
)
def test_the_capital_rises_with_what_would_break_the_promise(
    bad: list[bool], left: int, breaks: int
) -> None:
    """So a count of caught cases that is not complete yet makes the test harder, never easier; and a
    longer prefix begins with the capitals of every shorter one."""
    seen, cases = np.array(bad), len(bad) + left
    few, more = capital_path(seen, cases, breaks), capital_path(seen, cases, breaks + 1)
    possible = np.cumsum(seen) < breaks
    assert (more[1:][possible] >= few[1:][possible] - 1e-9).all()
    half = len(bad) // 2
    np.testing.assert_array_equal(capital_path(seen[:half], cases, breaks), few[: half + 1])


def test_impossible_counts_are_refused() -> None:
    sound = period([0.0, NAN], 5)
    for wrong in ({"caught": -1}, {"caught_at_most": 4}, {"alpha": 1.0}, {"miss_share": 0.0}):
        with pytest.raises(ValueError, match=r"contradict|strictly between"):
            replace(sound, **wrong)
    with pytest.raises(ValueError, match="2 cases and 1 sure words"):
        replace(sound, surely_missed=np.zeros(1, dtype=np.bool_))
