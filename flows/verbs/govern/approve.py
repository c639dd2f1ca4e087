"""Approve or refuse: a second person's word on a proposal, given on what they saw of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from configs.errors import UserError
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.beside_the_proof import beside_the_proof, may_approve
from flows.verbs.govern.submit import submitted
from flows.verbs.learn.model_files import check_policy_files
from flows.verbs.ports import EvidenceServices, Ledger, PromotionServices
from models.hub import (
    Approve,
    Entry,
    EntryKind,
    Policy,
    Refuse,
    approval_of,
    approvers_needed,
    approvers_of,
    dossier_digest,
    first_approval_of,
    open_proposals,
    proven_ab,
    running_ab,
)
from models.hub.record.entries import SPRINT
from models.vocabulary import CaseType


def approve(
    services: PromotionServices, proposal: Entry, approver: str, at: datetime, note: str = ""
) -> Entry:
    """Agree to a proposal as it was read; the entry keeps the dossier that was seen.

    Returns:
        The entry `approved`, or, where two people must agree, the first one's (`first_approved`).

    Raises:
        GateRefused: the model's files are not what was registered, or the ledger refuses (the
            proposer approves, one person twice, the proposal was judged or changed since); the
            refusal is kept.
    """
    check_policy_files(
        services.registry, services.alerts, services.ledger.policy(str(proposal.policy_id)), at
    )
    command = Approve(
        case_type=proposal.case_type,
        proposal_policy_id=str(proposal.policy_id),
        actor=approver,
        base_version=last_version(services.ledger, proposal.case_type),
        evidence_digest=str(proposal.evidence_digest),
        dossier_digest=dossier_digest(proposal),
        approvers=services.approvers_needed(proposal.case_type),
        dossier={"note": note} if note else {},
    )
    return submitted(services.ledger, command, at)


def refuse(ledger: Ledger, proposal: Entry, actor: str, reason: str, at: datetime) -> Entry:
    """Turn a proposal down, or withdraw its approval until the promotion.

    Raises:
        UserError: no reason is given.
        GateRefused: it was judged already, or the ledger refuses the actor.
    """
    if not reason.strip():
        raise UserError("a refusal needs a reason; say why, in a sentence.")
    command = Refuse(
        case_type=proposal.case_type,
        proposal_policy_id=str(proposal.policy_id),
        actor=actor,
        base_version=last_version(ledger, proposal.case_type),
        dossier={"reason": reason.strip()},
    )
    return submitted(ledger, command, at)


def find_waiting(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    policy_id: str | None,
    case_type: str | None = None,
) -> Entry:
    """The waiting proposal that is meant.

    Args:
        policy_id: its id, or its first characters; None: the only one waiting.
        case_type: look only there.

    Raises:
        UserError: no such proposal waits, or several fit.
    """
    history = ledger.history()
    names = case_types if case_type is None else [case_type]
    entries = [entry for name in names for entry in open_proposals(history, name)]
    return _only(entries, policy_id, "waiting for approval", case_type)


def find_proposal(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    policy_id: str | None,
    case_type: str | None = None,
) -> tuple[Entry, bool]:
    """A proposal that waits or is approved, and whether it is approved (arguments and errors as
    above)."""
    history = ledger.history()
    names = list(case_types) if case_type is None else [case_type]
    approved = _approved(history, names)
    open_ones = [entry for name in names for entry in open_proposals(history, name)]
    found = _only([*open_ones, *approved], policy_id, "waiting or approved", case_type)
    return found, found in approved


def proposals_of(
    ledger: Ledger, case_types: Mapping[str, CaseType], which: str | None
) -> list[Entry]:
    """The proposals that wait for an approval, their A/B test or their promotion.

    Args:
        which: a case type, or a policy's id or its first characters; None: all.

    Raises:
        UserError: none waits under that id, or several fit.
    """
    history = ledger.history()
    of_a_type = which is not None and which in case_types
    names = [str(which)] if of_a_type else list(case_types)
    waits = [entry for name in names for entry in open_proposals(history, name)]
    found = [*waits, *_approved(history, names)]
    if which is None or of_a_type:
        return found
    return [_only(found, which, "waiting or approved", None)]


def pending(services: EvidenceServices) -> list[dict[str, Any]]:
    """What waits, as plain values: for an approval, for its A/B test, or to be promoted; with what to
    know beside the proof (`beside_the_proof`), as of now."""
    history = services.ledger.history()
    rows = []
    for case_type in services.case_types:
        for entry in open_proposals(history, case_type):
            first = first_approval_of(history, case_type, str(entry.policy_id))
            words = () if first is None else approvers_of(first)
            rows.append(_row(services, entry, "second approval" if words else "approval", words))
        for entry in _approved(history, [case_type]):
            approval = approval_of(history, case_type, str(entry.policy_id))
            words = () if approval is None else approvers_of(approval)
            rows.append(_row(services, entry, _next_step(history, entry), words))
    return rows


def who_approves(services: EvidenceServices, proposal: Entry) -> dict[str, Any]:
    """Who may approve a waiting proposal, by who is enrolled now: `may_approve`, how many it takes
    (`approvers_needed`), and who did so already (`approved_by`), as plain values."""
    first = first_approval_of(
        services.ledger.history(), proposal.case_type, str(proposal.policy_id)
    )
    words = () if first is None else approvers_of(first)
    return {
        "may_approve": may_approve(services.ledger, proposal.actor, *words),
        "approvers_needed": approvers_needed(
            proposal, services.approvers_needed(proposal.case_type)
        ),
        "approved_by": list(words),
    }


def find_policy(ledger: Ledger, policy_id: str) -> Policy:
    """A policy that the ledger once named, by its id or its first characters.

    Raises:
        UserError: there is none, or several fit.
    """
    _refuse_empty(policy_id)
    known = sorted({str(e.policy_id) for e in ledger.history() if e.policy_id is not None})
    fitting = [one for one in known if one.startswith(policy_id)]
    if len(fitting) == 1:
        return ledger.policy(fitting[0])
    found = f"{len(fitting)} fit" if fitting else "the ledger names none like it"
    raise UserError(
        f"the policy {policy_id!r} was asked for; {found}. `ratchet history` shows them."
    )


def find_approved(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    policy_id: str | None,
    case_type: str | None = None,
) -> Entry:
    """The approved proposal that is meant, not promoted yet (arguments and errors as above)."""
    names = list(case_types) if case_type is None else [case_type]
    entries = _approved(ledger.history(), names)
    return _only(entries, policy_id, "approved", case_type)


def _approved(history: Sequence[Entry], names: Sequence[str]) -> list[Entry]:
    """The proposals whose approval is in force, the latest of each policy."""
    entries = {
        str(entry.policy_id): entry
        for entry in history
        if entry.kind is EntryKind.PROPOSED
        and entry.case_type in names
        and approval_of(history, entry.case_type, str(entry.policy_id)) is not None
    }
    return list(entries.values())


def _next_step(history: Sequence[Entry], proposal: Entry) -> str:
    trial = running_ab(history, proposal.case_type)
    if trial is not None and trial.policy_id == proposal.policy_id:
        return "A/B test runs"
    planned = proposal.dossier.get("ab_plan") is not None
    proven = proven_ab(history, proposal.case_type, str(proposal.policy_id)) is not None
    return "A/B test" if planned and not proven else "promotion"


def _row(
    services: EvidenceServices, entry: Entry, waits_for: str, approved_by: Sequence[str]
) -> dict[str, Any]:
    policy = services.ledger.policy(str(entry.policy_id))
    needed = approvers_needed(entry, services.approvers_needed(entry.case_type))
    return {
        "case_type": entry.case_type,
        "policy_id": str(entry.policy_id),
        "waits_for": waits_for,
        "proposer": entry.actor,
        "since": entry.at.isoformat(),
        "pass_at_or_below": entry.dossier.get("pass_at_or_below"),
        "block_at_or_above": entry.dossier.get("block_at_or_above"),
        "automation_rate": entry.dossier.get("automation_rate"),
        "sprint": entry.dossier.get(SPRINT),
        "approvers_needed": needed,
        "approved_by": list(approved_by),
        **beside_the_proof(services, policy, entry.actor, *approved_by),
    }


def _only(
    entries: Sequence[Entry], policy_id: str | None, state: str, case_type: str | None
) -> Entry:
    if policy_id is not None:
        _refuse_empty(policy_id)
    fitting = [one for one in entries if str(one.policy_id).startswith(policy_id or "")]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(f"{one.case_type} {str(one.policy_id)[:12]}" for one in entries) or "none"
    asked = f"the proposal {policy_id!r}" if policy_id else "the only proposal"
    where = f" of {case_type}" if case_type else ""
    fit = "several fit" if fitting else "none fits"
    raise UserError(
        f"{asked}{where} was asked for, and {fit}; {state}: {known}. `ratchet proposals` shows them; "
        "name one by its first characters."
    )


def _refuse_empty(policy_id: str) -> None:
    """A shell's variable that holds nothing must not fit whatever happens to wait."""
    if not policy_id.strip():
        raise UserError(
            "an empty policy id was given; name one by its first characters. `ratchet proposals` and "
            "`ratchet history` show them."
        )
