"""What would the next notch cost in labels and days, and when would it have paid? (METHODS 2)

The price is found on the very table that will judge: its recursion is run on from what has been
seen so far, for 15 error shares that the labels leave possible, until the looks up to one of them
pass with a probability of 80 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from scipy import stats

from models.boundary.price import price_words
from models.boundary.sequence.look_table import (
    LookTable,
    carried,
    look_table,
    looks_within,
    most_new_errors,
)

POWER = 0.8
POSTERIOR_POINTS = 15
HORIZON = 25
"""Times the first look: a notch that takes more is not provable at this size."""

_NOTHING = 1e-10
"""Of a law: a number of errors this improbable changes no price."""

_HOPE = 4.0
"""Standard deviations below its mean at which a number of errors is not hoped for."""

NOTCH = 0.02
TRICKLE = 0.03
"""The audit rate where nobody says another (METHODS 2: what the guard needs)."""


PAYS_WITHIN = 365.0
"""Days: labels that the notch does not earn back within a year are not worth their hours."""


class Road(StrEnum):
    """The cheapest way to a notch (METHODS 2)."""

    SPRINT = "sprint"
    PATIENCE = "patience"
    BETTER_MODEL = "better model"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A cut that would be a notch, and what its test has seen.

    Attributes:
        cut: the score.
        errors, trials: seen so far (recall: misses among the bad cases in hand).
        first, limit, delta, phi: of its table.
        trials_a_case: how many trials one more case of the cohort brings on average.
    """

    cut: float
    errors: int
    trials: int
    first: int
    limit: float
    delta: float
    phi: float
    trials_a_case: float

    def table(self) -> LookTable:
        """The looks up to the horizon."""
        looks = max(looks_within(self.first, HORIZON * self.first), 1)
        return look_table(self.first, self.limit, self.delta, phi=self.phi, looks=looks)

    def cases(self) -> int | None:
        """Further cases of the cohort for `POWER`; None: not provable at this size.

        Before the first look so few labels leave every share possible: the price is that look, as
        long as its errors allow it.
        """
        table = self.table()
        size = size_at_power(table, self.errors, self.trials)
        if size is None and self.trials < self.first and self.errors <= max(table.allowed[0], 0):
            size = self.first
        if size is None or self.trials_a_case <= 0.0:
            return None
        return math.ceil(max(size - self.trials, 0) / self.trials_a_case)


@dataclass(frozen=True, slots=True)
class NotchPrice:
    """The price of one side's next notch; everything in it follows from `cases`.

    Attributes:
        zone: "pass" or "block".
        notch: the step in automation that is priced, as a share of all cases: the one asked for, or
            half of it where only that is provable.
        asked: the step that was asked for.
        cut: the score that would be reached; None: no cut automates so much more.
        provable: whether a proof is to be expected within `HORIZON` times the first look.
        in_hand: labels of the cohort so far.
        cases: further cases of the cohort; None: not provable at this size.
        labels: reviews that the audit adds for them, as that many of them are decided today; while
            nothing is decided every case is reviewed anyway, and all of them are counted.
        days: by audit rate, at the traffic told; empty where none was.
        payback_days: until the reviews saved by the notch are as many as `labels`; None: unknown, or
            the labels cost nothing, as every case is reviewed anyway.
        comes_by_itself: the side has a cohort of its own, every case of which is reviewed (METHODS
            1.3), so no audit on top brings the notch nearer.
        reviewed_anyway: the side decides nothing yet either, so its labels cost nothing.
    """

    zone: str
    notch: float
    asked: float
    cut: float | None
    provable: bool
    in_hand: int
    cases: int | None = None
    labels: int | None = None
    days: Mapping[float, float] = field(default_factory=dict)
    payback_days: float | None = None
    reviewed_anyway: bool = False
    comes_by_itself: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "days", MappingProxyType(dict(self.days)))

    @property
    def road(self) -> Road:
        """Which is the cheapest: a sprint, patience or a better model?

        A sprint and patience buy the same labels. The sprint is the better one where what it costs
        is earned back before patience would have proven anything.
        """
        if not self.provable or self.cases is None:
            return Road.BETTER_MODEL
        if self.payback_days is None or not self.days:
            return Road.PATIENCE  # nothing to hurry for, or nothing to hurry with
        if self.payback_days > PAYS_WITHIN:
            return Road.BETTER_MODEL
        today, soonest = next(iter(self.days.values())), min(self.days.values())
        return Road.SPRINT if soonest + self.payback_days < today else Road.PATIENCE

    @property
    def sentence(self) -> str:
        """For people: what is in hand, what is missing, how long it takes, and which road is cheapest."""
        step = f"{price_words.points(self.notch)} more on the {self.zone} side"
        if not self.provable or self.cases is None or self.labels is None:
            return (
                f"{step}: no number of labels within reach proves it ({self.in_hand:,} labels in hand); "
                "a better model is the way."
            )
        halved = (
            ""
            if self.notch == self.asked
            else " (half the notch; a whole one is out of reach for this model)"
        )
        if self.cases == 0:
            return f"{step}{halved}: what is in hand is likely to prove it at the next look."
        told = f"{step}{halved}: {self.labels:,} more labels, {self.in_hand:,} in hand"
        if self.days:
            told += f"; {price_words.days_by_rate(self.days)}"
        if self.reviewed_anyway:
            return f"{told}. They come by themselves, as every case of it is reviewed."
        if self.payback_days is None:
            return f"{told}."
        back = price_words.days(self.payback_days)
        return f"{told}; paid back {back} after it is live. {self.advice}"

    @property
    def advice(self) -> str:
        """The cheapest road, in a sentence."""
        if self.road is Road.SPRINT:
            return "A sprint is the cheapest road: it is paid back before patience proves anything."
        if self.road is Road.PATIENCE:
            return "Patience is the cheapest road: a sprint would not be paid back sooner."
        return "A better model is the cheapest road: these labels are not paid back within a year."


def size_at_power(table: LookTable, errors: int, trials: int) -> int | None:
    """Trials of the first look by which a cut passes with a mean probability of `POWER`; None:
    there is no such look in the table.

    The mean is over `POSTERIOR_POINTS` quantiles of Beta(errors + 1/2, trials - errors + 1/2), the
    share that the errors seen leave possible; with the plug-in share the price is too low.
    """
    ahead = [place for place, size in enumerate(table.sizes) if size >= trials]
    if not ahead or errors > table.allowed[-1]:
        return None
    chances = (np.arange(POSTERIOR_POINTS) + 0.5) / POSTERIOR_POINTS
    shares = stats.beta.ppf(chances, errors + 0.5, trials - errors + 0.5)
    sizes, allowed = np.array(table.sizes)[ahead], np.array(table.allowed)[ahead]
    laws, low = np.ones((POSTERIOR_POINTS, 1)), errors  # of the number of errors, from `low` on
    passed, before = 0.0, trials
    for place, size in enumerate(sizes):
        more = int(size) - before
        room = min(most_new_errors(more, shares), table.allowed[-1] + 1 - low - laws.shape[1])
        laws = carried(np.pad(laws, ((0, 0), (0, max(room, 0)))), more, shares)
        laws[laws < _NOTHING] = 0.0
        passing = max(int(allowed[place]) + 1 - low, 0)
        passed += float(laws[:, :passing].sum()) / POSTERIOR_POINTS
        laws[:, :passing] = 0.0
        # More errors than any later look is likely to allow need not be followed.
        later = (sizes[place:] - size)[:, None] * shares
        spare = (allowed[place:, None] - later + _HOPE * np.sqrt(later + 1.0)).max(axis=0)
        laws[low + np.arange(laws.shape[1]) > spare[:, None]] = 0.0
        before = int(size)
        if passed >= POWER:
            return before
        followed = np.flatnonzero(laws.any(axis=0))
        if passed + float(laws.sum()) / POSTERIOR_POINTS < POWER or not len(followed):
            return None
        laws, low = laws[:, followed[0] : followed[-1] + 1], low + int(followed[0])
    return None


def priced(
    zone: str,
    asked: float,
    notches: Mapping[float, list[Wanted] | None],
    in_hand: int,
    decided: float,
    cases_per_day: float | None,
    rate: float,
    apart: bool = False,
) -> NotchPrice:
    """The price of the first of the notches, largest first, that is provable.

    Args:
        notches: for each the tests that all must pass, the last one at the cut itself; None: no
            cut automates so much more.
        decided: share of the cohort's cases that the side decides today.
        cases_per_day: traffic of this case type; None: no days are told.
        rate: today's audit rate; 1 where `apart`: the side has a cohort of its own, all of it reviewed.
    """
    reached: float | None = None
    for notch, tests in notches.items():
        if tests is None:
            continue
        reached = tests[-1].cut
        cases = _most(tests)
        if cases is not None:
            labels = math.ceil(cases * decided) if decided > 0.0 else cases
            return NotchPrice(
                zone, notch, asked, reached, True, in_hand, cases, labels,
                *_in_days(cases, labels, notch, decided, cases_per_day, rate),
                reviewed_anyway=rate >= 1.0 and decided <= 0.0,
                comes_by_itself=apart,
            )  # fmt: skip
    return NotchPrice(zone, asked, asked, reached, False, in_hand)


def _in_days(
    cases: int, labels: int, notch: float, decided: float, traffic: float | None, rate: float
) -> tuple[dict[float, float], float | None]:
    """(days by audit rate: today's, half, double, everything; days until the labels are paid back)."""
    if traffic is None or traffic <= 0.0:
        return {}, None
    # What decides nothing itself may stand beside a side, or another model, whose audits are its cohort.
    free = decided <= 0.0 and rate >= 1.0
    rates = [1.0] if free else [rate, rate / 2.0, min(2.0 * rate, 1.0), 1.0]
    payback = None if free else labels / (notch * traffic)
    return {one: cases / (one * traffic) for one in rates}, payback


def _most(tests: list[Wanted]) -> int | None:
    """The cases that the dearest of them takes; None where one is not provable."""
    dearest = 0
    for test in reversed(tests):  # the cut itself first: it is the least likely to be provable
        cases = test.cases()
        if cases is None:
            return None
        dearest = max(dearest, cases)
    return dearest
