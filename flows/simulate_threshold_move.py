"""What would a threshold move do to decisions, errors, queue and SLA?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows.orchestration.artifacts import publish
from flows.orchestration.run_names import of_case_type
from flows.orchestration.tasks import run
from flows.reports.words.move import move_table, move_verdict
from flows.verbs.live import night_of, open_services
from flows.verbs.whatif.whatif import replay_move

Score = Annotated[float, Field(ge=0, le=1)]


@flow(name="simulate_threshold_move", flow_run_name=of_case_type("move"), persist_result=False)
def simulate_threshold_move(
    case_type: str,
    pass_at_or_below: Score | None = None,
    block_at_or_above: Score | None = None,
    best: bool = False,
    days: Annotated[int, Field(ge=1, le=365)] = 28,
    as_of: datetime | None = None,
    profile: str | None = None,
) -> dict[str, Any]:
    """Replay past cases under a moved boundary; nothing is changed and nothing is proposed.

    Args:
        case_type: which one, as configured in configs/case_types/.
        pass_at_or_below: auto-pass at or below this score; empty: that side is reviewed.
        block_at_or_above: auto-block at or above this score; empty: that side is reviewed.
        best: instead of a given one, the widest boundary that the evidence certifies by now; a peek,
            which spends no look.
        days: how many days of mature cases to replay.
        as_of: with what was known by then (with a time zone); empty: now.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    moment = night_of(as_of)
    services = run(open_services, profile)
    told: dict[str, Any] = run(
        replay_move, services, case_type, pass_at_or_below, block_at_or_above, moment, days, best
    )
    publish(f"whatif-{case_type}", move_verdict(told), move_table(told))
    return told
