"""What is a run called where people look for it by its date?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime


def dated(what: str) -> Callable[[], str]:
    """A namer for runs that are for a date: "night 2026-11-30", the name of the night's dossier.

    The date is that of `as_of`, where the run was given one, else today's in UTC: a night that comes
    late covers all that was missed, and is called by the day on which it ran.
    """

    def name() -> str:
        return f"{what} {_moment():%Y-%m-%d}"

    return name


def timed(what: str) -> Callable[[], str]:
    """The same for runs of which there are several a day: "decide 2026-11-30 14:15"."""

    def name() -> str:
        return f"{what} {_moment():%Y-%m-%d %H:%M}"

    return name


def of_case_type(what: str) -> Callable[[], str]:
    """The same for runs of one case type: "retrain ato 2026-11-30 14:15"."""

    def name() -> str:
        return f"{what} {_parameters().get('case_type', '')} {_moment():%Y-%m-%d %H:%M}"

    return name


def _moment() -> datetime:
    given = _parameters().get("as_of")
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            given = None  # refused by the flow itself, with what it should be
    if not isinstance(given, datetime) or given.tzinfo is None:
        return datetime.now(UTC)
    return given.astimezone(UTC)


def _parameters() -> dict[str, object]:
    from prefect.runtime import flow_run

    return dict(flow_run.parameters or {})
