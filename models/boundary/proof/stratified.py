"""Which boundary do selectively labelled cases prove when few designed weights are in force?

A Poisson worst-case stratified test (METHODS 1.2 and 1.3): within a stratum of one designed weight
`w = 1 / propensity` the errors seen are Poisson with mean `c / w`, and the split of the errors over
the strata, which nobody knows, is the worst one. The incumbent boundary is the one under which the
labels were collected. Strata are made of every case that was *designed* into them, drawn or not:
weights taken from labelled rows would turn 'the audit found no bad case' into 'fully reviewed'.

Every p-value here is to be compared with the whole `delta`: what the nuisance bounds spend of it
(a tenth for the bad cases that are not passed, .15 for the audited strata; Berger and Boos 1994) is
included. Truth is a rate: the promise is about expected shares, not about this sample's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from models.boundary.proof import exact
from models.boundary.proof.bounds import share_is_below, upper_limit
from models.boundary.proof.candidates import SideTest, outward
from models.boundary.proof.evidence import BoolArray, Evidence, FloatArray
from models.boundary.proof.poisson_worst_case import (
    MOST_STRATA,
    worst_case_excess,
    worst_case_probability,
)
from models.vocabulary import Boundary

BAD_CASES_SHARE = 0.1
"""Of delta, for the limit on the number of bad cases (delta_q of METHODS 1.2)."""

AUDITED_SHARE = 0.15
"""Of delta, for the limits on the errors in the audited strata (gamma of METHODS 1.2)."""


def pass_fallback_reason(evidence: Evidence, incumbent: Boundary | None) -> str | None:
    """Why the pass side must be judged by betting (METHODS 1.4); None: this module applies."""
    low, _ = _sides(incumbent)
    open_zone = _open_zone_reason(evidence, incumbent)
    if open_zone is not None:
        return open_zone
    audited = int((_designed_weights(evidence, _passed(evidence, low)) > 1.0).sum())
    if audited + 1 > MOST_STRATA:
        return (
            f"the pass zone has {audited} designed weights above 1; the stratified test covers "
            f"{MOST_STRATA - 1}"
        )
    return None


def block_fallback_reason(evidence: Evidence, incumbent: Boundary | None) -> str | None:
    """Why the block side must be judged by betting (METHODS 1.4); None: this module applies."""
    _, high = _sides(incumbent)
    open_zone = _open_zone_reason(evidence, incumbent)
    if open_zone is not None:
        return open_zone
    weights = _designed_weights(evidence, _blocked(evidence, high))
    audited = int((weights > 1.0).sum())
    if audited > 1:
        return (
            f"the block zone has {audited} designed weights above 1; the stratified test covers 1"
        )
    return None


def widest_pass_by_recall(
    evidence: Evidence, recall: float, delta: float, incumbent: Boundary | None
) -> SideTest:
    """The largest cut below which at most a share `1 - recall` of the bad cases lies (METHODS 1.2).

    The misses seen only grow with the cut, so one test serves every cut and a binary search finds
    the widest. A drawn case without a label is a miss of its weight below the cut and nothing above.

    Raises:
        ValueError: the design is not covered; see `pass_fallback_reason`.
    """
    if evidence.fully_reviewed:
        return exact.widest_pass_by_recall(evidence, recall, delta)
    strata = _PassStrata.of(evidence, incumbent)
    allowed = (1.0 - recall) * _bad_cases_at_least(evidence, incumbent, BAD_CASES_SHARE * delta)
    sample = int(evidence.bad.sum())
    cuts = strata.candidates(_pass_ceiling(evidence, incumbent))
    proven, beyond = 0, len(cuts)
    while proven < beyond:
        middle = (proven + beyond) // 2
        holds = strata.recall_p_value(float(cuts[middle]), allowed, delta) <= delta
        proven, beyond = (middle + 1, beyond) if holds else (proven, middle)
    if proven == 0:
        return SideTest(None, sample=sample)
    cut = float(cuts[proven - 1])
    if not _passed(evidence, cut).any():
        return SideTest(None, sample=sample)  # a cut below every case passes nobody
    return SideTest(cut, sample=sample)


def recall_p_value(
    evidence: Evidence, recall: float, delta: float, incumbent: Boundary | None, cut: float
) -> float:
    """P-value at this delta against 'a share `1 - recall` or more of the bad cases is passed'.

    The cut is proven when it is at most `delta`.

    Raises:
        ValueError: the design is not covered; see `pass_fallback_reason`.
    """
    if evidence.fully_reviewed:
        return share_is_below(*exact.recall_errors(evidence, cut), 1.0 - recall)
    allowed = (1.0 - recall) * _bad_cases_at_least(evidence, incumbent, BAD_CASES_SHARE * delta)
    return _PassStrata.of(evidence, incumbent).recall_p_value(cut, allowed, delta)


def recall_lower_limit(
    evidence: Evidence, delta: float, incumbent: Boundary | None, cut: float
) -> float | None:
    """The highest recall proven for a cut, within 1e-4 of the miss share; None: none is."""
    if evidence.fully_reviewed:
        share = upper_limit(*exact.recall_errors(evidence, cut), delta)
    else:
        strata = _PassStrata.of(evidence, incumbent)
        bad_cases = _bad_cases_at_least(evidence, incumbent, BAD_CASES_SHARE * delta)
        share = _smallest_share(
            lambda beta: strata.recall_p_value(cut, beta * bad_cases, delta) <= delta
        )
    return None if share is None else 1.0 - share


def recall_refuted(
    evidence: Evidence, recall: float, delta: float, incumbent: Boundary | None, cut: float
) -> float:
    """P-value at this delta for the opposite: small when more than `1 - recall` is surely passed.

    Write `M` for the bad cases passed at the cut and `K` for all others, `beta = 1 - recall`. 'At
    most a share beta is missed', `M <= beta (M + K)`, is the same as `M <= K beta / (1 - beta)`.
    With probability `1 - delta_q`, `K` lies below the sum over its designed weights of
    `w * GammaQuantile(1 - delta_q / cells; bad seen + 1)`; `K` and `M` are seen on different cases.
    Given that, `P(weighted misses >= those seen)` is largest when `M` reaches its limit, at its
    worst split over the strata. Labels that are drawn and missing speak for the incumbent: none is
    a miss, and each one that is not passed is a bad case caught.

    Raises:
        ValueError: more than three designed weights lie below the cut.
    """
    beta, spent = 1.0 - recall, BAD_CASES_SHARE * delta
    passed = _passed(evidence, cut)
    weights, counts = _cells(
        evidence, incumbent, ~passed, (evidence.bad | evidence.missing).astype(np.float64)
    )
    caught = float((weights * gammaincinv(counts + 1.0, 1.0 - spent / max(len(weights), 1))).sum())
    return min(spent + _excess(evidence, passed, evidence.bad, beta / (1.0 - beta) * caught), 1.0)


def widest_pass_by_false_omission(
    evidence: Evidence,
    limit: float,
    delta: float,
    starts: list[FloatArray],
    incumbent: Boundary | None,
) -> SideTest:
    """The highest pass cut whose bad share is proven below `limit`, by fixed-sequence testing.

    Raises:
        ValueError: the design is not covered; see `pass_fallback_reason`.
    """
    if _all_reviewed(evidence, _passed(evidence, _highest(starts))):
        return exact.widest_pass_by_false_omission(evidence, limit, delta, starts)
    strata = _PassStrata.of(evidence, incumbent)
    spend = delta / len(starts)

    def p_value(cut: float) -> float:
        return _pass_p_value(evidence, strata, limit, spend, cut)

    return outward(starts, p_value, delta, None, widest=max)


def pass_p_value(
    evidence: Evidence, limit: float, delta: float, incumbent: Boundary | None, cut: float
) -> float:
    """P-value at this delta against 'a share `limit` or more of the passed cases is bad'.

    Raises:
        ValueError: the design is not covered; see `pass_fallback_reason`.
    """
    return _pass_p_value(evidence, _PassStrata.of(evidence, incumbent), limit, delta, cut)


def false_omission_upper_limit(
    evidence: Evidence, delta: float, incumbent: Boundary | None, cut: float
) -> float | None:
    """The lowest false omission rate proven for a cut, within 1e-4 of itself; None: none is."""
    passed = _passed(evidence, cut)
    if _all_reviewed(evidence, passed):
        return upper_limit(*exact.pass_errors(evidence, cut), delta)
    strata = _PassStrata.of(evidence, incumbent)
    return _smallest_share(
        lambda limit: _pass_p_value(evidence, strata, limit, delta, cut) <= delta
    )


def pass_refuted(evidence: Evidence, limit: float, cut: float) -> float:
    """P-value for the opposite: small when more than `limit` of the passed cases are surely bad.

    The number passed is known, so the hypothesis allows `limit * N(cut)` bad cases at their worst
    split; drawn cases without a label are taken as good.

    Raises:
        ValueError: more than three designed weights lie below the cut.
    """
    passed = _passed(evidence, cut)
    return _excess(evidence, passed, evidence.bad, limit * float(passed.sum()))


def widest_block(
    evidence: Evidence,
    precision: float,
    delta: float,
    starts: list[FloatArray],
    incumbent: Boundary | None,
) -> SideTest:
    """The lowest block cut reached by fixed-sequence testing outward (METHODS 1.3, audited blocks).

    Raises:
        ValueError: the design is not covered; see `block_fallback_reason`.
    """
    _refuse(block_fallback_reason(evidence, incumbent))
    if _all_reviewed(evidence, _blocked(evidence, _lowest(starts))):
        return exact.widest_block(evidence, precision, delta, starts)
    spend = delta / len(starts)

    def p_value(cut: float) -> float:
        return block_p_value(evidence, precision, spend, incumbent, cut)

    return outward(starts, p_value, delta, None, widest=min)


def block_p_value(
    evidence: Evidence, precision: float, delta: float, incumbent: Boundary | None, cut: float
) -> float:
    """P-value at this delta against 'a share `1 - precision` or more of the blocked is good'.

    A drawn case without a label counts as good. Blocks that were never drawn prove nothing.

    Raises:
        ValueError: the design is not covered; see `block_fallback_reason`.
    """
    _refuse(block_fallback_reason(evidence, incumbent))
    if _all_reviewed(evidence, _blocked(evidence, cut)):
        return share_is_below(*exact.block_errors(evidence, cut), 1.0 - precision)
    blocks = _Blocks.at(evidence, cut, evidence.drawn & ~evidence.bad)
    if blocks is None:
        return 1.0
    allowed = (1.0 - precision) * blocks.size
    if len(blocks.weights) == 1:
        return worst_case_probability(blocks.seen, blocks.weights, allowed)
    audited = np.array([blocks.weights[0]])
    upper, gamma = _audited_limits(
        audited, np.array([blocks.audited_errors]), AUDITED_SHARE * delta
    )
    return min(gamma + worst_case_probability(blocks.seen, blocks.weights, allowed, upper), 1.0)


def precision_lower_limit(
    evidence: Evidence, delta: float, incumbent: Boundary | None, cut: float
) -> float | None:
    """The highest precision proven for a block cut, within 1e-4 of the good share; None: none is."""
    if _all_reviewed(evidence, _blocked(evidence, cut)):
        share = upper_limit(*exact.block_errors(evidence, cut), delta)
    else:
        share = _smallest_share(
            lambda good: block_p_value(evidence, 1.0 - good, delta, incumbent, cut) <= delta
        )
    return None if share is None else 1.0 - share


def block_refuted(
    evidence: Evidence, precision: float, incumbent: Boundary | None, cut: float
) -> float:
    """P-value for the opposite: small when more than `1 - precision` of the blocked is surely good.

    The mirror of `block_p_value`: `P(weighted good cases >= those seen)` when the hypothesis'
    `(1 - precision) * N(cut)` good cases lie at their worst split. Drawn cases without a label are
    taken as bad, and blocks that were never drawn refute nothing.
    """
    _refuse(block_fallback_reason(evidence, incumbent))
    blocks = _Blocks.at(evidence, cut, evidence.labelled & ~evidence.bad)
    if blocks is None:
        return 1.0
    return worst_case_excess(blocks.seen, blocks.weights, (1.0 - precision) * blocks.size)


@dataclass(frozen=True, eq=False)
class _PassStrata:
    """What the pass side's tests look at; misses are bad or drawn and missing.

    Attributes:
        today: the incumbent's pass cut, minus infinity when nothing is passed.
        weights: designed weights in force at or below `today`, shape (weights,).
        begins: lowest automatable score of each of these weights, shape (weights,).
        miss_score, miss_weight: automatable cases that count as a miss once passed, shape (misses,).
    """

    today: float
    weights: FloatArray
    begins: FloatArray
    miss_score: FloatArray
    miss_weight: FloatArray

    @classmethod
    def of(cls, evidence: Evidence, incumbent: Boundary | None) -> _PassStrata:
        _refuse(pass_fallback_reason(evidence, incumbent))
        today, _ = _sides(incumbent)
        below = _passed(evidence, today)
        weights = _designed_weights(evidence, below)
        misses = evidence.automatable & (evidence.bad | evidence.missing)
        weight = 1.0 / evidence.propensity
        begins = [evidence.score[below & (weight == one)].min() for one in weights]
        return cls(
            today=today,
            weights=weights,
            begins=np.array(begins, dtype=np.float64),
            miss_score=evidence.score[misses],
            miss_weight=weight[misses],
        )

    def candidates(self, ceiling: float) -> FloatArray:
        """Cuts at which the p-value may jump just above, ascending: below each miss, below each
        designed weight, today's cut, the ceiling. Equal scores move together."""
        jumps = np.nextafter(np.concatenate([self.miss_score, self.begins]), -np.inf)
        cuts = np.unique(np.concatenate([jumps, [self.today, ceiling]]))
        return cuts[(cuts >= 0.0) & (cuts <= ceiling)]

    def recall_p_value(self, cut: float, allowed: float, delta: float) -> float:
        """One test for every cut, so it may never fall as the cut grows: beyond today's cut, where
        the limits on the audited strata come in, it is at least what it is at today's."""
        found = self.p_value(cut, allowed, AUDITED_SHARE * delta)
        if cut > self.today:
            found = max(found, self.p_value(self.today, allowed, 0.0))
        return min(found + BAD_CASES_SHARE * delta, 1.0)

    def p_value(self, cut: float, allowed: float, gamma: float) -> float:
        """P-value against '`allowed` bad cases or more lie at or below the cut'."""
        passed = self.miss_score <= cut
        seen = float(self.miss_weight[passed].sum())
        if cut <= self.today:
            within = self.weights[self.begins <= cut]
            return worst_case_probability(seen, list(within), allowed) if len(within) else 0.0
        audited = self.weights[self.weights > 1.0]
        counts = (self.miss_weight[:, None] == audited) & (self.miss_score <= self.today)[:, None]
        upper, spent = _audited_limits(audited, counts.sum(axis=0), gamma)
        return min(spent + worst_case_probability(seen, [*audited, 1.0], allowed, upper), 1.0)


@dataclass(frozen=True)
class _Blocks:
    """Errors among the cases blocked at one cut.

    Attributes:
        weights: the audited stratum's (cases by drawn cases) where that is above 1, then 1 where
            some of the cases are all seen.
        seen: weighted errors; size: blocked cases; audited_errors: errors seen in the audit.
    """

    weights: tuple[float, ...]
    seen: float
    size: int
    audited_errors: int

    @classmethod
    def at(cls, evidence: Evidence, cut: float, error: BoolArray) -> _Blocks | None:
        """None when nothing is blocked, or nothing that a policy blocked was drawn."""
        blocked = _blocked(evidence, cut)
        # Blocks of before the incumbent's time were escalated, so they were all to be seen.
        audited = blocked & (evidence.propensity < 1.0)
        cases, drawn = int(audited.sum()), int((audited & evidence.drawn).sum())
        size = int(blocked.sum())
        if not size or (cases and not drawn):
            return None
        weight = cases / drawn if cases else 1.0
        errors = int((audited & error).sum())
        seen = weight * errors + int((blocked & ~audited & error).sum())
        weights = (weight,) if cases == size or weight == 1.0 else (weight, 1.0)
        return cls(weights, seen, size, errors)


def _pass_p_value(
    evidence: Evidence, strata: _PassStrata, limit: float, delta: float, cut: float
) -> float:
    passed = _passed(evidence, cut)
    if _all_reviewed(evidence, passed):
        return share_is_below(*exact.pass_errors(evidence, cut), limit)
    return strata.p_value(cut, limit * float(passed.sum()), AUDITED_SHARE * delta)


def _audited_limits(
    weights: FloatArray, errors: FloatArray, gamma: float
) -> tuple[list[float], float]:
    """(upper limits of the true errors of each audited stratum, what they spend of delta)."""
    if not len(weights):
        return [], 0.0
    limits = weights * gammaincinv(errors + 1.0, 1.0 - gamma / len(weights))
    return [float(limit) for limit in limits], gamma


def _bad_cases_at_least(evidence: Evidence, incumbent: Boundary | None, spend: float) -> float:
    """Lower limit on all bad cases, from those outside the pass zone (G of METHODS 1.2)."""
    low, _ = _sides(incumbent)
    weights, counts = _cells(evidence, incumbent, ~_passed(evidence, low), evidence.credible_bad)
    seen = counts > 0
    shares = spend / max(len(weights), 1)
    return float((weights[seen] * gammaincinv(counts[seen], shares)).sum())


def _cells(
    evidence: Evidence, incumbent: Boundary | None, where: BoolArray, counted: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(weight, cases counted) of each zone and designed weight that exists among `where`.

    A case that no policy may decide is reviewed whatever its score.
    """
    _, high = _sides(incumbent)
    blocked = _blocked(evidence, high)
    weights: list[float] = []
    counts: list[float] = []
    for zone in (where & ~blocked, where & blocked):
        for weight in _designed_weights(evidence, zone):
            weights.append(float(weight))
            counts.append(float(counted[zone & (1.0 / evidence.propensity == weight)].sum()))
    return np.array(weights, dtype=np.float64), np.array(counts, dtype=np.float64)


def _excess(evidence: Evidence, zone: BoolArray, error: BoolArray, allowed: float) -> float:
    weights = _designed_weights(evidence, zone)
    if not len(weights):
        return 1.0
    seen = float((1.0 / evidence.propensity[zone & error]).sum())
    return worst_case_excess(seen, list(weights), allowed)


def _smallest_share(proven: Callable[[float], bool]) -> float | None:
    """The smallest share that is proven, by bisection; None when not even all is."""
    low, high = 0.0, 1.0
    if not proven(high):
        return None
    while high - low > max(1e-4 * high, 1e-7):
        middle = (low + high) / 2.0
        low, high = (low, middle) if proven(middle) else (middle, high)
    return high


def _pass_ceiling(evidence: Evidence, incumbent: Boundary | None) -> float:
    """Just below the block cut, unless everything blocked was designed to be seen and was."""
    _, high = _sides(incumbent)
    blocked = _blocked(evidence, high)
    unseen = blocked & ((evidence.propensity < 1.0) | evidence.missing)
    return float(np.nextafter(high, -np.inf)) if unseen.any() else 1.0


def _open_zone_reason(evidence: Evidence, incumbent: Boundary | None) -> str | None:
    """Between the sides every case is reviewed; where it is not, the strata are not these."""
    low, high = _sides(incumbent)
    between = evidence.automatable & (evidence.score > low) & (evidence.score < high)
    sampled = int((between & (evidence.propensity < 1.0)).sum())
    if not sampled:
        return None
    return f"{sampled:,} cases that the incumbent escalates were reviewed with a propensity below 1"


def _refuse(reason: str | None) -> None:
    if reason is not None:
        raise ValueError(f"{reason}; use the betting test (METHODS 1.4)")


def _sides(incumbent: Boundary | None) -> tuple[float, float]:
    """(pass cut, block cut); infinite where a side is never automated."""
    low = incumbent.pass_at_or_below if incumbent is not None else None
    high = incumbent.block_at_or_above if incumbent is not None else None
    return -np.inf if low is None else low, np.inf if high is None else high


def _designed_weights(evidence: Evidence, zone: BoolArray) -> FloatArray:
    """Distinct weights by design, ascending, drawn or not; never from labelled rows alone."""
    return np.unique(1.0 / evidence.propensity[zone])


def _all_reviewed(evidence: Evidence, zone: BoolArray) -> bool:
    return bool((evidence.propensity[zone] == 1.0).all())


def _passed(evidence: Evidence, cut: float) -> BoolArray:
    return evidence.automatable & (evidence.score <= cut)


def _blocked(evidence: Evidence, cut: float) -> BoolArray:
    return evidence.automatable & (evidence.score >= cut)


def _highest(starts: list[FloatArray]) -> float:
    return max(float(sequence.max()) for sequence in starts)


def _lowest(starts: list[FloatArray]) -> float:
    return min(float(sequence.min()) for sequence in starts)
