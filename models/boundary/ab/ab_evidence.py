"""How much evidence for each claim of an A/B has come in, day by day or look by look?"""

from __future__ import annotations

import math

import numpy as np

from models.boundary.ab.ab_claims import (
    Claim,
    LargestWeights,
    absolute_claims,
    automation_claim,
    refuting_claims,
)
from models.boundary.ab.ab_rows import CaseKinds, FloatArray
from models.boundary.ab.precision_margin import margin_log_capital, margin_z_scores
from models.boundary.proof.wagers import log_capital_by_day
from models.vocabulary import AbPlan

_ROUNDING = 1e-9

MARGIN = "precision_margin"


def log_capitals(
    plan: AbPlan, kinds: CaseKinds, counts: FloatArray, largest: LargestWeights
) -> dict[str, FloatArray]:
    """Log capital for each claim at each day's end, shape (..., days); log(1/delta) proves it.

    Args:
        kinds, counts: see `tally`; counts has shape (..., days, kinds), one leading axis or more
            for repetitions.
    """
    paths = {
        claim.name: log_capital_by_day(claim.z, counts, claim.largest_loss)
        for claim in _claims(plan, kinds, largest)
    }
    if plan.targets.precision is not None:
        paths[MARGIN] = margin_log_capital(
            kinds, counts, plan.precision_margin, plan.targets.delta, largest
        )
    return paths


def refuting_log_capitals(
    plan: AbPlan, kinds: CaseKinds, counts: FloatArray, largest: LargestWeights
) -> dict[str, FloatArray]:
    """Log capital against each promise at each day's end, shape (..., days)."""
    return {
        claim.name: log_capital_by_day(claim.z, counts, claim.largest_loss)
        for claim in refuting_claims(kinds, plan.targets, largest)
    }


def look_days(plan: AbPlan) -> tuple[int, ...]:
    """Days that must be over at each registered look of O'Brien-Fleming; empty for betting."""
    if plan.looks is None:
        return ()
    return tuple(
        math.floor(plan.horizon_days * look / plan.looks + _ROUNDING)
        for look in range(1, plan.looks + 1)
    )


def scores_at_looks(
    plan: AbPlan, kinds: CaseKinds, counts: FloatArray, largest: LargestWeights
) -> dict[str, FloatArray]:
    """z * sqrt(k / K) of each claim at the registered looks k that are over, shape (..., looks).

    The limit O'Brien and Fleming set for it is the same at every look. There is no score at any
    other day: looked at daily, a z-test errs in a fifth of tests (METHODS 5).
    """
    looks = look_days(plan)
    taken = [day for day in looks if day <= counts.shape[-2]]
    scale = np.sqrt(np.arange(1, len(taken) + 1) / len(looks))
    totals = np.stack(
        [counts[..., :day, :].sum(axis=-2) for day in taken]
        or [np.empty((*counts.shape[:-2], counts.shape[-1]))],
        axis=-2,
    )[..., : len(taken), :]
    scores = {
        claim.name: z_scores(claim, totals) * scale for claim in _claims(plan, kinds, largest)
    }
    if plan.targets.precision is not None:
        scores[MARGIN] = scale * margin_z_scores(
            kinds, totals, plan.precision_margin, plan.targets.precision
        )
    return scores


def z_scores(claim: Claim, totals: FloatArray) -> FloatArray:
    """z-scores of one claim from cases of each kind so far, shape (..., kinds) -> (...)."""
    square = np.maximum(totals @ claim.z**2, totals @ claim.least_square)
    mean = totals @ claim.z
    scores: FloatArray = np.divide(mean, np.sqrt(square), out=np.zeros_like(mean), where=square > 0)
    return scores


def _claims(plan: AbPlan, kinds: CaseKinds, largest: LargestWeights) -> tuple[Claim, ...]:
    """The claims that are sums over cases: all but the margin between two precisions."""
    return (
        automation_claim(kinds, plan.automation_margin),
        *absolute_claims(kinds, plan.targets, largest),
    )
