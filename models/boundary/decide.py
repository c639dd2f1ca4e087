"""What does the agent do with each case under a boundary, and with what probability is it observed?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.audit import keyed_uniform
from models.vocabulary import KEY_USER_PRIORITY, Action, Boundary, Costs, Recommendation

FloatArray = npt.NDArray[np.float64]


def automatable(
    cases: pd.DataFrame, key_user_priority: int = KEY_USER_PRIORITY
) -> npt.NDArray[np.bool_]:
    """Whether the agent may decide a case at all: not a key user's; a missing priority is one."""
    priority = cases["priority"].to_numpy(dtype=np.float64, na_value=np.nan)
    return priority < key_user_priority


def decide(
    cases: pd.DataFrame,
    scores: FloatArray,
    reason: npt.NDArray[np.str_],
    boundary: Boundary,
    *,
    audit_rate: float | FloatArray,
    key: str,
    costs: Costs,
    key_user_priority: int = KEY_USER_PRIORITY,
    never_auto_pass_above_usd: float | None = None,
) -> pd.DataFrame:
    """Decide every case; overrides first, then the boundary, then the audit draw.

    Args:
        cases: `case_id`, `priority` and `amount_usd`, shape (cases,).
        scores: calibrated probability of 'bad', NaN where a case cannot be scored.
        reason: the name of the rule that kept a case from being scored, or "".
        boundary: see `Boundary`; a score equal to a side is decided on that side.
        audit_rate: designed probability that an automatic decision is reviewed all the same, in
            (0, 1]: one for all cases, or one a case, shape (cases,).
        key: 16 characters; see `audit_key`.
        costs: where the agent leans on cases it may not decide: block when the expected cost of
            passing exceeds that of blocking.

    Returns:
        One row per case with the index of `cases`: score, recommendation, action, propensity (the
        designed probability that the truth is observed), audited, override (the rule that sent
        the case to a person, or "").
    """
    free = automatable(cases, key_user_priority)
    scored = ~np.isnan(scores)
    passed = _side(scores, boundary.pass_at_or_below, np.less_equal)
    blocked = _side(scores, boundary.block_at_or_above, np.greater_equal)
    if never_auto_pass_above_usd is not None:
        # A missing amount may be any amount.
        amount = cases["amount_usd"].to_numpy(dtype=np.float64, na_value=np.inf)
        too_large = passed & ~(amount <= never_auto_pass_above_usd)
    else:
        too_large = np.zeros(len(cases), dtype=np.bool_)
    passed = passed & free & scored & ~too_large
    blocked = blocked & free & scored
    automatic = passed | blocked
    action = np.select(
        [passed, blocked], [Action.AUTO_PASS.value, Action.AUTO_BLOCK.value], Action.ESCALATE.value
    )
    leaning = costs.false_positive_usd / max(
        costs.false_positive_usd + costs.false_negative_usd, 1e-9
    )
    # A case nobody scored leans to 'block': it is held until a person has looked at it.
    block = blocked | (~passed & (~scored | (np.nan_to_num(scores, nan=1.0) >= leaning)))
    drawn = keyed_uniform(cases["case_id"], key) < audit_rate
    override = np.select(
        [~scored & (reason != ""), ~scored, ~free, too_large],
        [reason, "no_model_yet", "key_user_was_escalated", "never_auto_pass_above_usd"],
        "",
    )
    return pd.DataFrame(
        {
            "score": scores,
            "recommendation": np.where(
                block, Recommendation.BLOCK.value, Recommendation.PASS.value
            ),
            "action": action,
            "propensity": np.where(automatic, audit_rate, 1.0),
            "audited": automatic & drawn,
            "override": override,
        },
        index=cases.index,
    )


def _side(scores: FloatArray, cut: float | None, beyond: np.ufunc) -> npt.NDArray[np.bool_]:
    if cut is None:
        return np.zeros(len(scores), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        return np.asarray(beyond(scores, cut), dtype=np.bool_)
