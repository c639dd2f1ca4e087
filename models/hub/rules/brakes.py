"""When may a case type be stopped, and who may let it run again?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from models.hub.record.commands import Halt, Resume, TripGuardrail
from models.hub.record.entries import Entry, EntryKind
from models.hub.record.readers import halt_of, live_policy_id, resume_request_of
from models.hub.record.refusal import Refusal, RefusalRule, without_reason
from models.hub.record.said import Said, same_person, short


def trip_guardrail(history: Sequence[Entry], command: TripGuardrail, _: datetime) -> Said | Refusal:
    if not command.evidence_digest:
        return Refusal("The guardrail names no evidence.", RefusalRule.EVIDENCE_IS_NAMED)
    if live_policy_id(history, command.case_type) != command.policy_id:
        return Refusal(
            f"{short(command.policy_id)} is not the live policy of {command.case_type}, so its "
            "guardrail protects nothing.",
            RefusalRule.ONLY_THE_LIVE_POLICY_TRIPS,
        )
    return Said(EntryKind.GUARDRAIL_TRIPPED, command.policy_id, command.evidence_digest)


def halt(history: Sequence[Entry], command: Halt, _: datetime) -> Said | Refusal:
    unsaid = without_reason(command.reason)
    if unsaid is not None:
        return unsaid
    present = halt_of(history, command.case_type)
    if present is not None:
        return Refusal(
            f"{command.case_type} is halted already, since {present.at.isoformat()} by "
            f"{present.actor}: {present.dossier['reason']}",
            RefusalRule.IS_HALTED,
        )
    return Said(EntryKind.HALTED, dossier={"reason": command.reason.strip()})


def resume(history: Sequence[Entry], command: Resume, _: datetime) -> Said | Refusal:
    """The first person's wish is kept; a second person's same wish lets the case type run."""
    unsaid = without_reason(command.reason)
    if unsaid is not None:
        return unsaid
    if halt_of(history, command.case_type) is None:
        return Refusal(
            f"{command.case_type} is not halted, so there is nothing to resume.",
            RefusalRule.NOT_HALTED,
        )
    request = resume_request_of(history, command.case_type)
    told = {"reason": command.reason.strip()}
    if request is None:
        return Said(EntryKind.RESUME_REQUESTED, dossier=told)
    if same_person(request.actor, command.actor):
        return Refusal(
            f"{command.actor} asked for it already; a second person must agree to resume "
            f"{command.case_type}.",
            RefusalRule.TWO_PEOPLE_RESUME,
        )
    return Said(EntryKind.RESUMED, dossier={**told, "requested_by": request.actor})
