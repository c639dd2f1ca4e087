"""Which labels does a second person review before a certificate may count them? (METHODS 1.6)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.vocabulary import Boundary

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Contradictions:
    """Unconfirmed labels that speak against automation.

    Attributes:
        rows: case_id, side ("pass": a bad label where cases pass; "block": a good one where they
            are blocked), weight (1/propensity) and depth (how far beyond the cut, negative in the
            margin); most influential first: the order of the next calibration session.
        hurting: labels that hurt, confirmed or not.
    """

    rows: pd.DataFrame
    hurting: int

    @property
    def hold(self) -> bool:
        """Whether the certificate waits: one unconfirmed label that hurts is enough."""
        return len(self.rows) > 0

    @property
    def sentence(self) -> str:
        if not self.hurting:
            return "No label contradicts the boundary."
        if not self.hold:
            return f"All {self.hurting:,} labels that contradict the boundary are confirmed."
        low, high = ((self.rows["side"] == side).sum() for side in ("pass", "block"))
        return (
            f"{len(self.rows):,} of {self.hurting:,} labels that contradict the boundary have no "
            f"second review ({low:,} bad ones where cases pass, {high:,} good ones where they are "
            "blocked); the certificate is on hold until the calibration session has settled them."
        )


def contradictions(
    labels: pd.DataFrame,
    boundary: Boundary,
    pass_margin: float = 0.0,
    block_margin: float = 0.0,
) -> Contradictions:
    """The labels that count as a miss or as a false positive, and that nobody has confirmed.

    A false one among them costs automation: at reviewer specificity .99 the recall certificate
    shrinks to .07 of what is possible (simulated, METHODS 1.6). Most influential first: by the weight it has in the tests,
    then by depth, since a miss far below the cut counts at every cut above it.

    Args:
        labels: one row a settled case: case_id, score, bad (true, false, null = open), propensity,
            and confirmed (a second, senior or gold review agreed, or an outcome decided).
        boundary: the cuts under test; a side that is None has no contradictions.
        pass_margin, block_margin: how far, in scores, the zones reach beyond the cuts, so that
            labels just outside are confirmed before the next move.

    Raises:
        ValueError: a column is missing or unusable, or a margin is negative.
    """
    if pass_margin < 0.0 or block_margin < 0.0:
        raise ValueError(
            f"margins widen the zones and cannot be negative, got {pass_margin!r} and {block_margin!r}"
        )
    _require(labels, ("case_id", "score", "bad", "propensity", "confirmed"))
    score = labels["score"].to_numpy(dtype=np.float64)
    bad, confirmed = _truth(labels), labels["confirmed"].to_numpy(dtype=np.bool_)
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    below = np.full(len(score), -np.inf) if low is None else low - score
    above = np.full(len(score), -np.inf) if high is None else score - high
    misses = (bad == 1.0) & (below >= -pass_margin)
    false_positives = (bad == 0.0) & (above >= -block_margin)
    hurting = misses | false_positives
    asked = hurting & ~confirmed  # a few of many: only these are taken as text
    found = pd.DataFrame(
        {
            "case_id": labels["case_id"][asked].to_numpy(),
            "side": np.where(misses[asked], "pass", "block"),
            "weight": 1.0 / labels["propensity"].to_numpy(dtype=np.float64)[asked],
            "depth": np.where(misses, below, above)[asked],
        }
    ).sort_values(["weight", "depth", "case_id"], ascending=[False, False, True], ignore_index=True)
    return Contradictions(found, int(hurting.sum()))


def blind_second_sample(labels: pd.DataFrame, uniform: FloatArray, share: float) -> BoolArray:
    """Which of the audit's good labels get a second, blind review: missed bads hide among them.

    Args:
        labels: one row a settled case: bad, audited (drawn for audit) and confirmed.
        uniform: a keyed number in [0, 1) per case, shape (cases,), under a key of its own: those
            that drew the audit are all small, and would draw every audited case again.
        share: of the audited good labels, in [0, 1].

    Returns:
        Shape (cases,); a case once drawn stays drawn as the share grows. Confirmed labels are
        left out: a second person has spoken already.

    Raises:
        ValueError: a column is missing, the share or a number is out of range.
    """
    _require(labels, ("bad", "audited", "confirmed"))
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"the share reviewed a second time must lie in [0, 1], got {share!r}")
    if len(uniform) != len(labels) or not ((uniform >= 0.0) & (uniform < 1.0)).all():
        raise ValueError(
            f"one number in [0, 1) is needed for each of the {len(labels)} cases; draw them with a "
            "keyed hash of the case id"
        )
    eligible = labels["audited"].to_numpy(dtype=np.bool_) & (_truth(labels) == 0.0)
    eligible &= ~labels["confirmed"].to_numpy(dtype=np.bool_)
    chosen: BoolArray = eligible & (uniform < share)
    return chosen


def _truth(labels: pd.DataFrame) -> FloatArray:
    return labels["bad"].to_numpy(dtype=np.float64, na_value=np.nan)


def _require(labels: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in labels]
    if missing:
        raise ValueError(
            f"{len(missing)} column{' is' if len(missing) == 1 else 's are'} missing from the settled labels: "
            f"{', '.join(map(repr, missing))}; they need {', '.join(columns)}"
        )
