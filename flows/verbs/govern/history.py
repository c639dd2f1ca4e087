"""Which policy decides a case type at a moment, who made it so, and is anything stopped or tried?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from configs.errors import GateRefused
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import Ledger
from models.hub import Entry, Policy, halt_of, live_policy_id, previous_policy_id, running_ab
from models.hub.record.entries import PEOPLE
from models.hub.record.provenance import Provenance, provenance
from models.hub.record.readers import of
from models.vocabulary import CaseType

SHADOW, LIVE, HALTED, EXPIRED = "shadow", "live", "halted", "expired"
UNTRUSTED = "untrusted"


def states_of(
    ledger: Ledger, case_types: Mapping[str, CaseType], now: datetime
) -> list[dict[str, Any]]:
    """The state of every case type (`state_of`); of a ledger that cannot be trusted: `untrusted`, in
    which every case goes to people."""
    try:
        history = ledger.history()
        return [state_of(ledger, history, name, now) for name in case_types]
    except GateRefused:
        unknown = dict.fromkeys(_STATE)
        told = {**unknown, "state": UNTRUSTED, **whence((), "", None)}
        return [{**told, "case_type": name} for name in case_types]


def state_of(
    ledger: Ledger, history: Sequence[Entry], case_type: str, at: datetime
) -> dict[str, Any]:
    """One case type's state as plain values.

    Args:
        history: of the ledger, cut as of `at`.
        at: whether a certificate has expired is asked of this moment.

    Returns:
        `state`: shadow (nothing was promoted: the agent advises, people decide), live, halted or
        expired; the live policy, what made it live, who approved it; what a rollback would return
        to; the A/B test that runs; the sprint of its audits that lasts.
    """
    live = live_policy_id(history, case_type)
    halt, trial = halt_of(history, case_type), running_ab(history, case_type)
    policy = None if live is None else ledger.policy(live)
    expired = policy is not None and policy.valid_until is not None and policy.valid_until <= at
    state = HALTED if halt else SHADOW if policy is None else EXPIRED if expired else LIVE
    told = {
        "case_type": case_type,
        "state": state,
        "policy_id": live,
        "model_version": None if policy is None else policy.model_version,
        "pass_at_or_below": None if policy is None else policy.boundary.pass_at_or_below,
        "block_at_or_above": None if policy is None else policy.boundary.block_at_or_above,
        "valid_until": _stamp(None if policy is None else policy.valid_until),
        "previous_policy_id": previous_policy_id(history, case_type),
        "halted_by": None if halt is None else halt.actor,
        "halted_because": None if halt is None else halt.dossier["reason"],
        "trying": None if trial is None else trial.policy_id,
        "trying_since": _stamp(None if trial is None else trial.at),
        **_sprint(policy, at),
    }
    return {**told, **whence(history, case_type, live)}


_STATE = (
    "case_type", "state", "policy_id", "model_version", "pass_at_or_below", "block_at_or_above",
    "valid_until", "previous_policy_id", "halted_by", "halted_because", "trying", "trying_since",
    "sprint_rate", "sprint_until",
)  # fmt: skip


def _sprint(policy: Policy | None, at: datetime) -> dict[str, Any]:
    """The audit rate of the sprint that lasts at a moment, and until when."""
    if policy is None or not policy.audit.sprints_at(at):
        return {"sprint_rate": None, "sprint_until": None}
    audit = policy.audit
    return {"sprint_rate": audit.sprint_rate, "sprint_until": _stamp(audit.sprint_until)}


def whence(history: Sequence[Entry], case_type: str, policy_id: str | None) -> dict[str, Any]:
    """Who is behind a policy, as plain values: nobody, before the first promotion."""
    if policy_id is None:
        return said_of(Provenance(None, None, None, None, None))
    return said_of(provenance(history, case_type, policy_id))


def said_of(behind: Provenance) -> dict[str, Any]:
    """A provenance as plain values."""
    live, proposal, approval = behind.made_live, behind.proposal, behind.approval
    return {
        "made_live": None if live is None else live.kind.value,
        "made_live_by": None if live is None else live.actor,
        "made_live_at": _stamp(None if live is None else live.at),
        "tried_since": _stamp(None if behind.tried is None else behind.tried.at),
        "proposed_by": None if proposal is None else proposal.actor,
        "approved_by": list(behind.approved_by),
        "approved_at": _stamp(None if approval is None else approval.at),
        "evidence_digest": None if proposal is None else proposal.evidence_digest,
        "forced": behind.forced is not None,
        "forced_because": None if behind.forced is None else behind.forced.dossier["reason"],
    }


def history_of(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    case_type: str | None,
    as_of: datetime | None,
    now: datetime,
) -> dict[str, Any]:
    """The ledger as it stood at a moment: every entry, and what was live then.

    Args:
        case_type: only this one; None: all, and who was enrolled.
        as_of: nothing that was recorded later, and what had expired by then; None: `now`, with
            every entry there is.

    Raises:
        UserError: no such case type is configured, and the ledger has no entry of it.
        GateRefused: the ledger is not as it was written.
    """
    everything = ledger.history(as_of=as_of)  # who was revoked ends what they approved
    entries = everything if case_type is None else tuple(of(everything, case_type))
    names = list(case_types) if case_type is None else [case_type]
    if case_type is not None and not entries:
        known_case_type(case_types, case_type)
    return {
        "as_of": _stamp(as_of),
        "live": [state_of(ledger, everything, name, as_of or now) for name in names],
        "entries": [_plain(entry) for entry in entries],
    }


def _plain(entry: Entry) -> dict[str, Any]:
    dossier = dict(entry.dossier)
    if entry.case_type == PEOPLE:
        dossier.pop("token_digest", None)
    return {
        **entry.fields(),
        "kind": entry.kind.value,
        "at": entry.at.isoformat(),
        "dossier": dossier,
        "own_hash": entry.own_hash,
    }


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
