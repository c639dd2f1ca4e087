"""The domain's values check themselves where they are made."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest

from models.vocabulary import (
    AbPlan,
    AuditBudget,
    Boundary,
    CaseType,
    Certificate,
    CertificateVerdict,
    Feature,
    Shift,
    Targets,
)
from tests.builders import small_case_type


@pytest.mark.parametrize("side", [math.nan, math.inf, -0.1, 1.1])
def test_a_boundary_that_is_no_score_is_refused(side: float) -> None:
    """NaN, infinite and out of range, on either side (FAULTS 18)."""
    with pytest.raises(ValueError, match="must be a score"):
        Boundary(side, None)
    with pytest.raises(ValueError, match="must be a score"):
        Boundary(None, side)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.9, 0.1)])
def test_a_boundary_whose_sides_meet_or_cross_is_refused(low: float, high: float) -> None:
    """No score both passes and blocks."""
    with pytest.raises(ValueError, match="no score both passes and blocks"):
        Boundary(low, high)


def test_everything_reviewed_automates_nothing() -> None:
    """The boundary before anything is proven."""
    assert Boundary.everything_reviewed().automates_nothing
    assert not Boundary(0.1, None).automates_nothing


@pytest.mark.parametrize(
    "wrong", [{"recall": 1.0}, {"precision": 0.0}, {"delta": 0.5}, {"expected_loss": -1.0}]
)
def test_a_promise_outside_its_range_is_refused(wrong: dict[str, float]) -> None:
    """Certainty cannot be promised, nor can nothing."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Targets(**wrong)


def test_only_what_was_promised_is_named() -> None:
    """None means not promised."""
    assert Targets(recall=0.99, false_omission_rate=0.01).named() == {
        "recall": 0.99, "false_omission_rate": 0.01,
    }  # fmt: skip


def test_a_case_type_refuses_features_named_twice_and_impossible_rates() -> None:
    """Each with a sentence."""
    with pytest.raises(ValueError, match="names features twice: a"):
        CaseType("x", (Feature("a"), Feature("a")), Targets(recall=0.9), 1.0)
    with pytest.raises(ValueError, match="audit_rate"):
        CaseType("x", (Feature("a"),), Targets(recall=0.9), 1.0, audit_rate=0.0)
    with pytest.raises(ValueError, match="cannot be monotone"):
        Feature("a", "categorical", monotone=1)
    with pytest.raises(ValueError, match="hour"):
        Shift(25, 26, 1)


def test_a_certificate_cannot_be_changed_afterwards() -> None:
    """Its mappings are read-only copies."""
    limits = {"recall": 0.991}
    found = Certificate(CertificateVerdict.HOLD, Boundary(), 0.0, limits)
    limits["recall"] = 1.0
    assert found.limits["recall"] == 0.991
    with pytest.raises(TypeError):
        found.limits["recall"] = 1.0  # type: ignore[index]


@pytest.mark.parametrize("wrong", [{"reviews_per_day": 0.0}, {"within_days": math.inf}])
def test_an_audit_budget_that_buys_nothing_is_refused(wrong: dict[str, float]) -> None:
    """No reviews, or no end."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AuditBudget(**{"reviews_per_day": 20.0, **wrong})


@pytest.mark.parametrize(
    ("days", "trial", "refused"),
    [
        (180.0, None, True),  # a year until a truth is settled, half a year of belief
        (365.0, None, True),
        (366.0, None, False),
        (None, None, False),
        (366.0, 400.0, True),
        (766.0, 400.0, False),
    ],
)
def test_a_proof_must_outlive_the_time_until_a_truth_is_settled(days, trial, refused):
    """Evidence ends `maturity_days` back, and belief counts from there: 180 < 365 has always ended."""
    plan = None if trial is None else AbPlan(horizon_days=trial)
    made = partial(
        replace, small_case_type(), maturity_days=365.0, certificate_days=days, ab_plan=plan
    )
    if not refused:
        assert made().certificate_days == days
        return
    with pytest.raises(ValueError, match=r"must exceed maturity_days \(365\)"):
        made()
