"""Is the treatment's mean outcome above the control's by more than a margin, whenever we look?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.boundary.ab.ab_verdict import AbVerdict
from models.boundary.proof.wagers import AB_WAGERS, FloatArray, e_value, mixed

_CHUNK = 1 << 16
"""Pairs handled at once, so that memory does not grow with a batch."""


@dataclass(frozen=True, slots=True)
class SequentialVerdict:
    """What a comparison has shown so far.

    Attributes:
        verdict: `promote`, `stop` or `continue`; the first of the two proofs stands.
        e_value: highest capital so far against 'mean(treatment) - mean(control) <= margin'.
        opposite_e_value: highest capital so far against 'mean(treatment) - mean(control) >= margin'.
        pairs: pairs compared; cases still waiting for a partner are not in it.
        mean_difference: mean of treatment less control over those pairs; None without a pair.
    """

    verdict: AbVerdict
    e_value: float
    opposite_e_value: float
    pairs: int
    mean_difference: float | None


class SequentialComparison:
    """Two arms compared as their cases come in, valid at any look and however often one looks.

    Cases are paired in order of arrival, one of the treatment with the mean of `allocation` ones
    of the control; a bettor with stakes fixed in advance plays each pair's difference d.

    - `promote` when the capital against 'E[d] <= margin' has ever reached 1/delta. If that is true,
      it happens with probability at most delta, over all looks together.
    - `stop` when the capital against the opposite, 'E[d] >= margin', has ever reached 1/delta: the
      treatment is proven *not* to be better by the margin. Again wrong with probability delta.

    The verdict that came first stands. A tie (E[d] = margin) belongs to both hypotheses. How cases
    are cut into looks changes nothing. (METHODS 5; Waudby-Smith and Ramdas 2024.)

    Args:
        margin: in (-1, 1); 0 tests superiority, a negative one non-inferiority.
        delta: accepted probability of a wrong proof, in (0, 1).
        allocation: control cases for each treatment case, a whole number of at least 1, fixed
            before the first case.

    Raises:
        ValueError: a value is outside its range.
    """

    def __init__(self, margin: float = 0.0, delta: float = 0.05, allocation: int = 1) -> None:
        if not (math.isfinite(margin) and -1.0 < margin < 1.0):
            raise ValueError(f"the margin must lie in (-1, 1), got {margin!r}")
        if not (math.isfinite(delta) and 0.0 < delta < 1.0):
            raise ValueError(f"delta must lie in (0, 1), got {delta!r}")
        if isinstance(allocation, bool) or not isinstance(allocation, int) or allocation < 1:
            raise ValueError(
                f"allocation is how many control cases go with each treatment case: a whole number "
                f"of at least 1, got {allocation!r}"
            )
        self._margin = float(margin)
        self._needed = -math.log(delta)
        self._allocation = allocation
        self._waiting_control: FloatArray = np.empty(0)
        self._waiting_treatment: FloatArray = np.empty(0)
        self._for: FloatArray = np.zeros(len(AB_WAGERS))
        self._against: FloatArray = np.zeros(len(AB_WAGERS))
        self._highest_for = self._highest_against = 0.0
        self._pairs = 0
        self._difference = 0.0
        self._verdict = AbVerdict.CONTINUE

    def observe(self, control: npt.ArrayLike, treatment: npt.ArrayLike) -> SequentialVerdict:
        """Take in the cases that came since the last look.

        Args:
            control, treatment: outcomes in [0, 1] in order of arrival, shape (cases,) each; they
                may differ in length or be empty. Cases without a partner wait for the next look.

        Raises:
            ValueError: an outcome is missing, outside [0, 1] or not in one dimension. Nothing of
                the look is then taken in.
        """
        fresh_control = _outcomes(control, "control")
        fresh_treatment = _outcomes(treatment, "treatment")
        left = np.concatenate([self._waiting_control, fresh_control])
        right = np.concatenate([self._waiting_treatment, fresh_treatment])
        pairs = min(len(left) // self._allocation, len(right))
        used = pairs * self._allocation
        partners = left[:used].reshape(pairs, self._allocation).mean(axis=1)
        self._waiting_control, self._waiting_treatment = left[used:], right[pairs:]
        difference = right[:pairs] - partners
        for start in range(0, pairs, _CHUNK):
            self._bet(difference[start : start + _CHUNK])
        return self.state

    @property
    def state(self) -> SequentialVerdict:
        """What has been shown so far."""
        return SequentialVerdict(
            verdict=self._verdict,
            e_value=self.e_value,
            opposite_e_value=e_value(self._highest_against),
            pairs=self._pairs,
            mean_difference=self._difference / self._pairs if self._pairs else None,
        )

    @property
    def verdict(self) -> AbVerdict:
        return self._verdict

    @property
    def e_value(self) -> float:
        return e_value(self._highest_for)

    def _bet(self, difference: FloatArray) -> None:
        above = difference - self._margin
        self._for, path = _played(self._for, above, 1.0 + self._margin)
        self._against, opposite = _played(self._against, -above, 1.0 - self._margin)
        if self._verdict is AbVerdict.CONTINUE:
            proven = _first(path >= self._needed)
            refuted = _first(opposite >= self._needed)
            if proven < refuted:
                self._verdict = AbVerdict.PROMOTE
            elif refuted < proven:
                self._verdict = AbVerdict.STOP
        self._highest_for = max(self._highest_for, float(path.max()))
        self._highest_against = max(self._highest_against, float(opposite.max()))
        self._pairs += len(difference)
        self._difference += float(difference.sum())


def _played(
    capital: FloatArray, z: FloatArray, largest_loss: float
) -> tuple[FloatArray, FloatArray]:
    """(log capital by wager after the last pair; log of the mean capital after each pair)."""
    gains = np.log1p(AB_WAGERS / largest_loss * z[:, None])
    by_wager = capital + np.cumsum(gains, axis=0)
    return by_wager[-1], mixed(by_wager)


def _first(reached: npt.NDArray[np.bool_]) -> int:
    """Position of the first True; the length where there is none."""
    return int(reached.argmax()) if reached.any() else len(reached)


def _outcomes(values: npt.ArrayLike, arm: str) -> FloatArray:
    try:
        outcomes = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{arm} outcomes must be numbers in [0, 1], one a case") from None
    if outcomes.ndim != 1:
        raise ValueError(
            f"{arm} outcomes must come in one dimension, got the shape {outcomes.shape}"
        )
    wrong = ~((outcomes >= 0.0) & (outcomes <= 1.0))
    if wrong.any():
        raise ValueError(
            f"{int(wrong.sum())} {arm} outcomes are missing or outside [0, 1] (first at position "
            f"{int(wrong.argmax())}); leave out immature cases, and scale amounts"
        )
    return outcomes
