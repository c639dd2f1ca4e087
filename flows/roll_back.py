"""Return to the policy promoted before the live one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow

from flows.orchestration.artifacts import publish
from flows.orchestration.run_names import of_case_type
from flows.orchestration.tasks import run
from flows.verbs.govern.promote import roll_back as roll_back_to
from flows.verbs.live import open_services
from models.hub.rules.people import ROLL_BACK


@flow(name="roll_back", flow_run_name=of_case_type("roll back"), persist_result=False)
def roll_back(case_type: str, reason: str, profile: str | None = None) -> dict[str, Any]:
    """Roll one case type back. The entry is this flow's, as Prefect has one login for everybody;
    `ratchet rollback` does the same under a proven name.

    Args:
        case_type: which one, as configured in configs/case_types/.
        reason: who asks and why, in a sentence.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    services = run(open_services, profile)
    entry = run(roll_back_to, services, case_type, ROLL_BACK, reason, datetime.now(UTC))
    told = {"case_type": case_type, "policy_id": entry.policy_id, "version": entry.version}
    publish(f"rollback-{case_type}", f"{case_type}: rolled back: {reason}", [told])
    return told
