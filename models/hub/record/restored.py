"""When may a restored ledger, shorter than its head says, be taken for whole, and what was erased?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from models.hub.policies.canonical import is_sha256
from models.hub.record.commands import AcceptRestored, RecordErasure
from models.hub.record.entries import LEDGER, Entry, EntryKind
from models.hub.record.readers import of, was_revoked
from models.hub.record.refusal import Refusal, RefusalRule, without_reason
from models.hub.record.said import Said, same_person


def accept_restored(
    history: Sequence[Entry], command: AcceptRestored, _: datetime
) -> Said | Refusal:
    """The first approver's wish is kept; a second one's same wish makes the ledger whole again.

    Nothing may stand between the two: whoever agrees, agrees to what the first one saw.
    """
    unsaid = without_reason(command.reason)
    if unsaid is not None:
        return unsaid
    if not command.why:
        return Refusal(
            "The ledger fits its head file, so there is no restored ledger to accept.",
            RefusalRule.NOTHING_TO_ACCEPT,
        )
    request = restore_request_of(history, command)
    told = {
        "reason": command.reason.strip(),
        "lost": dict(command.lost),
        "differs": command.why,
    }
    if request is None:
        last = history[-1] if history else None
        ends = {"seq": last.seq if last else 0, "hash": last.own_hash if last else ""}
        return Said(EntryKind.RESTORE_REQUESTED, dossier={**told, "restored": ends})
    if same_person(request.actor, command.actor):
        return Refusal(
            f"{command.actor} asked for it already; a second approver must agree to take this "
            "restored ledger for whole.",
            RefusalRule.TWO_APPROVERS_ACCEPT,
        )
    told |= {"requested_by": request.actor, "restored": request.dossier["restored"]}
    return Said(EntryKind.RESTORE_ACCEPTED, dossier=told)


def restore_request_of(history: Sequence[Entry], command: AcceptRestored) -> Entry | None:
    """The first approver's wish about this very ledger and head, or None: it is the last entry."""
    last = history[-1] if history else None
    if last is None or last.kind is not EntryKind.RESTORE_REQUESTED or was_revoked(history, last):
        return None
    return last if dict(last.dossier["lost"]) == dict(command.lost) else None


def accepted_restores(history: Sequence[Entry]) -> tuple[Entry, ...]:
    """Every restored ledger that was taken for whole, oldest first."""
    return tuple(one for one in of(history, LEDGER) if one.kind is EntryKind.RESTORE_ACCEPTED)


def record_erasure(_: Sequence[Entry], command: RecordErasure, __: datetime) -> Said | Refusal:
    unsaid = without_reason(command.reason)
    if unsaid is not None:
        return unsaid
    if not command.case_digests or not all(map(is_sha256, command.case_digests)):
        return Refusal(
            "An erasure names the digest of each case that it was about.",
            RefusalRule.ERASURE_IS_NAMED,
        )
    told = {"reason": command.reason.strip(), "case_digests": sorted(command.case_digests)}
    return Said(EntryKind.PERSON_ERASED, dossier=told)
