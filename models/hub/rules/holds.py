"""Which labels wait, since when and why, and who may say that they count or never will?

A hold keeps a delivery's labels out of proofs that would widen a boundary; they stay free to refute
one. It ends when their level has lasted, or by a person's word (FAULTS 42, issue 12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from models.hub.policies.canonical import in_utc, utc_stamp
from models.hub.record.commands import BoundHold, DiscardHold, PlaceHold, ReleaseHold
from models.hub.record.entries import Entry, EntryKind
from models.hub.record.readers import of
from models.hub.record.refusal import Refusal, RefusalRule, without_reason
from models.hub.record.said import Said, same_person

TABLES = ("decisions", "reviews", "outcomes")


class HoldState(StrEnum):
    """What the labels of a hold may do.

    OPEN: what comes in joins them. BOUNDED: what came later counts again. RELEASED: all of them
    count. DISCARDED: they prove nothing and may refute. STRUCK: they do neither.
    """

    OPEN = "open"
    BOUNDED = "bounded"
    RELEASED = "released"
    DISCARDED = "discarded"
    STRUCK = "struck"


@dataclass(frozen=True, slots=True)
class Hold:
    """Rows of `table` of one case type with `since <= received_at < until` (None: to this day).

    `hold_id` is what a person types; `ended_by` who released or discarded it, if anybody did.
    """

    hold_id: str
    case_type: str
    table: str
    rule: str
    reason: str
    since: datetime
    until: datetime | None
    state: HoldState
    placed_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None

    @property
    def waits(self) -> bool:
        """Whether somebody or something still has to end it."""
        return self.state in (HoldState.OPEN, HoldState.BOUNDED)

    @property
    def proves_nothing(self) -> bool:
        """Whether its labels are kept out of every proof that widens."""
        return self.state is not HoldState.RELEASED

    @property
    def refutes_nothing(self) -> bool:
        """Whether its labels are kept out of what refutes, too."""
        return self.state is HoldState.STRUCK


def holds_of(history: Sequence[Entry], case_type: str) -> tuple[Hold, ...]:
    """Every hold of a case type there ever was, in the order they were placed."""
    holds: dict[str, Hold] = {}
    for entry in of(history, case_type):
        if entry.kind is EntryKind.HOLD_PLACED:
            told = entry.dossier
            holds[hold_id(entry)] = Hold(
                hold_id=hold_id(entry),
                case_type=case_type,
                table=told["table"],
                rule=told["rule"],
                reason=told["reason"],
                since=datetime.fromisoformat(told["since"]),
                until=None,
                state=HoldState.OPEN,
                placed_at=entry.at,
            )
        elif entry.kind in _STATES:
            name = str(entry.dossier["hold_id"])
            holds[name] = _moved(holds[name], entry)
    return tuple(holds.values())


def hold_id(placed: Entry) -> str:
    """H and the ledger's number of the entry that placed it: short, and no other hold has it."""
    return f"H{placed.seq}"


def place(history: Sequence[Entry], command: PlaceHold, _: datetime) -> Said | Refusal:
    """Keep labels out of proofs; one rule holds the labels of a table once at a time."""
    unsaid = without_reason(command.reason)
    if unsaid is not None:
        return unsaid
    if command.table not in TABLES:
        raise ValueError(f"a hold is on one of {', '.join(TABLES)}, not on {command.table!r}")
    for hold in holds_of(history, command.case_type):
        same = (hold.table, hold.rule) == (command.table, command.rule)
        if same and hold.state is HoldState.OPEN:
            return Refusal(
                f"{command.case_type}: {command.table} are on hold already ({hold.hold_id}, since "
                f"{hold.since.isoformat()}); what comes in joins it.",
                RefusalRule.HELD_ALREADY,
            )
    told = {
        "table": command.table,
        "rule": command.rule,
        "reason": command.reason.strip(),
        "since": utc_stamp(command.since),
    }
    return Said(EntryKind.HOLD_PLACED, dossier=told)


def bound(history: Sequence[Entry], command: BoundHold, _: datetime) -> Said | Refusal:
    """End an open hold for what comes in, and keep what it holds."""
    hold = _held(history, command.case_type, command.hold_id)
    if isinstance(hold, Refusal):
        return hold
    if hold.state is HoldState.BOUNDED:
        return _has_ended(hold, "bounded")
    if in_utc(command.until) <= hold.since:
        return Refusal(
            f"{hold.hold_id} holds what came in since {hold.since.isoformat()}; it cannot end "
            "before that.",
            RefusalRule.BOUND_LIES_AFTER,
        )
    told = {
        "hold_id": hold.hold_id,
        "until": utc_stamp(command.until),
        "reason": command.reason.strip(),
    }
    return Said(EntryKind.HOLD_BOUNDED, dossier=told)


def release(history: Sequence[Entry], command: ReleaseHold, _: datetime) -> Said | Refusal:
    """Let the labels count."""
    unsaid = without_reason(command.reason)
    if unsaid is not None:
        return unsaid
    hold = _held(history, command.case_type, command.hold_id)
    if isinstance(hold, Refusal):
        return hold
    told = {"hold_id": hold.hold_id, "reason": command.reason.strip()}
    return Said(EntryKind.HOLD_RELEASED, dossier=told)


def discard(history: Sequence[Entry], command: DiscardHold, _: datetime) -> Said | Refusal:
    """The first person's word keeps the labels out of proofs for good; a second person's same word
    keeps them out of what refutes as well."""
    unsaid = without_reason(command.reason)
    if unsaid is not None:
        return unsaid
    hold = _known(history, command.case_type, command.hold_id)
    if isinstance(hold, Refusal):
        return hold
    told = {"hold_id": hold.hold_id, "reason": command.reason.strip()}
    if hold.waits:
        return Said(EntryKind.HOLD_DISCARDED, dossier=told)
    if hold.state is not HoldState.DISCARDED:
        return _has_ended(hold, hold.state.value)
    if same_person(str(hold.ended_by), command.actor):
        return Refusal(
            f"{command.actor} discarded {hold.hold_id} already: its labels prove nothing. That they "
            "refute nothing either takes a second person.",
            RefusalRule.TWO_PEOPLE_STRIKE,
        )
    return Said(EntryKind.HOLD_STRUCK, dossier={**told, "discarded_by": hold.ended_by})


_STATES = {
    EntryKind.HOLD_BOUNDED: HoldState.BOUNDED,
    EntryKind.HOLD_RELEASED: HoldState.RELEASED,
    EntryKind.HOLD_DISCARDED: HoldState.DISCARDED,
    EntryKind.HOLD_STRUCK: HoldState.STRUCK,
}


def _moved(hold: Hold, entry: Entry) -> Hold:
    state = _STATES[entry.kind]
    if state is HoldState.BOUNDED:
        return replace(hold, state=state, until=datetime.fromisoformat(entry.dossier["until"]))
    # Whatever came in until a person spoke is what they spoke of.
    until = hold.until or entry.at
    return replace(hold, state=state, until=until, ended_at=entry.at, ended_by=entry.actor)


def _known(history: Sequence[Entry], case_type: str, name: str) -> Hold | Refusal:
    holds = {hold.hold_id: hold for hold in holds_of(history, case_type)}
    if name in holds:
        return holds[name]
    there = ", ".join(one for one, hold in holds.items() if hold.waits) or "none"
    return Refusal(
        f"{case_type} has no hold {name}; on hold there: {there}.",
        RefusalRule.HOLD_IS_KNOWN,
    )


def _held(history: Sequence[Entry], case_type: str, name: str) -> Hold | Refusal:
    hold = _known(history, case_type, name)
    if isinstance(hold, Refusal) or hold.waits:
        return hold
    return _has_ended(hold, hold.state.value)


def _has_ended(hold: Hold, how: str) -> Refusal:
    at = hold.ended_at or hold.until
    return Refusal(
        f"{hold.hold_id} of {hold.case_type} was {how} at {at.isoformat() if at else 'once'} "
        f"{'by ' + hold.ended_by if hold.ended_by else ''}".rstrip()
        + "; nothing is left to say.",
        RefusalRule.HOLD_HAS_ENDED,
    )
