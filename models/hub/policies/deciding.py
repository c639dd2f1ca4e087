"""By which rule does a policy decide, and until when?"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.decision.decide import DecisionRule
from models.hub.policies.policy import Policy
from models.vocabulary import Costs

FloatArray = npt.NDArray[np.float64]
Why: TypeAlias = "str | npt.NDArray[np.object_]"

EXPIRED, HALTED, REFUSED = "certificate_expired", "halted", "model_refused"
SUPERSEDED, UNREADABLE_LEDGER = "policy_superseded", "ledger_unreadable"
LEDGER_BROKEN, AUDIT_SECRET_UNKNOWN = "ledger_broken", "audit_secret_unknown"
"""Why a policy may decide nothing by itself: each stands in `override` of what it withholds. Superseded
and unreadable are a served folder's: another policy is live by now, or nobody can tell which."""


def rule_of(
    policy: Policy,
    scores: FloatArray,
    *,
    decided_at: pd.Series,
    key: str,
    costs: Costs,
    withheld: Why,
) -> DecisionRule:
    """A policy's boundary, audit plan and overrides as the rule that decides these cases.

    Args:
        scores: of the cases to be decided, shape (cases,); the audit rate may depend on them.
        decided_at: tz-aware stamps, shape (cases,); the audit rate is the one in force then.
        key: of the audit draw, 16 characters.
        costs: the case type's.
        withheld: see `why_withheld`.
    """
    return DecisionRule(
        boundary=policy.boundary,
        audit_rate=policy.audit.rates(scores, policy.boundary, policy.audit.sprints(decided_at)),
        key=key,
        costs=costs,
        key_user_priority=policy.overrides.key_user_priority,
        never_auto_pass_above_usd=policy.overrides.never_auto_pass_above_usd,
        senior_patterns=policy.overrides.senior_patterns,
        withheld=withheld,
    )


def why_withheld(policy: Policy, decided_at: pd.Series, why: str = "") -> Why:
    """Why the policy decides nothing by itself, for all cases or by case; "" where it may.

    A certificate holds until `valid_until`, and no longer at it.

    Args:
        decided_at: tz-aware stamps, shape (cases,).
        why: what withholds every case anyway, or "".
    """
    if why or policy.valid_until is None:
        return why
    late = (decided_at >= pd.Timestamp(policy.valid_until)).to_numpy(dtype=np.bool_)
    return np.where(late, EXPIRED, "").astype(object)
