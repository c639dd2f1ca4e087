"""From which window on may the evidence be pooled?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.drift import Sample, windows_to_pool
from tests.models.drift.samples import window


def walk(generator: np.random.Generator, cases: int, changes: list[float]) -> list[Sample]:
    """One simulated window for each shift of `amount`."""
    return [window(generator, cases, shift=shift) for shift in changes]


def test_quiet_windows_all_pool() -> None:
    """Twelve windows of one population, and one window, and none."""
    windows = walk(np.random.default_rng(1), 500, [0.0] * 12)
    assert windows_to_pool(windows).first == 0
    assert windows_to_pool(windows[:1]).first == 0
    assert windows_to_pool([]).first == 0


def test_evidence_starts_again_where_the_population_changed() -> None:
    """Amounts rise after four windows and again after eight; why is told."""
    windows = walk(np.random.default_rng(2), 1_500, [0.0] * 4 + [0.8] * 4 + [1.6] * 3)
    pool = windows_to_pool(windows)
    assert [restart.window for restart in pool.restarts] == [4, 8]
    assert pool.first == 8
    assert [one.what for one in pool.restarts[0].verdict.findings] == ["amount"]


def test_later_windows_do_not_change_what_was_found_at_earlier_ones() -> None:
    """Each prefix of a walk has the restarts of the whole walk up to there."""
    windows = walk(np.random.default_rng(3), 1_000, [0.0] * 3 + [0.7] * 4)
    whole = windows_to_pool(windows).restarts
    for size in range(len(windows) + 1):
        found = windows_to_pool(windows[:size]).restarts
        assert [one.window for one in found] == [one.window for one in whole if one.window < size]


def test_small_windows_wait_for_each_other() -> None:
    """Windows of 90 cases are too small to judge alone; together they show a change of two
    standard deviations, and restart at one of theirs."""
    windows = walk(np.random.default_rng(4), 90, [0.0] * 9 + [2.0] * 9)
    first = windows_to_pool(windows).first
    assert first in (9, 10, 11)


def test_a_change_too_small_for_one_window_shows_over_several() -> None:
    """Misses 2.2 times as frequent from window 8 on: seen by more windows together."""
    generator = np.random.default_rng(5)
    windows = [window(generator, 2_000) for _ in range(8)]
    windows += [window(generator, 2_000, miss_factor=2.2) for _ in range(8)]
    pool = windows_to_pool(windows)
    assert pool.first >= 8
    assert pool.restarts[0].verdict.findings[0].what == "pass"


def test_false_restarts_stay_below_alpha_over_a_whole_walk() -> None:
    """20 simulated walks of 12 quiet windows at alpha .05: one is expected, 4 is the 99 % limit."""
    generator = np.random.default_rng(6)
    restarted = sum(
        bool(windows_to_pool(walk(generator, 250, [0.0] * 12), alpha=0.05).restarts)
        for _ in range(20)
    )
    assert restarted <= 4


def test_a_sample_refuses_values_that_are_none() -> None:
    """Lengths that differ, a score above 1, a propensity of 0, a truth of 2."""
    good = {"scores": np.array([0.5]), "features": pd.DataFrame({"x": [1]}),
            "bad": np.array([np.nan]), "propensity": np.array([1.0])}  # fmt: skip
    Sample(**good)
    for name, wrong, message in (
        ("scores", np.array([0.5, 0.6]), "one value a case"),
        ("scores", np.array([1.5]), r"\[0, 1\]"),
        ("propensity", np.array([0.0]), r"\(0, 1\]"),
        ("bad", np.array([2.0]), "0, 1 or NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            Sample(**{**good, name: wrong})
