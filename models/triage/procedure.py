"""Where does the operating procedure mislead (Type C): errors that neither weights nor threshold explain?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.triage.error_slices import ErrorSlice, find_error_slices
from models.triage.evidence import TriageEvidence
from models.triage.feature_bias import Unjudged
from models.triage.plan import TriagePlan

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ProcedureGap:
    """A group of cases with more errors than A and B explain.

    Attributes:
        kind: "slice", "sop_clause", "root_cause" or "topic"; value: which one.
        errors_are: "FP" or "FN".
        cases, errors, expected: in the group.
        ratio, low, high: times as many errors as elsewhere, with a 95 % interval.
        also: other names of the same pattern (a clause cited in most of a slice's errors).
    """

    kind: str
    value: str
    errors_are: str
    cases: int
    errors: int
    expected: float
    ratio: float
    low: float
    high: float
    p_value: float
    also: tuple[str, ...] = ()
    slice: ErrorSlice | None = None

    def cases_in(self, evidence: TriageEvidence) -> BoolArray:
        """Which cases belong to the group, shape (cases,)."""
        if self.slice is not None:
            return self.slice.holds(evidence.raw)
        return np.zeros(len(evidence.margin), dtype=np.bool_)


def procedure_gaps(
    evidence: TriageEvidence, chances: FloatArray, plan: TriagePlan
) -> tuple[tuple[ProcedureGap, ...], tuple[Unjudged, ...]]:
    found = []
    says_block = evidence.margin >= 0.0
    for name, side, wrong, expected in (
        ("FP", says_block, ~evidence.bad, 1.0 - chances),
        ("FN", ~says_block, evidence.bad, chances),
    ):
        if side.sum() < 100:
            continue
        rep = find_error_slices(
            evidence.raw[side],
            wrong[side],
            expected[side],
            q=plan.q / 2,
            fewest_errors=plan.fewest_errors,
            least_ratio=plan.least_ratio,
        )
        for o in rep.findings:
            found.append(
                ProcedureGap(
                    "slice",
                    o.slice,
                    name,
                    o.cases,
                    o.errors,
                    o.expected,
                    o.ratio,
                    o.low,
                    o.high,
                    o.p_value,
                    (),
                    o,
                )
            )
    return tuple(found), ()
