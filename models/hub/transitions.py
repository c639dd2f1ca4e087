"""Given what happened so far, may this command happen, and what does the ledger then say?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from models.hub.canonical import utc_stamp
from models.hub.entries import CHANGES_THE_LIVE_POLICY, GENESIS_HASH, Entry, EntryKind
from models.hub.policy import Policy
from models.vocabulary import Boundary


class Rule(StrEnum):
    """Why a command is refused; the name is what a report and a test say."""

    STALE_BASE = "stale_base"
    ACTOR_IS_NAMED = "actor_is_named"
    EVIDENCE_IS_NAMED = "evidence_is_named"
    ALREADY_PROPOSED = "already_proposed"
    PROPOSER_IS_NOT_APPROVER = "proposer_is_not_approver"
    APPROVAL_BINDS_TO_EVIDENCE = "approval_binds_to_evidence"
    NOTHING_TO_APPROVE = "nothing_to_approve"
    PROMOTE_NEEDS_APPROVAL = "promote_needs_approval"
    ALREADY_LIVE = "already_live"
    NOTHING_TO_ROLL_BACK_TO = "nothing_to_roll_back_to"
    NOTHING_TO_NARROW = "nothing_to_narrow"
    NARROW_ONLY_NARROWS = "narrow_only_narrows"
    LOOK_IN_TURN = "look_in_turn"
    RESTART_MOVES_ON = "restart_moves_on"
    POLICY_IS_KNOWN = "policy_is_known"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A sentence for the person who asked, and the name of the rule that said no."""

    reason: str
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """File a policy for approval, with the digest of the evidence that speaks for it."""

    case_type: str
    policy_id: str
    actor: str
    base_version: int
    evidence_digest: str
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """A second person agrees to one proposal on the evidence they saw."""

    case_type: str
    proposal_policy_id: str
    actor: str
    base_version: int
    evidence_digest: str
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Somebody turns a proposal down (its proposer may withdraw it so)."""

    case_type: str
    proposal_policy_id: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Make an approved policy the live one."""

    case_type: str
    policy_id: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Return to the policy promoted before the live one."""

    case_type: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """Without asking anybody, let the live policy decide less and change nothing else.

    Whole policies are passed, not ids: their ids follow from them, so the command cannot claim a
    boundary that its policy does not have.
    """

    case_type: str
    incumbent: Policy
    narrowed: Policy
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartGeneration:
    """The model changed: looks are counted from here (METHODS 1)."""

    case_type: str
    model_digest: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartEvidence:
    """The cases changed: those opened before `evidence_since` no longer speak for today's model.

    Looks and their shares of delta stay spent; only a new model counts them anew (METHODS 1).
    """

    case_type: str
    actor: str
    base_version: int
    evidence_since: datetime
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLook:
    """A certificate that may end in a promotion is about to be computed; its delta is spent."""

    case_type: str
    actor: str
    base_version: int
    evidence_digest: str
    look_index: int
    delta_spent: float
    effective_sample: float
    dossier: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 < self.delta_spent < 1.0:
            raise ValueError(f"a look spends a delta in (0, 1), got {self.delta_spent!r}")
        if not (math.isfinite(self.effective_sample) and self.effective_sample >= 0.0):
            raise ValueError(
                f"effective_sample must be zero or more, got {self.effective_sample!r}"
            )


Command: TypeAlias = (
    Propose
    | Approve
    | Refuse
    | Promote
    | RollBack
    | Narrow
    | StartGeneration
    | RestartEvidence
    | TakeLook
)


def decide(history: Sequence[Entry], command: Command, at: datetime) -> Entry | Refusal:
    """The entry a command adds to the ledger, or the rule that refuses it.

    Args:
        history: the whole ledger, all case types, in order of `seq`.
        command: what is asked, made against the case type's version `command.base_version`.
        at: now, tz-aware.
    """
    version = version_of(history, command.case_type)
    if not command.actor.strip():
        return Refusal("Nobody is named as the actor; say who asks.", Rule.ACTOR_IS_NAMED)
    if command.base_version != version:
        return Refusal(
            f"{command.case_type} is at version {version}, the command was made against "
            f"{command.base_version}: something was decided in between. Read it and ask again.",
            Rule.STALE_BASE,
        )
    said = _RULES[type(command)](history, command)
    if isinstance(said, Refusal):
        return said
    last = history[-1] if history else None
    return Entry(
        seq=last.seq + 1 if last else 1,
        case_type=command.case_type,
        version=version + 1,
        kind=said.kind,
        actor=command.actor,
        at=at,
        policy_id=said.policy_id,
        base_version=version,
        evidence_digest=said.evidence_digest,
        dossier={**command.dossier, **said.dossier},
        previous_hash=last.own_hash if last else GENESIS_HASH,
    )


def version_of(history: Sequence[Entry], case_type: str) -> int:
    """The case type's latest version; 0 before its first entry."""
    return max((entry.version for entry in history if entry.case_type == case_type), default=0)


def live_policy_id(history: Sequence[Entry], case_type: str) -> str | None:
    """The policy that decides now; None before the first promotion (everything is reviewed)."""
    lineage = _lineage(history, case_type)
    return lineage[-1] if lineage else None


def previous_policy_id(history: Sequence[Entry], case_type: str) -> str | None:
    """The policy a rollback would return to: the one promoted before the live one."""
    lineage = _lineage(history, case_type)
    return lineage[-2] if len(lineage) > 1 else None


def open_proposals(history: Sequence[Entry], case_type: str) -> tuple[Entry, ...]:
    """Proposals nobody has judged yet and that were made against today's live policy."""
    waiting: dict[str | None, Entry] = {}
    for entry in _since_live_change(history, case_type):
        if entry.kind is EntryKind.PROPOSED:
            waiting[entry.policy_id] = entry
        elif entry.kind in (EntryKind.APPROVED, EntryKind.REFUSED):
            waiting.pop(entry.policy_id, None)
    return tuple(waiting.values())


def approval_of(history: Sequence[Entry], case_type: str, policy_id: str) -> Entry | None:
    """The approval a promotion could rest on: still in force, against today's live policy."""
    judged = [
        entry
        for entry in _since_live_change(history, case_type)
        if entry.policy_id == policy_id
        and entry.kind in (EntryKind.APPROVED, EntryKind.REFUSED, EntryKind.PROPOSED)
    ]
    return judged[-1] if judged and judged[-1].kind is EntryKind.APPROVED else None


def looks_taken(history: Sequence[Entry], case_type: str) -> int:
    """How many looks were spent since the model last changed."""
    return len(_looks(history, case_type))


def last_look(history: Sequence[Entry], case_type: str) -> Entry | None:
    """The latest look since the model last changed; its dossier has `effective_sample`."""
    looks = _looks(history, case_type)
    return looks[-1] if looks else None


def is_narrower(boundary: Boundary, than: Boundary) -> bool:
    """Whether a boundary automates strictly less: no side further out, at least one further in."""
    passes, blocks = _reach(boundary)
    passed, blocked = _reach(than)
    return passes <= passed and blocks >= blocked and (passes, blocks) != (passed, blocked)


@dataclass(frozen=True, slots=True)
class _Said:
    kind: EntryKind
    policy_id: str | None = None
    evidence_digest: str | None = None
    dossier: Mapping[str, Any] = field(default_factory=dict)


def _propose(history: Sequence[Entry], command: Propose) -> _Said | Refusal:
    if not command.evidence_digest:
        return Refusal("The proposal names no evidence.", Rule.EVIDENCE_IS_NAMED)
    if live_policy_id(history, command.case_type) == command.policy_id:
        return _already_live(command.case_type, command.policy_id)
    for proposal in open_proposals(history, command.case_type):
        if (proposal.policy_id, proposal.evidence_digest) == (
            command.policy_id,
            command.evidence_digest,
        ):
            return Refusal(
                f"{_short(command.policy_id)} was already proposed on this evidence by "
                f"{proposal.actor} (version {proposal.version}) and waits for approval.",
                Rule.ALREADY_PROPOSED,
            )
    return _Said(EntryKind.PROPOSED, command.policy_id, command.evidence_digest)


def _approve(history: Sequence[Entry], command: Approve) -> _Said | Refusal:
    proposal = _open_proposal(history, command.case_type, command.proposal_policy_id)
    if isinstance(proposal, Refusal):
        return proposal
    if _same_person(proposal.actor, command.actor):
        return Refusal(
            f"{command.actor} proposed {_short(command.proposal_policy_id)}; somebody else must "
            "approve it.",
            Rule.PROPOSER_IS_NOT_APPROVER,
        )
    if proposal.evidence_digest != command.evidence_digest:
        return Refusal(
            f"The approval names evidence {_short(command.evidence_digest)}, the proposal rests on "
            f"{_short(proposal.evidence_digest)}. Read the proposal's own dossier and approve that.",
            Rule.APPROVAL_BINDS_TO_EVIDENCE,
        )
    return _Said(EntryKind.APPROVED, command.proposal_policy_id, command.evidence_digest)


def _refuse(history: Sequence[Entry], command: Refuse) -> _Said | Refusal:
    approval = approval_of(history, command.case_type, command.proposal_policy_id)
    if approval is not None:  # an approval may still be withdrawn until the promotion
        return _Said(EntryKind.REFUSED, command.proposal_policy_id, approval.evidence_digest)
    proposal = _open_proposal(history, command.case_type, command.proposal_policy_id)
    if isinstance(proposal, Refusal):
        return proposal
    return _Said(EntryKind.REFUSED, command.proposal_policy_id, proposal.evidence_digest)


def _promote(history: Sequence[Entry], command: Promote) -> _Said | Refusal:
    if live_policy_id(history, command.case_type) == command.policy_id:
        return _already_live(command.case_type, command.policy_id)
    approval = approval_of(history, command.case_type, command.policy_id)
    if approval is None:
        return Refusal(
            f"{_short(command.policy_id)} has no approval that is still in force for "
            f"{command.case_type}: it must be proposed and approved against today's live policy.",
            Rule.PROMOTE_NEEDS_APPROVAL,
        )
    return _Said(EntryKind.PROMOTED, command.policy_id, approval.evidence_digest)


def _roll_back(history: Sequence[Entry], command: RollBack) -> _Said | Refusal:
    target = previous_policy_id(history, command.case_type)
    if target is None:
        return Refusal(
            f"{command.case_type} has no policy promoted before the live one; narrow the live one "
            "instead.",
            Rule.NOTHING_TO_ROLL_BACK_TO,
        )
    left = live_policy_id(history, command.case_type)
    return _Said(EntryKind.ROLLED_BACK, target, dossier={"rolled_back_from": left})


def _narrow(history: Sequence[Entry], command: Narrow) -> _Said | Refusal:
    live = live_policy_id(history, command.case_type)
    if live is None or live != command.incumbent.policy_id:
        return Refusal(
            f"The policy to narrow, {_short(command.incumbent.policy_id)}, is not the live one of "
            f"{command.case_type}.",
            Rule.NOTHING_TO_NARROW,
        )
    if not _only_narrows(command.incumbent, command.narrowed):
        return Refusal(
            "An automatic change may only move the boundary inwards: no side further out, same "
            "model, calibration, overrides and audit plan, no later expiry. Anything else must be "
            "proposed and approved.",
            Rule.NARROW_ONLY_NARROWS,
        )
    return _Said(EntryKind.NARROWED, command.narrowed.policy_id, dossier={"narrowed_from": live})


def _start_generation(_: Sequence[Entry], command: StartGeneration) -> _Said | Refusal:
    if not command.model_digest:
        return Refusal("The generation names no model digest.", Rule.EVIDENCE_IS_NAMED)
    return _Said(EntryKind.GENERATION_STARTED, evidence_digest=command.model_digest)


def _restart_evidence(history: Sequence[Entry], command: RestartEvidence) -> _Said | Refusal:
    earlier: list[str] = []
    for entry in _of(history, command.case_type):
        if entry.kind is EntryKind.GENERATION_STARTED:
            earlier = []  # another model's evidence begins where it was trained
        elif entry.kind is EntryKind.EVIDENCE_RESTARTED:
            earlier.append(str(entry.dossier["evidence_since"]))
    since = utc_stamp(command.evidence_since)
    if earlier and since <= max(earlier):
        return Refusal(
            f"The evidence of {command.case_type} starts at {max(earlier)} already; it can only "
            f"start later, not at {since}.",
            Rule.RESTART_MOVES_ON,
        )
    return _Said(EntryKind.EVIDENCE_RESTARTED, dossier={"evidence_since": since})


def _take_look(history: Sequence[Entry], command: TakeLook) -> _Said | Refusal:
    if not command.evidence_digest:
        return Refusal("The look names no evidence.", Rule.EVIDENCE_IS_NAMED)
    next_look = looks_taken(history, command.case_type) + 1
    if command.look_index != next_look:
        return Refusal(
            f"The next look at {command.case_type} is number {next_look}, not "
            f"{command.look_index}: a look's share of delta depends on its number.",
            Rule.LOOK_IN_TURN,
        )
    spent = {
        "look_index": command.look_index,
        "delta_spent": command.delta_spent,
        "effective_sample": command.effective_sample,
    }
    return _Said(EntryKind.LOOK_TAKEN, evidence_digest=command.evidence_digest, dossier=spent)


_RULES: Mapping[type, Callable[[Sequence[Entry], Any], _Said | Refusal]] = {
    Propose: _propose,
    Approve: _approve,
    Refuse: _refuse,
    Promote: _promote,
    RollBack: _roll_back,
    Narrow: _narrow,
    StartGeneration: _start_generation,
    RestartEvidence: _restart_evidence,
    TakeLook: _take_look,
}


def _lineage(history: Sequence[Entry], case_type: str) -> list[str]:
    """The policies made live and not rolled back, oldest first.

    A narrowing takes its incumbent's place, so that no rollback undoes it by widening again.
    """
    lineage: list[str] = []
    for entry in _of(history, case_type):
        if entry.kind not in CHANGES_THE_LIVE_POLICY:
            continue
        if entry.kind is not EntryKind.PROMOTED:
            lineage.pop()
        if entry.kind is not EntryKind.ROLLED_BACK and entry.policy_id is not None:
            lineage.append(entry.policy_id)
    return lineage


def _since_live_change(history: Sequence[Entry], case_type: str) -> list[Entry]:
    """A proposal argues against an incumbent; once that changed, the argument has to be made anew."""
    mine = _of(history, case_type)
    changes = [at for at, entry in enumerate(mine) if entry.kind in CHANGES_THE_LIVE_POLICY]
    return mine[changes[-1] + 1 :] if changes else mine


def _looks(history: Sequence[Entry], case_type: str) -> list[Entry]:
    looks: list[Entry] = []
    for entry in _of(history, case_type):
        if entry.kind is EntryKind.GENERATION_STARTED:
            looks = []
        elif entry.kind is EntryKind.LOOK_TAKEN:
            looks.append(entry)
    return looks


def _open_proposal(history: Sequence[Entry], case_type: str, policy_id: str) -> Entry | Refusal:
    for proposal in open_proposals(history, case_type):
        if proposal.policy_id == policy_id:
            return proposal
    return Refusal(
        f"No open proposal of {_short(policy_id)} for {case_type}: it was never made, was already "
        "judged, or the live policy changed since. Propose it again.",
        Rule.NOTHING_TO_APPROVE,
    )


def _only_narrows(incumbent: Policy, narrowed: Policy) -> bool:
    same_but_boundary = replace(
        narrowed, boundary=incumbent.boundary, valid_until=incumbent.valid_until
    )
    return (
        same_but_boundary == incumbent
        and is_narrower(narrowed.boundary, incumbent.boundary)
        and (narrowed.boundary.automates_nothing or _expires_no_later(narrowed, incumbent))
    )


def _expires_no_later(policy: Policy, than: Policy) -> bool:
    if than.valid_until is None:
        return True
    return policy.valid_until is not None and policy.valid_until <= than.valid_until


def _reach(boundary: Boundary) -> tuple[float, float]:
    passes, blocks = boundary.pass_at_or_below, boundary.block_at_or_above
    return (-math.inf if passes is None else passes, math.inf if blocks is None else blocks)


def _of(history: Sequence[Entry], case_type: str) -> list[Entry]:
    return [entry for entry in history if entry.case_type == case_type]


def _already_live(case_type: str, policy_id: str) -> Refusal:
    return Refusal(f"{_short(policy_id)} is already live for {case_type}.", Rule.ALREADY_LIVE)


def _same_person(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest[:12]
