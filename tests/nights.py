"""A night's dossier, for tests of who reads it; `tests/flows/verbs/test_night.py` makes real ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flows.verbs.record.night_dossier import NightDossier
from flows.verbs.record.night_results import NightResults

_EMPTY = (
    "holds", "live", "batches", "alarms", "judged", "entries", "restarts", "second_reviews", "waiting",
    "next_steps", "marks", "causes", "tickets", "agents", "shadows", "reviews",
)  # fmt: skip


def quiet_dossier(at: datetime, results: NightResults | None = None, **fields: Any) -> NightDossier:
    """A night in which nothing came and nothing was wrong, but for the fields given."""
    empty: dict[str, Any] = {name: [] for name in _EMPTY}
    return NightDossier(as_of=at, results=results or NightResults(), **{**empty, **fields})


def quiet_night(at: datetime, **told: Any) -> dict[str, Any]:
    """The same as plain values, but for what is told."""
    return {**quiet_dossier(at).plain(), **told}
