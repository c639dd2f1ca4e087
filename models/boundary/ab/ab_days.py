"""How many days would an A/B test take at today's traffic to prove what is true? (METHODS 5)

By simulation: the test's own bets or scores on drawn counts of cases (seeded), never on cases, at the
shares and the errors that a random sample of the traffic shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType

import numpy as np

from models.boundary.ab.ab_claims import LargestWeights
from models.boundary.ab.ab_evidence import log_capitals, look_days, scores_at_looks
from models.boundary.ab.ab_rows import (
    BLOCKED,
    ESCALATED,
    PASSED,
    BoolArray,
    CaseKinds,
    FloatArray,
    IntArray,
)
from models.boundary.ab.ab_test import AbDesign, designed_weights, untested_claims
from models.boundary.ab.group_sequential import obrien_fleming_constant
from models.vocabulary import AbPlan

AB_POWER = 0.8
"""Share of the tests of such policies that must have proven every claim by then."""

MOST_DAYS = 3_650.0
RUNS = 200
"""Simulated tests: the standard error of a share of .8 is .03."""
_STEPS = 14
_CLOSE = 1.05


@dataclass(frozen=True, eq=False)
class TrialCases:
    """A random sample of the cases that a test would be about, and what either policy does with each.

    Attributes:
        control_action, treatment_action: positions in (auto_pass, auto_block, escalate), shape (cases,).
        known: its truth is in, shape (cases,).
        bad: the truth, where known.
        control_rate, treatment_rate: lowest designed audit rate of each policy's automatic decisions,
            in (0, 1].
        cases_per_day: such cases a day.
        maturity_days: from a case's opening until its truth counts.
    """

    control_action: IntArray
    treatment_action: IntArray
    known: BoolArray
    bad: BoolArray
    control_rate: float
    treatment_rate: float
    cases_per_day: float
    maturity_days: float


@dataclass(frozen=True, slots=True)
class TrialOutlook:
    """What a test of a plan would take.

    Attributes:
        days: the shortest horizon by which `AB_POWER` of the simulated tests have proven every claim,
            within 5 %; None: none up to `MOST_DAYS`.
        by_horizon: share of the simulated tests that have by the plan's own horizon.
        by_claim: the same of each claim by itself, at that horizon.
    """

    days: float | None
    by_horizon: float
    by_claim: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_claim", MappingProxyType(dict(self.by_claim)))

    @property
    def hardest(self) -> str | None:
        """The claim that most often lacks its proof at the plan's horizon; None: nothing is tested."""
        return min(self.by_claim, key=lambda claim: self.by_claim[claim], default=None)


def trial_outlook(
    plan: AbPlan, design: AbDesign, cases: TrialCases, *, runs: int = RUNS, seed: int = 0
) -> TrialOutlook:
    """The days until a test of such policies has the power `AB_POWER`.

    Every claim counts, each at the whole delta, as in `judge_ab`. A share of bad cases is taken as
    (bad + 1/2) / (known + 1) of those with the same pair of answers, so that none seen is not none at
    all. The audit rate of moved cases is the plan's last one. Every drawn case is taken to get its
    label, and the world not to change meanwhile.

    Raises:
        ValueError: there is no case, or a rate is outside its range.
    """
    if not len(cases.known):
        raise ValueError(
            "no case shows what the two policies would do; give a sample of the traffic"
        )
    for rate in (cases.control_rate, cases.treatment_rate):
        if not 0.0 < rate <= 1.0:
            raise ValueError(f"an audit rate must lie in (0, 1], got {rate!r}")
    world = _World.of(plan, design, cases, runs, seed)
    at_horizon = world.proven(plan.horizon_days)
    power = world.together(at_horizon)
    by_claim = {claim: float(runs_.mean()) for claim, runs_ in at_horizon.items()}
    return TrialOutlook(_shortest(world, plan.horizon_days, power), power, by_claim)


def _shortest(world: _World, horizon: float, power: float) -> float | None:
    fewest = float(world.plan.looks or 1)  # a look a day at the most
    low = high = horizon
    if power >= AB_POWER:
        while world.power(low) >= AB_POWER:
            low, high = low / 2.0, low
            if low < fewest:
                return fewest
    else:
        while world.power(high) < AB_POWER:
            low, high = high, 2.0 * high
            if low >= MOST_DAYS:
                return None
    while high / low > _CLOSE:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if world.power(middle) >= AB_POWER else (middle, high)
    return high


@dataclass(frozen=True, eq=False)
class _World:
    """Kinds of case, how many of each come a day, and how a test of them is judged."""

    plan: AbPlan
    kinds: CaseKinds
    per_day: FloatArray
    largest: LargestWeights
    untested: frozenset[str]
    maturity_days: float
    runs: int
    seed: int

    @classmethod
    def of(cls, plan: AbPlan, design: AbDesign, cases: TrialCases, runs: int, seed: int) -> _World:
        kinds, shares = _kinds(plan, cases)
        return cls(
            plan=plan,
            kinds=kinds,
            per_day=shares * cases.cases_per_day,
            largest=designed_weights(plan, design),
            untested=untested_claims(design),
            maturity_days=cases.maturity_days,
            runs=runs,
            seed=seed,
        )

    def power(self, horizon: float) -> float:
        return self.together(self.proven(horizon))

    def together(self, proven: Mapping[str, BoolArray]) -> float:
        """Share of the runs in which every claim is proven; 1 where nothing is tested."""
        if not proven:
            return 1.0
        return float(np.all(list(proven.values()), axis=0).mean())

    def proven(self, horizon: float) -> dict[str, BoolArray]:
        """By tested claim: in which runs it is proven by a horizon, shape (runs,).

        The horizon is cut into equal steps, at whose ends evidence is read: fewer reads than days,
        which never proves more.
        """
        steps = max(_STEPS, self.plan.looks or 0)
        plan = replace(self.plan, horizon_days=float(steps))
        ends = horizon * np.arange(1, steps + 1) / steps
        matured = np.diff(np.maximum(ends - self.maturity_days, 0.0), prepend=0.0)
        drawn = np.random.default_rng(self.seed).poisson(
            matured[:, None] * self.per_day, (self.runs, steps, len(self.per_day))
        )
        counts = drawn.astype(np.float64)
        delta = plan.targets.delta
        if plan.method == "betting":
            paths = log_capitals(plan, self.kinds, counts, self.largest)
            needed = -math.log(delta)
        else:
            paths = scores_at_looks(plan, self.kinds, counts, self.largest)
            needed = obrien_fleming_constant(len(look_days(plan)), delta)
        return {
            claim: np.asarray((path >= needed).any(axis=-1))
            for claim, path in paths.items()
            if claim not in self.untested
        }


def _kinds(plan: AbPlan, cases: TrialCases) -> tuple[CaseKinds, FloatArray]:
    """The kinds of case as `tally` makes them, and the share of all cases that each is."""
    rows: list[tuple[int, int, bool, float]] = []
    shares: list[float] = []
    total = len(cases.known)
    for control, treatment in product((PASSED, BLOCKED, ESCALATED), repeat=2):
        zone = (cases.control_action == control) & (cases.treatment_action == treatment)
        if not zone.any():
            continue
        part = float(zone.sum()) / total
        known = float((zone & cases.known).sum())
        bad = (float((zone & cases.known & cases.bad).sum()) + 0.5) / (known + 1.0)
        seen = 0.0
        for arm, weight in _observed(plan, cases, control, treatment):
            rows += [(control, treatment, True, weight), (control, treatment, False, weight)]
            shares += [part * arm * bad, part * arm * (1.0 - bad)]
            seen += arm
        rows.append((control, treatment, False, 0.0))
        shares.append(part * max(1.0 - seen, 0.0))
    table = np.array(rows, dtype=np.float64)
    return (
        CaseKinds(
            control_passes=table[:, 0] == PASSED,
            control_blocks=table[:, 0] == BLOCKED,
            treatment_passes=table[:, 1] == PASSED,
            treatment_blocks=table[:, 1] == BLOCKED,
            bad=table[:, 2] == 1.0,
            missing=np.zeros(len(table), dtype=np.bool_),
            weight=table[:, 3],
        ),
        np.array(shares),
    )


def _observed(
    plan: AbPlan, cases: TrialCases, control: int, treatment: int
) -> list[tuple[float, float]]:
    """(share of a zone's cases whose truth counts, their weight), by arm; see `tally`."""
    share = plan.treatment_share
    if control != treatment:
        rate = 1.0 if treatment == ESCALATED else plan.lowest_moved_rate
        return [(share * rate, 1.0 / (share * rate))]
    if control == ESCALATED:
        return [(1.0, 1.0)]
    arms = ((1.0 - share, cases.control_rate), (share, cases.treatment_rate))
    return [(part * rate, 1.0 / rate) for part, rate in arms]
