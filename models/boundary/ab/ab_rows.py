"""What did each case of an A/B test show, and how much does it count for the new policy?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.decision.arms import Arm
from models.vocabulary import Action

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

_ACTIONS = (Action.AUTO_PASS.value, Action.AUTO_BLOCK.value, Action.ESCALATE.value)
PASSED, BLOCKED, ESCALATED = range(3)
"""Positions in `_ACTIONS`."""

_UNSEEN, _GOOD, _BAD, _MISSING = range(4)


@dataclass(frozen=True, eq=False)
class AbRows:
    """Every case assigned to an arm, both policies' answers to it, and its truth where it was drawn.

    Both policies score every case; a case was *decided* by its own arm's. Every array has shape
    (cases,). Their order means nothing: an A/B is read at the ends of days.

    Attributes:
        treated: the case was assigned to the treatment.
        control_action, treatment_action: positions in (auto_pass, auto_block, escalate).
        bad: the truth, where `drawn` and not `missing`; False elsewhere.
        missing: drawn, mature, and still without a label.
        drawn: designed to be observed: escalated in its own arm, or drawn for audit.
        propensity: the designed probability of that, in (0, 1], given its arm.
        day: days from the registration to the case's maturity (when its truth was due). It follows
            from the age of the case alone, never from when a label came.
    """

    treated: BoolArray
    control_action: IntArray
    treatment_action: IntArray
    bad: BoolArray
    missing: BoolArray
    drawn: BoolArray
    propensity: FloatArray
    day: FloatArray

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> AbRows:
        """Read a table: `arm`, `control_action`, `treatment_action`, `bad` (true, false, null = not
        observed), `propensity`, `drawn`, `day`; one row per assigned case, mature or not.

        Truth counts only where a case was drawn. A propensity of 1 means drawn.

        Raises:
            ValueError: a column is missing; an arm, action or number is not allowed; or a case
                that its own arm escalated has a propensity below 1.
        """
        names = (
            "arm",
            "control_action",
            "treatment_action",
            "bad",
            "propensity",
            "drawn",
            "day",
        )
        absent = [name for name in names if name not in frame]
        if absent:
            raise ValueError(f"the A/B's rows have no column {', '.join(map(repr, absent))}")
        treated = _positions(frame, "arm", (Arm.CONTROL.value, Arm.TREATMENT.value)) == 1
        actions = [_positions(frame, name, _ACTIONS) for name in names[1:3]]
        truth, propensity, day = (_numbers(frame, name) for name in ("bad", "propensity", "day"))
        _refuse(~(np.isnan(truth) | (truth == 0.0) | (truth == 1.0)), "bad", "true, false or null")
        _refuse(
            ~((propensity > 0.0) & (propensity <= 1.0)), "propensity", "a probability in (0, 1]"
        )
        _refuse(~(np.isfinite(day) & (day >= 0.0)), "day", "days since the registration, 0 or more")
        if frame["drawn"].isna().any():
            raise ValueError("'drawn' must be true or false in every row")
        own = np.where(treated, actions[1], actions[0])
        _refuse((own == ESCALATED) & (propensity < 1.0), "propensity", "1 where a person decides")
        drawn = frame["drawn"].to_numpy(dtype=np.bool_) | (propensity == 1.0)
        return cls(
            treated=treated,
            control_action=actions[0],
            treatment_action=actions[1],
            bad=drawn & (truth == 1.0),
            missing=drawn & np.isnan(truth),
            drawn=drawn,
            propensity=propensity,
            day=day,
        )

    def __len__(self) -> int:
        return len(self.day)

    @property
    def differ(self) -> BoolArray:
        """The policies answer differently: the moved bands."""
        moved: BoolArray = self.control_action != self.treatment_action
        return moved


@dataclass(frozen=True, eq=False)
class CaseKinds:
    """The distinct kinds of case; a test needs no more of a case than its kind. Shape (kinds,).

    Attributes:
        control_passes, control_blocks, treatment_passes, treatment_blocks: what the policies do.
        bad, missing: as in `AbRows`.
        weight: how many cases it speaks for; 0: it carries no truth, and counts by its actions.
    """

    control_passes: BoolArray
    control_blocks: BoolArray
    treatment_passes: BoolArray
    treatment_blocks: BoolArray
    bad: BoolArray
    missing: BoolArray
    weight: FloatArray


def tally(rows: AbRows, treatment_share: float, days: int) -> tuple[CaseKinds, FloatArray]:
    """Cases of each kind that matured on each of the first `days` days: (kinds, counts).

    Where the policies agree a case is treated alike in both arms, so a drawn one of either arm
    speaks with weight 1/propensity. Where they differ only the treatment arm shows what the new
    policy does: its cases speak for both arms, with weight 1/(treatment_share * propensity), and the
    control's carry no truth. Both are designed probabilities, so weighted sums are unbiased.

    Returns:
        counts has shape (days, kinds). Cases that mature later are left out.
    """
    used = rows.day < days
    differ = rows.differ[used]
    state = np.select(
        [~rows.drawn[used] | (differ & ~rows.treated[used]), rows.missing[used], rows.bad[used]],
        [_UNSEEN, _MISSING, _BAD],
        _GOOD,
    )
    chance = np.where(differ, treatment_share, 1.0) * rows.propensity[used]
    weights, position = np.unique(
        np.where(state == _UNSEEN, 0.0, 1.0 / chance), return_inverse=True
    )
    key = (rows.control_action[used] * 3 + rows.treatment_action[used]) * 4 + state
    found, kind = np.unique(key * max(len(weights), 1) + position, return_inverse=True)
    counts = np.bincount(
        rows.day[used].astype(np.int64) * len(found) + kind, minlength=days * len(found)
    )
    key, position = np.divmod(found, max(len(weights), 1))
    pair, state = np.divmod(key, 4)
    control, treatment = np.divmod(pair, 3)
    kinds = CaseKinds(
        control_passes=control == PASSED,
        control_blocks=control == BLOCKED,
        treatment_passes=treatment == PASSED,
        treatment_blocks=treatment == BLOCKED,
        bad=state == _BAD,
        missing=state == _MISSING,
        weight=weights[position],
    )
    return kinds, counts.reshape(days, len(found)).astype(np.float64)


def _positions(frame: pd.DataFrame, name: str, allowed: tuple[str, ...]) -> IntArray:
    found = pd.Index(allowed).get_indexer(pd.Index(frame[name].astype(object)))
    _refuse(found < 0, name, f"one of {', '.join(allowed)}")
    return found.astype(np.int64)


def _numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    try:
        return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        # The library's own message would quote a value of somebody's row.
        raise ValueError(f"the column {name!r} holds text that is no number") from None


def _refuse(wrong: BoolArray, column: str, what: str) -> None:
    if wrong.any():
        raise ValueError(
            f"{int(wrong.sum())} rows have no valid {column!r} (first at row "
            f"{int(wrong.argmax())}); it must be {what}"
        )
