"""Make a proposed boundary the live one, after a second person's approval."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.utilities.annotations import quote

from flows import tasks
from flows.artifacts import publish


@flow(name="promote_boundary", persist_result=False)
def promote_boundary(
    case_type: str, policy_id: str, approver: str, profile: str | None = None
) -> dict[str, Any]:
    """Approve one waiting proposal in the approver's name and promote it; both are ledger entries.

    Args:
        case_type: which one, as configured in configs/case_types/.
        policy_id: the proposal's id (its first characters are enough); see the night's dossier.
        approver: who approves; never the proposer.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    desk = tasks.open_desk(profile)
    entry = tasks.approve_and_promote(
        quote(desk), case_type, policy_id, approver, datetime.now(UTC)
    )
    told = {"case_type": case_type, "policy_id": entry.policy_id, "version": entry.version}
    publish(f"promote-{case_type}", f"{case_type}: promoted by {approver}.", [told])
    return told
