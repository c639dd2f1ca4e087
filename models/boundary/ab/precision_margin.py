"""Is the new boundary's precision at most a margin below today's?

Both precisions are unknown, and most blocked cases are blocked by both policies. With k the ratio of
the policies' block rates and p today's precision, the cases' contributions

    z(p) = weight * (treatment blocks * (bad - p + margin) - k * control blocks * (bad - p))

add up to (block rate) * (difference + margin): a case that both block nearly cancels, and the
comparison costs the noise of the moved band alone. At the true p that holds for *any* k, so k is
taken from the days before. The true p is unknown: the capital used is the smallest over a confidence
sequence for p. For each stake its logarithm is concave in p, so the two ends are enough.
"""

from __future__ import annotations

import numpy as np

from models.boundary.ab.ab_claims import LargestWeights
from models.boundary.ab.ab_rows import CaseKinds, FloatArray, IntArray
from models.boundary.proof.wagers import AB_WAGERS, mixed

NUISANCE_SHARE = 0.1
"""Share of delta spent on today's precision; the rest is for the margin."""

BLOCKS_BEFORE_A_BET = 30
"""Blocks of the control to be seen before k is worth a stake."""

PRECISIONS: FloatArray = np.concatenate([np.arange(16) / 20.0, np.linspace(0.8, 1.0, 41)])
"""Where the confidence sequence may end; it is rounded outward to these."""


def margin_log_capital(
    kinds: CaseKinds, counts: FloatArray, margin: float, delta: float, largest: LargestWeights
) -> FloatArray:
    """Log capital against 'the treatment's precision is lower by `margin` or more', at each day's end.

    It is scaled so that 1/delta proves the claim at level delta, what today's precision costs
    included. A missing label counts as whatever hurts the claim more.

    Args:
        kinds, counts: see `tally`; counts has shape (..., days, kinds).
        margin: in [0, 1).
        largest: weights a case may have, by design.

    Returns:
        Shape (..., days).
    """
    low, high = _precision_sequence(kinds, counts, NUISANCE_SHARE * delta, largest.blocked)
    ratio = _ratio_before(kinds, counts)
    logs = [
        _growth(kinds, counts, ratio, end, margin, largest) for end in (low, high)
    ]  # each (..., days, wagers)
    capital: FloatArray = mixed(np.minimum(*logs)) + np.log(1.0 - NUISANCE_SHARE)
    return capital


def margin_z_scores(
    kinds: CaseKinds, totals: FloatArray, margin: float, least_precision: float
) -> FloatArray:
    """z-score of the same claim from the totals at a look, with k and p as they stand then.

    Errors are rare, so a spread below that of `least_precision` (the promise) is not believed.

    Args:
        totals: cases of each kind so far, shape (..., kinds).
    """
    truth = kinds.weight * kinds.control_blocks
    seen = totals @ truth
    today = np.divide(totals @ (truth * kinds.bad), seen, out=np.ones_like(seen), where=seen > 0)
    ratio = _ratio(totals @ kinds.treatment_blocks, totals @ kinds.control_blocks)[..., None]
    z = _contribution(kinds, ratio, today[..., None], margin)
    pull = kinds.weight * (kinds.treatment_blocks - ratio * kinds.control_blocks)
    least = np.minimum(today, least_precision)[..., None]
    square = np.maximum(
        (totals * z**2).sum(axis=-1), (totals * pull**2 * least * (1.0 - least)).sum(axis=-1)
    )
    mean = (totals * z).sum(axis=-1)
    scores: FloatArray = np.divide(mean, np.sqrt(square), out=np.zeros_like(mean), where=square > 0)
    return scores


def _growth(
    kinds: CaseKinds,
    counts: FloatArray,
    ratio: FloatArray,
    precision: FloatArray,
    margin: float,
    largest: LargestWeights,
) -> FloatArray:
    """Log capital by wager at each day's end, all bets played at that day's `precision`.

    precision has shape (..., days), the day of the look; the bets are those of the days up to it.
    """
    blocked = kinds.treatment_blocks | kinds.control_blocks
    seen = np.flatnonzero(blocked & (kinds.weight > 0))
    some = _only(kinds, seen)
    stake = 1.0 / _largest_loss(ratio, margin, largest)
    stake = np.where(_blocks_before(kinds, counts) >= BLOCKS_BEFORE_A_BET, stake, 0.0)
    logs = np.zeros((*precision.shape, len(AB_WAGERS)))
    # A loop over looks (days), each of which replays the days before it.
    for day in range(precision.shape[-1]):
        z = _contribution(
            some, ratio[..., : day + 1, None], precision[..., day, None, None], margin
        )  # (..., days so far, kinds)
        bets = np.log1p((stake[..., : day + 1, None] * z)[..., None] * AB_WAGERS)
        logs[..., day, :] = np.einsum(
            "...dk,...dkw->...w", counts[..., : day + 1, seen], bets, optimize=True
        )
    return logs


def _contribution(
    kinds: CaseKinds, ratio: FloatArray, precision: FloatArray, margin: float
) -> FloatArray:
    pull = kinds.treatment_blocks - ratio * kinds.control_blocks
    # A missing label is bad or good, whichever lowers z.
    bad = np.where(kinds.missing, pull < 0.0, kinds.bad)
    z: FloatArray = kinds.weight * (pull * (bad - precision) + margin * kinds.treatment_blocks)
    return z


def _largest_loss(ratio: FloatArray, margin: float, largest: LargestWeights) -> FloatArray:
    """z is never below minus this, whatever case comes and whatever p is."""
    both = largest.block_agreed * (np.abs(1.0 - ratio) - margin)
    loss: FloatArray = np.maximum(both, largest.moved * np.maximum(1.0 - margin, ratio))
    return loss


def _ratio_before(kinds: CaseKinds, counts: FloatArray) -> FloatArray:
    """The policies' block rates, treatment over control, as known before each day."""
    treatment = _before(counts @ kinds.treatment_blocks)
    return _ratio(treatment, _blocks_before(kinds, counts))


def _ratio(treatment: FloatArray, control: FloatArray) -> FloatArray:
    ratio: FloatArray = (treatment + 1.0) / (control + 1.0)
    return ratio


def _blocks_before(kinds: CaseKinds, counts: FloatArray) -> FloatArray:
    return _before(counts @ kinds.control_blocks)


def _before(by_day: FloatArray) -> FloatArray:
    before: FloatArray = np.cumsum(by_day, axis=-1) - by_day
    return before


def _precision_sequence(
    kinds: CaseKinds, counts: FloatArray, delta: float, largest_weight: float
) -> tuple[FloatArray, FloatArray]:
    """Ends of a confidence sequence for today's precision at each day's end, shape (..., days).

    Each end is where a bettor against 'at most p' (or 'at least p') has ever reached 2/delta.
    """
    seen = kinds.control_blocks & (kinds.weight > 0)
    some, counted = _only(kinds, np.flatnonzero(seen)), counts[..., seen]
    needed = np.log(2.0 / delta)
    stakes = AB_WAGERS[:, None] / largest_weight
    above = np.zeros((*counts.shape[:-1], len(PRECISIONS)), dtype=np.bool_)
    below = np.zeros_like(above)
    for at, precision in enumerate(PRECISIONS):
        rise = np.log1p(stakes * some.weight * (some.bad - precision))
        fall = np.log1p(stakes * some.weight * (precision - (some.bad | some.missing)))
        for gains, reached in ((rise, above), (fall, below)):
            capital = mixed(np.cumsum(counted @ gains.T, axis=-2))
            reached[..., at] = np.logical_or.accumulate(capital >= needed, axis=-1)
    # Both are monotone in p, so counting what is ruled out finds the end.
    low = PRECISIONS[np.maximum(above.sum(axis=-1) - 1, 0)]
    high = PRECISIONS[len(PRECISIONS) - np.maximum(below.sum(axis=-1), 1)]
    return low, np.maximum(low, high)


def _only(kinds: CaseKinds, kept: IntArray) -> CaseKinds:
    return CaseKinds(**{name: getattr(kinds, name)[kept] for name in CaseKinds.__annotations__})
