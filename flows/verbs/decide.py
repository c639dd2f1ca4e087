"""Decide: give every case an action under the policy in force, and draw the audits."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from flows.verbs.contributions import keep_contributions
from flows.verbs.desk import Desk
from flows.verbs.generation import current_generation
from flows.verbs.proposed_policy import advised_policy
from flows.verbs.shadow import score_in_shadow
from models.boundary import decide
from models.hub.policy import Overrides, Policy
from models.vocabulary import Boundary

NO_MODEL = "none"
AB_CASES = "ab_cases"
"""The evidence table of the cases in an A/B test: what either policy does with each."""


def policy_in_force(desk: Desk, case_type: str) -> Policy:
    """The live policy; before the first promotion, one that reviews everything.

    Until then the newest model advises (it gives a score and a recommendation) and decides
    nothing, so that needs nobody's approval.
    """
    live = desk.ledger.live_policy(case_type)
    if live is not None:
        return live
    generation = current_generation(desk, case_type)
    settings = desk.case_types[case_type]
    if generation is None:
        overrides = Overrides(never_auto_pass_above_usd=settings.never_auto_pass_above_usd)
        policy = Policy.review_everything(case_type, settings.audit_rate, overrides)
    else:
        policy = advised_policy(desk, generation, Boundary.everything_reviewed())
    desk.ledger.record_policy(policy)
    return policy


def decide_cases(desk: Desk, case_type: str, cases: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Decisions for new cases, by contract `decisions` with the feature columns.

    Kept beside them: shadow scores, and the contributions to what people will see.

    Every case gets a decision: one that cannot be scored is escalated with the rule's name in
    `override`. The caller delivers the result to admission, as any agent's decisions are.
    """
    policy = policy_in_force(desk, case_type)
    settings = desk.case_types[case_type]
    model = None
    if policy.model_digest is None or policy.model_version is None:
        scores = np.full(len(cases), np.nan)
        reason = np.full(len(cases), "", dtype="U24")
    else:
        model = desk.registry.load(case_type, policy.model_version, policy.model_digest)
        scores, reason = model.score(cases)
    decided = decide(
        cases,
        scores,
        reason,
        policy.boundary,
        audit_rate=policy.audit.rates(scores, policy.boundary),
        key=desk.audit_key(case_type),
        costs=settings.costs,
        key_user_priority=policy.overrides.key_user_priority,
        never_auto_pass_above_usd=policy.overrides.never_auto_pass_above_usd,
    )
    if model is not None:
        keep_contributions(desk, case_type, model, cases, decided, reason, now)
    generation = current_generation(desk, case_type)
    if generation is not None and generation.digest != policy.model_digest:
        # The deciding model's own scores stand in the decisions.
        score_in_shadow(desk, case_type, generation.load(desk), cases, now)
    identity = cases[["case_id", "case_type", "opened_at", "priority", "amount_usd"]].copy()
    identity["decided_at"] = cases["opened_at"]
    identity["arm"] = "control"
    identity["policy_id"] = policy.policy_id
    identity["model_version"] = policy.model_version or NO_MODEL
    features = cases[list(settings.feature_names)]
    whole: pd.DataFrame = pd.concat([identity, decided, features], axis="columns")
    return whole
