"""How does a promotion that waits in Prefect hear that somebody approved it?

Prefect's open-source server has one login for everybody, so its form says only "go on": who approved
stands in our ledger, under a name that was proven by a token.
"""

from __future__ import annotations

from typing import Literal

from prefect.input import RunInput

FLOW = "promote_boundary"


class GoOn(RunInput):
    """What the form of a waiting promotion asks; on its own it promotes nothing."""

    decision: Literal["leave it", "go on"] = "leave it"
    note: str = ""


def waits_for(policy_id: str) -> str:
    """The tag of a run that waits for the approval of a policy."""
    return f"waits for {policy_id}"


def tagged_waiting_for(policy_id: str) -> None:
    """Let the flow run that asks be found by who approves this policy."""
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run

    tags = {*flow_run.tags, waits_for(policy_id)}
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, tags=tags)


def resume_promotions(policy_id: str) -> list[str]:
    """Let every run go on that waits for this policy's approval; their names.

    Raises:
        ServiceUnreachable: Prefect does not answer; the approval itself stands.
    """
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        FlowRunFilterTags,
    )
    from prefect.client.schemas.objects import StateType

    from configs.errors import ServiceUnreachable

    waiting = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])),
        tags=FlowRunFilterTags(all_=[waits_for(policy_id)]),
    )
    try:
        with get_client(sync_client=True) as client:
            runs = client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])), flow_run_filter=waiting
            )
            for run in runs:
                client.resume_flow_run(run.id, run_input={"decision": "go on", "note": "approved"})
    except (HTTPError, RuntimeError) as silent:
        raise ServiceUnreachable(
            "The approval stands in the ledger, but Prefect does not answer "
            f"({type(silent).__name__}), so a waiting promotion was not told. `ratchet promote "
            f"{policy_id[:12]}` promotes it by hand."
        ) from None
    return [run.name for run in runs]
