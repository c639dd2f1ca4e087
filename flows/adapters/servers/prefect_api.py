"""What does a Prefect server say of its runs and slots, and how is a run closed there?

By its REST API: verbs and adapters start no Prefect (see the import rules), and a supervisor that
imported it would take seconds to start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from configs.errors import ServiceUnreachable
from configs.masking import masked

_ANSWER_SECONDS = 20.0
_PAGE = 200  # the most that the server gives at once
_HEARTBEAT = "prefect.flow-run.heartbeat"
_WORKER_LABEL = "prefect.worker.name"


@dataclass(frozen=True, slots=True)
class FlowRun:
    """One run of a deployment as the server knows it.

    Attributes:
        worker: the name of the worker that took it; "": none did yet.
        since: when it came into its present state.
        due: when it was to start.
    """

    run_id: str
    name: str
    deployment_id: str | None
    state: str
    since: datetime
    due: datetime | None
    worker: str = ""
    scheduled_by_itself: bool = False


class PrefectApi:
    """One Prefect server, asked over HTTP."""

    def __init__(self, url: str, auth: str | None = None) -> None:
        """Args: url: the address of its API, ending in /api. auth: user:password, where it asks."""
        pair = tuple(auth.split(":", 1)) if auth and ":" in auth else None
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, timeout=_ANSWER_SECONDS, auth=pair)  # type: ignore[arg-type]

    def close(self) -> None:
        self._client.close()

    def is_healthy(self) -> bool:
        """Whether it answers, at once."""
        try:
            return self._client.get("/health", timeout=2.0).is_success
        except (httpx.HTTPError, OSError):
            return False

    def has_pool(self, name: str) -> bool:
        found = self._ask("POST", "/work_pools/filter", {"work_pools": {"name": {"any_": [name]}}})
        return bool(found)

    def workers(self, pool: str) -> list[str]:
        """The names of the workers that ever asked a pool for work."""
        return [one["name"] for one in self._pages(f"/work_pools/{pool}/workers/filter", {})]

    def deployments(self) -> list[dict[str, Any]]:
        """Every deployment, as the server tells it."""
        return self._pages("/deployments/filter", {})

    def runs(self, *states: str, due_by: datetime | None = None) -> list[FlowRun]:
        """The runs in these states (as "RUNNING"), oldest due first; with `due_by` those due by then."""
        wanted: dict[str, Any] = {"state": {"type": {"any_": list(states)}}}
        if due_by is not None:
            wanted["expected_start_time"] = {"before_": due_by.isoformat()}
        found = self._pages(
            "/flow_runs/filter", {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC"}
        )
        return [_flow_run(one) for one in found]

    def create_run(
        self, deployment_id: str, parameters: Mapping[str, Any] | None = None
    ) -> FlowRun:
        """A run of a deployment, due now."""
        body = {"parameters": dict(parameters or {}), "state": {"type": "SCHEDULED"}}
        return _flow_run(self._ask("POST", f"/deployments/{deployment_id}/create_flow_run", body))

    def set_state(self, run_id: str, kind: str, why: str) -> None:
        """Close a run: `kind` is CRASHED or CANCELLED. The slot that it held is freed with it."""
        state = {"type": kind, "name": kind.capitalize(), "message": why}
        self._ask("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

    def heartbeats(self, run_id: str, since: datetime) -> list[datetime]:
        """When a run last said that it lives, and when before that; the newest first, two at most."""
        wanted = {
            "filter": {
                "event": {"name": [_HEARTBEAT]},
                "resource": {"id": [f"prefect.flow-run.{run_id}"]},
                "occurred": {"since": since.isoformat()},
                "order": "DESC",
            },
            "limit": 2,
        }
        found = self._ask("POST", "/events/filter", wanted)["events"]
        return [datetime.fromisoformat(one["occurred"]) for one in found]

    def taken_slots(self) -> dict[str, tuple[str, float]]:
        """The deployments whose concurrency slots are taken: the limit's id, and how many."""
        found = self._pages("/v2/concurrency_limits/filter", {})
        return {
            one["name"].removeprefix("deployment:"): (one["id"], float(one["active_slots"]))
            for one in found
            if one["name"].startswith("deployment:") and one["active_slots"] > 0
        }

    def set_slots(self, limit_id: str, taken: int) -> None:
        self._ask("PATCH", f"/v2/concurrency_limits/{limit_id}", {"active_slots": taken})

    def _pages(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self._ask("POST", path, {**body, "limit": _PAGE, "offset": len(found)})
            found += page
            if len(page) < _PAGE:
                return found

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | Sequence[Any]) -> Any:
        """What the server answers; a server whose SQLite is locked answers 503, and is asked again."""
        where = masked(self.url)
        try:
            for last in (False, False, True):
                answer = self._client.request(method, path, json=body)
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or last:
                    break
            answer.raise_for_status()
        except httpx.HTTPStatusError as said:
            raise ServiceUnreachable(
                f"The Prefect server at {where} answered {said.response.status_code} to "
                f"{method} {path.split('?')[0]}. See its log."
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ServiceUnreachable(
                f"The Prefect server at {where} does not answer ({type(error).__name__}). Is it up?"
            ) from None
        return answer.json() if answer.content else None


def _flow_run(told: Mapping[str, Any]) -> FlowRun:
    state = told.get("state") or {}
    due = told.get("expected_start_time")
    since = state.get("timestamp") or told["created"]
    return FlowRun(
        run_id=told["id"],
        name=told["name"],
        deployment_id=told.get("deployment_id"),
        state=told.get("state_type") or "",
        since=datetime.fromisoformat(since),
        due=datetime.fromisoformat(due) if due else None,
        worker=str((told.get("labels") or {}).get(_WORKER_LABEL, "")),
        scheduled_by_itself=bool(told.get("auto_scheduled")),
    )
