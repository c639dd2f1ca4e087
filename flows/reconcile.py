"""Every hour: do MLflow, the disk and Prefect agree with what is so? Aliases are pointed back, dead runs closed, the rest is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow

from flows.orchestration.artifacts import publish
from flows.orchestration.run_log import tell
from flows.orchestration.run_names import timed
from flows.orchestration.tasks import run
from flows.verbs.house.reconcile import reconcile as reconcile_with_ledger
from flows.verbs.house.reconcile import verdict_of
from flows.verbs.house.servers import close_dead_runs_here
from flows.verbs.live import open_services


@flow(name="reconcile", flow_run_name=timed("reconcile"), persist_result=False)
def reconcile(profile: str | None = None) -> dict[str, Any]:
    """Verify the ledger, re-project MLflow's aliases, load every model that decides or would after a
    rollback, and close the runs whose process is gone; no decision depends on it.

    Args:
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    services = run(open_services, profile)
    told: dict[str, Any] = run(reconcile_with_ledger, services, datetime.now(UTC))
    told["closed_runs"] = run(
        close_dead_runs_here, services.alerts, services.home, datetime.now(UTC)
    )
    tell(verdict_of(told), told["closed_runs"], ok=not told["alarms"])
    publish("reconcile", verdict_of(told), [*told["models"], *told["aliases"]])
    return told
