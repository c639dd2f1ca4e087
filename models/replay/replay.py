"""What would another boundary have done to the cases already seen?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaincinv

from models.vocabulary import Boundary, Costs

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

REVIEW, PASS, BLOCK = 0, 1, 2
_ZONE_NAMES = ("review", "auto-pass", "auto-block")
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class ReplayEstimate:
    """A total estimated from labels, or None throughout where no label supports it.

    Attributes:
        value: the inverse-probability (Horvitz-Thompson) estimate of the total.
        low, high: its 95 % interval for a stretch of cases like this one: gamma limits of a
            weighted sum of Poisson counts (Fay and Feuer 1997), honest with no error seen too.
        labels: labelled cases behind it; 0 with a value of 0 means there was no case to estimate.
    """

    value: float | None
    low: float | None
    high: float | None
    labels: int

    @property
    def supported(self) -> bool:
        return self.value is not None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one boundary does: case counts are exact, errors and loss are estimates.

    `missed_bad` counts bad cases passed automatically, `false_blocks` good cases blocked
    automatically. `expected_loss_usd` adds their costs to the cost of reviewing what is escalated
    (reviewers' own errors and audits are not in it).
    """

    cases: int
    auto_passed: int
    auto_blocked: int
    escalated: int
    missed_bad: ReplayEstimate
    false_blocks: ReplayEstimate
    expected_loss_usd: ReplayEstimate

    @property
    def automation_rate(self) -> float | None:
        return (self.auto_passed + self.auto_blocked) / self.cases if self.cases else None


@dataclass(frozen=True, slots=True)
class MovedBand:
    """The cases that a move sends somewhere else: how many, how many labelled, how many bad.

    `unsupported_cases` come from a zone none of whose moved cases is labelled.
    """

    cases: int
    labels: int
    bad: ReplayEstimate
    unsupported_cases: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The same cases before and after a move; `unsupported` says, for people, what is not known."""

    before: Outcome
    after: Outcome
    moved_to_pass: MovedBand
    moved_to_block: MovedBand
    moved_to_review: MovedBand
    unsupported: tuple[str, ...]


def replay(
    scores: FloatArray,
    bad: FloatArray,
    propensity: FloatArray,
    automatable: BoolArray,
    current: Boundary,
    moved: Boundary,
    costs: Costs,
    moved_scores: FloatArray | None = None,
) -> Replay:
    """Replay a threshold move over logged cases (METHODS 3).

    Args:
        scores: shape (n,), in [0, 1]; may be NaN only where a case is not automatable.
        bad: shape (n,), 1.0, 0.0, or NaN where truth was not observed *by design*: an outcome that
            arrived by itself on a case nobody drew must be NaN here, or it biases every estimate.
        propensity: shape (n,), the designed probability in (0, 1] that truth is observed.
        automatable: shape (n,); False (key users) is always reviewed.
        current, moved: the boundary today and the one asked about.
        costs: US dollars a case.
        moved_scores: shape (n,), what `moved` is a boundary on where another model scores the cases
            than the one that `current` belongs to; None: the same scores.

    Raises:
        ValueError: shapes differ, or a value is outside its range.
    """
    log = _Log.checked(scores, bad, propensity, automatable)
    other = log
    if moved_scores is not None:
        other = _Log.checked(moved_scores, bad, propensity, automatable)
    before, after = log.zones(current), other.zones(moved)
    cells = 3 * before + after
    counts = np.bincount(cells, minlength=9).reshape(3, 3)
    labels = np.bincount(cells[log.labelled], minlength=9).reshape(3, 3)
    blind = (counts > 0) & (labels == 0)
    return Replay(
        before=_outcome(log, before, _unlabelled_zones(log, before), costs),
        after=_outcome(log, after, blind.any(axis=0), costs),
        moved_to_pass=_moved_band(log, before, after, PASS, counts, blind),
        moved_to_block=_moved_band(log, before, after, BLOCK, counts, blind),
        moved_to_review=_moved_band(log, before, after, REVIEW, counts, blind),
        unsupported=_unsupported_sentences(counts, blind),
    )


def replay_all(
    scores: FloatArray,
    bad: FloatArray,
    propensity: FloatArray,
    automatable: BoolArray,
    points: int = 512,
    *,
    side: Literal["pass", "block"] = "pass",
) -> pd.DataFrame:
    """Replay every candidate of one side at once: one sort, then cumulative sums.

    The sides decouple (METHODS 1.5): misses depend on the pass side alone, false blocks on the
    block side alone, and automation adds up. Equal scores move together.

    Args: as for `replay`; `points` is the largest number of candidates, evenly spread over cases.

    Returns:
        One row a candidate, outward (from the safest to the widest), with
        `pass_at_or_below` | `block_at_or_above`, `auto_passed` | `auto_blocked` (exact counts),
        `automation` (share of all cases), `estimated_misses` | `estimated_false_blocks` and
        `estimated_recall` | `estimated_precision` (inverse-probability estimates; NaN where
        unsupported), `supporting_labels`, `designed_labels` (what the propensities promised),
        `unsupported_cases` (inside the candidate, but beyond its outermost label) and `supported`.

    Raises:
        ValueError: as for `replay`, or fewer than one point.
    """
    if points < 1:
        raise ValueError(f"points must be 1 or more, got {points!r}")
    if side not in ("pass", "block"):
        raise ValueError(f"a candidate moves the 'pass' or the 'block' side, not {side!r}")
    log = _Log.checked(scores, bad, propensity, automatable)
    passing = side == "pass"
    rows = np.flatnonzero(log.automatable)
    order = rows[np.argsort(log.scores[rows] if passing else -log.scores[rows], kind="stable")]
    at = _candidates(log.scores[order], points)

    labelled = log.labelled[order]
    supporting = np.cumsum(labelled)[at]
    automated = at + 1
    errors = np.cumsum((log.weight_bad if passing else log.weight_good)[order])[at]
    right = np.cumsum((log.weight_good if passing else log.weight_bad)[order])[at]
    outermost = int(np.flatnonzero(labelled)[-1]) if labelled.any() else -1
    unsupported = np.maximum(at - outermost, 0)
    supported = (supporting > 0) & (unsupported == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = 1.0 - errors / log.weight_bad.sum() if passing else right / (errors + right)
    names = (
        ("pass_at_or_below", "auto_passed", "estimated_misses", "estimated_recall")
        if passing
        else ("block_at_or_above", "auto_blocked", "estimated_false_blocks", "estimated_precision")
    )
    return pd.DataFrame(
        {
            names[0]: log.scores[order][at],
            names[1]: automated,
            "automation": automated / max(log.scores.size, 1),
            names[2]: np.where(supported, errors, np.nan),
            names[3]: np.where(supported & np.isfinite(rate), rate, np.nan),
            "supporting_labels": supporting,
            "designed_labels": np.cumsum(log.propensity[order])[at],
            "unsupported_cases": unsupported,
            "supported": supported,
        }
    )


@dataclass(frozen=True, slots=True)
class _Log:
    """The logged cases, checked; a weight is 1/propensity on labelled cases of its kind, else 0."""

    scores: FloatArray
    propensity: FloatArray
    automatable: BoolArray
    labelled: BoolArray
    weight_bad: FloatArray
    weight_good: FloatArray

    @classmethod
    def checked(
        cls, scores: FloatArray, bad: FloatArray, propensity: FloatArray, automatable: BoolArray
    ) -> _Log:
        s, y, pi = (np.asarray(column, dtype=np.float64) for column in (scores, bad, propensity))
        may = np.asarray(automatable, dtype=np.bool_)
        lengths = {
            "scores": s.shape,
            "bad": y.shape,
            "propensity": pi.shape,
            "automatable": may.shape,
        }
        if s.ndim != 1 or len(set(lengths.values())) != 1:
            raise ValueError(f"the columns must be equally long lists, got shapes {lengths}")
        _refuse(may & ~((s >= 0.0) & (s <= 1.0)), "automatable cases have no score in [0, 1]")
        _refuse(~((pi > 0.0) & (pi <= 1.0)), "cases have no designed propensity in (0, 1]")
        _refuse(~(np.isnan(y) | (y == 0.0) | (y == 1.0)), "values of bad are not 1, 0 or NaN")
        weight = 1.0 / pi
        return cls(
            scores=s,
            propensity=pi,
            automatable=may,
            labelled=~np.isnan(y),
            weight_bad=np.where(y == 1.0, weight, 0.0),
            weight_good=np.where(y == 0.0, weight, 0.0),
        )

    def zones(self, boundary: Boundary) -> IntArray:
        """REVIEW, PASS or BLOCK for each case, shape (n,)."""
        zone = np.full(self.scores.shape, REVIEW, dtype=np.intp)
        if boundary.pass_at_or_below is not None:
            zone[self.automatable & (self.scores <= boundary.pass_at_or_below)] = PASS
        if boundary.block_at_or_above is not None:
            zone[self.automatable & (self.scores >= boundary.block_at_or_above)] = BLOCK
        return zone


def _outcome(log: _Log, zone: IntArray, blind: BoolArray, costs: Costs) -> Outcome:
    counts = np.bincount(zone, minlength=3)
    passed, blocked = zone == PASS, zone == BLOCK
    error_cost = np.where(passed, costs.false_negative_usd, costs.false_positive_usd)
    errors = np.where(passed, log.weight_bad, log.weight_good)
    review_usd = costs.review_usd * float(counts[REVIEW])
    return Outcome(
        cases=int(zone.size),
        auto_passed=int(counts[PASS]),
        auto_blocked=int(counts[BLOCK]),
        escalated=int(counts[REVIEW]),
        missed_bad=_estimate(log, passed, log.weight_bad, bool(blind[PASS])),
        false_blocks=_estimate(log, blocked, log.weight_good, bool(blind[BLOCK])),
        expected_loss_usd=_estimate(
            log,
            passed | blocked,
            errors * error_cost,
            bool(blind[PASS] or blind[BLOCK]),
            cost=error_cost,
            fixed=review_usd,
        ),
    )


def _moved_band(
    log: _Log,
    before: IntArray,
    after: IntArray,
    to: int,
    counts: npt.NDArray[np.int64],
    blind: BoolArray,
) -> MovedBand:
    band = (after == to) & (before != to)
    origins = [origin for origin in (REVIEW, PASS, BLOCK) if origin != to and blind[origin, to]]
    unsupported = int(sum(counts[origin, to] for origin in origins))
    return MovedBand(
        cases=int(band.sum()),
        labels=int((band & log.labelled).sum()),
        bad=_estimate(log, band, log.weight_bad, unsupported > 0),
        unsupported_cases=unsupported,
    )


def _estimate(
    log: _Log,
    rows: BoolArray,
    contribution: FloatArray,
    blind: bool,
    cost: FloatArray | None = None,
    fixed: float = 0.0,
) -> ReplayEstimate:
    """Total of `contribution` over `rows` (plus `fixed`), with its interval, unless blind."""
    labels = int((rows & log.labelled).sum())
    if blind:
        return ReplayEstimate(None, None, None, labels)
    if not rows.any():
        return ReplayEstimate(fixed, fixed, fixed, 0)
    # The largest *designed* weight: the largest seen among labels would shrink the upper limit.
    unit = np.ones_like(log.propensity) if cost is None else cost
    largest = float((unit[rows] / log.propensity[rows]).max())
    parts = contribution[rows]
    total, low, high = _weighted_poisson_limits(parts, largest)
    return ReplayEstimate(fixed + total, fixed + low, fixed + high, labels)


def _weighted_poisson_limits(parts: FloatArray, largest: float) -> tuple[float, float, float]:
    """A weighted sum of Poisson counts with its gamma limits (Fay and Feuer 1997)."""
    total, variance = float(parts.sum()), float((parts**2).sum())
    low = 0.0
    if total > 0.0:
        low = float(gammaincinv(total**2 / variance, _ALPHA / 2) * variance / total)
    wide_total, wide_variance = total + largest, variance + largest**2
    if wide_total == 0.0:  # errors of this kind cost nothing
        return total, low, 0.0
    shape = wide_total**2 / wide_variance
    high = float(gammaincinv(shape, 1.0 - _ALPHA / 2) * wide_variance / wide_total)
    return total, low, high


def _unlabelled_zones(log: _Log, zone: IntArray) -> BoolArray:
    """Which of the three zones have cases but not one label, shape (3,)."""
    cases = np.bincount(zone, minlength=3)
    labels = np.bincount(zone[log.labelled], minlength=3)
    blind: BoolArray = (cases > 0) & (labels == 0)
    return blind


def _unsupported_sentences(counts: npt.NDArray[np.int64], blind: BoolArray) -> tuple[str, ...]:
    pairs = [(origin, to) for to in (PASS, BLOCK, REVIEW) for origin in (REVIEW, PASS, BLOCK)]
    return tuple(
        f"unsupported: {counts[origin, to]} cases "
        + (
            f"that stay {_ZONE_NAMES[to]}"
            if origin == to
            else f"moved from {_ZONE_NAMES[origin]} to {_ZONE_NAMES[to]}"
        )
        + " have no label, so how many of them are bad is not known"
        for origin, to in pairs
        if blind[origin, to] and not origin == to == REVIEW
    )


def _candidates(ordered: FloatArray, points: int) -> IntArray:
    """Positions of the last case of each tie, at most `points`, spread evenly and ending widest."""
    if ordered.size == 0:
        return np.zeros(0, dtype=np.intp)
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), ordered.size - 1)
    if ends.size <= points:
        return ends.astype(np.intp)
    wanted = np.linspace(0, ordered.size - 1, points) if points > 1 else np.array([ends[-1]])
    return np.unique(ends[np.searchsorted(ends, np.ceil(wanted))]).astype(np.intp)


def _refuse(broken: BoolArray, what: str) -> None:
    number = int(broken.sum())
    if number:
        first = int(np.flatnonzero(broken)[0])
        raise ValueError(f"{number} {what}; the first is at position {first}")
