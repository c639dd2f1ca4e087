"""Return to the policy promoted before the live one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.utilities.annotations import quote

from flows import tasks
from flows.artifacts import publish


@flow(name="roll_back", persist_result=False)
def roll_back(
    case_type: str, actor: str, reason: str, profile: str | None = None
) -> dict[str, Any]:
    """Roll one case type back; the entry names who did it and why.

    Args:
        case_type: which one, as configured in configs/case_types/.
        actor: who rolls back.
        reason: why, in a sentence.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    desk = tasks.open_desk(profile)
    entry = tasks.roll_back(quote(desk), case_type, actor, reason, datetime.now(UTC))
    told = {"case_type": case_type, "policy_id": entry.policy_id, "version": entry.version}
    publish(f"rollback-{case_type}", f"{case_type}: rolled back by {actor}: {reason}", [told])
    return told
