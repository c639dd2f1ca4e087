"""Which shares are promises about, and what did each window bring?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.drift import CohortWindows, Law, bad_share, certified_laws, volume
from models.drift.check import FEWEST_ROWS
from models.drift.laws import LOW_SHARES, judged_together
from tests.models.drift.cohorts import cohort, of_rows


def law(cases: CohortWindows, risk: str, low: float | None, high: float | None = None) -> Law:
    (found,) = certified_laws(cases, [risk], low, high)
    return found


def test_each_promise_counts_its_own_errors_among_its_own_cases() -> None:
    """Scores .1 to .9; the fourth case is a key user's, the last one is in the block cohort alone."""
    cases = of_rows(
        score=[0.1, 0.2, 0.3, 0.2, 0.8, 0.9, 0.9],
        bad=[0, 1, 0, 1, 1, 0, 0],
        window=[0, 0, 1, 1, 1, 1, 1],
        automatable=[1, 1, 1, 0, 1, 1, 1],
        member=[1, 1, 1, 1, 1, 1, 0],
        block_member=[1, 1, 1, 1, 1, 1, 1],
    )
    recall = law(cases, "recall", 0.5)
    at = int(np.flatnonzero(recall.cuts == 0.2)[0])
    # A bad case of a key user counts among the bad ones and is never missed.
    assert recall.trials[:, at].tolist() == [1, 1 + 1]
    assert recall.errors[:, at].tolist() == [1, 0]
    omission = law(cases, "false_omission_rate", 0.5)
    assert omission.trials[:, at].tolist() == [2, 0]
    assert omission.errors[:, at].tolist() == [1, 0]
    precision = law(cases, "precision", None, 0.8)
    at = int(np.flatnonzero(precision.cuts == 0.9)[0])
    assert precision.trials[:, at].tolist() == [0, 1 + 1]
    assert precision.errors[:, at].tolist() == [0, 1 + 1]
    assert bad_share(cases).errors[:, 0].tolist() == [1, 1 + 1]
    assert volume(np.array([700, 350]), 7.0).trials[:, 0].tolist() == [7.0, 7.0]


def test_the_cuts_are_laid_out_on_the_first_scores_and_on_no_truth() -> None:
    cases = cohort(np.random.default_rng(1), 1_000, 3)
    first = np.sort(cases.score[cases.window == 0])
    wanted = [first[int(np.ceil(share * 1_000)) - 1] for share in LOW_SHARES]
    found = law(cases, "recall", 0.5).cuts
    assert found.tolist() == pytest.approx(wanted)
    others = CohortWindows(
        cases.score, ~cases.bad, cases.automatable, cases.member, cases.block_member,
        cases.window, cases.windows,
    )  # fmt: skip
    assert (law(others, "recall", 0.5).cuts == found).all()


def test_only_cuts_up_to_the_first_beyond_the_reach_are_watched() -> None:
    cases = cohort(np.random.default_rng(2), 1_000, 2)
    low = law(cases, "false_omission_rate", None)
    assert low.tested.tolist() == [True] + [False] * (len(low.cuts) - 1)
    reach = float(low.cuts[3]) + 1e-6
    assert law(cases, "false_omission_rate", reach).tested.sum() == 4 + 1
    assert law(cases, "recall", None).tested.all()  # every bad case's score is its law
    assert law(cases, "false_omission_rate", 1.0).tested.all()
    high = law(cases, "precision", None, 0.0)
    assert high.cuts[0] > high.cuts[-1]  # outward
    assert high.tested.all()
    assert law(cases, "precision", None, float(high.cuts[1])).tested.sum() == 2


def test_a_promise_without_a_proof_has_no_law() -> None:
    cases = cohort(np.random.default_rng(3), 300, 2)
    assert certified_laws(cases, ["accuracy", "expected_loss"], 0.5, 0.9) == []
    nobody = of_rows([0.5] * 4, [0] * 4, [0, 0, 1, 1], automatable=[0] * 4)
    assert certified_laws(nobody, ["recall"], 0.5, None) == []


def test_a_window_out_of_range_is_refused_with_the_reason() -> None:
    every = np.ones(2, dtype=np.bool_)
    with pytest.raises(ValueError, match="numbered from 0 to 1, got 0 to 2"):
        CohortWindows(np.array([0.1, 0.2]), every, every, every, every, np.array([0, 2]), 2)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=30), st.integers(0, 5))
def test_windows_judged_together_have_enough_cases_and_miss_none(
    sizes: list[int], first: int
) -> None:
    groups = judged_together(np.array(sizes, dtype=np.int64), first)
    assert all(sum(sizes[window] for window in group) >= FEWEST_ROWS for group in groups)
    seen = [window for group in groups for window in group]
    assert seen == list(range(first, first + len(seen)))
    assert sum(sizes[first + len(seen) :]) < FEWEST_ROWS
