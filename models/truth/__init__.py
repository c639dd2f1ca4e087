"""When does a case's truth count, who has the last word on it, and what must be said twice?"""

from models.truth.adjudication import OUTCOME_RANK, settle
from models.truth.confirmation import Contradictions, blind_second_sample, contradictions
from models.truth.credence import credence, false_bad_upper, unconfirmed_bad_deflation
from models.truth.maturity import matured_before

__all__ = [
    "OUTCOME_RANK",
    "Contradictions",
    "blind_second_sample",
    "contradictions",
    "credence",
    "false_bad_upper",
    "matured_before",
    "settle",
    "unconfirmed_bad_deflation",
]
