"""What must the judgement of an A/B test know of its two policies beforehand?"""

from __future__ import annotations

from models.boundary import AbDesign
from models.hub import AuditPlan, Policy
from models.vocabulary import Boundary


def ab_design(control: Policy | None, treatment: Policy) -> AbDesign:
    """The boundaries on trial, and the lowest designed audit rates where both decide alike.

    Args:
        control: the live policy; None: everything is reviewed.
    """
    today = Boundary.everything_reviewed() if control is None else control.boundary
    plans = [treatment.audit] if control is None else [control.audit, treatment.audit]
    passes, blocks = today.pass_at_or_below is not None, today.block_at_or_above is not None
    lowest = min(map(lowest_rate, plans))
    return AbDesign(
        control=today,
        treatment=treatment.boundary,
        lowest_pass_rate=lowest if passes else 1.0,
        lowest_block_rate=lowest if blocks else 1.0,
    )


def lowest_rate(plan: AuditPlan) -> float:
    """The lowest rate of an audit plan, of any score and on either side."""
    rates = [plan.rate, *(rate for _, rate in plan.steps)]
    return min(rates if plan.block_rate is None else [*rates, plan.block_rate])
