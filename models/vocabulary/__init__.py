"""The domain's words as frozen values; every other package speaks in them."""

from models.vocabulary.ab_plan import AbPlan
from models.vocabulary.actions import (
    KEY_USER_PRIORITY,
    Action,
    FeedbackPath,
    Recommendation,
    ReviewLabel,
    ReviewVerdict,
)
from models.vocabulary.boundary import Boundary
from models.vocabulary.case_type import AuditBudget, CaseType, Costs, Feature, Shift, Staffing
from models.vocabulary.certificate import Certificate, CertificateVerdict, DaysNeeded
from models.vocabulary.finding import EVERYWHERE, Counterfactual, Finding
from models.vocabulary.pattern import Pattern, PatternCondition
from models.vocabulary.targets import Targets

__all__ = [
    "EVERYWHERE",
    "KEY_USER_PRIORITY",
    "AbPlan",
    "Action",
    "AuditBudget",
    "Boundary",
    "CaseType",
    "Certificate",
    "CertificateVerdict",
    "Costs",
    "Counterfactual",
    "DaysNeeded",
    "Feature",
    "FeedbackPath",
    "Finding",
    "Pattern",
    "PatternCondition",
    "Recommendation",
    "ReviewLabel",
    "ReviewVerdict",
    "Shift",
    "Staffing",
    "Targets",
]
