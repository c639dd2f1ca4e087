"""How many more labels would prove a wider boundary? (METHODS 2)

The price is the size at which the very test that will be used succeeds with a probability of 80 %
(planned at 85 %), when the true error share is 30 % of its limit. Rates are those seen so far; errors are put where
they weigh most. Power is found by drawing the counts the test looks at (seeded), never cases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv, logsumexp

from models.boundary.betting import WAGERS
from models.boundary.bounds import trials_for_power
from models.boundary.candidates import FIRST_BLOCKS, PASS_SHARES
from models.boundary.evidence import BoolArray, Evidence, FloatArray
from models.boundary.poisson_worst_case import worst_case_probability
from models.boundary.stratified import AUDITED_SHARE, BAD_CASES_SHARE
from models.vocabulary import Boundary, Targets

POWER = 0.85
"""80 % is promised; the reserve is for the step itself: a wider cut passes a little more error than
today's, whose share is what was seen."""

TRUE_SHARE = 0.3
"""Of the limit; what a price plans for."""

DRAWS = 2_000
LARGEST_SCALE = 1e6
_MOST_ERRORS = 60
"""Seen errors beyond which a plan is not followed; at 30 % of a limit so many never occur."""


def labels_needed(
    evidence: Evidence,
    targets: Targets,
    shares: Mapping[str, float],
    incumbent: Boundary,
    tests: Mapping[str, str],
) -> dict[str, int]:
    """Labels still needed by zone ("pass", "block"); a zone with enough is left out.

    Args:
        shares: what each risk may spend of delta.
        tests: the test that judges each zone: "exact", "stratified" or "betting".
    """
    needed: dict[str, int] = {}
    if not evidence.labelled.any():
        return {zone: _first_labels(targets, shares, zone) for zone in tests if tests[zone]}
    zone = _Zone.passed(evidence, incumbent)
    if targets.recall is not None:
        plan = _recall_plan(evidence, targets.recall, shares["recall"], zone, tests["pass"])
        needed["pass"] = plan
    if targets.false_omission_rate is not None:
        starts = 1 if incumbent.pass_at_or_below is not None else len(PASS_SHARES)
        delta = shares["false_omission_rate"] / starts
        plan = _share_plan(evidence, targets.false_omission_rate, delta, zone, tests["pass"])
        needed["pass"] = max(plan, needed.get("pass", 0))
    if targets.precision is not None:
        blocked = _Zone.blocked(evidence, incumbent, targets.precision)
        starts = 1 if incumbent.block_at_or_above is not None else len(FIRST_BLOCKS)
        delta = shares["precision"] / starts
        least = 0 if incumbent.block_at_or_above is not None else max(FIRST_BLOCKS)
        needed["block"] = _share_plan(
            evidence, 1.0 - targets.precision, delta, blocked, tests["block"], least
        )
    return {name: count for name, count in needed.items() if count > 0}


@dataclass(frozen=True)
class _Zone:
    """The cases one side is about: how many, how many labels they were designed to give, how many
    cases stand behind one error seen there at worst, and the zone's share of the labels that are
    counted (1: the labels are the zone's own)."""

    cases: float
    labels: float
    weight: float
    share: float = 1.0

    @classmethod
    def passed(cls, evidence: Evidence, incumbent: Boundary) -> _Zone:
        cut = incumbent.pass_at_or_below
        if cut is None:
            # The first sequence of cuts starts where this share of all cases is passed.
            return cls._of(evidence, evidence.automatable, PASS_SHARES[0])
        return cls._of(evidence, evidence.automatable & (evidence.score <= cut), 1.0)

    @classmethod
    def blocked(cls, evidence: Evidence, incumbent: Boundary, precision: float) -> _Zone:
        cut = incumbent.block_at_or_above
        likely = evidence.score >= (precision if cut is None else cut)
        return cls._of(evidence, evidence.automatable & likely, 1.0)

    @classmethod
    def _of(cls, evidence: Evidence, inside: BoolArray, share: float) -> _Zone:
        if not inside.any():
            return cls(0.0, 0.0, evidence.largest_weight)
        propensity = evidence.propensity[inside]
        return cls(
            float(inside.sum()) * share,
            float(propensity.sum()) * share,
            float(1 / propensity.min()),
        )


def _recall_plan(evidence: Evidence, recall: float, delta: float, zone: _Zone, test: str) -> int:
    beta = 1.0 - recall
    bad = float(evidence.credible_bad.sum())
    labelled = float(evidence.labelled.sum())
    if test == "exact":
        short = trials_for_power(beta, delta, TRUE_SHARE, POWER) - bad
        return max(math.ceil(short * labelled / max(bad, 0.5)), 0)
    weights, counts = _bad_by_weight(evidence)
    everything = float((weights * counts).sum())
    labels = zone.labels if test == "stratified" else labelled
    succeeds: Callable[[FloatArray, FloatArray], BoolArray]
    if test == "stratified":
        spend = BAD_CASES_SHARE * delta / len(weights)
        allowed = _Critical(zone.weight, delta, spent=BAD_CASES_SHARE * delta)

        def succeeds(misses: FloatArray, caught: FloatArray) -> BoolArray:
            lower = np.where(caught > 0, gammaincinv(np.maximum(caught, 1e-9), spend), 0.0)
            return np.asarray(beta * (lower @ weights) >= allowed.for_seen(misses))
    else:
        gains = np.log1p(WAGERS[:, None] * beta / (1.0 - beta) * weights / weights.max())

        def succeeds(misses: FloatArray, caught: FloatArray) -> BoolArray:
            capital = np.log1p(-WAGERS)[:, None] * misses + gains @ caught.T
            return _reaches(capital, delta)

    heaviest = zone.weight if test == "stratified" else float(weights.max())

    def power(scale: float) -> float:
        generator = np.random.default_rng(0)
        misses = generator.poisson(TRUE_SHARE * beta * everything * scale / heaviest, DRAWS)
        caught = generator.poisson(counts * scale, (DRAWS, len(counts)))
        return float(succeeds(misses.astype(float), caught.astype(float)).mean())

    return _more(power, max(labels, 1.0))


def _share_plan(
    evidence: Evidence, limit: float, delta: float, zone: _Zone, test: str, least: int = 0
) -> int:
    """For false omission and precision: errors among all cases of a zone."""
    if test == "exact" or zone.weight == 1.0:
        wanted = max(trials_for_power(limit, delta, TRUE_SHARE, POWER), least)
        return math.ceil(max(wanted - zone.labels, 0.0) / zone.share)
    weight = zone.weight
    cases = max(zone.cases, 1.0)
    succeeds: Callable[[FloatArray, FloatArray, float], BoolArray]
    if test == "stratified":
        allowed = _Critical(weight, delta, spent=0.0)

        def succeeds(wrong: FloatArray, right: FloatArray, scale: float) -> BoolArray:
            return np.asarray(limit * cases * scale >= allowed.for_seen(wrong))
    else:

        def succeeds(wrong: FloatArray, right: FloatArray, scale: float) -> BoolArray:
            gain = np.log1p(WAGERS * limit / (1.0 - limit))[:, None]
            return _reaches(np.log1p(-WAGERS)[:, None] * wrong + gain * right, delta)

    def power(scale: float) -> float:
        generator = np.random.default_rng(0)
        drawn = cases * scale / weight
        wrong = generator.poisson(TRUE_SHARE * limit * drawn, DRAWS).astype(float)
        return float(succeeds(wrong, np.maximum(drawn - wrong, 0.0), scale).mean())

    return _more(power, max(zone.labels, 1.0))


def _more(power: Callable[[float], float], labels: float) -> int:
    """Further labels at the smallest scale of today's evidence with enough power; 0: there is."""
    if power(1.0) >= POWER:
        return 0
    low, high = 1.0, 2.0
    while power(high) < POWER:
        low, high = high, 2.0 * high
        if high > LARGEST_SCALE:
            break
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return math.ceil((high - 1.0) * labels)


@dataclass(frozen=True)
class _Critical:
    """The fewest allowed errors with which the stratified test passes, by errors seen.

    All seen errors have one weight, the worst for the claim; what is reviewed in full beside them
    shows none.
    """

    weight: float
    delta: float
    spent: float

    def for_seen(self, seen: FloatArray) -> FloatArray:
        """Shape as `seen`; infinite beyond what a plan follows."""
        most = int(min(seen.max(initial=0.0), _MOST_ERRORS))
        table = np.array(
            [_fewest_allowed(k, self.weight, self.delta, self.spent) for k in range(most + 1)]
        )
        known = seen <= most
        return np.where(known, table[np.where(known, seen, 0).astype(np.intp)], np.inf)


@lru_cache(maxsize=4_096)
def _fewest_allowed(seen: int, weight: float, delta: float, spent: float) -> float:
    gamma = AUDITED_SHARE * delta
    limit = weight * float(gammaincinv(seen + 1.0, 1.0 - gamma))

    def passes(allowed: float) -> bool:
        beyond = worst_case_probability(seen * weight, [weight, 1.0], allowed, [limit])
        today = worst_case_probability(seen * weight, [weight], allowed)
        return max(gamma + beyond, today) + spent <= delta

    low, high = seen * weight, (seen + 5.0) * weight
    while not passes(high):
        low, high = high, 2.0 * high
    while high - low > 2e-3 * high:
        middle = (low + high) / 2.0
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def _bad_by_weight(evidence: Evidence) -> tuple[FloatArray, FloatArray]:
    """(designed weights, credible bad cases seen with each); half a case where none was seen."""
    weight = 1.0 / evidence.propensity
    seen = evidence.credible_bad > 0.0
    weights, place = np.unique(weight[seen], return_inverse=True)
    if not len(weights):
        return np.array([float(weight.min())]), np.array([0.5])
    return weights, np.bincount(place, evidence.credible_bad[seen]).astype(np.float64)


def _reaches(log_capital: FloatArray, delta: float) -> BoolArray:
    mean = logsumexp(log_capital, axis=0) - math.log(len(WAGERS))
    return np.asarray(mean >= -math.log(delta))


def _first_labels(targets: Targets, shares: Mapping[str, float], zone: str) -> int:
    """Before any label: the cases an exact test would ask for."""
    limits = {
        "recall": None if targets.recall is None else 1.0 - targets.recall,
        "false_omission_rate": targets.false_omission_rate,
        "precision": None if targets.precision is None else 1.0 - targets.precision,
    }
    names = ("recall", "false_omission_rate") if zone == "pass" else ("precision",)
    return max(
        trials_for_power(limit, shares[name], TRUE_SHARE, POWER)
        for name in names
        if (limit := limits[name]) is not None
    )
