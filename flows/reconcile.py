"""Every hour: do MLflow and the disk still agree with the ledger? Aliases are pointed back, the rest is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.utilities.annotations import quote

from flows import tasks
from flows.artifacts import publish
from flows.verbs.reconcile import verdict_of


@flow(name="reconcile", persist_result=False)
def reconcile(profile: str | None = None) -> dict[str, Any]:
    """Verify the ledger, re-project MLflow's aliases, and load every model that decides or would
    after a rollback; no decision depends on it.

    Args:
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    desk = tasks.open_desk(profile)
    told: dict[str, Any] = tasks.reconcile_with_ledger(quote(desk), datetime.now(UTC))
    publish("reconcile", verdict_of(told), [*told["models"], *told["aliases"]])
    return told
