"""At which one rate are automatic decisions audited, so that the next notch is proven in time?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.boundary import CertificationSequence
from models.boundary.price.notch_price import TRICKLE
from models.label_cost.audit_plan import plan_audit
from models.vocabulary import AuditBudget, Boundary, Targets
from tests.models.boundary.worlds import world

SEQUENCE = CertificationSequence.start(
    Targets(recall=0.99), world(np.random.default_rng(5), 20_000)[["score", "bad"]]
)
PROVEN = SEQUENCE.proven
CASES = SEQUENCE.price(incumbent=PROVEN)["pass"].cases


@pytest.mark.parametrize("within", [20.0, 40.0])
def test_the_rate_proves_the_notch_within_its_days(within: float) -> None:
    """5,000 cases a day; the rate is rounded up to a half percent."""
    assert CASES is not None
    plan = plan_audit(SEQUENCE, PROVEN, AuditBudget(10_000.0, within), 5_000.0)
    assert plan.within_budget
    assert CASES / (5_000.0 * within) <= plan.rate < CASES / (5_000.0 * within) + 0.005
    assert plan.days["pass"] == pytest.approx(CASES / (plan.rate * 5_000.0))
    assert plan.reviews_per_day == pytest.approx(plan.rate * SEQUENCE.automation(PROVEN) * 5_000.0)


def test_what_the_budget_does_not_allow_is_said() -> None:
    plan = plan_audit(SEQUENCE, PROVEN, AuditBudget(10.0, 20.0), 5_000.0)
    assert not plan.within_budget
    assert plan.reviews_per_day <= 10.0 or plan.rate == 0.005
    assert "does not allow" in plan.sentences[1]
    assert "later than asked" in plan.sentences[-1]


def test_never_below_what_the_guard_needs() -> None:
    plan = plan_audit(SEQUENCE, PROVEN, AuditBudget(10_000.0, 3_650.0), 5_000.0)
    assert plan.rate == TRICKLE


def test_what_no_number_of_labels_proves_has_no_days() -> None:
    """Nine of ten cases passed: far beyond what this model can prove."""
    beyond = Boundary(float(np.quantile(SEQUENCE.cohort.score, 0.9)), None)
    plan = plan_audit(SEQUENCE, beyond, AuditBudget(10_000.0), 5_000.0)
    assert math.isinf(plan.days["pass"])
    assert "no number of labels within reach" in plan.sentences[-1]


def test_a_plan_needs_traffic() -> None:
    with pytest.raises(ValueError, match="cases a day"):
        plan_audit(SEQUENCE, PROVEN, AuditBudget(10.0), 0.0)
