"""What each case of an A/B shows, and how much it counts."""

from __future__ import annotations

import pandas as pd
import pytest

from models.boundary import AbRows
from models.boundary.ab.ab_rows import tally
from tests.models.boundary.ab_worlds import BLOCK, COLUMNS, PASS, REVIEW, ab_table

ROWS = pd.DataFrame(
    [
        # arm, control, treatment, bad, propensity, drawn, day
        ("control", PASS, PASS, 1.0, 0.2, True, 0.5),  # agreed and drawn: weight 1 / .2
        ("treatment", PASS, PASS, 0.0, 0.1, True, 0.9),  # another rate of its own: 1 / .1
        ("treatment", PASS, PASS, 1.0, 0.2, False, 0.9),  # nobody drew it: its truth is not used
        ("control", REVIEW, PASS, 1.0, 1.0, True, 0.1),  # moved, not treated: no truth
        ("treatment", REVIEW, PASS, 1.0, 0.5, True, 1.0),  # moved and treated: 1 / (.25 * .5)
        ("treatment", REVIEW, BLOCK, None, 1.0, True, 1.2),  # moved, treated, still missing
        ("control", REVIEW, REVIEW, 1.0, 1.0, True, 2.0),  # matures after the first two days
    ],
    columns=COLUMNS,
)


def test_a_kind_of_case_has_its_designed_weight_and_its_count_a_day() -> None:
    """A treatment share of .25; the table's comments say each weight."""
    kinds, counts = tally(AbRows.from_frame(ROWS), 0.25, 2)
    found = {
        (passes, blocks, bad, missing): (weight, tuple(by_day))
        for passes, blocks, bad, missing, weight, by_day in zip(
            kinds.control_passes, kinds.treatment_blocks, kinds.bad, kinds.missing,
            kinds.weight.round(9), counts.T, strict=True,
        )
        if weight > 0
    }  # fmt: skip
    assert found == {
        (True, False, True, False): (1 / 0.2, (1, 0)),
        (True, False, False, False): (1 / 0.1, (1, 0)),
        (False, False, True, False): (1 / (0.25 * 0.5), (0, 1)),
        (False, True, False, True): (1 / 0.25, (0, 1)),
    }
    assert counts.sum() == 6


def test_weighted_counts_are_unbiased_for_the_whole_population() -> None:
    """Simulated: of 200,000 cases, weights of drawn ones add up to the cases of either action pair
    (4 standard errors of the thinnest are under 3 %)."""
    table = ab_table(200_000, seed=3, share=0.3, moved_rate=0.5)
    kinds, counts = tally(AbRows.from_frame(table), 0.3, 28)
    estimate = float(counts.sum(axis=0) @ (kinds.weight * kinds.treatment_passes))
    assert estimate == pytest.approx((table["treatment_action"] == PASS).sum(), rel=0.03)


def test_no_day_that_is_over_means_no_count() -> None:
    """Before the first day ends there is nothing to judge."""
    _, counts = tally(AbRows.from_frame(ROWS), 0.25, 0)
    assert counts.shape == (0, 0)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("arm", "placebo", "'arm'"),
        ("control_action", "pass", "'control_action'"),
        ("bad", 0.5, "'bad'"),
        ("propensity", 0.0, "'propensity'"),
        ("propensity", None, "'propensity'"),
        ("day", -1.0, "'day'"),
        ("day", None, "'day'"),
        ("drawn", None, "'drawn'"),
        ("bad", "yes", "no number"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_its_column(
    column: str, value: object, message: str
) -> None:
    """And the row is named, never its content."""
    wrong = ROWS.astype(object)
    wrong.loc[1, column] = value
    with pytest.raises(ValueError, match=message):
        AbRows.from_frame(wrong)


def test_a_case_its_own_arm_escalated_is_observed_by_design() -> None:
    """A propensity below 1 there would be a mistake in the log."""
    wrong = ROWS.copy()
    wrong.loc[3, "propensity"] = 0.5
    with pytest.raises(ValueError, match="1 where a person decides"):
        AbRows.from_frame(wrong)
    with pytest.raises(ValueError, match="no column 'day'"):
        AbRows.from_frame(ROWS.drop(columns="day"))
