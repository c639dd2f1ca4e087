"""With which probability did each stored case enter the cohort, by the policy that decided it? (METHODS 1.2)"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.verbs.ports import Ledger

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def decided_here(ledger: Ledger, rows: pd.DataFrame) -> BoolArray:
    """Which cases a policy of ours decided (`policy_id`), shape (cases,)."""
    codes, ids = _policies(rows)
    known = ledger.policy_ids()
    ours: BoolArray = np.array([one in known for one in ids] + [False], dtype=np.bool_)[codes]
    return ours


def cohort_rates(
    ledger: Ledger, rows: pd.DataFrame, ours: BoolArray, model_digest: str | None
) -> tuple[FloatArray, FloatArray]:
    """By case the cohort's rate and the block cohort's, of the policy that decided it when it did; 1
    where another agent did.

    Args:
        rows: `policy_id` and `decided_at`, shape (cases,).
        model_digest: the model whose blocks the block cohort is about; to another one's policies it is
            the cohort itself.
    """
    codes, ids = _policies(rows)
    # By policy, after its sprint and within it.
    by_policy = np.ones((len(ids), 2, 2))
    sprinting = np.zeros(len(rows), dtype=np.intp)
    for place in np.unique(codes[ours]):
        policy = ledger.policy(ids[place])
        for within in (False, True):
            rates = policy.audit.cohort_rates(policy.boundary, sprinting=within)
            mine = rates if policy.model_digest == model_digest else rates[:1]
            by_policy[place, int(within)] = mine
        if policy.audit.sprint_until is not None:
            decided = codes == place
            sprinting[decided] = policy.audit.sprints(rows["decided_at"][decided])
        if policy.ab_plan is not None:
            # The moved bands of its A/B test have rates of their own.
            least = min(rate for _, rate in policy.ab_plan.moved_audit)
            by_policy[place] = np.minimum(by_policy[place], least)
    found = by_policy[codes, sprinting]
    return found[:, 0], found[:, 1]


def _policies(rows: pd.DataFrame) -> tuple[npt.NDArray[np.integer], list[str]]:
    """By case the place of its policy in the list, -1 where none is named; a few words, so no case's is
    compared as text."""
    policies = rows["policy_id"].astype("category").cat
    return policies.codes.to_numpy(), [str(one) for one in policies.categories]
