"""Which policy does a certificate speak for: its model, its boundary, its audits, its overrides?"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from flows.verbs.desk import Desk
from flows.verbs.generation import Generation
from models.boundary import Evidence, delta_of_look
from models.boundary.audit_plan import PlannedAudit, plan_audit
from models.hub.audit_plan import AuditPlan
from models.hub.policy import Overrides, Policy
from models.vocabulary import Boundary, CaseType, Certificate, CertificateVerdict


def advised_policy(
    desk: Desk, generation: Generation, boundary: Boundary, audit: AuditPlan | None = None
) -> Policy:
    """A generation's model under a boundary, with the case type's overrides and, unless one was
    planned, its audit rate."""
    case_type = desk.case_types[generation.case_type]
    return Policy(
        case_type=case_type.name,
        model_name=case_type.name,
        model_version=generation.version,
        model_digest=generation.digest,
        audit=audit or AuditPlan(case_type.audit_rate),
        calibration=generation.calibration(desk),
        boundary=boundary,
        overrides=overrides_of(case_type),
    )


def overrides_of(case_type: CaseType) -> Overrides:
    """What the case type sends to people whatever the score says."""
    return Overrides(
        never_auto_pass_above_usd=case_type.never_auto_pass_above_usd,
        senior_patterns=case_type.senior_patterns,
    )


def planned_audit(
    desk: Desk,
    generation: Generation,
    certificate: Certificate,
    evidence: Evidence | None,
    frame: pd.DataFrame,
) -> PlannedAudit | None:
    """The audit plan of a boundary to be proposed, where the case type has a budget for one."""
    case_type = desk.case_types[generation.case_type]
    certified = certificate.verdict is CertificateVerdict.CERTIFIED
    if evidence is None or case_type.audit_budget is None or not certified:
        return None
    if not certificate.automation_rate:
        return None  # a boundary that decides none of these cases leaves nothing to plan from
    # The generation was read before today's look; the plan is for the one after it.
    delta = delta_of_look(case_type.targets.delta, len(desk.case_types), generation.looks + 2)
    targets, boundary = replace(case_type.targets, delta=delta), certificate.boundary
    return plan_audit(evidence, targets, boundary, case_type.audit_budget, days_spanned(frame))


def days_spanned(frame: pd.DataFrame) -> float:
    """Days between the first and the last case; a day at least."""
    opened = frame["opened_at"]
    return max(float((opened.max() - opened.min()) / pd.Timedelta(days=1)), 1.0)
