"""Evidence for each claim of an A/B, against sums written out case by case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.boundary import AbRows
from models.boundary.ab.ab_evidence import log_capitals, refuting_log_capitals, scores_at_looks
from models.boundary.ab.ab_rows import tally
from models.boundary.ab.ab_test import designed_weights
from models.boundary.proof.wagers import AB_WAGERS
from models.vocabulary import AbPlan, Targets
from tests.models.boundary.ab_worlds import BLOCK, COLUMNS, DESIGN, PASS, PLAN, REVIEW, ab_table

CASES = pd.DataFrame(
    [
        ("control", PASS, PASS, 1.0, 0.2, True, 0.5),  # a miss that stands for 5
        ("treatment", REVIEW, PASS, 0.0, 1.0, True, 0.6),  # moved: automated, good, stands for 2
        ("control", REVIEW, REVIEW, 1.0, 1.0, True, 0.7),  # a bad case that people saw
        ("treatment", REVIEW, BLOCK, 1.0, 1.0, True, 1.1),  # a right block that stands for 2
        ("treatment", BLOCK, BLOCK, 0.0, 0.2, True, 1.2),  # a wrong block that stands for 5
        ("control", REVIEW, PASS, 1.0, 1.0, True, 1.3),  # moved but not treated: no truth
    ],
    columns=COLUMNS,
)


def path(z: list[list[float]], largest_loss: float) -> list[float]:
    """Second road: the mean over stakes of the product over cases, at the end of each day."""
    capital = np.ones(len(AB_WAGERS))
    ends = []
    for day in z:
        for one in day:
            capital = capital * (1 + AB_WAGERS / largest_loss * one)
        ends.append(float(np.log(capital.mean())))
    return ends


def test_each_claim_is_bet_on_case_by_case() -> None:
    """Precision .9, recall .9, automation margin .05; largest weights 5, written out in full."""
    kinds, counts = tally(AbRows.from_frame(CASES), 0.5, 2)
    found = log_capitals(PLAN, kinds, counts, designed_weights(PLAN, DESIGN))
    automation = [[0 - 0.05, 1 - 0.05, 0 - 0.05], [1 - 0.05, 0 - 0.05, 1 - 0.05]]
    assert list(found["automation"]) == pytest.approx(path(automation, 1.05))
    assert list(found["precision"]) == pytest.approx(
        path([[], [2 * (1 - 0.9), 5 * (0 - 0.9)]], 5 * 0.9)
    )
    assert list(found["recall"]) == pytest.approx(path([[-5 * 0.9, 1 * 0.1], [2 * 0.1]], 5 * 0.9))


def test_a_false_omission_rate_is_bet_on_case_by_case() -> None:
    """At most 10 % of the passed are bad: a miss that stands for 5, a good pass that stands for 2."""
    plan = replace(PLAN, targets=Targets(false_omission_rate=0.1))
    kinds, counts = tally(AbRows.from_frame(CASES), 0.5, 2)
    largest = designed_weights(plan, DESIGN)
    found = log_capitals(plan, kinds, counts, largest)
    assert set(found) == {"automation", "false_omission_rate"}
    assert list(found["false_omission_rate"]) == pytest.approx(
        path([[5 * (0.1 - 1), 2 * 0.1], []], 5 * 0.9)
    )
    opposite = refuting_log_capitals(plan, kinds, counts, largest)["false_omission_rate"]
    assert list(opposite) == pytest.approx(path([[5 * (1 - 0.1), -2 * 0.1], []], 5 * 0.1))


def test_the_opposites_are_bet_on_case_by_case() -> None:
    """Largest losses are the other side's: 5 * .1 for precision and for recall."""
    kinds, counts = tally(AbRows.from_frame(CASES), 0.5, 2)
    found = refuting_log_capitals(PLAN, kinds, counts, designed_weights(PLAN, DESIGN))
    assert list(found["precision"]) == pytest.approx(
        path([[], [-2 * (1 - 0.9), 5 * 0.9]], 5 * (1 - 0.9))
    )
    assert list(found["recall"]) == pytest.approx(path([[5 * 0.9, -1 * 0.1], [-2 * 0.1]], 5 * 0.1))


@pytest.mark.parametrize("claim", ["automation", "precision", "recall", "precision_margin"])
def test_no_case_the_design_allows_can_lose_more_than_everything(claim: str) -> None:
    """Simulated: every capital stays a number, day by day, in a world where everything is untrue."""
    zones = ((PASS, PASS, 0.3, 0.9), (REVIEW, PASS, 0.05, 0.9), (BLOCK, REVIEW, 0.25, 1.0),
             (REVIEW, BLOCK, 0.2, 0.0), (BLOCK, BLOCK, 0.2, 0.5))  # fmt: skip
    kinds, counts = tally(AbRows.from_frame(ab_table(5_000, 2, zones)), 0.5, 28)
    found = log_capitals(PLAN, kinds, counts, designed_weights(PLAN, DESIGN))[claim]
    assert found.shape == (28,)
    assert np.isfinite(found).all()
    assert found.max() < np.log(20)


def test_repetitions_on_a_leading_axis_are_judged_as_one_by_one() -> None:
    """The benchmark runs this very code on thousands of runs at once."""
    plan = AbPlan(PLAN.targets, method="obrien_fleming", looks=4)
    kinds, counts = tally(AbRows.from_frame(ab_table(4_000, 5)), 0.5, 28)
    largest = designed_weights(PLAN, DESIGN)
    both = np.stack([counts, counts[::-1]])
    for measure, said in ((log_capitals, PLAN), (scores_at_looks, plan)):
        together = measure(said, kinds, both, largest)
        alone = measure(said, kinds, both[1], largest)
        for name, values in together.items():
            np.testing.assert_allclose(values[1], alone[name], rtol=1e-9, atol=1e-12)


def test_a_z_score_is_the_sum_over_its_spread_and_exists_at_looks_alone() -> None:
    """Automation over two looks of one day: cases differ by 1 or 0, margin .05."""
    plan = replace(PLAN, method="obrien_fleming", looks=2, horizon_days=2.0)
    kinds, counts = tally(AbRows.from_frame(CASES), 0.5, 2)
    found = scores_at_looks(plan, kinds, counts, designed_weights(plan, DESIGN))["automation"]
    first, both = np.array([-0.05, 0.95, -0.05]), np.array([-0.05, 0.95, -0.05, 0.95, -0.05, 0.95])
    assert list(found) == pytest.approx(
        [
            first.sum() / np.sqrt((first**2).sum()) * np.sqrt(1 / 2),
            both.sum() / np.sqrt((both**2).sum()),
        ]
    )
    early = scores_at_looks(plan, kinds, counts[:1], designed_weights(plan, DESIGN))
    assert list(early["automation"]) == pytest.approx(list(found[:1]))
    none = scores_at_looks(plan, kinds, counts[:0], designed_weights(plan, DESIGN))
    assert none["automation"].shape == (0,)
