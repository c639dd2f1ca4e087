"""Did a closed period keep its promise on the cases it auto-passed? (METHODS 7)

The period's auto-passed cases are a finite pool, a keyed hash of the case id is its random order, an
audit is a prefix of that order and a top-up a longer prefix. Against "at least `breaks_at` of the pool
are bad" a bettor's capital is multiplied, case after case, by `1 + lambda (m_j - y_j)` with
`m_j = (breaks_at - S_(j-1)) / (N - j + 1)`, the share of bad cases that the hypothesis leaves among
those not yet drawn. While it is true, the capital is a nonnegative supermartingale, and it ever reaches
1/alpha with probability at most alpha (Ville): at any prefix, chosen with every result in sight
(RiLACS: Waudby-Smith, Stark and Ramdas 2021; ALPHA: Stark 2023).

The capital is the mean over fixed lambdas, which is one bettor whose lambda_j is the mean weighted by
capital. For each of them it rises with `breaks_at`, so a smaller `breaks_at`, while caught cases are not
yet counted in full, is the harder test, and the guarantee holds over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import floor, log

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from models.boundary.proof.evidence import BoolArray, FloatArray

LAMBDAS = np.array([0.35, 0.7, 1.0])
"""The best of all is about 1 minus the ratio of the true misses to `breaks_at`; more of them between 0 and
1 find no pool proven sooner."""

RATIOS = np.array([1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0])
"""How many times the allowed misses the bettor on the other side expects."""


class PeriodVerdict(StrEnum):
    """What an audit of a closed period says of its promise."""

    PROVEN = "proven"
    REFUTED = "refuted"
    NOT_YET = "not_yet"


@dataclass(frozen=True, eq=False)
class Period:
    """A closed period as one promise sees it.

    Attributes:
        missed: of the auto-passed cases in the keyed order, whether each is bad (1), good (0) or not
            known (NaN), shape (cases,); what is doubtful is bad here.
        surely_missed: the misses that nobody doubts, shape (cases,); anywhere in the order.
        caught: bad cases of the period that were not auto-passed and may be counted.
        caught_at_most: those that may turn out to have been caught, at least `caught`.
        miss_share: the promise: the largest share of the bad cases that may be auto-passed, in (0, 1).
        alpha: the error probability of "proven", and apart from it of "refuted", in (0, 1).

    Raises:
        ValueError: a share is out of range, or counts contradict each other.
    """

    missed: FloatArray
    surely_missed: BoolArray
    caught: int
    caught_at_most: int
    miss_share: float = 0.01
    alpha: float = 0.05

    def __post_init__(self) -> None:
        for name in ("miss_share", "alpha"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(
                    f"{name} must lie strictly between 0 and 1, got {getattr(self, name)!r}"
                )
        if not 0 <= self.caught <= self.caught_at_most:
            raise ValueError(
                f"{self.caught} caught cases and at most {self.caught_at_most} contradict each other"
            )
        if self.missed.shape != self.surely_missed.shape:
            raise ValueError(
                f"the pool has {len(self.missed)} cases and {len(self.surely_missed)} sure words on them"
            )

    @property
    def breaks_at(self) -> int:
        """The least number of misses that breaks the promise, given the cases caught (c0)."""
        return fewest_breaking(self.caught, self.miss_share)

    @property
    def prefix(self) -> int:
        """Cases up to the first one of the order whose truth is not known."""
        unknown = np.flatnonzero(np.isnan(self.missed))
        return int(unknown[0]) if len(unknown) else len(self.missed)


@dataclass(frozen=True, slots=True)
class PeriodAudit:
    """What the audit says by now.

    Attributes:
        verdict: see `PeriodVerdict`.
        cases: auto-passed cases of the period.
        reviewed, misses: length of the prefix, and bad cases on it (doubtful ones included).
        breaks_at: the least number of misses that breaks the promise.
        capital: the largest against "the promise is broken" so far; at 1/alpha it is proven.
        capital_against: the largest against "the promise is kept"; at 1/alpha it is refuted.
        least_more: further cases of the order until it is proven if none of them is bad.
        likely_more: the same if bad ones go on coming as on the prefix; None: then it is not proven.
    """

    verdict: PeriodVerdict
    cases: int
    reviewed: int
    misses: int
    breaks_at: int
    capital: float
    capital_against: float
    least_more: int | None
    likely_more: int | None


def fewest_breaking(caught: int, miss_share: float) -> int:
    """The least number of misses M with `M / (M + caught) > miss_share`; exact, as the share is written."""
    share = Fraction(str(miss_share))
    return floor(share * caught / (1 - share)) + 1


def audited_period(period: Period) -> PeriodAudit:
    """Judge a closed period by the prefix that is known; asking again, or after a top-up, costs nothing."""
    cases, prefix, breaks_at = len(period.missed), period.prefix, period.breaks_at
    bad = period.missed[:prefix] == 1.0
    ever = capital_path(bad, cases, breaks_at)
    against = _against(period, prefix)
    goal = 1.0 / period.alpha
    kept = bool(ever.max() >= log(goal))
    broken = against >= log(goal)
    # Both at once takes an error of the one or the other; the alarm is the safer word.
    verdict = (
        PeriodVerdict.REFUTED if broken else PeriodVerdict.PROVEN if kept else PeriodVerdict.NOT_YET
    )
    least = likely = 0 if kept else None
    if not kept:
        least = _more(bad, cases, breaks_at, 0.0, goal)
        # Half a miss in as many cases as the limit has one stands for what is not known yet.
        seen = (bad.sum() + 0.5) / (prefix + max(cases, 1) / breaks_at)
        likely = _more(bad, cases, breaks_at, float(seen), goal)
    return PeriodAudit(
        verdict=verdict,
        cases=cases,
        reviewed=prefix,
        misses=int(bad.sum()),
        breaks_at=breaks_at,
        capital=_plain(float(ever.max())),
        capital_against=_plain(against),
        least_more=least,
        likely_more=likely,
    )


def capital_path(bad: BoolArray, cases: int, breaks_at: int) -> FloatArray:
    """Log capital against "at least `breaks_at` of the pool are bad" before any case and after each of
    a prefix, shape (prefix + 1,); infinite once that is impossible.

    Args:
        bad: of the prefix, in the keyed order, shape (prefix,).
        cases: of the whole pool.
    """
    found, impossible = _capitals(bad, cases, breaks_at)
    path: FloatArray = logsumexp(found, axis=0) - log(len(LAMBDAS))
    path[impossible] = np.inf
    return path


def _capitals(bad: BoolArray, cases: int, breaks_at: int) -> tuple[FloatArray, BoolArray]:
    """(log capital by lambda and length of the prefix, where the hypothesis has become impossible)."""
    errors = np.concatenate([[0], np.cumsum(bad)]).astype(np.float64)
    to_come = breaks_at - errors
    left = cases - np.arange(len(errors), dtype=np.float64)
    impossible = np.maximum.accumulate(to_come > left)
    mean = _share(to_come[:-1], left[:-1])
    # Where it holds for certain, nobody bets against it any more.
    gain = np.where(to_come[:-1] > 0.0, mean - bad, 0.0)
    steps = np.log1p(LAMBDAS[:, None] * gain)
    start = np.zeros((len(LAMBDAS), 1))
    return np.concatenate([start, np.cumsum(steps, axis=1)], axis=1), impossible


def _against(period: Period, prefix: int) -> float:
    """The largest log capital against "the promise is kept", in the promise's favour wherever something
    is open or doubted; infinite where the misses that are sure break it already."""
    allowed = fewest_breaking(period.caught_at_most, period.miss_share) - 1
    if int(period.surely_missed.sum()) > allowed:
        return float("inf")
    bad, cases = period.surely_missed[:prefix], len(period.missed)
    so_far = np.concatenate([[0], np.cumsum(bad)]).astype(np.float64)[:-1]
    mean = _share(allowed - so_far, cases - np.arange(prefix, dtype=np.float64))
    open_ = (mean > 0.0) & (mean < 1.0)
    mean, bad = mean[open_], bad[open_]
    expected = np.minimum(RATIOS[:, None] * mean, (1.0 + mean) / 2.0)
    steps = np.where(bad, np.log(expected / mean), np.log((1.0 - expected) / (1.0 - mean)))
    path = logsumexp(np.cumsum(steps, axis=1), axis=0) - log(len(RATIOS))
    return max(float(path.max(initial=0.0)), 0.0)


def _more(bad: BoolArray, cases: int, breaks_at: int, rate: float, goal: float) -> int | None:
    """How many more cases of the order until the capital reaches its goal, if the share `rate` of them
    is bad (of the expected path); None: it does not."""
    so_far, _ = _capitals(bad, cases, breaks_at)
    ahead = np.arange(cases - len(bad), dtype=np.float64)
    to_come = breaks_at - float(bad.sum()) - rate * ahead
    left = cases - len(bad) - ahead
    ends = np.flatnonzero(to_come > left)
    mean = _share(to_come, left)
    good = np.log1p(np.outer(LAMBDAS, mean))
    miss = np.log1p(np.outer(LAMBDAS, mean - 1.0).clip(-1.0 + 1e-12))
    steps = np.where(to_come > 0.0, (1.0 - rate) * good + rate * miss, 0.0)
    path = logsumexp(so_far[:, -1:] + np.cumsum(steps, axis=1), axis=0) - log(len(LAMBDAS))
    reached = np.flatnonzero(path >= log(goal))
    found = [int(reached[0]) + 1] if len(reached) else []
    found += [int(ends[0])] if len(ends) else []
    if not found and breaks_at - float(bad.sum()) - rate * len(ahead) > 0.0:
        found = [len(ahead)]  # whoever has seen all of them knows
    return min(found, default=None)


def _share(to_come: npt.NDArray[np.float64], left: npt.NDArray[np.float64]) -> FloatArray:
    return np.asarray(np.clip(to_come / np.maximum(left, 1.0), 0.0, 1.0))


def _plain(log_capital: float) -> float:
    return float(np.exp(min(log_capital, 700.0)))
