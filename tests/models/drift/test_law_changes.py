"""Since which window is a share unlike what it was?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from models.drift import (
    CohortWindows,
    Law,
    Moved,
    all_changes,
    bad_share,
    certified_laws,
    first_change,
    volume,
)
from models.drift.law_changes import _p_of_a_rise
from tests.models.drift.cohorts import cohort

REACH = 0.05
EVERY = np.ones(1, dtype=np.bool_)


def watched(
    cases: CohortWindows, *risks: str, alpha: float = 0.01, made: int = 0
) -> tuple[Moved | None, int]:
    laws = certified_laws(cases, risks or ("recall",), REACH, 0.9)
    return first_change(laws, cases.sizes, alpha=alpha, made=made)


def one_law(trials: list[float], errors: list[float], name: str = "recall") -> Law:
    return Law(name, np.array([0.2]), np.array([trials]).T, np.array([errors]).T, EVERY)


def test_bad_cases_that_moved_towards_the_pass_side_are_found_where_they_did() -> None:
    """From window 6 on bad cases are half a standard deviation closer."""
    moves = [0.0] * 6 + [0.5] * 6
    found, _ = watched(cohort(np.random.default_rng(1), 2_000, 12, towards=moves))
    assert found is not None
    assert (found.law, found.rose) == ("recall", True)
    assert abs(found.window - 6) <= 1
    assert found.window <= found.found < 12
    assert found.later > 1.25 * found.earlier


def test_a_small_move_shows_over_several_windows() -> None:
    moves = [0.0] * 10 + [0.35] * 10
    found, _ = watched(cohort(np.random.default_rng(2), 1_500, 20, towards=moves))
    assert found is not None
    assert found.found > found.window >= 10 - 1


@pytest.mark.parametrize(
    "moves",
    [
        {"good": [0.0] * 6 + [0.5] * 6},
        {"base_rate": [0.1] * 6 + [0.2] * 6},
        {"towards": [0.0] * 6 + [-0.5] * 6},
    ],
    ids=["good cases moved", "twice as many bad cases", "bad cases moved away"],
)
def test_what_leaves_recall_as_it_was_ends_nothing(moves: dict[str, list[float]]) -> None:
    found, made = watched(cohort(np.random.default_rng(3), 2_000, 12, **moves))
    assert found is None
    assert made == 11


def test_more_bad_cases_are_worse_for_false_omission_and_fewer_are_not() -> None:
    more = cohort(np.random.default_rng(4), 3_000, 12, base_rate=[0.1] * 6 + [0.2] * 6)
    found, _ = watched(more, "false_omission_rate")
    assert found is not None
    assert found.law == "false_omission_rate"
    fewer = cohort(np.random.default_rng(4), 3_000, 12, base_rate=[0.2] * 6 + [0.1] * 6)
    assert watched(fewer, "false_omission_rate")[0] is None
    found, _ = watched(fewer, "precision")
    assert found is not None
    assert found.law == "precision"


def test_later_windows_do_not_change_what_was_found_at_earlier_ones() -> None:
    moves = [0.0] * 6 + [0.5] * 6
    whole = cohort(np.random.default_rng(5), 2_000, 12, towards=moves)
    laws = certified_laws(whole, ["recall"], REACH, None)
    found, _ = first_change(laws, whole.sizes)
    assert found is not None
    for size in range(2, 13):
        part = [
            Law(one.name, one.cuts, one.trials[:size], one.errors[:size], one.tested)
            for one in laws
        ]
        again, _ = first_change(part, whole.sizes[:size])
        assert again == (found if size > found.found else None)


def test_comparisons_go_on_from_those_that_were_paid_for() -> None:
    """2 of 1,000 and then 16 of 1,000: the tail is .0007, below .01 * 6 / pi^2 and above a fifth
    of a fifth of it."""
    law, sizes = one_law([1_000, 1_000], [2, 16]), np.array([1_000, 1_000])
    tail = float(stats.binom.sf(15, 18, 0.5))
    assert 0.01 * 0.608 / 25 < tail < 0.01 * 0.608
    found, made = first_change([law], sizes)
    assert found is not None
    assert found.p_value == pytest.approx(tail)
    assert made == 1
    assert first_change([law], sizes, made=4) == (None, 5)


def test_a_rise_of_less_than_the_floor_is_no_change() -> None:
    """A fifth more, however sure."""
    many = 1_000_000
    assert (
        first_change([one_law([many, many], [50_000, 60_000])], np.array([many, many]))[0] is None
    )
    found, _ = first_change([one_law([many, many], [50_000, 64_000])], np.array([many, many]))
    assert found is not None


def test_cuts_that_are_not_under_test_show_no_change_and_pay_all_the_same() -> None:
    trials, sizes = np.full((2, 2), 1_000.0), np.array([1_000, 1_000])
    errors = np.array([[10.0, 10.0], [10.0, 200.0]])
    cuts = np.array([0.1, 0.2])
    inner = Law("recall", cuts, trials, errors, np.array([True, False]))
    assert first_change([inner], sizes)[0] is None
    both = Law("recall", cuts, trials, errors, np.array([True, True]))
    found, _ = first_change([both], sizes)
    assert found is not None
    assert found.cut == 0.2


def test_small_windows_wait_for_each_other() -> None:
    """Windows of 60 cases: four of them together are judged."""
    _, made = watched(cohort(np.random.default_rng(6), 60, 12))
    assert made == 2
    assert watched(cohort(np.random.default_rng(6), 60, 6)) == (None, 0)


def test_told_changes_go_both_ways_and_begin_anew() -> None:
    shares = [0.1] * 6 + [0.2] * 6 + [0.1] * 6
    cases = cohort(np.random.default_rng(7), 2_000, 18, base_rate=shares)
    found = all_changes([bad_share(cases)], cases.sizes)
    assert [(one.window, one.rose) for one in found] == [(6, True), (12, False)]


def test_fewer_cases_a_day_are_told() -> None:
    counts = np.array([700, 720, 690, 705, 300, 310])
    (found,) = all_changes([volume(counts, 7.0)], counts, factor=1.5)
    assert found.window == 4
    assert found.sentence == ("Fewer cases come: 43 a day, 101 a day before.")
    slow = np.array([700, 720, 690, 705, 600, 610])
    assert all_changes([volume(slow, 7.0)], slow, factor=1.5) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("recall", "Bad cases moved towards the pass side: 4.00% of 500 bad cases score"),
        ("false_omission_rate", "bad cases among those that score low rose: 4.00% of 500 cases"),
        ("precision", "good cases among those that score high rose: 4.00% of 500 cases"),
        ("bad_share", "The share of bad cases rose: 4.00% of 500 cases are bad, 1.00% of 2,000"),
    ],
)
def test_the_sentence_says_what_moved_from_where_to_where(name: str, words: str) -> None:
    law = one_law([2_000, 500], [20, 20], name)
    found, _ = first_change([law], np.array([2_000, 500]))
    assert found is not None
    assert words in found.sentence
    assert found.sentence.endswith("1.00% of 2,000 before.")


def test_the_tail_is_the_binomial_one_and_above_fishers() -> None:
    """Second road: scipy's tails of the same counts."""
    for trials, errors, more_trials, more in [(900, 3, 400, 9), (900, 200, 400, 120)]:
        at = [np.array([float(number)]) for number in (trials, errors, more_trials, more)]
        found = float(_p_of_a_rise(*at)[0])
        share = more_trials / (trials + more_trials)
        assert found == pytest.approx(float(stats.binom.sf(more - 1, errors + more, share)))
        table = [[more, more_trials - more], [errors, trials - errors]]
        assert found >= float(stats.fisher_exact(table, alternative="greater").pvalue)


def test_false_ends_stay_below_alpha_over_a_whole_life() -> None:
    """Simulated: 300 lives of 30 windows at alpha .05, recall, precision and false omission together,
    without the floor on size. At most .05 is expected; 26 of 300 are 3 standard errors above."""
    generator = np.random.default_rng(8)
    wrong = 0
    for _ in range(300):
        cases = cohort(generator, 250, 30)
        laws = certified_laws(cases, ["recall", "false_omission_rate", "precision"], REACH, 0.9)
        wrong += first_change(laws, cases.sizes, alpha=0.05, factor=1.0)[0] is not None
    assert wrong <= 26


def test_one_alpha_covers_all_sequences_of_a_life() -> None:
    """Simulated: 400 lives of 24 windows in which a new sequence begins every six windows, alpha .2
    and no floor. .2 allows 80 lives with a false end; 24 more are 3 standard errors. Were each
    sequence given alpha anew, up to .59 would be allowed."""
    generator = np.random.default_rng(9)
    wrong = 0
    for _ in range(400):
        made = 0
        errors = generator.binomial(400, 0.1, 24).astype(float)
        for begins, ends in pairwise(range(0, 25, 6)):
            law = one_law([400.0] * 6, errors[begins:ends].tolist())
            found, made = first_change([law], np.full(6, 400), alpha=0.2, made=made, factor=1.0)
            if found is not None:
                wrong += 1
                break
    assert made == 20  # five comparisons a sequence, all numbered on
    assert 0 < wrong <= 104
