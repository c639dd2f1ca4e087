"""End a hold by a person's word: its labels count, or they never do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from configs.errors import UserError
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.submit import submitted
from flows.verbs.ports import Ledger
from models.hub import DiscardHold, Entry, Hold, ReleaseHold, holds_of
from models.vocabulary import CaseType


def release_hold(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    hold_id: str,
    actor: str,
    reason: str,
    at: datetime,
) -> Entry:
    """Let the labels of a hold count as evidence for a wider boundary from now on.

    Raises:
        UserError: there is no such hold.
        GateRefused: it has ended, no reason is given, or the person's role does not permit it.
    """
    return _end(ledger, case_types, ReleaseHold, hold_id, actor, reason, at)


def discard_hold(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    hold_id: str,
    actor: str,
    reason: str,
    at: datetime,
) -> Entry:
    """Keep the labels of a hold out of every proof for good; by a second person's same word they no
    longer refute anything either.

    Raises:
        UserError: there is no such hold.
        GateRefused: it was released, no reason is given, the same person asks twice, or their role
            does not permit it.
    """
    return _end(ledger, case_types, DiscardHold, hold_id, actor, reason, at)


def find_hold(ledger: Ledger, case_types: Mapping[str, CaseType], hold_id: str) -> Hold:
    """A hold by the name that the night gave it, of whichever case type.

    Raises:
        UserError: there is none; those that wait are named.
    """
    holds = [
        hold for case_type in case_types for hold in holds_of(ledger.history(case_type), case_type)
    ]
    for hold in holds:
        if hold.hold_id == hold_id.strip().upper():
            return hold
    there = ", ".join(f"{one.hold_id} ({one.case_type})" for one in holds if one.waits) or "none"
    raise UserError(f"there is no hold {hold_id!r}. On hold are: {there}.")


def _end(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    word: type[ReleaseHold] | type[DiscardHold],
    hold_id: str,
    actor: str,
    reason: str,
    at: datetime,
) -> Entry:
    hold = find_hold(ledger, case_types, hold_id)
    base = last_version(ledger, hold.case_type)
    command = word(
        case_type=hold.case_type,
        hold_id=hold.hold_id,
        reason=reason,
        actor=actor,
        base_version=base,
    )
    return submitted(ledger, command, at)
