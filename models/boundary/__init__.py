"""Deciding under a boundary, and proving a wider one."""

from models.boundary.certificate import certify, effective_sample, sample_for_first_look
from models.boundary.decide import decide
from models.boundary.evidence import Evidence
from models.boundary.guard import guard
from models.boundary.looks import delta_of_look, exact_look_is_due
from models.boundary.reviewer_gates import judge_reviewers
from models.boundary.side_tests import sequential

__all__ = [
    "Evidence",
    "certify",
    "decide",
    "delta_of_look",
    "effective_sample",
    "exact_look_is_due",
    "guard",
    "judge_reviewers",
    "sample_for_first_look",
    "sequential",
]
