"""Propose, approve, promote, narrow: what a certificate may change, each as a ledger entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from configs.errors import GateRefused, UserError
from flows.verbs.aliases import follow_ledger
from flows.verbs.certify import Judged, policy_for
from flows.verbs.desk import NIGHT_ACTOR, Desk
from flows.verbs.generation import last_version
from flows.verbs.model_files import check_policy_files
from models.hub.entries import Entry, EntryKind
from models.hub.transitions import (
    Approve,
    Narrow,
    Promote,
    Propose,
    Refusal,
    RollBack,
    is_narrower,
    open_proposals,
)
from models.vocabulary import CertificateVerdict


def act_on(desk: Desk, judged: Judged, at: datetime) -> Entry | None:
    """File a proposal for a certified boundary, or narrow a refuted one; otherwise nothing.

    Widening waits for a second person; narrowing does not (METHODS 1).
    """
    if not judged.may_propose:
        return None
    verdict = judged.certificate.verdict
    if verdict is CertificateVerdict.CERTIFIED:
        return _propose(desk, judged, at)
    if verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED:
        return _narrow(desk, judged, at)
    return None


def waiting(desk: Desk, case_type: str) -> tuple[Entry, ...]:
    """Proposals of a case type that nobody has judged yet."""
    return open_proposals(desk.ledger.history(), case_type)


def approve_and_promote(
    desk: Desk, case_type: str, policy_id: str | None, approver: str, at: datetime
) -> Entry:
    """A second person's approval of one waiting proposal, and its promotion.

    Args:
        policy_id: which proposal (its first characters are enough); None: the only one waiting.

    Raises:
        UserError: no such proposal waits, or the prefix fits several.
        GateRefused: the model's files are not the registered ones (nothing was approved, and an
            alert says so), or the ledger refuses the approval or the promotion and keeps the refusal.
    """
    proposal = _chosen(waiting(desk, case_type), case_type, policy_id)
    check_policy_files(desk, desk.ledger.policy(str(proposal.policy_id)), at)
    approved = desk.ledger.submit(
        Approve(
            case_type=case_type,
            proposal_policy_id=str(proposal.policy_id),
            actor=approver,
            base_version=last_version(desk, case_type),
            evidence_digest=str(proposal.evidence_digest),
        ),
        at,
    )
    if isinstance(approved, Refusal):
        raise GateRefused(approved.reason)
    promoted = desk.ledger.submit(
        Promote(
            case_type=case_type,
            policy_id=str(proposal.policy_id),
            actor=approver,
            base_version=last_version(desk, case_type),
            dossier={"evidence_until": proposal.dossier["evidence_until"]},
        ),
        at,
    )
    if isinstance(promoted, Refusal):
        raise GateRefused(promoted.reason)
    follow_ledger(desk, case_type, at)
    return promoted


def roll_back(desk: Desk, case_type: str, actor: str, reason: str, at: datetime) -> Entry:
    """Return to the policy promoted before the live one.

    Raises:
        GateRefused: there is none, or somebody changed the policy in between.
    """
    said = desk.ledger.submit(
        RollBack(
            case_type=case_type,
            actor=actor,
            base_version=last_version(desk, case_type),
            dossier={"reason": reason},
        ),
        at,
    )
    if isinstance(said, Refusal):
        raise GateRefused(said.reason)
    follow_ledger(desk, case_type, at)
    return said


def _propose(desk: Desk, judged: Judged, at: datetime) -> Entry | None:
    policy = policy_for(desk, judged)
    desk.ledger.record_policy(policy)
    said = desk.ledger.submit(
        Propose(
            case_type=judged.case_type,
            policy_id=policy.policy_id,
            actor=NIGHT_ACTOR,
            base_version=last_version(desk, judged.case_type),
            evidence_digest=judged.evidence_digest,
            dossier={
                **judged.summary(),
                "evidence_until": judged.evidence_until.isoformat(),
                "model_version": policy.model_version,
            },
        ),
        at,
    )
    return None if isinstance(said, Refusal) else said


def _narrow(desk: Desk, judged: Judged, at: datetime) -> Entry | None:
    incumbent = desk.ledger.live_policy(judged.case_type)
    boundary = judged.certificate.boundary
    if incumbent is None or not is_narrower(boundary, than=incumbent.boundary):
        return None
    narrowed = replace(incumbent, boundary=boundary)
    desk.ledger.record_policy(narrowed)
    said = desk.ledger.submit(
        Narrow(
            case_type=judged.case_type,
            incumbent=incumbent,
            narrowed=narrowed,
            actor=NIGHT_ACTOR,
            base_version=last_version(desk, judged.case_type),
            dossier={**judged.summary(), "evidence_until": judged.evidence_until.isoformat()},
        ),
        at,
    )
    if isinstance(said, Refusal):
        raise GateRefused(f"{judged.case_type} was not narrowed: {said.reason}")
    return said


def _chosen(proposals: tuple[Entry, ...], case_type: str, policy_id: str | None) -> Entry:
    fitting = [p for p in proposals if str(p.policy_id).startswith(policy_id or "")]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(str(p.policy_id)[:12] for p in proposals) or "none"
    asked = f"a proposal {policy_id!r}" if policy_id else "the only proposal"
    raise UserError(
        f"{case_type}: {asked} was asked for; waiting are: {names}. Run `ratchet night`, or name one."
    )


def changed_live_policy(entry: Entry | None) -> bool:
    """Whether an entry moved the live boundary."""
    return entry is not None and entry.kind in (
        EntryKind.PROMOTED,
        EntryKind.NARROWED,
        EntryKind.ROLLED_BACK,
    )
