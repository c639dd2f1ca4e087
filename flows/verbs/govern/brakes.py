"""Halt and resume: one person stops a case type at once, two let it run again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from configs.errors import UserError
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.submit import looking_again, submitted
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import Ledger
from models.hub import Entry, Halt, Resume
from models.vocabulary import CaseType

_ATTEMPTS = 50


def halt(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    case_type: str,
    actor: str,
    reason: str,
    at: datetime,
) -> Entry:
    """Send every case of a type to review from now on; a running A/B test ends.

    Whatever is live, it stops: an entry that comes in between (a promotion, a look) is no reason to
    refuse, as it is for every other command.

    Raises:
        UserError: no such case type is configured, or no reason is given.
        GateRefused: it is halted already, or the actor may not.
    """
    name, why = known_case_type(case_types, case_type), _given(reason, "a halt")

    def stop() -> Entry:
        base = last_version(ledger, name)
        return submitted(
            ledger, Halt(case_type=name, reason=why, actor=actor, base_version=base), at
        )

    return looking_again(stop, _ATTEMPTS)


def resume(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    case_type: str,
    actor: str,
    reason: str,
    at: datetime,
) -> Entry:
    """Ask for a halt to end, or, as the second person, end it (the live policy decides again).

    Raises:
        UserError: no such case type is configured, or no reason is given.
        GateRefused: it is not halted, the same person asks twice, or the actor may not.
    """
    command = Resume(
        case_type=known_case_type(case_types, case_type),
        reason=_given(reason, "a resumption"),
        actor=actor,
        base_version=last_version(ledger, case_type),
    )
    return submitted(ledger, command, at)


def _given(reason: str, what: str) -> str:
    if not reason.strip():
        raise UserError(f"{what} needs a reason; say why, in a sentence.")
    return reason.strip()
