"""Make a proposed boundary live once a second person has approved it; until then, wait."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from configs.errors import GateRefused
from flows.orchestration.approvals import LEAVE_IT, tag_as_waiting, wait_to_go_on
from flows.orchestration.artifacts import publish, publish_text
from flows.orchestration.run_names import of_case_type
from flows.orchestration.tasks import run
from flows.reports.words.proposal import proposal_dossier
from flows.verbs.govern.approve import find_proposal, who_approves
from flows.verbs.govern.promote import promote_approved
from flows.verbs.live import open_services


@flow(name="promote_boundary", flow_run_name=of_case_type("promote"), persist_result=False)
def promote_boundary(
    case_type: str,
    policy_id: str,
    wait_hours: Annotated[float, Field(gt=0, le=336)] = 72.0,
    profile: str | None = None,
) -> dict[str, Any]:
    """Promote a policy whose approval stands in the ledger, or start the A/B test it must pass first.

    Without an approval the run pauses with the dossier in front of the person. `ratchet approve ID`
    approves under a proven name and lets the run go on; "go on" in Prefect's own form does so too
    once the approval is in the ledger, and promotes nothing before.

    Args:
        case_type: which one, as configured in configs/case_types/.
        policy_id: the proposal's id (its first characters are enough); see the night's dossier.
        wait_hours: how long the run waits for the approval.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    services = run(open_services, profile)
    ledger, known = services.ledger, services.case_types
    proposal, approved = run(find_proposal, ledger, known, policy_id, case_type)
    if not approved:
        dossier = proposal_dossier(proposal, who_approves(services, proposal))
        publish_text(f"approve-{case_type}", dossier)
        tag_as_waiting(str(proposal.policy_id))
        # An approval since the first look found no run to tell.
        _, approved = run(find_proposal, ledger, known, str(proposal.policy_id), case_type)
    if not approved and wait_to_go_on(dossier, wait_hours) == LEAVE_IT:
        raise GateRefused(f"{case_type}: it was left as it is; nothing was promoted.")
    registry, alerts = services.registry, services.alerts
    entry = run(promote_approved, ledger, registry, alerts, proposal, datetime.now(UTC))
    kind = entry.kind.value
    told: dict[str, Any] = {"case_type": case_type, "policy_id": entry.policy_id, "kind": kind}
    told |= {"version": entry.version}
    publish(f"promote-{case_type}", f"{case_type}: {kind.replace('_', ' ')}.", [told])
    return told
