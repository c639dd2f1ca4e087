"""Why did the agent err: a feature's weight (A), the threshold (B), or the procedure (C)?"""

from models.triage.diagnosis import Cause, Diagnosis, diagnose
from models.triage.evidence import TriageEvidence
from models.triage.plan import TriagePlan
from models.triage.routing import findings_of
from models.triage.weight.feature_bias import (
    FeatureBias,
    FeatureBiasReport,
    assess_feature_bias,
    find_feature_bias,
)

__all__ = [
    "Cause",
    "Diagnosis",
    "FeatureBias",
    "FeatureBiasReport",
    "TriageEvidence",
    "TriagePlan",
    "assess_feature_bias",
    "diagnose",
    "find_feature_bias",
    "findings_of",
]
