"""How is each figure made of the rows, for either model, as one weighted ratio?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.comparison.boundaries import Decisions, decisions
from models.comparison.figures import METRICS, Metric
from models.comparison.rows import BoolArray, FloatArray, ScoredRows
from models.vocabulary import Boundary, Costs

CERTAIN = 1e-6
"""Scores are kept this far from 0 and 1 in the log loss: no set of labels proves more, and one
certain score gone wrong would outweigh every other row."""


@dataclass(frozen=True, eq=False)
class Part:
    """What each case adds to a ratio if its truth is a given one: its amount (for a share its error,
    0 or 1), and whether it counts at all (0 or 1); shapes (cases,)."""

    amount: FloatArray
    counts: FloatArray

    def at(self, chosen: npt.NDArray[np.intp]) -> Part:
        return Part(self.amount[chosen], self.counts[chosen])


@dataclass(frozen=True, eq=False)
class Ratio:
    """One model's figure: the weighted mean amount of the cases that count.

    It is kept for either truth, since how far a figure may be off depends on what could have been
    seen and not only on what was.
    """

    if_bad: Part
    if_good: Part

    def seen(self, bad: BoolArray) -> Part:
        return Part(
            np.where(bad, self.if_bad.amount, self.if_good.amount),
            np.where(bad, self.if_bad.counts, self.if_good.counts),
        )

    @property
    def exposed(self) -> BoolArray:
        """Where an amount other than 0 could have been seen, shape (cases,)."""
        exposed: BoolArray = (self.if_bad.amount * self.if_bad.counts != 0.0) | (
            self.if_good.amount * self.if_good.counts != 0.0
        )
        return exposed

    def at(self, chosen: npt.NDArray[np.intp]) -> Ratio:
        return Ratio(self.if_bad.at(chosen), self.if_good.at(chosen))


@dataclass(frozen=True, eq=False)
class RatioPair:
    """A metric of both models; None: that model has no such figure, for the reason in `why_not`."""

    metric: Metric
    champion: Ratio | None
    challenger: Ratio | None
    why_not: str = ""

    @property
    def sides(self) -> tuple[Ratio | None, Ratio | None]:
        return self.champion, self.challenger

    def at(self, chosen: npt.NDArray[np.intp]) -> RatioPair:
        """The same metric on some of the rows."""
        champion, challenger = (None if side is None else side.at(chosen) for side in self.sides)
        return RatioPair(self.metric, champion, challenger, self.why_not)


@dataclass(frozen=True, slots=True)
class Boundaries:
    """All boundaries of one comparison: the champion's live one, the challenger's cuts that automate
    the same, and what has been certified for either (None: nothing)."""

    live: Boundary
    matched: Boundary
    champion_certified: Boundary | None
    challenger_certified: Boundary | None


def ratio_pairs(rows: ScoredRows, boundaries: Boundaries, costs: Costs) -> tuple[RatioPair, ...]:
    """Every metric that is a weighted ratio (all but AUC)."""
    live = decisions(rows.champion, rows.automatable, boundaries.live)
    same_scores = decisions(rows.challenger, rows.automatable, boundaries.live)
    same_share = decisions(rows.challenger, rows.automatable, boundaries.matched)
    return (
        RatioPair(METRICS["log_loss"], _log_loss(rows.champion), _log_loss(rows.challenger)),
        RatioPair(METRICS["recall"], _misses(live), _misses(same_scores)),
        RatioPair(METRICS["precision"], _false_blocks(live), _false_blocks(same_scores)),
        RatioPair(METRICS["automation"], _reviews(live), _reviews(same_scores)),
        RatioPair(METRICS["expected_loss_usd"], _losses(live, costs), _losses(same_scores, costs)),
        RatioPair(METRICS["recall_same_automation"], _misses(live), _misses(same_share)),
        RatioPair(
            METRICS["precision_same_automation"], _false_blocks(live), _false_blocks(same_share)
        ),
        _certified(rows, boundaries),
    )


def _log_loss(score: FloatArray) -> Ratio:
    """Minus the log of the probability given to what happened, in nats."""
    kept = np.clip(score, CERTAIN, 1.0 - CERTAIN)
    every = np.ones(score.shape)
    return Ratio(Part(-np.log(kept), every), Part(-np.log1p(-kept), every))


def _misses(decided: Decisions) -> Ratio:
    passed = decided.passed.astype(np.float64)
    return Ratio(Part(passed, np.ones_like(passed)), Part(passed, np.zeros_like(passed)))


def _false_blocks(decided: Decisions) -> Ratio:
    blocked = decided.blocked.astype(np.float64)
    return Ratio(Part(np.zeros_like(blocked), blocked), Part(np.ones_like(blocked), blocked))


def _reviews(decided: Decisions) -> Ratio:
    reviewed = decided.reviewed.astype(np.float64)
    whatever = Part(reviewed, np.ones_like(reviewed))
    return Ratio(whatever, whatever)


def _losses(decided: Decisions, costs: Costs) -> Ratio:
    """What each case costs in US dollars: a miss, a false block or a review."""
    review = costs.review_usd * decided.reviewed
    every = np.ones(review.shape)
    return Ratio(
        Part(review + costs.false_negative_usd * decided.passed, every),
        Part(review + costs.false_positive_usd * decided.blocked, every),
    )


def _certified(rows: ScoredRows, boundaries: Boundaries) -> RatioPair:
    sides = {
        "champion": (rows.champion, boundaries.champion_certified),
        "challenger": (rows.challenger, boundaries.challenger_certified),
    }
    lacking = [name for name, (_, boundary) in sides.items() if boundary is None]
    champion, challenger = (
        None if boundary is None else _reviews(decisions(score, rows.automatable, boundary))
        for score, boundary in sides.values()
    )
    metric = METRICS["automation_certified"]
    why = f"{metric.title}: no certified boundary yet ({' and '.join(lacking)})" if lacking else ""
    return RatioPair(metric, champion, challenger, why)
