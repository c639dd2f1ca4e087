"""Give the ledger a command and take its answer: an entry, or a refusal that a person can read."""

from __future__ import annotations

from datetime import datetime

from configs.errors import GateRefused
from flows.verbs.desk import Desk
from models.hub import Command, Entry, Refusal


def submitted(desk: Desk, command: Command, at: datetime) -> Entry:
    """The entry that a command became.

    Raises:
        GateRefused: the ledger refuses; its reason is the message, and the refusal is kept.
        ServiceUnreachable: the ledger's database does not answer; nothing was changed.
    """
    said = desk.ledger.submit(command, at)
    if isinstance(said, Refusal):
        raise GateRefused(said.reason)
    return said
