"""In which simulated worlds is the exact truth of every boundary known?

Four families (METHODS 1.7). A world draws scored cases at random and knows, for the population
they come from, what any boundary automates, misses and blocks in error: a benchmark then compares
with the truth itself, never with another sample.

- `gaussian`: a good case has x ~ N(0, 1), a bad one x ~ N(3.2, 1), 5 % are bad; the score is the
  posterior, so it is calibrated. Shares are normal tails. METHODS does not state its world; at this
  distance the fully labelled rows, which no question of selection touches, come out as its do.
- `gaussian_near`: the same with bad cases at x ~ N(2.5, 1), where more of them lie between the
  sides and a proof takes more labels.
- `beta`: the score is Beta(0.1, 0.9), and a case is bad with that very probability, so it is
  calibrated and very uneven: most scores lie near 0, a few near 1. Shares are incomplete betas.
- `exchange`: one case type of the simulated exchange, scored by an XGBoost model that was trained
  on an earlier slice, with all its real faults: imperfect calibration, ties. The population is a
  fixed pool of some two million cases from which a world draws with replacement; the pool's own
  shares are the truth.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import beta as beta_law
from scipy.stats import norm

from configs.settings import load_case_type
from models.boundary.proof.hindsight import plug_in_boundary
from models.risk import TrainingPlan, train
from models.simulation.exchange import Exchange
from models.vocabulary import Boundary, Targets

FAMILIES = ("gaussian", "gaussian_near", "beta", "exchange")

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_ROUNDING = 1e-9
"""Shares that meet a limit exactly may exceed it by their last digits."""

_LOGITS = (-30.0, 30.0)
"""Where a cut is looked for: scores from 1e-13 to 1 - 1e-13."""


class World(ABC):
    """A population of scored cases with its exact truth. Shares are of the population.

    Attributes:
        name: the family.
        recipe: pins the population; stored with each result, so that results of two different
            populations are never mixed.
    """

    name: str
    recipe: str

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int) -> tuple[FloatArray, BoolArray]:
        """`count` independent cases: scores in [0, 1] and truth, each of shape (count,)."""

    @abstractmethod
    def share_passed(self, cut: float) -> float:
        """Share of all cases that score at or below `cut`."""

    @abstractmethod
    def share_blocked(self, cut: float) -> float:
        """Share of all cases that score at or above `cut`."""

    @abstractmethod
    def true_miss_share(self, cut: float) -> float:
        """Share of the bad cases that score at or below `cut`: 1 - recall of passing up to it."""

    @abstractmethod
    def true_false_share(self, cut: float) -> float:
        """Share of good ones among the cases at or above `cut`: 1 - precision; 0 if there are none."""

    @abstractmethod
    def score_at_share(self, share: float) -> float:
        """The score at or below which that share of all cases lies."""

    @abstractmethod
    def oracle(self, targets: Targets) -> Boundary:
        """The widest boundary that truly keeps recall and precision.

        Raises:
            ValueError: a target other than these two is named, or one of them is not.
        """

    def automation(self, boundary: Boundary) -> float:
        """Share of all cases that a boundary decides by itself."""
        low, high = boundary.pass_at_or_below, boundary.block_at_or_above
        passed = 0.0 if low is None else self.share_passed(low)
        return passed + (0.0 if high is None else self.share_blocked(high))

    def miss_share(self, boundary: Boundary) -> float:
        """Share of the bad cases a boundary passes by itself; 0 where it passes none."""
        low = boundary.pass_at_or_below
        return 0.0 if low is None else self.true_miss_share(low)

    def false_share(self, boundary: Boundary) -> float:
        """Share of good cases among those a boundary blocks by itself; 0 where it blocks none."""
        high = boundary.block_at_or_above
        return 0.0 if high is None else self.true_false_share(high)

    def breaks(self, boundary: Boundary, targets: Targets) -> bool:
        """Whether the boundary truly breaks recall or precision, as promised."""
        recall, precision = promises(targets)
        return (
            self.miss_share(boundary) > 1.0 - recall + _ROUNDING
            or self.false_share(boundary) > 1.0 - precision + _ROUNDING
        )

    def incumbent(self, targets: Targets, fraction: float) -> Boundary:
        """A boundary that automates `fraction` of what the oracle does, on each side."""
        oracle = self.oracle(targets)
        low, high = oracle.pass_at_or_below, oracle.block_at_or_above
        return Boundary(
            None if low is None else self.score_at_share(fraction * self.share_passed(low)),
            None
            if high is None
            else self.score_at_share(1.0 - fraction * self.share_blocked(high)),
        )


class _CalibratedWorld(World):
    """A family with a continuous, calibrated score: the false share falls as the cut grows."""

    @abstractmethod
    def bad_score_at_share(self, share: float) -> float:
        """The score at or below which that share of the bad cases lies."""

    def oracle(self, targets: Targets) -> Boundary:
        recall, precision = promises(targets)
        low = self.bad_score_at_share(1.0 - recall)
        high = expit(
            brentq(lambda z: self.true_false_share(expit(z)) - (1.0 - precision), *_LOGITS)
        )
        return without_crossing(low, float(high))


class GaussianWorld(_CalibratedWorld):
    """Good x ~ N(0, 1), bad x ~ N(distance, 1); the score is P(bad | x)."""

    def __init__(
        self, name: str = "gaussian", distance: float = 3.2, base_rate: float = 0.05
    ) -> None:
        self.name = name
        self.distance = distance
        self.base_rate = base_rate
        self.recipe = f"gaussian distance={distance} base_rate={base_rate}"

    def draw(self, rng: np.random.Generator, count: int) -> tuple[FloatArray, BoolArray]:
        bad = rng.random(count) < self.base_rate
        x = rng.standard_normal(count) + self.distance * bad
        return expit(logit(self.base_rate) + self.distance * (x - self.distance / 2.0)), bad

    def share_passed(self, cut: float) -> float:
        x = self._x(cut)
        return self._mixed(norm.cdf(x), norm.cdf(x - self.distance))

    def share_blocked(self, cut: float) -> float:
        x = self._x(cut)
        return self._mixed(norm.sf(x), norm.sf(x - self.distance))

    def true_miss_share(self, cut: float) -> float:
        return float(norm.cdf(self._x(cut) - self.distance))

    def true_false_share(self, cut: float) -> float:
        blocked = self.share_blocked(cut)
        good = (1.0 - self.base_rate) * float(norm.sf(self._x(cut)))
        return good / blocked if blocked > 0.0 else 0.0

    def score_at_share(self, share: float) -> float:
        if not 0.0 < share < 1.0:
            return float(share >= 1.0)
        return _score_where(lambda cut: self.share_passed(cut) - share)

    def bad_score_at_share(self, share: float) -> float:
        x = self.distance + norm.ppf(share)
        return float(expit(logit(self.base_rate) + self.distance * (x - self.distance / 2.0)))

    def _x(self, score: float) -> float:
        """The measurement behind a score."""
        return float((logit(score) - logit(self.base_rate)) / self.distance + self.distance / 2.0)

    def _mixed(self, good: float, bad: float) -> float:
        return float((1.0 - self.base_rate) * good + self.base_rate * bad)


class StealthWorld(GaussianWorld):
    """A Gaussian world in which a share of the bad cases looks good, and the score knows nothing of it.

    Those have x ~ N(0, 1); the score is that of the other cases.
    """

    def __init__(self, name: str, distance: float, base_rate: float, stealth: float) -> None:
        super().__init__(name, distance, base_rate)
        self.stealth = stealth
        self.recipe += f" stealth={stealth}"

    def draw(self, rng: np.random.Generator, count: int) -> tuple[FloatArray, BoolArray]:
        bad = rng.random(count) < self.base_rate
        looks_bad = bad & (rng.random(count) >= self.stealth)
        x = rng.standard_normal(count) + self.distance * looks_bad
        return expit(logit(self.base_rate) + self.distance * (x - self.distance / 2.0)), bad

    def share_passed(self, cut: float) -> float:
        good = float(norm.cdf(self._x(cut)))
        return (1.0 - self.base_rate) * good + self.base_rate * self.true_miss_share(cut)

    def share_blocked(self, cut: float) -> float:
        return 1.0 - self.share_passed(cut)

    def true_miss_share(self, cut: float) -> float:
        x = self._x(cut)
        return float(
            self.stealth * norm.cdf(x) + (1.0 - self.stealth) * norm.cdf(x - self.distance)
        )

    def bad_score_at_share(self, share: float) -> float:
        return _score_where(lambda cut: self.true_miss_share(cut) - share)


class BetaWorld(_CalibratedWorld):
    """Score ~ Beta(a, b), and P(bad | score) = score.

    Among the bad cases the score is then Beta(a + 1, b), and the base rate is a / (a + b).
    """

    name = "beta"

    def __init__(self, a: float = 0.1, b: float = 0.9) -> None:
        self.a = a
        self.b = b
        self.base_rate = a / (a + b)
        self._all = beta_law(a, b)
        self._bad = beta_law(a + 1.0, b)
        self.recipe = f"beta a={a} b={b}"

    def draw(self, rng: np.random.Generator, count: int) -> tuple[FloatArray, BoolArray]:
        scores = rng.beta(self.a, self.b, size=count)
        return scores, rng.random(count) < scores

    def share_passed(self, cut: float) -> float:
        return float(self._all.cdf(cut))

    def share_blocked(self, cut: float) -> float:
        return float(self._all.sf(cut))

    def true_miss_share(self, cut: float) -> float:
        return float(self._bad.cdf(cut))

    def true_false_share(self, cut: float) -> float:
        blocked = self.share_blocked(cut)
        return 1.0 - self.base_rate * float(self._bad.sf(cut)) / blocked if blocked > 0.0 else 0.0

    def score_at_share(self, share: float) -> float:
        return float(self._all.ppf(share))

    def bad_score_at_share(self, share: float) -> float:
        return float(self._bad.ppf(share))


class PoolWorld(World):
    """A finite pool of scored cases; a draw takes from it with replacement, so its shares are exact."""

    def __init__(self, name: str, scores: FloatArray, bad: BoolArray) -> None:
        order = np.argsort(scores, kind="stable")
        self.name = name
        self.scores = scores[order]
        self.bad = bad[order]
        # Entry j counts the bad ones among the j lowest scores.
        self._bad_below = np.concatenate([[0], np.cumsum(self.bad)])
        content = hashlib.sha256(self.scores.tobytes() + self.bad.tobytes()).hexdigest()
        self.recipe = f"{name} pool of {len(scores)} cases sha256={content[:16]}"

    def draw(self, rng: np.random.Generator, count: int) -> tuple[FloatArray, BoolArray]:
        taken = rng.integers(0, len(self.scores), size=count)
        return self.scores[taken], self.bad[taken]

    def share_passed(self, cut: float) -> float:
        return float(np.searchsorted(self.scores, cut, side="right")) / len(self.scores)

    def share_blocked(self, cut: float) -> float:
        first = int(np.searchsorted(self.scores, cut, side="left"))
        return (len(self.scores) - first) / len(self.scores)

    def true_miss_share(self, cut: float) -> float:
        passed = np.searchsorted(self.scores, cut, side="right")
        return float(self._bad_below[passed] / self._bad_below[-1])

    def true_false_share(self, cut: float) -> float:
        first = int(np.searchsorted(self.scores, cut, side="left"))
        blocked = len(self.scores) - first
        bad = int(self._bad_below[-1] - self._bad_below[first])
        return (blocked - bad) / blocked if blocked else 0.0

    def score_at_share(self, share: float) -> float:
        rank = int(np.clip(round(share * len(self.scores)), 0, len(self.scores) - 1))
        return float(self.scores[rank])

    def oracle(self, targets: Targets) -> Boundary:
        promises(targets)
        return plug_in_boundary(self.scores, self.bad, targets)


@dataclass(frozen=True, slots=True)
class ExchangePlan:
    """Which simulated cases train the model, and which make the pool.

    The model sees the `training_days` days before day 0, without the feature `blind_to`; the pool is
    the `pool_days` from day 0.
    """

    case_type: str = "kyc_audit"
    seed: int = 20_260_105
    cases_per_day: int = 50_000
    training_days: int = 4
    pool_days: int = 40
    blind_to: str = ""

    @property
    def file_name(self) -> str:
        return (
            f"exchange-{self.case_type}-{self.seed}-{self.cases_per_day}"
            f"-{self.training_days}-{self.pool_days}{self.blind_to and '-without-'}{self.blind_to}.npz"
        )


def family(name: str, cache: Path) -> World:
    """The world of that name; `cache` is the folder that keeps the exchange's pool.

    Raises:
        ValueError: there is no such family.
    """
    if name == "gaussian":
        return GaussianWorld()
    if name == "gaussian_near":
        return GaussianWorld(name, distance=2.5)
    if name == "beta":
        return BetaWorld()
    if name == "exchange":
        return exchange_world(cache)
    raise ValueError(f"there is no family of worlds {name!r}; there are: {', '.join(FAMILIES)}")


def exchange_world(cache: Path, plan: ExchangePlan | None = None) -> PoolWorld:
    """The exchange's pool, from the cache where it is there; else built (a minute or so) and kept."""
    plan = plan or ExchangePlan()
    kept = cache / plan.file_name
    if not kept.exists():
        scores, bad = _scored_pool(plan)
        cache.mkdir(parents=True, exist_ok=True)
        (cache / ".gitignore").write_text("*\n", encoding="utf-8")  # a cache is never committed
        unfinished = kept.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez(file, scores=scores, bad=bad)
        unfinished.replace(kept)
    with np.load(kept, allow_pickle=False) as pool:
        return PoolWorld("exchange", pool["scores"], pool["bad"])


def promises(targets: Targets) -> tuple[float, float]:
    """(recall, precision): the two promises that these worlds judge, together.

    Raises:
        ValueError: another target is named, or one of these is not.
    """
    named = targets.named()
    if set(named) != {"recall", "precision"}:
        raise ValueError(
            f"these worlds judge recall and precision together, got {', '.join(named) or 'no target'}"
        )
    return named["recall"], named["precision"]


def without_crossing(low: float | None, high: float | None) -> Boundary:
    """A boundary of two cuts; where they meet everything is automated, the block cut as it is."""
    if low is not None and high is not None and low >= high:
        below = float(np.nextafter(high, -np.inf))
        low = below if below >= 0.0 else None
    return Boundary(low, high)


def _scored_pool(plan: ExchangePlan) -> tuple[FloatArray, BoolArray]:
    """Train on the earlier slice, then score the pool day by day (all at once would need gigabytes)."""
    file = Path(__file__).parents[1] / "configs" / "case_types" / f"{plan.case_type}.yaml"
    features = tuple(one for one in load_case_type(file).features if one.name != plan.blind_to)
    # Without a burst all days have one law: the pool is a stationary population, as a proof assumes.
    exchange = Exchange(plan.seed, cases_per_day={plan.case_type: plan.cases_per_day}, burst=None)
    earlier = exchange.cases(plan.case_type, -plan.training_days, plan.training_days)
    trained = train(
        earlier,
        earlier["bad"].to_numpy(dtype=np.bool_),
        np.ones(len(earlier)),
        features,
        TrainingPlan(),
    )
    scores, bad = [], []
    for day in range(plan.pool_days):
        cases = exchange.cases(plan.case_type, day, 1)
        score, unscorable = trained.model.score(cases)
        scorable = unscorable == ""
        scores.append(score[scorable])
        bad.append(cases["bad"].to_numpy(dtype=np.bool_)[scorable])
    return np.concatenate(scores), np.concatenate(bad)


def _score_where(difference: Callable[[float], float]) -> float:
    """The score at which an increasing difference is zero."""
    return float(expit(brentq(lambda z: difference(expit(z)), *_LOGITS)))
