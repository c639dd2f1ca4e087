"""Since when may the rows of an EVIDENCE table be pooled?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.drift import evidence_to_pool
from tests.models.drift.samples import CUTS, window

FEATURES = ["amount", "age", "logins", "vip", "country"]


def table(shifts: list[float], cases: int = 1_500, seed: int = 2) -> pd.DataFrame:
    """Simulated evidence: one window for each shift of `amount`, named by its day."""
    generator = np.random.default_rng(seed)
    days = pd.date_range("2026-03-02", periods=len(shifts), freq="7D", tz="UTC")
    parts = []
    for day, shift in zip(days, shifts, strict=True):
        sample = window(generator, cases, shift=shift)
        parts.append(
            sample.features.assign(
                score=sample.scores, bad=sample.bad, propensity=sample.propensity, window=day
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_one_population_is_pooled_whole_and_the_report_says_so() -> None:
    """Six simulated weeks of one population."""
    found = evidence_to_pool(table([0.0] * 6), FEATURES, CUTS)
    assert (str(found.since)[:10], found.first_row, found.restarts) == ("2026-03-02", 0, ())
    assert found.sentence == (
        "All 9,000 cases since 2026-03-02 may be pooled: no drift in 6 windows."
    )


def test_evidence_starts_again_at_the_week_that_differs_and_the_report_says_why() -> None:
    """Amounts rise in the fifth week of six: two weeks of 1,500 cases are left."""
    frame = table([0.0] * 4 + [0.8] * 2)
    found = evidence_to_pool(frame, FEATURES, CUTS)
    assert str(found.since)[:10] == "2026-03-30"
    assert found.first_row == 4 * 1_500
    assert (frame["window"].iloc[found.first_row :] == found.since).sum() == 1_500
    assert found.sentence.startswith(
        "Evidence starts again at 2026-03-30 and pools 3,000 of 9,000 cases. Feature 'amount' has moved"
    )


def test_windows_of_one_table_are_those_of_its_parts() -> None:
    """A second road: the first four weeks alone give the verdict that the walk gave them."""
    frame = table([0.0, 0.0, 0.8, 0.8, 1.6, 1.6])
    whole = evidence_to_pool(frame, FEATURES, CUTS)
    part = evidence_to_pool(frame[: 4 * 1_500], FEATURES, CUTS)
    assert [one.window for one in whole.restarts] == [2, 4]
    assert part.restarts == whole.restarts[:1]


def test_truth_that_came_by_itself_is_no_change_of_risk() -> None:
    """From the third week on the bad cases of the pass zone that the audit did not draw come to
    light by chargebacks: seen because they were bad, so they say nothing about the rate."""
    frame = table([0.0] * 4, cases=4_000)
    drawn = frame["bad"].notna()
    late = np.arange(len(frame)) >= 8_000
    surfaced = ~drawn & late & (np.random.default_rng(3).random(len(frame)) < 0.04)
    frame = frame.assign(bad=frame["bad"].mask(surfaced, 1.0), drawn=drawn)
    assert evidence_to_pool(frame, FEATURES, CUTS).restarts == ()
    (restart,) = evidence_to_pool(frame.drop(columns="drawn"), FEATURES, CUTS).restarts
    assert restart.verdict.findings[0].what == "pass"


def test_too_few_cases_are_pooled_and_said_to_be_unjudged() -> None:
    """Two windows of 150 cases: the first sample to compare with is not even full."""
    found = evidence_to_pool(table([0.0, 3.0], cases=150), FEATURES, CUTS)
    assert found.first_row == 0
    assert "300 cases since 2026-03-02 are pooled unjudged" in found.sentence
    assert evidence_to_pool(table([0.0])[:0], FEATURES, CUTS).since is None


def test_tables_that_cannot_be_judged_are_refused_with_the_reason() -> None:
    """A missing column, a window that comes back, a row without one."""
    frame = table([0.0, 0.0], cases=20).assign(window=["w1"] * 20 + ["w2"] * 20)
    with pytest.raises(ValueError, match="without the columns 'speed'"):
        evidence_to_pool(frame, ["speed"], CUTS)
    shuffled = frame.assign(window=["w1"] * 10 + ["w2"] * 10 + ["w1"] * 20)
    with pytest.raises(ValueError, match="window w1 comes back at row 20 after window w2"):
        evidence_to_pool(shuffled, FEATURES, CUTS)
    with pytest.raises(ValueError, match="1 rows have no value in 'window'"):
        evidence_to_pool(frame.assign(window=["w1"] * 39 + [None]), FEATURES, CUTS)
