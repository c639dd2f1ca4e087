"""Which of the proven boundaries costs least? (METHODS 1.5)

What every boundary up to the widest proven one promises is proven at once, so the choice among them
is free: it may look at the same labels. The expected cost `c_FN * missed + c_review * escalated +
c_FP * falsely blocked` splits into a part of the pass cut and a part of the block cut, so one sort and
one cumulative sum a side find the best of all cuts. It is an estimate (Horvitz and Thompson 1952:
labels weighted by 1 / propensity), not a promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.boundary.proof.evidence import BoolArray, Evidence, FloatArray
from models.vocabulary import Boundary, Costs


@dataclass(frozen=True, slots=True)
class CostChoice:
    """The cheapest proven boundary beside the widest.

    Attributes:
        cheapest, widest: the boundaries.
        usd, widest_usd: what they are estimated to cost, US dollars a case of the evidence. Audits
            and the reviewers' own errors are not in it.
    """

    cheapest: Boundary
    widest: Boundary
    usd: float
    widest_usd: float


def cheapest(
    evidence: Evidence,
    costs: Costs,
    today: Boundary,
    widest: Boundary,
    pass_cuts: tuple[float, ...] | None = None,
    block_cuts: tuple[float, ...] | None = None,
) -> CostChoice:
    """The cheapest boundary from today's up to the widest proven one; at equal cost the wider.

    A drawn case without a label counts as the error it may be. Cases that no policy may decide are
    reviewed whatever the boundary.

    Args:
        today: the boundary in force; a side that is None may stay so. No cut narrower than today's
            is chosen: to narrow is an alarm's business.
        widest: the widest proven boundary; today's sides, or wider.
        pass_cuts, block_cuts: the cuts that are proven, where a narrower one is not proven with a
            wider one (precision and false omission are no monotone risks); None: every narrower
            cut is proven with the widest.

    Raises:
        ValueError: `widest` is narrower than `today`, or there is no case.
    """
    if not len(evidence):
        raise ValueError("a cost was asked for on evidence without a case; give some evidence")
    unsure = evidence.labelled & ~evidence.bad | evidence.missing
    passing = _Side.of(evidence, evidence.bad | evidence.missing, costs.false_negative_usd, costs)
    blocking = _Side.of(evidence, unsure, costs.false_positive_usd, costs, mirrored=True)
    low, low_cost, widest_low_cost = passing.best(
        today.pass_at_or_below, widest.pass_at_or_below, pass_cuts
    )
    high, high_cost, widest_high_cost = blocking.best(
        _mirrored(today.block_at_or_above),
        _mirrored(widest.block_at_or_above),
        None if block_cuts is None else tuple(-cut for cut in block_cuts),
    )
    return CostChoice(
        cheapest=Boundary(low, _mirrored(high)),
        widest=widest,
        usd=costs.review_usd + (low_cost + high_cost) / len(evidence),
        widest_usd=costs.review_usd + (widest_low_cost + widest_high_cost) / len(evidence),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """What a side adds to the cost of reviewing everything, by number of cases it decides.

    Attributes:
        scores: automatable, ascending (negated on the block side), shape (cases,).
        cost: US dollars when the first j of them are decided, shape (cases + 1,).
    """

    scores: FloatArray
    cost: FloatArray

    @classmethod
    def of(
        cls,
        evidence: Evidence,
        error: BoolArray,
        error_usd: float,
        costs: Costs,
        mirrored: bool = False,
    ) -> _Side:
        free = evidence.automatable
        scores = -evidence.score[free] if mirrored else evidence.score[free]
        order = np.argsort(scores, kind="stable")
        errors = np.where(error[free], 1.0 / evidence.propensity[free], 0.0)[order]
        steps = error_usd * errors - costs.review_usd
        return cls(scores[order], np.concatenate([[0.0], np.cumsum(steps)]))

    def best(
        self, today: float | None, widest: float | None, proven: tuple[float, ...] | None
    ) -> tuple[float | None, float, float]:
        """(cut, its cost, the widest cut's cost)."""
        if widest is None or (today is not None and widest < today):
            if widest is None and today is None:
                return None, 0.0, 0.0
            raise ValueError(
                "the widest proven boundary is narrower than today's; a cost is chosen between the two"
            )
        start = -np.inf if today is None else today
        inner = self.scores if proven is None else np.array(proven)
        inner = inner[(inner > start) & (inner < widest)]
        cuts = np.unique(np.concatenate([[start], inner, [widest]]))
        cost = self.cost[np.searchsorted(self.scores, cuts, side="right")]
        # The last of the smallest: the widest at equal cost.
        best = len(cuts) - 1 - int(np.argmin(cost[::-1]))
        cut = None if cuts[best] == -np.inf else float(cuts[best])
        return cut, float(cost[best]), float(cost[-1])


def _mirrored(cut: float | None) -> float | None:
    return None if cut is None else -cut + 0.0
