"""Are the model files that a policy decides by really there, as registered?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.mlflow.model_registry import ModelElsewhere
from flows.verbs.ports import Alerts, ModelRegistry
from models.hub.policies.external import decides_elsewhere
from models.hub.policies.policy import Policy


@dataclass(frozen=True, slots=True)
class ModelState:
    """What is stored of a policy's model now.

    Attributes:
        fails: why it can be loaded from nowhere, or "".
        registered: what is wrong with the version's own file, or "" (also where MLflow is silent).
        silent: why MLflow could not be asked about that file, or "".
        mended: a damaged copy was written anew from the version's file.
    """

    fails: str = ""
    registered: str = ""
    silent: str = ""
    mended: bool = False


def check_policy_files(
    registry: ModelRegistry, alerts: Alerts, policy: Policy, at: datetime
) -> None:
    """Nothing, if the registry holds the policy's model and nothing beside it; asked before anybody
    approves or forces it (FAULTS 5). A copy is then in this home. A policy without a model needs none,
    and another agent's model has none.

    Raises:
        GateRefused: the files are not as registered; an alert is kept.
        ServiceUnreachable: MLflow does not answer.
    """
    if policy.model_version is None or policy.model_digest is None or decides_elsewhere(policy):
        return
    try:
        registry.check_files(policy.case_type, policy.model_version, policy.model_digest)
    except GateRefused as refused:
        helps = "" if isinstance(refused, ModelElsewhere) else " Put the file back, or train again."
        why = f"{refused}{helps}"
        alerts.send(
            "model_files_refused",
            policy.case_type,
            f"{policy.policy_id[:12]} may not decide: {why}",
            at,
            policy_id=policy.policy_id,
            model_version=policy.model_version,
        )
        raise GateRefused(why) from None


def why_it_does_not_load(registry: ModelRegistry, policy: Policy) -> str:
    """Why the policy's model cannot be loaded from what is stored now, this home's copy or the
    registry's file; or ""."""
    if policy.model_version is None or policy.model_digest is None or decides_elsewhere(policy):
        return ""
    try:
        registry.load(policy.case_type, policy.model_version, policy.model_digest, again=True)
    except (GateRefused, ServiceUnreachable) as refused:
        return str(refused)
    return ""


def model_state(registry: ModelRegistry, policy: Policy) -> ModelState:
    """Whether the policy's model loads, and whether the registry still has its file; a copy that is
    missing or damaged is made from that file."""
    if policy.model_version is None or policy.model_digest is None or decides_elsewhere(policy):
        return ModelState()
    registered = silent = ""
    damaged = registry.copies.damaged(policy.model_digest)
    try:
        registry.check_files(policy.case_type, policy.model_version, policy.model_digest)
    except GateRefused as refused:
        registered = str(refused)
    except ServiceUnreachable as problem:
        silent = str(problem)
    fails = why_it_does_not_load(registry, policy)
    still = registry.copies.damaged(policy.model_digest)
    return ModelState(fails, registered, silent, mended=damaged and not still)
