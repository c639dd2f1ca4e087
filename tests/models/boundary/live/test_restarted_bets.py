"""Bets against a live promise: honest on every night, and not ruined by a long good past."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.guardrail import check
from models.boundary import Evidence
from models.boundary.live.restarted_bets import (
    TIMES_THE_LIMIT,
    Counted,
    block_refuted,
    pass_refuted,
    recall_refuted,
    refuting_capital,
    start_shares,
)
from models.boundary.proof import betting

START = pd.Timestamp("2026-01-01", tz="UTC")  # a Thursday, as 1 January 1970 was: a week begins


def evidence(rows: list[tuple[int, float, float | None, float]]) -> Evidence:
    """rows: (day, score, bad or None, propensity); all of them were drawn."""
    day, score, bad, propensity = zip(*rows, strict=True)
    return Evidence.from_frame(
        pd.DataFrame(
            {
                "opened_at": START + pd.to_timedelta(day, unit="D"),
                "score": score,
                "bad": np.array(bad, dtype=np.float64),
                "propensity": propensity,
                "drawn": True,
            }
        )
    )


def test_the_shares_of_all_weeks_add_up_to_one() -> None:
    """1/2 + 1/2 (1/2 + 1/6 + 1/12 + ...): what is left after 1,000 weeks is 1/2 of 1/1,000."""
    assert start_shares(1).tolist() == [0.5]
    np.testing.assert_allclose(start_shares(4), [0.5, 0.5 / 2, 0.5 / 6, 0.5 / 12])
    assert start_shares(1_000).sum() == pytest.approx(1.0 - 0.5 / 1_000)


def test_the_capital_is_what_a_wallet_of_bets_holds() -> None:
    """Three weeks, reckoned case by case: each bet is put on the table in its week and played on."""
    rows = [(0, 0.5, 1.0, 1.0), (8, 0.05, 1.0, 0.1), (9, 0.5, 1.0, 1.0), (15, 0.05, 1.0, 0.1)]
    recall, cut = 0.9, 0.1
    wallet = 1.0 - sum(start_shares(3))
    for times in TIMES_THE_LIMIT:
        stake = min((times - 1.0) / (0.9 * 10.0), 0.97 / (0.1 * 10.0))
        for week, share in enumerate(start_shares(3)):
            won = share / len(TIMES_THE_LIMIT)
            for day, score, _, propensity in rows:
                if day // 7 >= week:
                    won *= 1.0 + stake * ((0.9 if score <= cut else -0.1) / propensity)
            wallet += won
    assert recall_refuted(evidence(rows), recall, cut) == pytest.approx(wallet, rel=1e-12)


@pytest.mark.parametrize("audit", [1.0, 0.25])
def test_under_a_promise_just_kept_the_mean_capital_is_one(audit: float) -> None:
    """Every world of four bad cases over three weeks, weighted by its probability: 4 in 10 missed,
    seen with the audit's probability when missed and always when caught."""
    recall, days = 0.6, (0, 3, 9, 16)
    mean = 0.0
    for world in product(("caught", "seen", "unseen"), repeat=len(days)):
        chance = float(np.prod([{"caught": 0.6, "seen": 0.4 * audit,
                                 "unseen": 0.4 * (1.0 - audit)}[each] for each in world]))  # fmt: skip
        # Cases that are not bad count for nothing; they say which weeks there are, and the design.
        rows = [(day, score, 0.0, audit) for day in (0, 7, 16) for score in (0.05,)]
        rows += [
            (day, 0.5 if each == "caught" else 0.05, 1.0, 1.0 if each == "caught" else audit)
            for day, each in zip(days, world, strict=True)
            if each != "unseen"
        ]
        mean += chance * recall_refuted(evidence(rows), recall, 0.1)
    assert mean == pytest.approx(1.0, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from([0.05, 0.5, 0.95]),
            st.booleans(),
            st.booleans(),
            st.sampled_from([0.1, 0.5, 1.0]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_a_label_that_is_not_in_yet_never_speaks_against_a_promise(
    rows: list[tuple[int, float, bool, bool, float]],
) -> None:
    """Whatever it turns out to be: so an alarm is one that the whole truth of those cases raises."""
    known = evidence([(day, score, float(bad), rate) for day, score, bad, _, rate in rows])
    late = evidence(
        [(day, score, None if wait else float(bad), rate) for day, score, bad, wait, rate in rows]
    )
    slack = 1.0 + 1e-9
    assert recall_refuted(late, 0.99, 0.1) <= recall_refuted(known, 0.99, 0.1) * slack
    assert pass_refuted(late, 0.002, 0.1) <= pass_refuted(known, 0.002, 0.1) * slack
    assert block_refuted(late, 0.95, 0.9) <= block_refuted(known, 0.95, 0.9) * slack


def test_after_a_long_good_past_a_change_is_found_sooner() -> None:
    """300 good days, then 12 missed cases among 300: one bet has not won back what it lost."""
    past = [(day, 0.5, 1.0, 1.0) for day in range(300) for _ in range(100)]
    past += [(day, 0.05, 1.0, 0.1) for day in range(0, 300, 20)]
    broken = [(300 + day, 0.5, 1.0, 1.0) for day in range(3) for _ in range(96)]
    broken += [(300 + day, 0.05, 1.0, 0.1) for day in range(3) for _ in range(4)]
    seen = evidence(past + broken)
    assert betting.recall_refuted(seen, 0.99, 0.1) < 1.0
    assert recall_refuted(seen, 0.99, 0.1) > 1_000.0
    assert recall_refuted(evidence(past), 0.99, 0.1) < 1.0


def test_twice_a_false_omission_of_two_in_a_thousand_is_found() -> None:
    """36,000 audited passes with .4 % bad; stakes that suit a limit of one half would lose it all."""
    rows = [(day, 0.05, float(case == 0), 0.1) for day in range(144) for case in range(250)]
    seen = evidence(rows)
    assert pass_refuted(seen, 0.002, 0.1) > 1_000.0
    assert betting.pass_refuted(seen, 0.002, 0.1) < 1.0
    assert pass_refuted(seen, 0.004, 0.1) < 1.0


def test_a_false_omission_counts_what_is_passed_and_drawn_and_nothing_else() -> None:
    """Bad cases above the cut, and drawn ones that nobody may pass, say nothing about it."""
    kept = [(day, 0.05, 0.0, 0.1) for day in range(30) for _ in range(20)]
    alone = pass_refuted(evidence(kept), 0.002, 0.1)
    assert alone < 1.0
    caught = [(day, 0.5, 1.0, 0.1) for day in range(30) for _ in range(20)]
    assert pass_refuted(evidence(kept + caught), 0.002, 0.1) == alone
    unseen = Evidence.from_frame(
        pd.DataFrame(
            {
                "opened_at": START + pd.to_timedelta([row[0] for row in kept] * 2, unit="D"),
                "score": 0.05,
                "bad": [0.0] * len(kept) + [np.nan] * len(kept),
                "propensity": 0.1,
                "drawn": [True] * len(kept) + [False] * len(kept),
            }
        )
    )
    assert pass_refuted(unseen, 0.002, 0.1) == pytest.approx(alone, rel=1e-12)


def test_a_case_on_the_cut_is_decided_and_guarded() -> None:
    """At the cut exactly a case is passed, or blocked: broken promises there are found."""
    bad = evidence([(day, 0.1, 1.0, 0.5) for day in range(40) for _ in range(5)])
    assert pass_refuted(bad, 0.002, 0.1) > 1_000.0
    assert pass_refuted(bad, 0.002, np.nextafter(0.1, 0.0)) == 1.0
    good = evidence([(day, 0.9, 0.0, 0.5) for day in range(40) for _ in range(5)])
    assert block_refuted(good, 0.95, 0.9) > 1_000.0
    assert block_refuted(good, 0.95, np.nextafter(0.9, 1.0)) == 1.0
    missed = evidence([(day, 0.1, 1.0, 0.5) for day in range(40)])
    assert recall_refuted(missed, 0.99, 0.1) > 1_000.0
    assert recall_refuted(missed, 0.99, np.nextafter(0.1, 0.0)) < 1.0


def test_nothing_is_won_or_lost_without_a_counted_case() -> None:
    """No case, or none that the promise counts: the capital is whole."""
    assert recall_refuted(Evidence.none(), 0.99, 0.1) == 1.0
    good = evidence([(day, 0.05, 0.0, 0.1) for day in range(30)])
    assert recall_refuted(good, 0.99, 0.1) == pytest.approx(1.0, abs=1e-12)


def test_a_side_that_is_audited_more_seldom_takes_nothing_from_the_other() -> None:
    """Blocks audited at 1 %: only the boldest stake on the passed gives way (to 10.7 times)."""
    rows = [(0, 0.05, 1.0, 0.1), (0, 0.5, 1.0, 1.0)]
    alone = recall_refuted(evidence(rows), 0.99, 0.1)
    beside = recall_refuted(evidence([*rows, (0, 0.95, 0.0, 0.01)]), 0.99, 0.1)
    assert alone > 3.0
    assert 0.8 * alone < beside < alone


def test_no_case_takes_all_of_a_bet() -> None:
    """Not even at a limit of a half, with one weight a hundred times another."""
    counted = Counted(
        error=np.array([False] * 50),
        weights=np.array([100.0] * 50),
        week=np.zeros(50, dtype=np.int64),
        limit=0.5,
        heaviest_error=1.0,
        heaviest=100.0,
        weeks=1,
    )
    assert refuting_capital(counted) == pytest.approx(0.5, abs=1e-3)  # the half in cash


def test_nights_reckoned_from_numbers_agree_with_single_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The benchmark's road and the guard's own, 40 capitals."""
    assert check() == 0
    assert capsys.readouterr().out.startswith("0 of 40")
