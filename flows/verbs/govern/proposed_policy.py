"""Which policy does a certificate speak for: its model, its boundary, its audits, its overrides?"""

from __future__ import annotations

from collections.abc import Mapping

from flows.verbs.certify.generation import Generation
from flows.verbs.certify.inputs import CertificationInputs
from flows.verbs.ports import ModelRegistry
from models.boundary import CertificationSequence
from models.hub.policies.audit_plan import AuditPlan
from models.hub.policies.policy import Overrides, Policy
from models.label_cost.audit_plan import PlannedAudit, plan_audit
from models.vocabulary import Boundary, CaseType, Certificate, CertificateVerdict


def advised_policy(
    registry: ModelRegistry,
    case_types: Mapping[str, CaseType],
    generation: Generation,
    boundary: Boundary,
    audit: AuditPlan | None = None,
) -> Policy:
    """A generation's model under a boundary, with the case type's overrides and, unless one was
    planned, its audit rate."""
    case_type = case_types[generation.case_type]
    return Policy(
        case_type=case_type.name,
        model_name=case_type.name,
        model_version=generation.version,
        model_digest=generation.digest,
        audit=audit or AuditPlan(case_type.audit_rate),
        calibration=generation.calibration(registry),
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
    case_types: Mapping[str, CaseType],
    given: CertificationInputs,
    sequence: CertificationSequence,
    certificate: Certificate,
) -> PlannedAudit | None:
    """The audit plan of a boundary to be proposed, where the case type has a budget for one."""
    budget = case_types[given.case_type].audit_budget
    if budget is None or certificate.verdict is not CertificateVerdict.CERTIFIED:
        return None
    if not certificate.automation_rate:
        return None  # a boundary that decides none of these cases leaves nothing to plan from
    return plan_audit(sequence, certificate.boundary, budget, given.cases_per_day)
