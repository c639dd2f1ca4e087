"""Give the ledger a command and take its answer: an entry, or a refusal that a person can read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from configs.errors import GateRefused
from flows.verbs.ports import Ledger
from models.hub import Command, Entry, Refusal
from models.hub.record.refusal import RefusalRule

T = TypeVar("T")


class StaleBase(GateRefused):
    """Somebody else's entry came in between: what was decided was decided on an older ledger."""


def submitted(ledger: Ledger, command: Command, at: datetime) -> Entry:
    """The entry that a command became.

    Raises:
        GateRefused: the ledger refuses; its reason is the message, and the refusal is kept.
            `StaleBase` where the ledger has moved on since the command was made.
        ServiceUnreachable: the ledger's database does not answer; nothing was changed.
    """
    answer = answered(ledger, command, at)
    if isinstance(answer, Refusal):
        raise GateRefused(answer.reason)
    return answer


def answered(ledger: Ledger, command: Command, at: datetime) -> Entry | Refusal:
    """The entry that a command became, or why it did not.

    Raises:
        StaleBase: the ledger has moved on since the command was made. A snapshot is read again for
            the case type, so that whoever judges again judges on what stands now.
        ServiceUnreachable: the ledger's database does not answer; nothing was changed.
    """
    answer = ledger.submit(command, at)
    if isinstance(answer, Refusal) and answer.rule is RefusalRule.STALE_BASE:
        ledger.refresh(command.case_type)
        raise StaleBase(answer.reason)
    return answer


def looking_again(act: Callable[[], T], attempts: int = 3) -> T:
    """What a step comes to that must not give way to an unrelated entry; where somebody was quicker
    it looks at the ledger anew.

    A person hears "stale base" and decides again. What protects a live policy at night has nobody to
    decide again, and a halt means whatever is live.

    Args:
        act: reads the ledger itself each time it is called, and may be called again from its start.

    Raises:
        StaleBase: the ledger moved on during every attempt.
    """
    for _ in range(attempts - 1):
        try:
            return act()
        except StaleBase:
            continue
    return act()
