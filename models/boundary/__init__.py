"""Deciding under a boundary, and proving a wider one."""

from models.boundary.certificate import certify, effective_sample, sample_for_first_look
from models.boundary.decide import decide
from models.boundary.evidence import Evidence
from models.boundary.looks import delta_of_look, exact_look_is_due

__all__ = [
    "Evidence",
    "certify",
    "decide",
    "delta_of_look",
    "effective_sample",
    "exact_look_is_due",
    "sample_for_first_look",
]
