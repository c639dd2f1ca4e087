"""Where does the operating procedure mislead (Type C): errors that neither weights nor threshold explain?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.triage.error_slices import ErrorSlice, find_error_slices
from models.triage.evidence import TriageEvidence
from models.triage.feature_bias import Unjudged
from models.triage.plan import TriagePlan
from models.triage.slice_conditions import Condition, Relation

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

    @property
    def pattern(self) -> str:
        """Names the pattern from night to night: of a found slice without its thresholds, which
        move with every case."""
        if self.slice is None:
            return self.value
        return " and ".join(dict.fromkeys(_direction(one) for one in self.slice.conditions))

    @property
    def told(self) -> str:
        return self.value if self.kind == "slice" else f"{self.kind} {self.value}"

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


def _direction(condition: Condition) -> str:
    if condition.relation is Relation.AT_MOST:
        return f"{condition.column} low"
    if condition.relation is Relation.ABOVE:
        return f"{condition.column} high"
    return condition.text
