"""Who may act, and what does each role permit?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.hub.policies.canonical import is_sha256
from models.hub.record.commands import (
    AcceptRestored,
    Approve,
    BoundHold,
    Command,
    ConcludeAb,
    DiscardHold,
    Enrol,
    ExtendAudit,
    Force,
    Halt,
    Narrow,
    PlaceHold,
    Promote,
    Propose,
    ProposeSprint,
    RecordAuditSecret,
    RecordErasure,
    Refuse,
    ReleaseHold,
    RequestExtension,
    RequestForce,
    RequestRollBack,
    RestartEvidence,
    Resume,
    Revoke,
    RollBack,
    RotateAuditSecret,
    StartAb,
    StartGeneration,
    TakeLook,
    TripGuardrail,
)
from models.hub.record.entries import PEOPLE, Entry, EntryKind
from models.hub.record.readers import of, proven_ab, since_live_change
from models.hub.record.refusal import Refusal, RefusalRule
from models.hub.record.said import Said, plain_name, same_person, short, shown_name


class Role(StrEnum):
    """What somebody is enrolled for (DESIGN 5)."""

    PROPOSER = "proposer"
    APPROVER = "approver"
    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled: their name, their roles, and the digest of what proves who they are."""

    name: str
    roles: frozenset[Role]
    token_digest: str


NIGHT = "nightly_calibration"
RETRAIN = "retrain"
GUARDRAIL = "guardrail"
VALIDATE_AB = "validate_ab"
PROMOTE_BOUNDARY = "promote_boundary"
ROLL_BACK = "roll_back"
DECIDE_CASES = "decide_cases"
SYSTEM: Mapping[str, frozenset[type]] = {
    NIGHT: frozenset(
        {
            Propose,
            Narrow,
            StartGeneration,
            TakeLook,
            RestartEvidence,
            PlaceHold,
            BoundHold,
            ReleaseHold,
        }
    ),
    RETRAIN: frozenset({StartGeneration}),
    GUARDRAIL: frozenset({TripGuardrail, RollBack, Narrow}),
    VALIDATE_AB: frozenset({ConcludeAb, Promote}),
    PROMOTE_BOUNDARY: frozenset({StartAb, Promote}),
    ROLL_BACK: frozenset({RollBack}),
    DECIDE_CASES: frozenset({RecordAuditSecret}),
}
"""The flows that act in their own name, and the commands each of them may give. None may approve, so
none widens anything without a person: what is promoted was approved. Prefect has one login for
everybody, so what a flow is told of a person is no identity."""

_RESERVED = frozenset({*SYSTEM, "backtest"})
_PERMITS: Mapping[type, frozenset[Role]] = {
    Propose: frozenset({Role.PROPOSER}),
    ProposeSprint: frozenset({Role.PROPOSER, Role.APPROVER, Role.OPERATOR}),
    RequestExtension: frozenset({Role.PROPOSER, Role.APPROVER, Role.OPERATOR}),
    ExtendAudit: frozenset({Role.APPROVER}),
    Approve: frozenset({Role.APPROVER}),
    Refuse: frozenset({Role.APPROVER, Role.PROPOSER}),
    StartAb: frozenset({Role.APPROVER, Role.OPERATOR}),
    Promote: frozenset({Role.APPROVER, Role.OPERATOR}),
    RequestForce: frozenset({Role.APPROVER}),
    Force: frozenset({Role.APPROVER}),
    RollBack: frozenset({Role.APPROVER, Role.OPERATOR}),
    Halt: frozenset({Role.PROPOSER, Role.APPROVER, Role.OPERATOR}),
    Resume: frozenset({Role.APPROVER, Role.OPERATOR}),
    ReleaseHold: frozenset({Role.APPROVER, Role.OPERATOR}),
    DiscardHold: frozenset({Role.APPROVER, Role.OPERATOR}),
    Enrol: frozenset({Role.APPROVER}),
    Revoke: frozenset({Role.APPROVER}),
    RequestRollBack: frozenset({Role.APPROVER, Role.OPERATOR}),
    RotateAuditSecret: frozenset({Role.APPROVER, Role.OPERATOR}),
    AcceptRestored: frozenset({Role.APPROVER}),
    RecordErasure: frozenset({Role.APPROVER, Role.OPERATOR}),
}
"""Which role a person needs. A command that is not here is not a person's to give; an auditor reads."""


def is_a_flow(actor: str) -> bool:
    """Whether a command is given by a flow, or by a walk's own approver, and not by a person."""
    return plain_name(actor) in _RESERVED


def enrolled(history: Sequence[Entry]) -> Mapping[str, Person]:
    """Everybody enrolled and not revoked, by name as it is compared."""
    known: dict[str, Person] = {}
    for entry in of(history, PEOPLE):
        name = str(entry.dossier["name"])
        if entry.kind is EntryKind.ENROLLED:
            roles = frozenset(Role(role) for role in entry.dossier["roles"])
            known[plain_name(name)] = Person(name, roles, str(entry.dossier["token_digest"]))
        elif entry.kind is EntryKind.REVOKED:
            known.pop(plain_name(name), None)
    return known


def may_act(history: Sequence[Entry], command: Command) -> Refusal | None:
    """Why the actor may not give this command, or None where a role of theirs permits it."""
    kind = type(command)
    if command.actor in SYSTEM:
        if kind in SYSTEM[command.actor]:
            return _without_ground(history, command)
        return Refusal(
            f"{command.actor} is a flow and may not {_verb(kind)}; a person must.",
            RefusalRule.ROLE_PERMITS,
        )
    known = enrolled(history)
    if kind is Enrol and not known:
        return None  # the first person; see `enrol`
    person = known.get(plain_name(command.actor))
    if person is None:
        return Refusal(
            f"{command.actor} is not enrolled here; an approver enrols people with "
            "`ratchet people add`.",
            RefusalRule.ACTOR_IS_ENROLLED,
        )
    needed = _PERMITS.get(kind, frozenset())
    if person.roles & needed:
        return None
    who = " or ".join(sorted(role.value for role in needed)) or "flow"
    return Refusal(
        f"{person.name} is enrolled as {', '.join(sorted(person.roles))}; to {_verb(kind)} takes "
        f"the role {who}.",
        RefusalRule.ROLE_PERMITS,
    )


def enrol(history: Sequence[Entry], command: Enrol, _: datetime) -> Said | Refusal:
    name, known = shown_name(command.name), enrolled(history)
    unknown = sorted(set(command.roles) - {role.value for role in Role})
    if unknown or not command.roles:
        raise ValueError(f"roles are {', '.join(Role)}; got {', '.join(unknown) or 'none'}")
    if not is_sha256(command.token_digest):
        raise ValueError("token_digest must be 64 lower-case hex characters")
    if not name or plain_name(name) in _RESERVED or plain_name(name) in known:
        why = "is enrolled already" if plain_name(name) in known else "is no name for a person"
        return Refusal(
            f"{command.name!r} {why}; revoke it or choose another.", RefusalRule.NAME_IS_FREE
        )
    if not known and not same_person(command.actor, name):
        return Refusal(
            f"Nobody is enrolled yet, so {name} must ask in their own name: the first person enrols "
            "themselves.",
            RefusalRule.FIRST_PERSON_APPROVES,
        )
    if not known and Role.APPROVER.value not in command.roles:
        return Refusal(
            "The first person must be an approver, or nobody could ever be enrolled after them.",
            RefusalRule.FIRST_PERSON_APPROVES,
        )
    told = {
        "name": name,
        "roles": sorted(set(command.roles)),
        "token_digest": command.token_digest,
        "first": not known,
    }
    return Said(EntryKind.ENROLLED, dossier=told)


def revoke(history: Sequence[Entry], command: Revoke, _: datetime) -> Said | Refusal:
    known = dict(enrolled(history))
    person = known.pop(plain_name(command.name), None)
    if person is None:
        return Refusal(f"{command.name!r} is not enrolled.", RefusalRule.ACTOR_IS_ENROLLED)
    if not any(Role.APPROVER in other.roles for other in known.values()):
        return Refusal(
            f"{person.name} is the last approver; enrol another one first.",
            RefusalRule.LAST_APPROVER_STAYS,
        )
    return Said(EntryKind.REVOKED, dossier={"name": person.name})


def _without_ground(history: Sequence[Entry], command: Command) -> Refusal | None:
    """`validate_ab` promotes on a proof, and the guardrail rolls back on an alarm: neither without."""
    name = command.case_type
    if isinstance(command, Promote) and command.actor == VALIDATE_AB:
        if proven_ab(history, name, command.policy_id) is not None:
            return None
        return Refusal(
            f"{VALIDATE_AB} promotes what its A/B test has proven, and nothing proves "
            f"{short(command.policy_id)}; a person may promote what was approved without a plan.",
            RefusalRule.PROMOTE_NEEDS_AB,
        )
    if isinstance(command, RollBack) and command.actor == GUARDRAIL:
        since = since_live_change(history, name)
        if any(entry.kind is EntryKind.GUARDRAIL_TRIPPED for entry in since):
            return None
        return Refusal(
            f"The guardrail of the live policy of {name} has not tripped, so it may not roll it "
            "back; a person may.",
            RefusalRule.GUARDRAIL_TRIPS_FIRST,
        )
    return None


def _verb(command: type) -> str:
    """The command as a verb: RollBack -> roll back."""
    name = command.__name__
    return "".join(
        f" {c.lower()}" if c.isupper() and at else c.lower() for at, c in enumerate(name)
    )
