"""With what probability does the very test that will be used succeed, at a multiple of the evidence?

Planned for a true error share of 30 % of its limit (METHODS 2). Rates are those seen so far; errors
are put where they weigh most. Power is found by drawing the counts the test looks at (seeded),
never cases, so that one question costs milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import gammaincinv

from models.boundary.proof.betting import WAGERS
from models.boundary.proof.bounds import trials_for_power
from models.boundary.proof.candidates import FIRST_BLOCKS, PASS_SHARES
from models.boundary.proof.evidence import BoolArray, Evidence, FloatArray
from models.boundary.proof.poisson_worst_case import worst_case_probability
from models.boundary.proof.stratified import AUDITED_SHARE, BAD_CASES_SHARE
from models.vocabulary import Boundary, Targets

POWER = 0.85
"""80 % is promised; the reserve is for the step itself: a wider cut passes a little more error than
today's, whose share is what was seen."""

TRUE_SHARE = 0.3
"""Of the limit; what a price plans for."""

DRAWS = 2_000
LARGEST_SCALE = 1e6
_SMALLEST_SCALE = 1e-4
_MOST_ERRORS = 60
"""Seen errors beyond which a plan is not followed; at 30 % of a limit so many never occur."""


@dataclass(frozen=True, eq=False)
class Design:
    """How cases like those of the evidence are observed.

    Attributes:
        evidence: the cases, and what was seen of them.
        incumbent: the boundary in force while they are observed.
        propensity: designed probability of each case in (0, 1], shape (cases,).
        tests: the test that judges each zone: "exact", "stratified" or "betting".
    """

    evidence: Evidence
    incumbent: Boundary
    propensity: FloatArray
    tests: Mapping[str, str]

    @classmethod
    def as_logged(cls, evidence: Evidence, incumbent: Boundary, tests: Mapping[str, str]) -> Design:
        """The design under which the evidence was collected."""
        return cls(evidence, incumbent, evidence.propensity, tests)

    @property
    def bad(self) -> FloatArray:
        """Credible bad labels that each case would give on average under this design."""
        return self.evidence.credible_bad * self.propensity / self.evidence.propensity


@dataclass(frozen=True)
class Outlook:
    """What one zone's certificate would take.

    Attributes:
        labels: labels of the zone that one more stretch like the evidence gives by design.
        power: probability of success when the evidence is so many times as long.
        missing: counts `more`, which takes some ten questions about power.
    """

    labels: float
    power: Callable[[float], float]
    missing: Callable[[], int]

    @cached_property
    def more(self) -> int:
        """Further labels for `POWER`; 0 where the evidence in hand has it."""
        return self.missing()

    def scale(self) -> float:
        """How many times the evidence's own length it takes from nothing; infinite: no length does.

        Within 1 %, and never too short.
        """
        low, high = 1.0, 1.0
        if self.power(1.0) >= POWER:
            while self.power(low) >= POWER:
                low, high = low / 2.0, low
                if low < _SMALLEST_SCALE:
                    return high
        else:
            while self.power(high) < POWER:
                low, high = high, 2.0 * high
                if high > LARGEST_SCALE:
                    return math.inf
        return _between(self.power, low, high)


def outlooks(
    design: Design, targets: Targets, shares: Mapping[str, float]
) -> dict[str, tuple[Outlook, ...]]:
    """By zone ("pass", "block") and promise, what the next certificate would take.

    Args:
        shares: what each risk may spend of delta.
    """
    found: dict[str, tuple[Outlook, ...]] = {}
    today = design.incumbent
    zone = _Zone.passed(design)
    if targets.recall is not None:
        found["pass"] = (_recall(design, targets.recall, shares["recall"], zone),)
    if targets.false_omission_rate is not None:
        starts = 1 if today.pass_at_or_below is not None else len(PASS_SHARES)
        delta = shares["false_omission_rate"] / starts
        plan = _share(design.tests["pass"], targets.false_omission_rate, delta, zone)
        found["pass"] = (*found.get("pass", ()), plan)
    if targets.precision is not None:
        blocked = _Zone.blocked(design, targets.precision)
        starts = 1 if today.block_at_or_above is not None else len(FIRST_BLOCKS)
        delta = shares["precision"] / starts
        least = 0 if today.block_at_or_above is not None else max(FIRST_BLOCKS)
        plan = _share(design.tests["block"], 1.0 - targets.precision, delta, blocked, least)
        found["block"] = (plan,)
    return found


@dataclass(frozen=True)
class _Zone:
    """The cases one side is about: how many, how many labels they are designed to give, the
    designed weights above 1 among them (falling), and the zone's share of the labels that are
    counted (1: the labels are the zone's own)."""

    cases: float
    labels: float
    weights: tuple[float, ...]
    share: float = 1.0

    @property
    def weight(self) -> float:
        """How many cases stand behind one error seen there, at worst."""
        return max(self.weights, default=1.0)

    @classmethod
    def passed(cls, design: Design) -> _Zone:
        evidence, cut = design.evidence, design.incumbent.pass_at_or_below
        if cut is None:
            # The first sequence of cuts starts where this share of the cases is passed; what is
            # blocked today is not passed next.
            high = design.incumbent.block_at_or_above
            open_ = evidence.automatable & (evidence.score < (np.inf if high is None else high))
            return cls._of(design, open_, PASS_SHARES[0])
        return cls._of(design, evidence.automatable & (evidence.score <= cut), 1.0)

    @classmethod
    def blocked(cls, design: Design, precision: float) -> _Zone:
        evidence, cut = design.evidence, design.incumbent.block_at_or_above
        likely = evidence.score >= (precision if cut is None else cut)
        return cls._of(design, evidence.automatable & likely, 1.0)

    @classmethod
    def _of(cls, design: Design, inside: BoolArray, share: float) -> _Zone:
        if not inside.any():
            return cls(0.0, 0.0, _weights_above_one(design.propensity))
        propensity = design.propensity[inside]
        return cls(
            float(inside.sum()) * share,
            float(propensity.sum()) * share,
            _weights_above_one(propensity),
        )


def _weights_above_one(propensity: FloatArray) -> tuple[float, ...]:
    weights = np.unique(1.0 / propensity[propensity < 1.0])[::-1]
    return tuple(float(weight) for weight in weights)


def _recall(design: Design, recall: float, delta: float, zone: _Zone) -> Outlook:
    beta, test = 1.0 - recall, design.tests["pass"]
    if test == "exact":
        bad, labelled = float(design.bad.sum()), float(design.evidence.labelled.sum())
        wanted = trials_for_power(beta, delta, TRUE_SHARE, POWER)
        more = max(math.ceil((wanted - bad) * labelled / max(bad, 0.5)), 0)
        return Outlook(labelled, _reached_at(wanted, max(bad, 0.5)), lambda: more)
    weights, counts = _bad_by_weight(design)
    everything = float((weights * counts).sum())
    labels = zone.labels if test == "stratified" else float(design.evidence.labelled.sum())
    succeeds: Callable[[FloatArray, FloatArray], BoolArray]
    if test == "stratified":
        spend = BAD_CASES_SHARE * delta / len(weights)
        allowed = _Critical(zone.weights, delta, spent=BAD_CASES_SHARE * delta)

        def succeeds(misses: FloatArray, caught: FloatArray) -> BoolArray:
            counted, place = np.unique(caught, return_inverse=True)
            limits = np.where(counted > 0, gammaincinv(np.maximum(counted, 1e-9), spend), 0.0)
            lower = limits[place].reshape(caught.shape)
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

    return Outlook(labels, power, lambda: _more(power, max(labels, 1.0)))


def _share(test: str, limit: float, delta: float, zone: _Zone, least: int = 0) -> Outlook:
    """For false omission and precision: errors among all cases of a zone."""
    if test == "exact" or zone.weight == 1.0:
        wanted = max(trials_for_power(limit, delta, TRUE_SHARE, POWER), least)
        more = math.ceil(max(wanted - zone.labels, 0.0) / zone.share)
        return Outlook(zone.labels / zone.share, _reached_at(wanted, zone.labels), lambda: more)
    cases = max(zone.cases, 1.0)
    succeeds: Callable[[FloatArray, FloatArray, float], BoolArray]
    if test == "stratified":
        allowed = _Critical(zone.weights, delta, spent=0.0)

        def succeeds(wrong: FloatArray, right: FloatArray, scale: float) -> BoolArray:
            return np.asarray(limit * cases * scale >= allowed.for_seen(wrong))
    else:

        def succeeds(wrong: FloatArray, right: FloatArray, scale: float) -> BoolArray:
            gain = np.log1p(WAGERS * limit / (1.0 - limit))[:, None]
            return _reaches(np.log1p(-WAGERS)[:, None] * wrong + gain * right, delta)

    def power(scale: float) -> float:
        generator = np.random.default_rng(0)
        drawn = cases * scale / zone.weight
        wrong = generator.poisson(TRUE_SHARE * limit * drawn, DRAWS).astype(float)
        return float(succeeds(wrong, np.maximum(drawn - wrong, 0.0), scale).mean())

    return Outlook(zone.labels, power, lambda: _more(power, max(zone.labels, 1.0)))


def _reached_at(wanted: int, seen: float) -> Callable[[float], float]:
    """The exact test's power, which its closed form knows as reached or not."""
    return lambda scale: POWER if seen * scale >= wanted else 0.0


def _more(power: Callable[[float], float], labels: float) -> int:
    """Further labels at the smallest scale of today's evidence with enough power; 0: there is."""
    if power(1.0) >= POWER:
        return 0
    low, high = 1.0, 2.0
    while power(high) < POWER:
        low, high = high, 2.0 * high
        if high > LARGEST_SCALE:
            break
    return math.ceil((_between(power, low, high) - 1.0) * labels)


def _between(power: Callable[[float], float], low: float, high: float) -> float:
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high


@dataclass(frozen=True)
class _Critical:
    """The fewest allowed errors with which the stratified test passes, by errors seen.

    All seen errors have the largest weight, the worst for the claim; what else is audited, and what
    is reviewed in full beside it, shows none.
    """

    weights: tuple[float, ...]
    delta: float
    spent: float

    def for_seen(self, seen: FloatArray) -> FloatArray:
        """Shape as `seen`; infinite beyond what a plan follows."""
        most = int(min(seen.max(initial=0.0), _MOST_ERRORS))
        table = np.array(
            [_fewest_allowed(k, self.weights, self.delta, self.spent) for k in range(most + 1)]
        )
        known = seen <= most
        return np.where(known, table[np.where(known, seen, 0).astype(np.intp)], np.inf)


@lru_cache(maxsize=4_096)
def _fewest_allowed(seen: int, weights: tuple[float, ...], delta: float, spent: float) -> float:
    """`weights` are the audited strata's, falling; none: everything passed is reviewed."""
    gamma = AUDITED_SHARE * delta if weights else 0.0
    heaviest = max(weights, default=1.0)
    limits = [
        weight * float(gammaincinv((seen if place == 0 else 0) + 1.0, 1.0 - gamma / len(weights)))
        for place, weight in enumerate(weights)
    ]

    def passes(allowed: float) -> bool:
        beyond = worst_case_probability(seen * heaviest, [*weights, 1.0], allowed, limits)
        today = worst_case_probability(seen * heaviest, weights, allowed) if weights else 0.0
        return max(gamma + beyond, today) + spent <= delta

    low, high = seen * heaviest, (seen + 5.0) * heaviest
    while not passes(high):
        low, high = high, 2.0 * high
    while high - low > 2e-3 * high:
        middle = (low + high) / 2.0
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def _bad_by_weight(design: Design) -> tuple[FloatArray, FloatArray]:
    """(designed weights, credible bad cases seen with each); half a case where none was seen."""
    weight = 1.0 / design.propensity
    expected = design.bad
    seen = expected > 0.0
    weights, place = np.unique(weight[seen], return_inverse=True)
    if not len(weights):
        return np.array([float(weight.min())]), np.array([0.5])
    return weights, np.bincount(place, expected[seen]).astype(np.float64)


def _reaches(log_capital: FloatArray, delta: float) -> BoolArray:
    # The mean of the wagers' capitals, from its largest one: scipy's logsumexp asks more than this.
    largest = log_capital.max(axis=0)
    mean = largest + np.log(np.exp(log_capital - largest).mean(axis=0))
    return np.asarray(mean >= -math.log(delta))
