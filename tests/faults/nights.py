"""A live home of two case types and nights of deliveries, for the faults of the night."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from flows.verbs.intake.deliveries import Delivery
from flows.verbs.night import run_night
from flows.verbs.record.night_dossier import NightDossier
from flows.verbs.services import Services
from models.hub import Hold, holds_of
from tests.flows.verbs.hub_desk import NAME
from tests.outside_agent import DAY, decided, reviewed

STAMPS = {"decisions": "decided_at", "reviews": "resolved_at", "outcomes": "observed_at"}


def night(services: Services, at: datetime, **tables: pd.DataFrame | str) -> dict[str, Any]:
    """One night on these tables, as plain values; text is why a source could not be read."""
    return dossier(services, at, **tables).plain()


def dossier(services: Services, at: datetime, **tables: pd.DataFrame | str) -> NightDossier:
    """The same as it is made."""
    delivered = [
        Delivery(table, pd.DataFrame(), f"desk {table}", STAMPS[table], unread=rows)
        if isinstance(rows, str)
        else Delivery(table, rows, f"desk {table}", STAMPS[table])
        for table, rows in tables.items()
    ]
    return run_night(services, delivered, at)


def quiet_nights(
    services: Services, first: datetime, count: int, rows: int = 100, bad: float = 0.3
) -> None:
    """So many nights of one day's cases and reviews each; night i is for the day before it."""
    for number in range(count):
        at = first + number * DAY
        cases = decided(at - DAY, rows)
        told = night(services, at, decisions=cases, reviews=reviewed(cases, bad))
        assert told["verdict"] == "Everything was done; nothing is held.", told["results"]


def holds(services: Services) -> tuple[Hold, ...]:
    return holds_of(services.ledger.history(NAME), NAME)


def stored(services: Services, table: str) -> int:
    """How many rows the store holds of a table."""
    return len(services.store.read(table)) if services.store.counts(table)[0] else 0
