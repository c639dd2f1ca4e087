"""How does a promotion that waits in Prefect hear that somebody approved it?

Prefect's open-source server has one login for everybody, so its form says only "go on": who approved
stands in our ledger, under a name that was proven by a token.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal

from prefect.input import RunInput

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

FLOW = "promote_boundary"
LEAVE_IT: Final = "leave it"
GO_ON: Final = "go on"

_PAUSES_WITHIN_SECONDS = 20.0
"""How long a run that is about to pause is waited for."""


class GoOn(RunInput):
    """What the form of a waiting promotion asks; on its own it promotes nothing."""

    decision: Literal["leave it", "go on"] = LEAVE_IT
    note: str = ""


def waits_for(policy_id: str) -> str:
    """The tag of a run that waits for the approval of a policy."""
    return f"waits for {policy_id}"


def tag_as_waiting(policy_id: str) -> None:
    """Let the flow run that asks be found by who approves this policy.

    To be called before the ledger is asked for the approval a last time: an approval that comes
    later finds the tag, so that none is missed in between.
    """
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run

    tags = {*flow_run.tags, waits_for(policy_id)}
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, tags=tags).raise_for_status()


def wait_to_go_on(dossier: str, hours: float) -> str:
    """Pause the flow run that asks, with the dossier above the form, and return the decision.

    Raises:
        FlowPauseTimeout: nobody answered in time.
    """
    from prefect.flow_runs import pause_flow_run

    form = GoOn.with_initial_data(description=dossier)
    answer = pause_flow_run(wait_for_input=form, timeout=int(hours * 3600))
    return answer.decision


def resume_promotions(policy_id: str) -> list[str]:
    """Let every run go on that waits for this policy's approval; their names.

    Raises:
        ServiceUnreachable: Prefect does not answer, or let a run not go on; the approval itself
            stands.
    """
    from httpx import HTTPError
    from prefect.client.orchestration import get_client

    from configs.errors import ServiceUnreachable

    stands = "The approval stands in the ledger, but"
    by_hand = f"`ratchet promote {policy_id[:12]}` promotes it by hand."
    try:
        with get_client(sync_client=True) as client:
            told = {run.name: _resumed(client, run) for run in _waiting(client, policy_id)}
    except (HTTPError, RuntimeError) as silent:
        raise ServiceUnreachable(
            f"{stands} Prefect does not answer ({type(silent).__name__}), so a waiting promotion was "
            f"not told. {by_hand}"
        ) from None
    refused = [f"{name} ({why})" for name, why in told.items() if why]
    if refused:
        raise ServiceUnreachable(
            f"{stands} Prefect did not let the flow run {', '.join(refused)} go on. {by_hand}"
        )
    return list(told)


def _waiting(client: Any, policy_id: str) -> list[FlowRun]:
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        FlowRunFilterTags,
    )
    from prefect.client.schemas.objects import StateType

    states = FlowRunFilterStateType(any_=[StateType.PAUSED, StateType.RUNNING])
    runs: list[FlowRun] = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=states),
            tags=FlowRunFilterTags(all_=[waits_for(policy_id)]),
        ),
    )
    return runs


def _resumed(client: Any, run: FlowRun) -> str:
    """Why a run does not go on, or "".

    A tagged run may be about to pause, or have paused a moment ago and not yet stored its form; or
    it runs on because it has seen the approval itself.
    """
    from prefect.client.schemas.responses import SetStateStatus

    asked = {"decision": GO_ON, "note": "approved in the ledger"}
    end = time.monotonic() + _PAUSES_WITHIN_SECONDS
    while True:
        said = client.resume_flow_run(run.id, run_input=asked)
        if said.status is SetStateStatus.ACCEPT:
            return ""
        state = client.read_flow_run(run.id).state
        if state is not None and state.is_final():
            return "" if state.is_completed() else f"it is {state.name.lower()}"
        if time.monotonic() >= end:
            return str(getattr(said.details, "reason", None) or said.status.value)
        time.sleep(0.5)
