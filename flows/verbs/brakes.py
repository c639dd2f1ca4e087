"""Halt and resume: one person stops a case type at once, two let it run again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from configs.errors import GateRefused, UserError
from flows.verbs.desk import Desk
from flows.verbs.generation import last_version
from flows.verbs.known_case_type import known_case_type
from flows.verbs.submit import submitted
from models.hub import Entry, Halt, Refusal, Resume, Rule

_LOST_RACES = 50


def halt(desk: Desk, case_type: str, actor: str, reason: str, at: datetime) -> Entry:
    """Send every case of a type to review from now on; a running A/B test ends.

    Whatever is live, it stops: an entry that comes in between (a promotion, a look) is no reason to
    refuse, as it is for every other command.

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
    said = desk.ledger.submit(command, at)
    for _ in range(_LOST_RACES):
        if not (isinstance(said, Refusal) and said.rule is Rule.STALE_BASE):
            break
        again = replace(command, base_version=last_version(desk, case_type))
        said = desk.ledger.submit(again, at)
    if isinstance(said, Refusal):
        raise GateRefused(said.reason)
    return said


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
