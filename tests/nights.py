"""A night's dossier, for tests of who reads it; `tests/flows/verbs/test_night.py` makes real ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

_LISTS = (
    "holds", "batches", "certificates", "entries", "drift", "second_reviews", "waiting", "marks",
    "triage", "tickets", "reviews", "shadow", "agents", "live",
)  # fmt: skip
_COUNTS = ("rows_admitted", "rows_new", "rows_quarantined", "rows_waiting")


def quiet_night(at: datetime, **told: Any) -> dict[str, Any]:
    """A night in which nothing came and nothing was wrong, but for what is told."""
    return {
        "as_of": at.isoformat(),
        "verdict": "Everything was done; nothing is held.",
        "results": {"tables": {}, "case_types": {}},
        **dict.fromkeys(_COUNTS, 0),
        **{name: [] for name in _LISTS},
        **told,
    }
