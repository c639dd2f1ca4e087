"""Cases are decided by their arm's policy, and moved ones are reviewed at their own logged rate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.boundary.decision.audit import audit_key
from models.boundary.decision.decide import DecisionRule
from models.boundary.decision.decide_in_arms import Scored, decide_in_arms, moved_rates
from models.vocabulary import AbPlan, Boundary, Costs, Targets

KEY = audit_key("secret", "audit|ato")


def scored(scores: list[float], boundary: Boundary, audit_rate: float) -> Scored:
    rule = DecisionRule(boundary=boundary, audit_rate=audit_rate, key=KEY, costs=Costs())
    return Scored(np.array(scores), np.full(len(scores), ""), rule)


def test_each_arm_has_its_policy_and_moved_bands_their_own_rate() -> None:
    """Control passes to .1, the treatment (another model) to .2: only what differs is moved."""
    cases = pd.DataFrame(
        {"case_id": list("abcdef"), "priority": [10, 10, 10, 10, 10, 90], "amount_usd": 1.0}
    )
    control = scored([0.05, 0.15, 0.15, 0.05, 0.95, 0.05], Boundary(0.1, 0.9), 0.25)
    treatment = scored([0.06, 0.16, 0.16, 0.50, 0.95, 0.06], Boundary(0.2, 0.9), 0.5)
    treated = np.array([True, True, False, True, True, False])
    found = decide_in_arms(cases, treated, control, treatment, np.full(6, 0.8))
    assert found["arm"].tolist() == [
        "treatment", "treatment", "control", "treatment", "treatment", "control",
    ]  # fmt: skip
    assert found["score"].tolist() == [0.06, 0.16, 0.15, 0.50, 0.95, 0.05]
    assert found["action"].tolist() == [
        "auto_pass", "auto_pass", "escalate", "escalate", "auto_block", "escalate",
    ]  # fmt: skip
    # Unmoved: the treatment's own .5; moved and automatic: .8; to a person: 1.
    assert found["propensity"].tolist() == [0.5, 0.8, 1.0, 1.0, 0.5, 1.0]
    assert found["control_action"].tolist() == [
        "auto_pass", "escalate", "escalate", "auto_pass", "auto_block", "escalate",
    ]  # fmt: skip
    assert found["treatment_action"].tolist() == [
        "auto_pass", "auto_pass", "auto_pass", "escalate", "auto_block", "escalate",
    ]  # fmt: skip


def test_the_share_of_moved_cases_that_is_drawn_is_the_logged_rate() -> None:
    """20,000 moved cases at .3: the share drawn lies within four standard errors."""
    count = 20_000
    cases = pd.DataFrame({"case_id": [f"c{n}" for n in range(count)], "priority": 1})
    cases["amount_usd"] = 1.0
    arms = (scored([0.15] * count, Boundary(top, None), 0.9) for top in (0.1, 0.2))
    found = decide_in_arms(cases, np.ones(count, dtype=bool), *arms, np.full(count, 0.3))
    assert (found["propensity"] == 0.3).all()
    assert abs(found["audited"].mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / count)


def test_the_moved_rate_steps_down_by_the_day() -> None:
    """Case by case as the plan says it for one day; before the start it is the first rate."""
    plan = AbPlan(Targets(precision=0.95), moved_audit=((0.0, 1.0), (7.0, 0.5), (14.0, 0.2)))
    days = np.array([-1.0, 0.0, 6.99, 7.0, 13.0, 14.0, 400.0])
    assert moved_rates(plan, days).tolist() == [1.0, 1.0, 1.0, 0.5, 0.5, 0.2, 0.2]
    assert moved_rates(plan, days).tolist() == [plan.moved_rate(day) for day in days]
