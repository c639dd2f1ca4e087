"""How many automatic decisions must be reviewed, and which, so that the next widening can be proven?

METHODS 2: `pi(s) = max(pi_floor, c * sqrt(p(s)))`, capped at 1. `pi_floor` is the lowest rate at which
the very test that will judge the next widening succeeds with 80 % power within the days allowed, at
the traffic seen (`models.boundary.power`). Key users are always reviewed; none is ever sampled, and
none counts against the budget.

One rate in the pass zone is the default. With two, the stratified test must allow for every error
having been made where cases are sampled least, so the larger rate buys next to nothing. Simulated
worlds certified at rates of 10 % and 3 %: 0 of 100 with 100,000 cases; 32 of 40 with 300,000, where
3 % alone certified 30 of 40 with less than half the audits and 6.5 % alone 40 of 40 with as many.
Two levels pay for a better *estimate* of the misses (Neyman 1934: rates as the square root of the
variance), not for a sooner proof.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from models.boundary.certificate import delta_shares
from models.boundary.evidence import BoolArray, Evidence, FloatArray
from models.boundary.power import POWER, Design, Outlook, outlooks
from models.vocabulary import AuditBudget, Boundary, Targets

STEP = 0.001
"""Rates are whole steps, so that people can say them; a floor is rounded up, a budget down."""


@dataclass(frozen=True, slots=True)
class PlannedAudit:
    """The rates for a policy, and what they cost and buy.

    Attributes:
        rate, steps, block_rate: as in a policy's audit plan.
        pass_floor, block_floor: the lowest rate that keeps the days, by zone; None: the zone is not
            automated, has no promise, or even full review takes longer.
        reviews_per_day: audits a day at the traffic seen.
        days: by zone, until the next widening has its power at these rates; infinite: never.
        within_budget: whether the floors fit the budget.
        sentences: the plan for people, the most important first.
    """

    rate: float
    steps: tuple[tuple[float, float], ...]
    block_rate: float | None
    pass_floor: float | None
    block_floor: float | None
    reviews_per_day: float
    days: Mapping[str, float]
    within_budget: bool
    sentences: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "days", MappingProxyType(dict(self.days)))


def plan_audit(
    evidence: Evidence,
    targets: Targets,
    boundary: Boundary,
    budget: AuditBudget,
    observed_days: float,
) -> PlannedAudit:
    """The audit plan for a boundary about to be proposed.

    The cheapest plan that keeps the days is taken: with one level, what the floors leave of the
    budget is not spent. With two, the rest goes where the score says that misses are likelier.

    Args:
        evidence: what certified the boundary; it stands for the traffic of one day times
            `observed_days`, and for the shares of bad cases.
        targets: the promises; `targets.delta` is what the next look may spend.
        boundary: the boundary that will be in force while the audit runs.
        budget: reviews a day, days, and levels in the pass zone.
        observed_days: days that the evidence spans, above 0.

    Raises:
        ValueError: the boundary automates nothing, no case would be decided by it, nothing is
            labelled, or the span is not positive; the message says what would work.
    """
    problem = _Problem.checked(evidence, targets, boundary, budget, observed_days)
    block_floor = problem.floor("block", pass_rate=1.0)
    # Where the days cannot be kept, what can be bought is bought: the budget decides below.
    block = block_floor if block_floor is not None else problem.unkept("block")
    pass_floor = problem.floor("pass", block_rate=block)
    passing = pass_floor if pass_floor is not None else problem.unkept("pass")
    wanted = problem.reviews(passing, block)
    affordable = wanted <= budget.reviews_per_day
    if not affordable:
        passing, block = problem.cut_to_budget(passing, block)
    levels: tuple[float, float, float] | None = None
    if affordable and budget.levels == 2:
        levels = _two_levels(problem, passing, budget.reviews_per_day - problem.reviews(0.0, block))
    return problem.plan(pass_floor, block_floor, passing, block, levels, wanted, affordable)


@dataclass(frozen=True, eq=False)
class _Problem:
    evidence: Evidence
    targets: Targets
    boundary: Boundary
    budget: AuditBudget
    observed_days: float
    passed: BoolArray
    blocked: BoolArray

    @classmethod
    def checked(
        cls,
        evidence: Evidence,
        targets: Targets,
        boundary: Boundary,
        budget: AuditBudget,
        observed_days: float,
    ) -> _Problem:
        if not observed_days > 0.0:
            raise ValueError(
                f"the evidence spans {observed_days!r} days, so its traffic is unknown; give the "
                "days between its first and its last case"
            )
        low, high = boundary.pass_at_or_below, boundary.block_at_or_above
        passed = evidence.automatable & (evidence.score <= (-np.inf if low is None else low))
        blocked = evidence.automatable & (evidence.score >= (np.inf if high is None else high))
        if not (passed.any() or blocked.any()):
            raise ValueError(
                "an audit plan was asked for a boundary that decides none of these cases; where "
                "everything is reviewed there is nothing to sample"
            )
        if not evidence.labelled.any():
            raise ValueError(
                "an audit plan needs labelled cases, to know how many are bad; none is labelled. "
                "Use the configured audit_rate until some are"
            )
        return cls(evidence, targets, boundary, budget, observed_days, passed, blocked)

    def inside(self, zone: str) -> BoolArray:
        return self.passed if zone == "pass" else self.blocked

    def per_day(self, zone: str) -> float:
        return float(self.inside(zone).sum()) / self.observed_days

    def reviews(self, pass_rate: float, block_rate: float) -> float:
        """Audits a day."""
        return pass_rate * self.per_day("pass") + block_rate * self.per_day("block")

    def outlook(
        self, zone: str, pass_rate: float | FloatArray, block_rate: float
    ) -> tuple[Outlook, ...]:
        design = Design.under(self.evidence, self.boundary, pass_rate, block_rate)
        shares = delta_shares(self.targets, self.targets.delta)
        return outlooks(design, self.targets, shares).get(zone, ())

    def floor(self, zone: str, pass_rate: float = 1.0, block_rate: float = 1.0) -> float | None:
        """The lowest rate of a zone that keeps the days, the other zone's being given."""
        if not self.inside(zone).any() or not self.outlook(zone, 1.0, 1.0):
            return None
        scale = self.budget.within_days / self.observed_days

        def keeps(rate: float) -> bool:
            rates = (rate, block_rate) if zone == "pass" else (pass_rate, rate)
            return all(plan.power(scale) >= POWER for plan in self.outlook(zone, *rates))

        return _lowest(keeps)

    def unkept(self, zone: str) -> float:
        """Where no rate keeps the days: everything the promise could use; without one, a trace."""
        if not self.inside(zone).any():
            return 0.0
        return 1.0 if self.outlook(zone, 1.0, 1.0) else STEP

    def cut_to_budget(self, passing: float, block: float) -> tuple[float, float]:
        """Both rates in proportion, so that neither side pays for the other."""
        share = self.budget.reviews_per_day / self.reviews(passing, block)
        return _down(passing * share), _down(block * share)

    def plan(
        self,
        pass_floor: float | None,
        block_floor: float | None,
        passing: float,
        block: float,
        levels: tuple[float, float, float] | None,
        wanted: float,
        affordable: bool,
    ) -> PlannedAudit:
        rate, steps = (passing, ()) if levels is None else (levels[2], (levels[:2],))
        by_case: float | FloatArray = passing
        if levels is not None:
            by_case = np.where(self.evidence.score <= levels[0], levels[1], levels[2])
        days = {
            zone: max(plan.scale() for plan in plans) * self.observed_days
            for zone in ("pass", "block")
            if self.inside(zone).any() and (plans := self.outlook(zone, by_case, block or 1.0))
        }
        if not self.passed.any():
            rate = block
        audits = (self.passed * by_case + self.blocked * block).sum() / self.observed_days
        return PlannedAudit(
            rate=rate,
            steps=steps,
            block_rate=block if self.blocked.any() and block != rate else None,
            pass_floor=pass_floor,
            block_floor=block_floor,
            reviews_per_day=float(audits),
            days=days,
            within_budget=affordable,
            sentences=self._sentences(rate, steps, block, days, wanted, float(audits)),
        )

    def _sentences(
        self,
        rate: float,
        steps: tuple[tuple[float, float], ...],
        block: float,
        days: dict[str, float],
        wanted: float,
        audits: float,
    ) -> tuple[str, ...]:
        parts = []
        if self.passed.any():
            below = "".join(
                f"{one:.1%} up to a score of {top:.3g}, above it " for top, one in steps
            )
            parts.append(f"{below}{rate:.1%} of the passed cases")
        if self.blocked.any():
            parts.append(f"{block:.1%} of the blocked cases")
        said = [f"Audited: {' and '.join(parts)}, some {audits:,.0f} reviews a day."]
        limit = self.budget.reviews_per_day
        if wanted > limit:
            said.append(
                f"The budget of {limit:,.0f} reviews a day does not allow the {wanted:,.0f} that a "
                f"proof within {self.budget.within_days:,.0f} days would take."
            )
        for zone, count in days.items():
            late = "" if count <= self.budget.within_days * 1.01 else ", later than asked"
            said.append(
                f"The next step of the {zone} side then has 80% power after {count:,.0f} days{late}."
                if math.isfinite(count)
                else f"The next step of the {zone} side is then never proven."
            )
        return tuple(said)


def _lowest(keeps: Callable[[float], bool]) -> float | None:
    """The lowest whole step that keeps the days, by bisection (power rises with the rate)."""
    low, high = 0, round(1.0 / STEP)
    if not keeps(1.0):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle * STEP) else (middle, high)
    return round(high * STEP, 6)


def _down(rate: float) -> float:
    """Rounded down to a step, but never to nothing."""
    return min(max(round(math.floor(rate / STEP + 1e-9) * STEP, 6), STEP), 1.0)


def _two_levels(
    problem: _Problem, floor: float, reviews: float
) -> tuple[float, float, float] | None:
    """(score, rate up to it, rate above it): `max(floor, c sqrt(p))` within so many reviews a day
    of passed cases, quantised where the estimate of the misses loses least.

    None: the budget leaves nothing over the floor, or one score holds all cases.
    """
    scores = np.sort(problem.evidence.score[problem.passed])
    ends = np.flatnonzero(np.diff(scores) > 0.0)
    total = reviews * problem.observed_days
    if not len(ends) or total <= floor * len(scores) * (1.0 + 1e-9):
        return None
    wanted = _root_rates(scores, floor, total)
    counts = ends + 1.0
    below = np.cumsum(wanted)[ends] / counts
    above = (wanted.sum() - np.cumsum(wanted)[ends]) / (len(scores) - counts)
    misses = np.cumsum(scores)[ends]
    # The variance of a Horvitz-Thompson total of rare errors is the sum of p / pi.
    variance = misses / below + (scores.sum() - misses) / above
    best = int(np.argmin(variance))
    low, high = max(_down(below[best]), floor), _down(above[best])
    return (float(scores[ends[best]]), low, high) if high > low else None


def _root_rates(scores: FloatArray, floor: float, total: float) -> FloatArray:
    """`min(1, max(floor, c sqrt(p)))` with the largest c whose sum is at most `total`."""
    roots = np.sqrt(scores)
    low, high = 0.0, 1.0 / max(float(roots[roots > 0.0].min(initial=1.0)), 1e-6)
    for _ in range(60):
        middle = (low + high) / 2.0
        spent = float(np.clip(middle * roots, floor, 1.0).sum())
        low, high = (middle, high) if spent <= total else (low, middle)
    return np.clip(low * roots, floor, 1.0)
