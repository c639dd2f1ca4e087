"""What does the agent do with each case under a boundary, and with what probability is it observed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.decision.audit import keyed_uniform
from models.boundary.decision.patterns import NO_PATTERN, first_pattern
from models.vocabulary import KEY_USER_PRIORITY, Action, Boundary, Costs, Pattern, Recommendation

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]

SENIOR, DESK = "senior", "desk"
"""The queues a case may wait in: a senior's, or everybody else's."""

NO_MODEL_YET = "no_model_yet"
KEY_USER = "key_user_was_escalated"
TOO_LARGE = "never_auto_pass_above_usd"


@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionRule:
    """By what one policy decides the cases of one type.

    Attributes:
        boundary: see `Boundary`; a score equal to a side is decided on that side.
        audit_rate: designed probability that an automatic decision is reviewed all the same, in
            (0, 1]: one for all cases, or one a case, shape (cases,).
        key: 16 characters; see `audit_key`.
        costs: where the agent leans on cases it may not decide: block when the expected cost of
            passing exceeds that of blocking.
        key_user_priority: from this priority on (0 to 100) a case is a key user's.
        never_auto_pass_above_usd: a larger amount is never passed automatically; None: no limit.
        senior_patterns: high-risk patterns; the first that a case meets names its override.
        withheld: why nothing may be decided automatically, such as "halted"; "": it may. One for
            all cases, or one a case, shape (cases,).
    """

    boundary: Boundary
    audit_rate: float | FloatArray = field(repr=False)
    key: str = field(repr=False)
    costs: Costs
    key_user_priority: int = KEY_USER_PRIORITY
    never_auto_pass_above_usd: float | None = None
    senior_patterns: tuple[Pattern, ...] = ()
    withheld: str | npt.NDArray[np.object_] = ""


def automatable(cases: pd.DataFrame, key_user_priority: int = KEY_USER_PRIORITY) -> BoolArray:
    """Whether the agent may decide a case at all: not a key user's; a missing priority is one."""
    priority = cases["priority"].to_numpy(dtype=np.float64, na_value=np.nan)
    return priority < key_user_priority


def decide(
    cases: pd.DataFrame, scores: FloatArray, reason: npt.NDArray[np.str_], rule: DecisionRule
) -> pd.DataFrame:
    """Decide every case: key users and high-risk patterns first, then the boundary, then the limit
    on amounts, then the audit draw.

    Args:
        cases: `case_id`, `priority`, `amount_usd` and the columns of the rule's patterns, shape
            (cases,).
        scores: calibrated probability of 'bad', NaN where a case cannot be scored.
        reason: the name of the rule that kept a case from being scored, or "".
        rule: see `DecisionRule`.

    Returns:
        One row per case with the index of `cases`: score, recommendation, action, propensity (the
        designed probability that the truth is observed), audited, override (the rule that sent
        the case to a person, or ""), queue ("senior" for key users and patterns, "desk" for every
        other case that a person sees, or "").

    Raises:
        ValueError: a pattern asks about a column that the cases do not have.
    """
    free = automatable(cases, rule.key_user_priority)
    pattern = first_pattern(cases, rule.senior_patterns)
    scored = ~np.isnan(scores)
    withheld, why_withheld = _coded(np.broadcast_to(np.asarray(rule.withheld), len(cases)))
    may = free & (pattern == NO_PATTERN) & scored & (withheld == 0)
    too_large = _too_large(cases, rule.never_auto_pass_above_usd)
    inside = _side(scores, rule.boundary.pass_at_or_below, np.less_equal)
    passed = inside & may & ~too_large
    blocked = _side(scores, rule.boundary.block_at_or_above, np.greater_equal) & may
    automatic = passed | blocked
    audited = _drawn(cases, rule, automatic)
    unscored, why_unscored = _coded(reason)
    override = _first_that_holds(
        [
            (withheld, why_withheld),
            (np.where(scored, 0, unscored), why_unscored),
            (~scored, [NO_MODEL_YET]),
            (~free, [KEY_USER]),
            (pattern - NO_PATTERN, [each.name for each in rule.senior_patterns]),
            (inside & too_large, [TOO_LARGE]),
        ]
    )
    senior = ~free | (pattern != NO_PATTERN)
    return pd.DataFrame(
        {
            "score": scores,
            "recommendation": _words(
                _leans_to_block(scores, scored, passed, blocked, rule.costs).astype(np.intp),
                [Recommendation.PASS.value, Recommendation.BLOCK.value],
            ),
            "action": _words(
                passed.astype(np.intp) + 2 * blocked.astype(np.intp),
                [Action.ESCALATE.value, Action.AUTO_PASS.value, Action.AUTO_BLOCK.value],
            ),
            "propensity": np.where(automatic, rule.audit_rate, 1.0),
            "audited": audited,
            "override": override,
            "queue": _words(
                np.where(senior, 2, (~automatic | audited).astype(np.intp)), ["", DESK, SENIOR]
            ),
        },
        index=cases.index,
    )


def _drawn(cases: pd.DataFrame, rule: DecisionRule, automatic: BoolArray) -> BoolArray:
    """Whether each automatic decision is reviewed all the same; only those ids are hashed."""
    audited = np.zeros(len(cases), dtype=np.bool_)
    if automatic.any():
        rates = np.broadcast_to(np.asarray(rule.audit_rate, dtype=np.float64), len(cases))
        ids = cases["case_id"] if automatic.all() else cases["case_id"][automatic]
        audited[automatic] = keyed_uniform(ids, rule.key) < rates[automatic]
    return audited


def _too_large(cases: pd.DataFrame, limit: float | None) -> BoolArray:
    if limit is None:
        return np.zeros(len(cases), dtype=np.bool_)
    # A missing amount may be any amount.
    return ~(cases["amount_usd"].to_numpy(dtype=np.float64, na_value=np.inf) <= limit)


def _leans_to_block(
    scores: FloatArray, scored: BoolArray, passed: BoolArray, blocked: BoolArray, costs: Costs
) -> BoolArray:
    leaning = costs.false_positive_usd / max(
        costs.false_positive_usd + costs.false_negative_usd, 1e-9
    )
    # A case nobody scored leans to 'block': it is held until a person has looked at it.
    return blocked | (~passed & (~scored | (np.nan_to_num(scores, nan=1.0) >= leaning)))


def _side(scores: FloatArray, cut: float | None, beyond: np.ufunc) -> BoolArray:
    if cut is None:
        return np.zeros(len(scores), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        return np.asarray(beyond(scores, cut), dtype=np.bool_)


def _coded(words: npt.NDArray[np.str_] | npt.NDArray[np.object_]) -> tuple[Codes, list[str]]:
    """A column of few different words as the place of each in their list, from 1; 0 is ""."""
    codes = np.zeros(len(words), dtype=np.intp)
    said = np.asarray(words != "")
    if not said.any():
        return codes, []
    few, inverse = np.unique(words[said].astype(str), return_inverse=True)
    codes[said] = inverse + 1
    return codes, few.tolist()


def _first_that_holds(
    rules: Sequence[tuple[Codes | BoolArray, Sequence[str]]],
) -> pd.api.extensions.ExtensionArray:
    """For each case the word of the first rule whose code is above 0, or ""."""
    words = [""]
    found = np.zeros(len(rules[0][0]), dtype=np.intp)
    for codes, named in rules:
        place = np.asarray(codes, dtype=np.intp)
        found = np.where((found == 0) & (place > 0), place + len(words) - 1, found)
        words += named
    return _words(found, words)


def _words(codes: Codes, words: Sequence[str]) -> pd.api.extensions.ExtensionArray:
    # Text made by taking from a few words costs a tenth of text made case by case.
    few: pd.api.extensions.ExtensionArray = pd.array(list(words), dtype="str")
    return few.take(codes)
