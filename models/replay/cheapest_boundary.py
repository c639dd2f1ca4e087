"""Of all boundaries, which one would have cost least on the cases already seen?

Misses depend on the pass side alone and false blocks on the block side alone, so the loss splits into
`u(pass) + v(block)` and one prefix minimum over cumulative sums compares every pair of cuts
(METHODS 1.5). Sorting a large log costs most of that. Instead a 16-bit histogram of the scores gives
the loss at 65,536 cuts; a bin whose inside could still hold something cheaper, were its cases in the
best conceivable order, is opened and its own cases are sorted. What is found is the optimum over
every distinct score, not an approximation: branch and bound (Land and Doig 1960) on one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.vocabulary import Boundary, Costs

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32] | npt.NDArray[np.float64]

STEPS = 1 << 16
"""A multiplication by a power of two is exact, so a score's bin never disagrees with its order."""

BINS = STEPS + 1
"""The last bin holds the score 1 alone."""

CHUNK = 1 << 18
"""Cases that are handled at once: they fit a processor's cache, and memory beside the log itself stays
constant."""

_SLACK = 1e-12
"""Of the largest loss there can be; a bin is opened when rounding alone could hide that it is cheaper."""


@dataclass(frozen=True, slots=True)
class Cheapest:
    """The boundary of least estimated loss; a proof of nothing.

    Attributes:
        boundary: where several cost the same, one that automates little; a side may stand anywhere
            between the outermost case inside and the next one outside.
        loss_usd: misses, false blocks and reviews at their configured costs, over all cases.
        missed_bad, false_blocks: estimated totals behind it (inverse probability).
        auto_passed, auto_blocked, escalated: cases, exact.
        sorted_cases: cases that had to be sorted, for those who time it.
    """

    boundary: Boundary
    loss_usd: float
    missed_bad: float
    false_blocks: float
    auto_passed: int
    auto_blocked: int
    escalated: int
    sorted_cases: int


def cheapest_boundary(
    scores: Scores,
    bad: npt.ArrayLike,
    costs: Costs,
    propensity: FloatArray | None = None,
    automatable: BoolArray | None = None,
) -> Cheapest:
    """Compare every boundary that distinct scores make; equal scores move together.

    A cut beyond the outermost label of its side is not compared: nothing is known of the cases there.

    Args:
        scores: shape (n,), in [0, 1]; float32 and float64 are taken as they are, without a copy.
        bad: shape (n,); truth values or 0 and 1 where every truth was observed, else floats with NaN
            where truth was not observed *by design* (as for `replay`).
        costs: US dollars a case.
        propensity: shape (n,), the designed probability in (0, 1] that truth is observed; None: 1.
        automatable: shape (n,); False (key users) is always reviewed; None: no such case.

    Raises:
        ValueError: shapes differ, or a value is outside its range.
    """
    log = _Log.checked(scores, bad, propensity, automatable)
    bins = _histogram(log)
    opened = _bins_to_open(bins, costs)
    inside = _opened_cases(log, opened)
    groups = bins.with_opened(opened, inside)
    return _cheapest(groups, costs, len(log.scores), inside.score.size)


@dataclass(frozen=True, slots=True, eq=False)
class _Cases:
    """Automatable cases of one piece of the log, each of shape (cases,); `weight` is 1 / propensity,
    None where every case was designed to be observed."""

    score: npt.NDArray[np.floating]
    seen_bad: BoolArray
    seen_good: BoolArray
    weight: FloatArray | None

    @property
    def bin(self) -> npt.NDArray[np.int32]:
        place: npt.NDArray[np.int32] = (self.score * self.score.dtype.type(STEPS)).astype(np.int32)
        return place

    def take(self, rows: npt.NDArray[np.intp]) -> _Cases:
        weight = None if self.weight is None else self.weight[rows]
        return _Cases(self.score[rows], self.seen_bad[rows], self.seen_good[rows], weight)


@dataclass(frozen=True, slots=True, eq=False)
class _Log:
    scores: npt.NDArray[np.floating]
    bad: npt.NDArray[np.generic]
    propensity: FloatArray | None
    automatable: BoolArray | None

    @classmethod
    def checked(
        cls,
        scores: npt.ArrayLike,
        bad: npt.ArrayLike,
        propensity: npt.ArrayLike | None,
        automatable: npt.ArrayLike | None,
    ) -> _Log:
        s, y = np.asarray(scores), np.asarray(bad)
        if s.dtype.kind != "f" or s.dtype.itemsize < 4:
            s = s.astype(np.float64)
        pi = None if propensity is None else np.asarray(propensity, dtype=np.float64)
        may = None if automatable is None else np.asarray(automatable, dtype=np.bool_)
        named = {"scores": s, "bad": y, "propensity": pi, "automatable": may}
        shapes = {name: column.shape for name, column in named.items() if column is not None}
        if s.ndim != 1 or len(set(shapes.values())) != 1:
            raise ValueError(f"the columns must be equally long lists, got shapes {shapes}")
        return cls(s, y, pi, may)

    @property
    def complete(self) -> bool:
        """Every case was designed to be observed, and was."""
        return self.bad.dtype == np.bool_ and self.propensity is None

    def pieces(self) -> Iterator[_Cases]:
        """The automatable cases, `CHUNK` rows of the log at a time; refused where a value is off."""
        for start in range(0, len(self.scores), CHUNK):
            here = slice(start, start + CHUNK)
            score, bad = self.scores[here], self.bad[here]
            weight = None if self.propensity is None else self.propensity[here]
            if self.automatable is not None:
                free = self.automatable[here]
                score, bad = score[free], bad[free]
                weight = None if weight is None else weight[free]
            if score.size:
                yield _piece(score, bad, weight)


def _piece(
    score: npt.NDArray[np.floating], bad: npt.NDArray[np.generic], propensity: FloatArray | None
) -> _Cases:
    # A NaN is the smallest and the largest of its list, and fails both comparisons.
    if not (score.min() >= 0.0 and score.max() <= 1.0):
        raise ValueError("automatable cases have no score in [0, 1]")
    if propensity is not None and not (propensity.min() > 0.0 and propensity.max() <= 1.0):
        raise ValueError("cases have no designed propensity in (0, 1]")
    if bad.dtype == np.bool_:
        seen_bad: BoolArray = bad.astype(np.bool_, copy=False)
        seen_good = ~seen_bad
    else:
        truth = bad.astype(np.float64)
        seen_bad, seen_good = truth == 1.0, truth == 0.0
        if not (seen_bad | seen_good | np.isnan(truth)).all():
            raise ValueError("values of bad are not 1, 0 or NaN")
    return _Cases(score, seen_bad, seen_good, None if propensity is None else 1.0 / propensity)


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Cases that share a bin or a score, in order of score; every array has shape (groups,).

    Attributes:
        first, last: a case belongs to the group when `first <= score <= last`.
        cases: how many; bad, good: labelled ones; weight_bad, weight_good: what these stand for.
    """

    first: FloatArray
    last: FloatArray
    cases: FloatArray
    bad: FloatArray
    good: FloatArray
    weight_bad: FloatArray
    weight_good: FloatArray

    def with_opened(self, opened: BoolArray, inside: _Cases) -> _Groups:
        """Bins that are not opened, and each distinct score of those that are."""
        closed = ~opened & (self.cases > 0)
        score, place = np.unique(inside.score.astype(np.float64), return_inverse=True)
        fine = _counted(inside, place, score.size)
        parts = [(getattr(self, name)[closed], fine[name]) for name in fine]
        order = np.argsort(np.concatenate([self.first[closed], score]), kind="stable")
        joined = [np.concatenate(pair)[order] for pair in parts]
        first = np.concatenate([self.first[closed], score])[order]
        last = np.concatenate([self.last[closed], score])[order]
        return _Groups(first, last, *joined)


def _counted(cases: _Cases, place: npt.NDArray[np.integer], size: int) -> dict[str, FloatArray]:
    """Counts and weights by group, under the names of `_Groups`."""

    def count(chosen: BoolArray, weight: FloatArray | None) -> FloatArray:
        weights = None if weight is None else weight[chosen]
        return np.bincount(place[chosen], weights, minlength=size).astype(np.float64)

    return {
        "cases": np.bincount(place, minlength=size).astype(np.float64),
        "bad": count(cases.seen_bad, None),
        "good": count(cases.seen_good, None),
        "weight_bad": count(cases.seen_bad, cases.weight),
        "weight_good": count(cases.seen_good, cases.weight),
    }


def _histogram(log: _Log) -> _Groups:
    first = np.arange(BINS) / STEPS
    last = np.append(np.nextafter(first[1:], 0.0), 1.0)
    if log.complete:
        # Every truth is known and stands for itself: one count of (bin, truth) says it all.
        pairs = np.zeros(2 * BINS, dtype=np.int64)
        for piece in log.pieces():
            place = piece.bin
            place += place
            place |= piece.seen_bad
            pairs += np.bincount(place, minlength=2 * BINS)
        good, bad = pairs[::2].astype(np.float64), pairs[1::2].astype(np.float64)
        return _Groups(first, last, bad + good, bad, good, bad, good)
    names = ("cases", "bad", "good", "weight_bad", "weight_good")
    total = {name: np.zeros(BINS) for name in names}
    for piece in log.pieces():
        for name, counts in _counted(piece, piece.bin, BINS).items():
            total[name] += counts
    return _Groups(first, last, *(total[name] for name in names))


def _opened_cases(log: _Log, opened: BoolArray) -> _Cases:
    """Every automatable case in an opened bin."""
    found = [
        piece.take(np.flatnonzero(opened.take(piece.bin, mode="clip"))) for piece in log.pieces()
    ]
    if not found:
        nothing = np.zeros(0, dtype=np.bool_)
        return _Cases(np.zeros(0), nothing, nothing, None)
    weights = [piece.weight for piece in found if piece.weight is not None]
    return _Cases(
        np.concatenate([piece.score for piece in found]),
        np.concatenate([piece.seen_bad for piece in found]),
        np.concatenate([piece.seen_good for piece in found]),
        np.concatenate(weights) if weights else None,
    )


def _losses(groups: _Groups, costs: Costs) -> tuple[FloatArray, FloatArray]:
    """Against reviewing everything: `u[k]`, the lowest k groups passed, and `v[l]`, those from l on
    blocked; each of shape (groups + 1,)."""
    passed = costs.false_negative_usd * groups.weight_bad - costs.review_usd * groups.cases
    blocked = costs.false_positive_usd * groups.weight_good - costs.review_usd * groups.cases
    u = np.concatenate([[0.0], np.cumsum(passed)])
    v = np.concatenate([np.cumsum(blocked[::-1])[::-1], [0.0]])
    return u, v


def _labelled_span(groups: _Groups) -> tuple[int, int]:
    """The first and the last group with a label; (0, -1) where there is none."""
    labelled = np.flatnonzero(groups.bad + groups.good)
    return (int(labelled[0]), int(labelled[-1])) if labelled.size else (0, -1)


def _bins_to_open(bins: _Groups, costs: Costs) -> BoolArray:
    """Where a cut *inside* a bin could still be cheaper than the best pair of the bins' edges.

    Within a bin no cut can save more than the reviews of all its cases whose error costs less than a
    review, come they in whatever order; the other side is taken at its best beyond that bin.
    """
    u, v = _losses(bins, costs)
    low, high = _labelled_span(bins)
    edge = np.arange(BINS + 1)
    # Where a bin with an outermost label also holds cases without one, its far edge is not surely
    # supported. It is no bar for others, and if it would be the cheapest its bin is opened.
    partly = bins.cases > bins.bad + bins.good
    sure_u = np.where((edge == 0) | ((edge > low) & (edge <= high + (not partly[high]))), u, np.inf)
    sure_v = np.where((edge == BINS) | ((edge >= low + partly[low]) & (edge <= high)), v, np.inf)
    best = float((np.minimum.accumulate(sure_u) + sure_v).min())
    dear_miss = costs.false_negative_usd >= costs.review_usd
    dear_block = costs.false_positive_usd >= costs.review_usd
    least_u = u[:-1] - costs.review_usd * (bins.cases - (bins.bad if dear_miss else 0.0))
    least_v = v[1:] - costs.review_usd * (bins.cases - (bins.good if dear_block else 0.0))
    best_v = np.minimum.accumulate(np.minimum(np.minimum(v[:-1], v[1:]), least_v)[::-1])[::-1]
    best_u = np.minimum.accumulate(np.minimum(np.minimum(u[:-1], u[1:]), least_u))
    at_stake = (
        costs.false_negative_usd * bins.weight_bad.sum()
        + costs.false_positive_usd * bins.weight_good.sum()
        + costs.review_usd * bins.cases.sum()
    )
    limit = best + _SLACK * at_stake
    opened = (least_u + best_v <= limit) | (least_v + best_u <= limit)
    return np.asarray(opened & (bins.cases > 1.0))


def _cheapest(groups: _Groups, costs: Costs, everything: int, sorted_cases: int) -> Cheapest:
    u, v = _losses(groups, costs)
    count = groups.cases.size
    low, high = _labelled_span(groups)
    cut = np.arange(count + 1)
    u = np.where((cut == 0) | ((cut > low) & (cut <= high + 1)), u, np.inf)
    v = np.where((cut == count) | ((cut >= low) & (cut <= high)), v, np.inf)
    total = np.minimum.accumulate(u) + v
    # The last of equally cheap block cuts and the first pass cut: the least automation of both.
    begin = count - int(np.argmin(total[::-1]))
    end = int(np.argmin(u[: begin + 1]))
    missed = float(groups.weight_bad[:end].sum())
    false_blocks = float(groups.weight_good[begin:].sum())
    passed, blocked = int(groups.cases[:end].sum()), int(groups.cases[begin:].sum())
    escalated = everything - passed - blocked
    return Cheapest(
        boundary=Boundary(
            float(groups.last[end - 1]) if end else None,
            float(groups.first[begin]) if begin < count else None,
        ),
        loss_usd=costs.false_negative_usd * missed
        + costs.false_positive_usd * false_blocks
        + costs.review_usd * escalated,
        missed_bad=missed,
        false_blocks=false_blocks,
        auto_passed=passed,
        auto_blocked=blocked,
        escalated=escalated,
        sorted_cases=sorted_cases,
    )
