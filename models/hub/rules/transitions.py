"""Given what happened so far, may this command happen, and what does the ledger then say?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from models.hub.record import commands, evidence, restored
from models.hub.record.commands import Command
from models.hub.record.entries import AUDIT_SECRET, GENESIS_HASH, LEDGER, PEOPLE, SPRINT, Entry
from models.hub.record.readers import version_of
from models.hub.record.refusal import Refusal, RefusalRule
from models.hub.record.said import Said, plain_name, shown_name
from models.hub.rules import audit_secret, brakes, extensions, holds, promotion, sprints
from models.hub.rules.people import enrol, revoke

_RULES: Mapping[type, Callable[[Sequence[Entry], Any, datetime], Said | Refusal]] = {
    commands.Propose: promotion.propose,
    commands.ProposeSprint: sprints.propose_sprint,
    commands.Approve: promotion.approve,
    commands.Refuse: promotion.refuse,
    commands.StartAb: promotion.start_ab,
    commands.ConcludeAb: promotion.conclude_ab,
    commands.Promote: promotion.promote,
    commands.RequestForce: promotion.request_force,
    commands.Force: promotion.force,
    commands.RollBack: promotion.roll_back,
    commands.Narrow: promotion.narrow,
    commands.TripGuardrail: brakes.trip_guardrail,
    commands.Halt: brakes.halt,
    commands.Resume: brakes.resume,
    commands.PlaceHold: holds.place,
    commands.BoundHold: holds.bound,
    commands.ReleaseHold: holds.release,
    commands.DiscardHold: holds.discard,
    commands.RequestExtension: extensions.request_extension,
    commands.ExtendAudit: extensions.extend_audit,
    commands.StartGeneration: evidence.start_generation,
    commands.RestartEvidence: evidence.restart_evidence,
    commands.TakeLook: evidence.take_look,
    commands.Enrol: enrol,
    commands.Revoke: revoke,
    commands.RequestRollBack: promotion.request_roll_back,
    commands.RecordAuditSecret: audit_secret.record_secret,
    commands.RotateAuditSecret: audit_secret.rotate_secret,
    commands.AcceptRestored: restored.accept_restored,
    commands.RecordErasure: restored.record_erasure,
}
_STANDS_IN: Mapping[type, str] = {
    commands.Enrol: PEOPLE,
    commands.Revoke: PEOPLE,
    commands.RecordAuditSecret: AUDIT_SECRET,
    commands.RotateAuditSecret: AUDIT_SECRET,
    commands.AcceptRestored: LEDGER,
    commands.RecordErasure: LEDGER,
}
"""The commands that are about no case type, and the history that each of them stands in."""
_APART = {
    PEOPLE: (RefusalRule.PEOPLE_STAND_APART, "who may act"),
    AUDIT_SECRET: (RefusalRule.SECRET_STANDS_APART, "the secret that draws the audits"),
    LEDGER: (RefusalRule.LEDGER_STANDS_APART, "the ledger itself"),
}
_TRUSTED = ("evidence_since", "evidence_until", SPRINT, "renews")
"""What later rules believe of a proposal or promotion: its own rule says it, never its dossier."""


def handle_command(history: Sequence[Entry], command: Command, at: datetime) -> Entry | Refusal:
    """The entry a command adds to the ledger, or the rule that refuses it.

    Whether the actor may give the command at all is asked of `people.may_act`.

    Args:
        history: the whole ledger, all case types, in order of `seq`.
        command: what is asked, made against the case type's version `command.base_version`.
        at: now, tz-aware.
    """
    version = version_of(history, command.case_type)
    actor = shown_name(command.actor)
    if not actor:
        return Refusal("Nobody is named as the actor; say who asks.", RefusalRule.ACTOR_IS_NAMED)
    misplaced = _misplaced(command)
    if misplaced is not None:
        return misplaced
    if command.base_version != version:
        return Refusal(
            f"{command.case_type} is at version {version}, the command was made against "
            f"{command.base_version}: stale base, something was decided in between. Read it and "
            "ask again.",
            RefusalRule.STALE_BASE,
        )
    said = _RULES[type(command)](history, command, at)
    if isinstance(said, Refusal):
        return said
    last = history[-1] if history else None
    told = dict(command.dossier)
    if isinstance(command, commands.Propose | commands.ProposeSprint | commands.Promote):
        told = {name: value for name, value in told.items() if name not in _TRUSTED}
    return Entry(
        seq=last.seq + 1 if last else 1,
        case_type=command.case_type,
        version=version + 1,
        kind=said.kind,
        actor=actor,
        at=at,
        policy_id=said.policy_id,
        base_version=version,
        evidence_digest=said.evidence_digest,
        dossier={**told, **said.dossier},
        previous_hash=last.own_hash if last else GENESIS_HASH,
    )


def _misplaced(command: Command) -> Refusal | None:
    """The histories that are about no case type hold nothing else, and no case type has their name,
    nor one that is drawn like it."""
    own = _STANDS_IN.get(type(command))
    if command.case_type == own:
        return None
    named = own or plain_name(command.case_type)
    if named not in _APART:
        return None
    rule, what = _APART[named]
    return Refusal(
        f"{named} is the history of {what}, and nothing else stands in it; name a case type for "
        "everything else.",
        rule,
    )
