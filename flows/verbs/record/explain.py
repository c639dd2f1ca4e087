"""What happened to one case, by whose rule, who approved it, and would it be decided so again?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused, ServiceUnreachable, UserError
from flows.verbs.decide.contributions import PHI, kept_contributions
from flows.verbs.govern.history import whence
from flows.verbs.ports import Ledger, ScoringServices
from flows.verbs.record.recompute import recompute, stored_case
from models.hub.policies.policy import Policy
from models.vocabulary import Action

KEPT, COMPUTED, NONE = "kept", "computed", "none"

_DECIDED = [
    "case_id", "case_type", "opened_at", "decided_at", "action", "recommendation", "override",
    "score", "policy_id", "model_version", "propensity", "audited", "arm",
]  # fmt: skip


def explain(services: ScoringServices, case_id: str) -> dict[str, Any]:
    """The decision on a case as plain values, and the deciding model's contributions.

    Returns:
        The decision's columns; `drawn` (a person was to see it); `policy`: the boundary and expiry
        it decided by, and who proposed, approved and made it live, as the ledger stood then
        (`whence`), or None where the agent was somebody else's; `again`: the same case decided anew
        from what is stored (`recompute`), or `why` that cannot be; `contributions`: `source` is
        "kept" with the case, "computed" now from the stored case by the model that decided it, or
        "none" with `why`; `margin` and `bias` in calibrated log-odds, and `by_feature`, largest
        first: feature, the case's value, contribution.

    Raises:
        UserError: no such case was admitted.
        GateRefused: the model that decided it no longer has the bytes the policy names.
    """
    kept = [name for name in _DECIDED if name in services.store.columns("decisions")]
    found = services.store.read("decisions", columns=kept, filters={"case_id": [case_id]})
    if found.empty:
        raise UserError(
            f"no decision on case {case_id!r} was admitted, so there is nothing to explain. Ids are "
            "compared to the letter; a case decided since the last night is admitted with the next one."
        )
    row = found.iloc[0]
    decision = {name: _plain(row[name]) if name in found else None for name in _DECIDED}
    drawn = decision["action"] == Action.ESCALATE.value or bool(decision["audited"])
    policy = _policy(services.ledger, str(decision["policy_id"]))
    return {
        **decision,
        "drawn": drawn,
        "policy": None
        if policy is None
        else _decided_by(services.ledger, policy, row["decided_at"]),
        "again": _again(services, policy, case_id),
        "contributions": _contributions(services, decision),
    }


def _decided_by(ledger: Ledger, policy: Policy, decided_at: pd.Timestamp) -> dict[str, Any]:
    """The policy's rule and the people behind it, as the ledger stood when it decided."""
    history = ledger.history(policy.case_type, decided_at.to_pydatetime())
    return {
        "pass_at_or_below": policy.boundary.pass_at_or_below,
        "block_at_or_above": policy.boundary.block_at_or_above,
        "valid_until": None if policy.valid_until is None else policy.valid_until.isoformat(),
        "model_digest": policy.model_digest,
        "audit": policy.audit.document(),
        **whence(history, policy.case_type, policy.policy_id),
    }


def _again(services: ScoringServices, policy: Policy | None, case_id: str) -> dict[str, Any]:
    if policy is None:
        return {"why": "the agent was somebody else's, and its policy is not in this ledger"}
    if policy.case_type not in services.case_types:
        return {"why": f"the case type {policy.case_type!r} is no longer configured"}
    try:
        return recompute(services, stored_case(services.store, case_id))
    except (GateRefused, ServiceUnreachable) as refused:
        return {"why": str(refused)}


def _contributions(services: ScoringServices, decision: dict[str, Any]) -> dict[str, Any]:
    case_type, case_id = str(decision["case_type"]), str(decision["case_id"])
    if case_type not in services.case_types:
        return _none(f"the case type {case_type!r} is no longer configured")
    policy = _policy(services.ledger, str(decision["policy_id"]))
    if policy is None or policy.model_digest is None or policy.model_version is None:
        return _none("no model of this registry scored the case")
    # Admitted rows hold what a model was shown; features a newer configuration adds are missing.
    stored = services.store.columns("decisions")
    features = [name for name in services.case_types[case_type].feature_names if name in stored]
    case = services.store.read("decisions", columns=features, filters={"case_id": [case_id]}).head(
        1
    )
    kept = kept_contributions(
        services.store, services.case_types, case_type, policy.model_digest, case_ids=[case_id]
    )
    if len(kept):
        phi = {name: float(kept[f"{PHI}{name}"].iloc[0]) for name in features}
        return _told(KEPT, float(kept["margin"].iloc[0]), phi, case)
    try:
        model = services.registry.load(case_type, policy.model_version, policy.model_digest)
    except ServiceUnreachable as silent:
        return _none(str(silent))
    lost = [name for name in model.feature_names if name not in features]
    if lost:
        return _none(f"the stored case has no {', '.join(lost)}")
    told = model.contributions(case)
    if not np.isfinite(told.margin[0]):
        return _none(f"the case cannot be scored ({model.score(case)[1][0]})")
    values = dict(zip(told.features, told.values[0].tolist(), strict=True))
    return _told(COMPUTED, float(told.margin[0]), values, case)


def _policy(ledger: Ledger, policy_id: str) -> Policy | None:
    """The policy that decided a case; None where the agent was somebody else's."""
    try:
        return ledger.policy(policy_id)
    except UserError:
        return None


def _told(source: str, margin: float, phi: dict[str, float], case: pd.DataFrame) -> dict[str, Any]:
    largest_first = sorted(phi.items(), key=lambda pair: -abs(pair[1]))
    return {
        "source": source,
        "why": "",
        "margin": margin,
        "bias": margin - sum(phi.values()),
        "by_feature": [
            {"feature": name, "value": _plain(case[name].iloc[0]), "contribution": value}
            for name, value in largest_first
        ],
    }


def _none(why: str) -> dict[str, Any]:
    return {"source": NONE, "why": why, "margin": None, "bias": None, "by_feature": []}


def _plain(value: Any) -> Any:
    """As JSON has it: missing is null, stamps are text, numbers are Python's."""
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value
