"""Halt and resume: one person stops a case type at once, two let it run again."""

from __future__ import annotations

from datetime import datetime

from configs.errors import UserError
from flows.verbs.desk import Desk
from flows.verbs.generation import last_version
from flows.verbs.known_case_type import known_case_type
from flows.verbs.submit import submitted
from models.hub import Entry, Halt, Resume


def halt(desk: Desk, case_type: str, actor: str, reason: str, at: datetime) -> Entry:
    """Send every case of a type to review from now on; a running A/B test ends.

    Raises:
        UserError: no such case type is configured, or no reason is given.
        GateRefused: it is halted already, or the actor may not.
    """
    command = Halt(
        case_type=known_case_type(desk, case_type),
        reason=_given(reason, "a halt"),
        actor=actor,
        base_version=last_version(desk, case_type),
    )
    return submitted(desk, command, at)


def resume(desk: Desk, case_type: str, actor: str, reason: str, at: datetime) -> Entry:
    """Ask for a halt to end, or, as the second person, end it (the live policy decides again).

    Raises:
        UserError: no such case type is configured, or no reason is given.
        GateRefused: it is not halted, the same person asks twice, or the actor may not.
    """
    command = Resume(
        case_type=known_case_type(desk, case_type),
        reason=_given(reason, "a resumption"),
        actor=actor,
        base_version=last_version(desk, case_type),
    )
    return submitted(desk, command, at)


def _given(reason: str, what: str) -> str:
    if not reason.strip():
        raise UserError(f"{what} needs a reason; say why, in a sentence.")
    return reason.strip()
