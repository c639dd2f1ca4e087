"""Who hears that a feature's weight is wrong: the event that starts a retrain, sent once and seen to arrive."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.events.filters import EventFilter, EventIDFilter
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL

from configs.errors import ServiceUnreachable
from flows.verbs.causes.answers import record_announced
from flows.verbs.causes.tickets import to_announce
from flows.verbs.ports import NightServices
from models.vocabulary.finding import Finding

FOUND = "ratchet.feature_bias.found"
ARRIVAL_SECONDS = 60.0
_PAGE = 50  # the server gives no more events at a time


def announce(
    services: NightServices,
    findings: Sequence[Finding],
    as_of: datetime,
    seconds: float = ARRIVAL_SECONDS,
) -> list[str]:
    """Send an event for each finding that asks for a retrain and was not sent before.

    Written down only after the server has it: a night killed in between sends it once more, and
    the retrain it starts sees that the ticket is answered (`to_answer`).

    Args:
        seconds: how long the server may take to have all of them.

    Returns:
        The pattern ids that were sent; none where no server would hear them.

    Raises:
        ServiceUnreachable: the server did not get them in time; the next night tries again.
    """
    due = to_announce(services.ledger, services.store, services.case_types, findings, as_of)
    if not due:
        return []
    if not PREFECT_API_URL.value():
        # An embedded server has no deployment that could be started, and ends with the process.
        logging.getLogger("ratchet").warning(
            "%d findings ask for a retrain, and no Prefect server is set to hear of them "
            "(PREFECT_API_URL); the next night with a server announces them.",
            len(due),
        )
        return []
    _arrived([_emitted(one) for one in due], seconds)
    record_announced(services.ledger, services.store, due, as_of)
    return [one.pattern_id for one in due]


def payload_of(finding: Finding) -> dict[str, Any]:
    """What the event says of a finding that fires: figures and names, and no row.

    Raises:
        ValueError: the finding has no counterfactual, so it does not fire.
    """
    made = finding.counterfactual
    if made is None:
        raise ValueError(f"{finding.pattern_id} has no counterfactual, so it does not fire")
    return {
        "case_type": finding.case_type,
        "pattern_id": finding.pattern_id,
        "feature": finding.subject,
        "slice": finding.slice,
        "delta": finding.effect,
        "low": finding.low,
        "high": finding.high,
        "errors_before": made.errors_before,
        "errors_after": made.errors_after,
        "fall": made.fall,
    }


def _emitted(finding: Finding) -> UUID:
    resource = {
        "prefect.resource.id": f"ratchet.case_type.{finding.case_type}",
        "prefect.resource.name": finding.case_type,
    }
    event = emit_event(event=FOUND, resource=resource, payload=payload_of(finding))
    if event is None:
        raise _unreachable(1)
    return event.id


def _arrived(sent: Sequence[UUID], seconds: float) -> None:
    """Flush what was sent, and wait until the server gives every event back: what a server that is
    away did not get is only logged by Prefect."""
    deadline = time.monotonic() + seconds
    _flushed(seconds)
    missing = set(sent)
    while True:
        missing -= _held(sorted(missing)[:_PAGE])
        if not missing:
            return
        if time.monotonic() > deadline:
            raise _unreachable(len(missing))
        time.sleep(0.5)


def _flushed(seconds: float) -> None:
    # In a thread, because the wait has no end of its own where the server is away.
    flush = threading.Thread(target=EventsWorker.instance().wait_until_empty, daemon=True)
    flush.start()
    flush.join(timeout=seconds)


def _held(asked: Sequence[UUID]) -> set[UUID]:
    """Which of these events the server has; none while it does not answer."""
    known = EventFilter(id=EventIDFilter(id=list(asked)))
    try:
        with get_client(sync_client=True) as client:
            return {event.id for event in client.read_events(known, limit=_PAGE).events}
    except httpx.TransportError:
        return set()  # asked again until the deadline


def _unreachable(count: int) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"{count} events {FOUND} did not arrive at the Prefect server. Nothing was written down; "
        "the next night sends them again. Is the server of PREFECT_API_URL up?"
    )
