"""Take a restored ledger, shorter than its head says, for whole again: two approvers, for ever visible."""

from __future__ import annotations

from datetime import datetime

from configs.errors import GateRefused, UserError
from flows.adapters.ledger.ledger import Ledger
from models.hub import Entry, Refusal


def accept_restored(ledger: Ledger, actor: str, reason: str, at: datetime) -> Entry:
    """The entry: the first approver's wish (`restore_requested`), after which every case still goes
    to people, or the second one's agreement (`restore_accepted`), after which the ledger decides.

    Raises:
        UserError: no reason is given.
        GateRefused: the ledger fits its head, an entry was edited, or the actor is no second approver.
    """
    if not reason.strip():
        raise UserError("accepting a restored ledger needs a reason; say why, in a sentence.")
    said = ledger.accept_restored(actor, reason.strip(), at)
    if isinstance(said, Refusal):
        raise GateRefused(said.reason)
    return said
