"""A moment as a person reads it."""

from __future__ import annotations

from datetime import UTC, datetime


def to_the_second(stamp: str | None) -> str | None:
    """A stamp (ISO 8601, with its time zone) in UTC, like 2026-03-02T14:05:59Z; None for none."""
    if not stamp:
        return None
    return datetime.fromisoformat(stamp).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
