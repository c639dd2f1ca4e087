"""Deciding under a boundary, and proving a wider one."""

from models.boundary.ab.ab_rows import AbRows
from models.boundary.ab.ab_test import AbDesign, AbJudgement, AbProof, judge_ab
from models.boundary.ab.ab_verdict import AbVerdict
from models.boundary.ab.sequential_comparison import SequentialComparison, SequentialVerdict
from models.boundary.decision.arms import Arm, assign_arm, sample_ratio_p_value
from models.boundary.decision.decide import DecisionRule, decide
from models.boundary.live.guard import guard
from models.boundary.price.notch_price import NotchPrice
from models.boundary.proof.certificate import certify, effective_sample
from models.boundary.proof.evidence import Evidence
from models.boundary.proof.side_tests import sequential
from models.boundary.sequence.certification_sequence import CertificationSequence
from models.boundary.sequence.cohort import Cohort
from models.boundary.sequence.look_table import LookTable, look_table
from models.boundary.sequence.looks import delta_of_look, delta_of_sequence
from models.boundary.sequence.thinning import (
    from_store,
    in_cohort,
    in_reserve,
    reviewable_range,
    thinned,
)

__all__ = [
    "AbDesign",
    "AbJudgement",
    "AbProof",
    "AbRows",
    "AbVerdict",
    "Arm",
    "CertificationSequence",
    "Cohort",
    "DecisionRule",
    "Evidence",
    "LookTable",
    "NotchPrice",
    "SequentialComparison",
    "SequentialVerdict",
    "assign_arm",
    "certify",
    "decide",
    "delta_of_look",
    "delta_of_sequence",
    "effective_sample",
    "from_store",
    "guard",
    "in_cohort",
    "in_reserve",
    "judge_ab",
    "look_table",
    "reviewable_range",
    "sample_ratio_p_value",
    "sequential",
    "thinned",
]
