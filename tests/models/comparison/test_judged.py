"""What is each metric for each model, by scikit-learn and by hand?"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from models.comparison import ScoredRows
from models.vocabulary import Boundary, Costs
from tests.models.comparison.worlds import COSTS, LIVE, judged, later_cases

SEVEN = [  # champion, challenger, bad, weight: passed below 0.2, blocked above 0.8
    (0.10, 0.10, False, 20.0),
    (0.15, 0.30, True, 20.0),  # a miss that only the challenger sends to review
    (0.50, 0.15, True, 1.0),  # a miss of the challenger alone
    (0.50, 0.60, False, 1.0),
    (0.85, 0.60, False, 10.0),  # a false block of the champion alone
    (0.90, 0.90, True, 10.0),
    (0.70, 0.85, True, 1.0),  # blocked by the challenger alone
]


def table(rows, copies):
    """The rows so often over, so that there are enough of each class to compare."""
    champion, challenger, bad, weight = (np.array(column) for column in zip(*rows, strict=True))
    return ScoredRows(
        *(np.tile(column, copies) for column in (champion, challenger, bad, weight)),
        np.ones(len(rows) * copies, dtype=np.bool_),
    )


@pytest.fixture(scope="module")
def seven():
    """The seven cases, 40 times over."""
    return judged(
        table(SEVEN, 40), champion_boundary=Boundary(0.2, 0.8), champion_certified=Boundary(0.2),
        challenger_certified=Boundary(0.2, 0.8),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "champion", "challenger"),
    [
        ("recall", 1 - 20 / (20 + 1 + 10 + 1), 1 - 1 / (20 + 1 + 10 + 1)),
        ("precision", 10 / (10 + 10), (10 + 1) / (10 + 1)),
        ("automation", (20 + 20 + 10 + 10) / 63, (20 + 1 + 10 + 1) / 63),
        (
            "expected_loss_usd",
            (20 * 400 + 10 * 40 + (1 + 1 + 1) * 4) / 63,
            (1 * 400 + (20 + 1 + 10) * 4) / 63,
        ),
        ("automation_certified", (20 + 20) / 63, (20 + 1 + 10 + 1) / 63),
    ],
)
def test_figures_of_seven_cases_by_hand(seven, name, champion, challenger):
    """Weighted, at one boundary on either score; USD with 400 a miss, 40 a false block, 4 a review."""
    found = seven.metric(name)
    assert found.champion.value == pytest.approx(champion)
    assert found.challenger.value == pytest.approx(challenger)
    assert found.difference.value == pytest.approx(challenger - champion)


@pytest.fixture(scope="module")
def rows():
    """Labelled by an audit at 20 %."""
    return later_cases(3_000, 11, audit=0.2)


def test_weighted_metrics_agree_with_scikit_learn(rows):
    """Log loss, AUC, precision and recall with sample weights."""
    found = judged(rows)
    for name, score in (("champion", rows.champion), ("challenger", rows.challenger)):
        told = {one: getattr(found.metric(one), name).value for one in ("log_loss", "auc")}
        weights = {"sample_weight": rows.weight}
        assert told["log_loss"] == pytest.approx(metrics.log_loss(rows.bad, score, **weights))
        assert told["auc"] == pytest.approx(metrics.roc_auc_score(rows.bad, score, **weights))
        blocked, kept = score >= LIVE.block_at_or_above, score > LIVE.pass_at_or_below
        assert getattr(found.metric("precision"), name).value == pytest.approx(
            metrics.precision_score(rows.bad, blocked, **weights)
        )
        assert getattr(found.metric("recall"), name).value == pytest.approx(
            metrics.recall_score(rows.bad, kept, **weights)
        )


def test_a_key_users_case_is_never_missed_and_never_automated(rows):
    """Nobody may be automated: recall and automation are those of full review, precision is not
    estimable, and no interval pretends to a difference."""
    manual = ScoredRows(
        rows.champion, rows.challenger, rows.bad, rows.weight, np.zeros(len(rows), dtype=np.bool_)
    )
    found = judged(manual)
    assert found.metric("recall").champion.value == 1.0
    assert found.metric("automation").challenger.value == 0.0
    assert found.metric("expected_loss_usd").champion.value == pytest.approx(COSTS.review_usd)
    precision = found.metric("precision")
    assert (precision.champion, precision.difference, precision.change) == (None, None, "unclear")
    assert "no blocked case to count (champion and challenger)" in precision.why_not
    assert found.metric("recall").difference.p_value == 1.0


def test_a_model_without_a_certified_boundary_has_no_automation_there(rows):
    """The other one still has its own, and the reason is said."""
    found = judged(rows, challenger_certified=None).metric("automation_certified")
    assert found.champion is not None
    assert (found.challenger, found.difference) == (None, None)
    assert found.why_not.endswith("no certified boundary yet (challenger)")


def test_a_score_of_zero_gone_wrong_costs_no_infinity():
    """Certain scores count as one in a million."""
    rows = table([(0.0, 0.5, True, 1.0), (1.0, 0.5, True, 1.0), (0.0, 0.5, False, 1.0)], 20)
    champion = judged(rows).metric("log_loss").champion.value
    assert champion == pytest.approx((-np.log(1e-6) - 2 * np.log1p(-1e-6)) / 3)


def test_bootstrap_and_linearised_errors_agree(rows):
    """The same log loss difference over all rows, by resampling and as one slice of everything; 1,000
    draws know an error within 2.2 %."""
    found = judged(rows, slices={"all": np.full(len(rows), "yes")}, draws=1000)
    resampled = found.metric("log_loss").difference
    (whole,) = found.slices
    linear = whole.metrics[0].difference
    assert linear.value == pytest.approx(resampled.value)
    assert linear.standard_error == pytest.approx(resampled.standard_error, rel=0.07)


def test_costs_of_nothing_are_no_difference(rows):
    """Free errors and free reviews: zero against zero."""
    told = judged(rows, costs=Costs(0.0, 0.0, 0.0)).metric("expected_loss_usd")
    assert (told.difference.value, told.difference.low, told.change) == (0.0, 0.0, "unclear")
