"""When does a model's evidence begin, and what was spent on looking at it?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from models.hub.policies.canonical import utc_stamp
from models.hub.policies.external import is_external
from models.hub.record.commands import RestartEvidence, StartGeneration, TakeLook
from models.hub.record.entries import Entry, EntryKind
from models.hub.record.readers import looks_taken, of
from models.hub.record.refusal import Refusal, RefusalRule
from models.hub.record.said import Said, short
from models.hub.rules.people import NIGHT


def start_generation(
    history: Sequence[Entry], command: StartGeneration, _: datetime
) -> Said | Refusal:
    """The same model again is no generation: its looks would be counted, and paid for, anew."""
    if not command.model_digest:
        return Refusal("The generation names no model digest.", RefusalRule.EVIDENCE_IS_NAMED)
    version = command.dossier.get("model_version")
    if command.actor == NIGHT and not is_external(command.case_type, version, command.model_digest):
        return Refusal(
            "The night fits no model; it puts another agent's under test, by the name it delivers.",
            RefusalRule.ROLE_PERMITS,
        )
    for entry in of(history, command.case_type):
        if (entry.kind, entry.evidence_digest) == (
            EntryKind.GENERATION_STARTED,
            command.model_digest,
        ):
            return Refusal(
                f"The model {short(command.model_digest)} is under test for {command.case_type} "
                f"since {entry.at.isoformat()}; its looks are counted from there. Only another model "
                "starts anew.",
                RefusalRule.MODEL_IS_NEW,
            )
    return Said(EntryKind.GENERATION_STARTED, evidence_digest=command.model_digest)


def restart_evidence(
    history: Sequence[Entry], command: RestartEvidence, _: datetime
) -> Said | Refusal:
    earlier: list[str] = []
    for entry in of(history, command.case_type):
        if entry.kind is EntryKind.GENERATION_STARTED and not entry.dossier.get("shadow"):
            earlier = []  # another model's evidence begins where it was trained
        elif entry.kind is EntryKind.EVIDENCE_RESTARTED:
            earlier.append(str(entry.dossier["evidence_since"]))
    since = utc_stamp(command.evidence_since)
    if earlier and since <= max(earlier):
        return Refusal(
            f"The evidence of {command.case_type} starts at {max(earlier)} already; it can only "
            f"start later, not at {since}.",
            RefusalRule.RESTART_MOVES_ON,
        )
    return Said(EntryKind.EVIDENCE_RESTARTED, dossier={"evidence_since": since})


def take_look(history: Sequence[Entry], command: TakeLook, _: datetime) -> Said | Refusal:
    if not command.evidence_digest:
        return Refusal("The look names no evidence.", RefusalRule.EVIDENCE_IS_NAMED)
    next_look = looks_taken(history, command.case_type) + 1
    if command.look_index != next_look:
        return Refusal(
            f"The next look at {command.case_type} is number {next_look}, not "
            f"{command.look_index}: a look's share of delta depends on its number.",
            RefusalRule.LOOK_IN_TURN,
        )
    spent = {
        "look_index": command.look_index,
        "delta_spent": command.delta_spent,
        "effective_sample": command.effective_sample,
    }
    return Said(EntryKind.LOOK_TAKEN, evidence_digest=command.evidence_digest, dossier=spent)
