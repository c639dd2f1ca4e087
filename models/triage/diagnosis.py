"""Of one case type: is it the weights (A), the threshold (B), the procedure (C), or several?"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.stats import poisson

from models.triage.evidence import TriageEvidence
from models.triage.labelled_rows import FEWEST_OF_A_CLASS
from models.triage.plan import TriagePlan
from models.triage.procedure.procedure import ProcedureGap, procedure_gaps
from models.triage.threshold.miscalibration import Miscalibration, fit_calibration
from models.triage.threshold.offset_logit import fit_offset_logit, independent
from models.triage.weight.feature_bias import Unjudged
from models.triage.weight.weights import BiasedWeights, biased_weights
from models.vocabulary import EVERYWHERE, Counterfactual

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FEWEST_CASES = 200
SURPRISE = 0.001
SURPRISING_RATIO = 1.25
"""Errors this many times as many as the scores expect, and significantly so, need an explanation."""
_LEAST_OUTSIDE = 0.4
_ROUNDS = 4


class Cause(StrEnum):
    """The statistics' answer for one case type (METHODS 4.4)."""

    NONE = "none"
    FEATURE_WEIGHT = "A"
    THRESHOLD = "B"
    PROCEDURE = "C"
    MIXED = "mixed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """Why the agent erred on one case type.

    Attributes:
        cause: the verdict. weights, calibration, gaps: what it rests on (calibration None: too few
            cases of either class). counterfactuals: by number of the weight finding.
        errors, expected_errors: on the wrong side of even odds, and as many as the scores expect.
        unjudged: what could not be judged, and why.
        outside: cases in no procedure gap: those that A and B were judged on, shape (cases,).
    """

    cause: Cause
    weights: BiasedWeights
    calibration: Miscalibration | None
    gaps: tuple[ProcedureGap, ...]
    counterfactuals: tuple[Counterfactual | None, ...]
    errors: int
    expected_errors: float
    unjudged: tuple[Unjudged, ...]
    outside: BoolArray = field(repr=False)

    @classmethod
    def of_nothing(cls, cases: int, why: str) -> Diagnosis:
        """Nothing can be said, and why."""
        left_out = (Unjudged(None, EVERYWHERE, why),)
        outside = np.ones(cases, dtype=np.bool_)
        return cls(Cause.NONE, BiasedWeights(), None, (), (), 0, 0.0, left_out, outside)


def diagnose(evidence: TriageEvidence, plan: TriagePlan | None = None) -> Diagnosis:
    """Fit A, then B beside it, then look for C in what is left; and once more without C.

    A misread slice of cases looks like a biased weight of the feature that marks it, and flattens
    the calibration of everything. So once gaps are found, A and B are judged again on the cases
    outside them, and only what stands there is reported (METHODS 4.1 to 4.4).
    """
    plan = plan or TriagePlan()
    bad, size = evidence.bad, len(evidence.margin)
    fewer = int(min(bad.sum(), size - bad.sum()))
    if size < FEWEST_CASES or fewer < FEWEST_OF_A_CLASS:
        why = (
            f"{size:,} labelled cases, {fewer} of the rarer kind; triage takes {FEWEST_CASES} "
            f"and {FEWEST_OF_A_CLASS}"
        )
        return Diagnosis.of_nothing(size, why)
    weights = biased_weights(evidence, plan)
    outside = np.ones(size, dtype=np.bool_)
    gaps, not_judged = _gaps(evidence, weights, outside, plan)
    for _ in range(_ROUNDS):
        # One gap at a time: while misread cases distort the fit, others show that are none.
        apart = (gap for gap in gaps if not gap.chosen_by_outcome)
        strongest = next(apart, None)
        smaller = outside if strongest is None else outside & ~strongest.members
        if smaller.sum() == outside.sum() or smaller.mean() < _LEAST_OUTSIDE:
            break
        outside = smaller
        weights = biased_weights(evidence.rows(outside), plan)
        gaps, not_judged = _gaps(evidence, weights, outside, plan)
    rest = evidence.rows(outside)
    calibration = fit_calibration(
        rest.margin,
        rest.bad.astype(np.float64),
        weights.directions(rest),
        alpha=plan.q,
        margin_of_interest=plan.calibration_margin,
    )
    wrong = (evidence.margin >= 0.0) != bad
    expected = float(np.minimum(expit(evidence.margin), expit(-evidence.margin)).sum())
    return Diagnosis(
        cause=_cause(weights, calibration, gaps, int(wrong.sum()), expected),
        weights=weights,
        calibration=calibration,
        gaps=gaps,
        counterfactuals=tuple(one.remedy(rest) for one in weights.findings),
        errors=int(wrong.sum()),
        expected_errors=expected,
        unjudged=(*weights.unjudged, *not_judged),
        outside=outside,
    )


def _gaps(
    evidence: TriageEvidence, weights: BiasedWeights, fit_on: BoolArray, plan: TriagePlan
) -> tuple[tuple[ProcedureGap, ...], tuple[Unjudged, ...]]:
    """Procedure gaps against the probabilities that A and B, fitted on some cases, give to all."""
    directions = np.column_stack([evidence.margin, weights.directions(evidence)])
    learned = directions[fit_on]
    varied = np.flatnonzero(learned.std(axis=0) > 1e-9)
    if len(varied):
        varied = varied[independent(learned[:, varied])[0]]
    truth = evidence.bad[fit_on].astype(np.float64)
    fit = fit_offset_logit(learned[:, varied], evidence.margin[fit_on], truth)
    off = fit.intercept + directions[:, varied] @ fit.slopes if fit.settled else 0.0
    return procedure_gaps(evidence, np.asarray(expit(evidence.margin + off)), plan)


def _cause(
    weights: BiasedWeights,
    calibration: Miscalibration | None,
    gaps: tuple[ProcedureGap, ...],
    errors: int,
    expected: float,
) -> Cause:
    causes = []
    if weights.findings:
        causes.append(Cause.FEATURE_WEIGHT)
    if calibration is not None and calibration.found:
        causes.append(Cause.THRESHOLD)
    if gaps:
        causes.append(Cause.PROCEDURE)
    if len(causes) > 1:
        return Cause.MIXED
    if causes:
        return causes[0]
    surprising = (
        poisson.sf(errors - 1, expected) < SURPRISE and errors > SURPRISING_RATIO * expected
    )
    return Cause.UNKNOWN if surprising else Cause.NONE
