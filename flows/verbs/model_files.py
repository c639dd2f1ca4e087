"""Are the model files that a policy decides by really there, as registered?"""

from __future__ import annotations

from datetime import datetime

from configs.errors import GateRefused
from flows.verbs.desk import Desk
from models.hub.policy import Policy


def check_policy_files(desk: Desk, policy: Policy, at: datetime) -> None:
    """Nothing, if the registry holds the policy's model and nothing beside it; asked before anybody
    approves or forces it (FAULTS 5). A policy without a model needs none.

    Raises:
        GateRefused: the files are not as registered; an alert is kept.
        ServiceUnreachable: MLflow does not answer.
    """
    if policy.model_version is None or policy.model_digest is None:
        return
    try:
        desk.registry.check_files(policy.case_type, policy.model_version, policy.model_digest)
    except GateRefused as refused:
        desk.alerts.send(
            "model_files_refused",
            policy.case_type,
            f"{policy.policy_id[:12]} may not decide: {refused}",
            at,
            policy_id=policy.policy_id,
            model_version=policy.model_version,
        )
        raise


def why_it_does_not_load(desk: Desk, policy: Policy) -> str:
    """Why the policy's model cannot be loaded from what is stored now, or "".

    Raises:
        ServiceUnreachable: MLflow does not answer.
    """
    if policy.model_version is None or policy.model_digest is None:
        return ""
    try:
        desk.registry.load(policy.case_type, policy.model_version, policy.model_digest, again=True)
    except GateRefused as refused:
        return str(refused)
    return ""
