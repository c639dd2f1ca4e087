"""When may a policy be proposed, approved, tried, promoted, forced, narrowed or rolled back?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from models.hub.policies.canonical import in_utc, plain_document, utc_stamp
from models.hub.policies.lasting import lasts_until_live, still_lasts
from models.hub.policies.narrower import is_narrower, why_wider
from models.hub.policies.policy import Policy
from models.hub.policies.renewal import RENEWS, is_renewal
from models.hub.record.commands import (
    Approve,
    ConcludeAb,
    Force,
    Narrow,
    Promote,
    Propose,
    Refuse,
    RequestForce,
    RequestRollBack,
    RollBack,
    StartAb,
)
from models.hub.record.entries import SPRINT, Entry, EntryKind
from models.hub.record.readers import (
    approval_of,
    approvers_needed,
    concluded_salts,
    dossier_digest,
    first_approval_of,
    force_request_of,
    halt_of,
    live_policy_id,
    made_live_by,
    of,
    open_proposals,
    previous_policy_id,
    proposal_of,
    proven_ab,
    rollback_request_of,
    running_ab,
)
from models.hub.record.refusal import Refusal, RefusalRule, without_reason
from models.hub.record.said import Said, same_person, short, shown_name
from models.hub.rules.people import is_a_flow
from models.vocabulary.ab_plan import AbPlan


def propose(history: Sequence[Entry], command: Propose, at: datetime) -> Said | Refusal:
    policy = command.policy
    if not command.evidence_digest:
        return Refusal("The proposal names no evidence.", RefusalRule.EVIDENCE_IS_NAMED)
    refusal = (
        _not_for(command.case_type, policy)
        or lasts_until_live(policy.policy_id, policy.valid_until, policy.ab_plan, at)
        or _seen_before(history, command, at)
    )
    if refusal is not None:
        return refusal
    if live_policy_id(history, command.case_type) == policy.policy_id:
        return _already_live(command.case_type, policy.policy_id)
    approval = approval_of(history, command.case_type, policy.policy_id)
    if approval is not None:
        return Refusal(
            f"{short(policy.policy_id)} was approved by {approval.actor} (version "
            f"{approval.version}) already; a new proposal would undo that. Promote it, or refuse it "
            "first.",
            RefusalRule.ALREADY_PROPOSED,
        )
    for proposal in open_proposals(history, command.case_type):
        if (proposal.policy_id, proposal.evidence_digest) == (
            policy.policy_id,
            command.evidence_digest,
        ):
            return Refusal(
                f"{short(policy.policy_id)} was already proposed on this evidence by "
                f"{proposal.actor} (version {proposal.version}) and waits for approval.",
                RefusalRule.ALREADY_PROPOSED,
            )
    stamps = {
        name: in_utc(stamp).isoformat()
        for name in ("evidence_since", "evidence_until")
        if (stamp := getattr(command, name)) is not None
    }
    told = {**asked_for(policy, command.approvers), **_renews(history, command), **stamps}
    return Said(EntryKind.PROPOSED, policy.policy_id, command.evidence_digest, told)


def asked_for(policy: Policy, approvers: int) -> dict[str, object]:
    """What is approved is what was read, whatever a proposal's dossier says."""
    return {
        **asdict(policy.boundary),
        "model_version": policy.model_version,
        "model_digest": policy.model_digest,
        "ab_plan": None if policy.ab_plan is None else policy.ab_plan.document(),
        "valid_until": None if policy.valid_until is None else utc_stamp(policy.valid_until),
        "approvers_needed": approvers,
    }


def approve(history: Sequence[Entry], command: Approve, at: datetime) -> Said | Refusal:
    """Where two must agree, the first one's word is kept and a second person's completes it: both on
    the same proposal, evidence and dossier."""
    proposal = _open_proposal(history, command.case_type, command.proposal_policy_id)
    if isinstance(proposal, Refusal):
        return proposal
    ended = still_lasts(proposal, at)
    if ended is not None:
        return ended
    if same_person(proposal.actor, command.actor):
        return Refusal(
            f"{command.actor} proposed {short(command.proposal_policy_id)}; somebody else must "
            "approve it.",
            RefusalRule.PROPOSER_IS_NOT_APPROVER,
        )
    if proposal.evidence_digest != command.evidence_digest:
        return Refusal(
            f"The approval names evidence {short(command.evidence_digest)}, the proposal rests on "
            f"{short(proposal.evidence_digest)}. Read the proposal's own dossier and approve that.",
            RefusalRule.APPROVAL_BINDS_TO_EVIDENCE,
        )
    if dossier_digest(proposal) != command.dossier_digest:
        return Refusal(
            f"The approval was given on dossier {short(command.dossier_digest)}, the proposal's is "
            f"{short(dossier_digest(proposal))}. Read the proposal's own dossier and approve that.",
            RefusalRule.APPROVAL_BINDS_TO_DOSSIER,
        )
    first = first_approval_of(history, command.case_type, command.proposal_policy_id)
    if first is not None and same_person(first.actor, command.actor):
        return Refusal(
            f"{command.actor} approved {short(command.proposal_policy_id)} already; another person "
            "must agree to it, too.",
            RefusalRule.TWO_PEOPLE_APPROVE,
        )
    seen = {
        "dossier_digest": command.dossier_digest,
        "seen": plain_document(dict(proposal.dossier)),
        "approvers": [shown_name(one) for one in (first and first.actor, command.actor) if one],
    }
    kind = EntryKind.APPROVED
    if first is None and approvers_needed(proposal, command.approvers) > 1:
        kind = EntryKind.FIRST_APPROVED
    return Said(kind, command.proposal_policy_id, command.evidence_digest, seen)


def refuse(history: Sequence[Entry], command: Refuse, _: datetime) -> Said | Refusal:
    approval = approval_of(history, command.case_type, command.proposal_policy_id)
    if approval is not None:  # an approval may still be withdrawn until the promotion
        return Said(EntryKind.REFUSED, command.proposal_policy_id, approval.evidence_digest)
    if force_request_of(history, command.case_type, command.proposal_policy_id) is not None:
        return Said(EntryKind.REFUSED, command.proposal_policy_id)
    going_back = rollback_request_of(history, command.case_type)
    if going_back is not None and going_back.policy_id == command.proposal_policy_id:
        return Said(EntryKind.REFUSED, command.proposal_policy_id)
    proposal = _open_proposal(history, command.case_type, command.proposal_policy_id)
    if isinstance(proposal, Refusal):
        return proposal
    return Said(EntryKind.REFUSED, command.proposal_policy_id, proposal.evidence_digest)


def start_ab(history: Sequence[Entry], command: StartAb, at: datetime) -> Said | Refusal:
    stopped = _halted(history, command.case_type) or still_lasts(
        proposal_of(history, command.case_type, command.policy_id), at
    )
    if stopped is not None:
        return stopped
    approval = approval_of(history, command.case_type, command.policy_id)
    if approval is None:
        return Refusal(
            f"{short(command.policy_id)} has no approval that is still in force for "
            f"{command.case_type}; only an approved policy is tried on cases.",
            RefusalRule.AB_NEEDS_APPROVAL,
        )
    plan = _ab_plan(history, command.case_type, command.policy_id)
    if plan is None:
        return Refusal(
            f"{short(command.policy_id)} carries no A/B plan: horizon, margins and metrics are "
            "fixed in the policy, before the first case. Promote it, or propose it with a plan.",
            RefusalRule.AB_IS_REGISTERED,
        )
    running = running_ab(history, command.case_type)
    if running is not None:
        return Refusal(
            f"An A/B test of {short(running.policy_id)} runs for {command.case_type} since "
            f"{running.at.isoformat()}; wait for its conclusion.",
            RefusalRule.ONE_AB_AT_A_TIME,
        )
    if proven_ab(history, command.case_type, command.policy_id) is not None:
        return Refusal(
            f"{short(command.policy_id)} was proven by its A/B test already; promote it.",
            RefusalRule.ONE_AB_AT_A_TIME,
        )
    salt = AbPlan.from_document(plan).salt
    if salt in concluded_salts(history, command.case_type):
        return Refusal(
            f"A test of {command.case_type} that was split by the salt {salt!r} has been concluded; a new "
            f"test splits the cases afresh. Refuse {short(command.policy_id)}: a night proposes its "
            "boundary anew, with a salt of its own, as long as its proof stands.",
            RefusalRule.AB_SALT_IS_NEW,
        )
    told = {"ab_plan": plan, "control": live_policy_id(history, command.case_type)}
    return Said(EntryKind.AB_STARTED, command.policy_id, approval.evidence_digest, told)


def conclude_ab(history: Sequence[Entry], command: ConcludeAb, _: datetime) -> Said | Refusal:
    running = running_ab(history, command.case_type)
    if running is None or running.policy_id != command.policy_id:
        return Refusal(
            f"No A/B test of {short(command.policy_id)} runs for {command.case_type}.",
            RefusalRule.NO_AB_TO_CONCLUDE,
        )
    if not command.evidence_digest:
        return Refusal("The conclusion names no evidence.", RefusalRule.EVIDENCE_IS_NAMED)
    told = {"verdict": command.verdict, "started_at": running.at.isoformat()}
    return Said(EntryKind.AB_CONCLUDED, command.policy_id, command.evidence_digest, told)


def promote(history: Sequence[Entry], command: Promote, at: datetime) -> Said | Refusal:
    if live_policy_id(history, command.case_type) == command.policy_id:
        return _already_live(command.case_type, command.policy_id)
    stopped = _halted(history, command.case_type)
    if stopped is not None:
        return stopped
    approval = approval_of(history, command.case_type, command.policy_id)
    if approval is None:
        return Refusal(
            f"{short(command.policy_id)} has no approval that is still in force for "
            f"{command.case_type}: it must be proposed and approved against today's live policy.",
            RefusalRule.PROMOTE_NEEDS_APPROVAL,
        )
    planned = _ab_plan(history, command.case_type, command.policy_id) is not None
    if planned and proven_ab(history, command.case_type, command.policy_id) is None:
        return Refusal(
            f"{short(command.policy_id)} is approved to be tried first, and its A/B test has proven "
            "nothing yet. Wait for its conclusion.",
            RefusalRule.PROMOTE_NEEDS_AB,
        )
    proposal = proposal_of(history, command.case_type, command.policy_id)
    ended = still_lasts(proposal, at)
    if ended is not None:
        return ended
    rests_on = {} if proposal is None else _rests_on(proposal)
    if rests_on.get(RENEWS) != live_policy_id(history, command.case_type):
        rests_on.pop(RENEWS, None)  # what it renews was replaced since: it is another policy
    return Said(EntryKind.PROMOTED, command.policy_id, approval.evidence_digest, rests_on)


def request_force(history: Sequence[Entry], command: RequestForce, _: datetime) -> Said | Refusal:
    refusal = (
        without_reason(command.reason)
        or _not_for(command.case_type, command.policy)
        or _halted(history, command.case_type)
    )
    if refusal is not None:
        return refusal
    if live_policy_id(history, command.case_type) == command.policy.policy_id:
        return _already_live(command.case_type, command.policy.policy_id)
    told = {"reason": command.reason.strip()}
    return Said(EntryKind.FORCE_REQUESTED, command.policy.policy_id, dossier=told)


def force(history: Sequence[Entry], command: Force, _: datetime) -> Said | Refusal:
    stopped = _halted(history, command.case_type)
    if stopped is not None:
        return stopped
    request = force_request_of(history, command.case_type, command.policy_id)
    if request is None:
        return Refusal(
            f"Nobody asked to force {short(command.policy_id)} for {command.case_type} against "
            "today's live policy; the first of two approvers asks, with a reason.",
            RefusalRule.NOTHING_TO_FORCE,
        )
    if same_person(request.actor, command.actor):
        return Refusal(
            f"{command.actor} asked for it; a second approver must agree.",
            RefusalRule.TWO_APPROVERS_FORCE,
        )
    told = {
        "forced": True,
        "reason": request.dossier["reason"],
        "approvers": [request.actor, command.actor],
    }
    return Said(EntryKind.FORCED, command.policy_id, dossier=told)


def roll_back(history: Sequence[Entry], command: RollBack, at: datetime) -> Said | Refusal:
    """Nothing widens by one person or by a flow: what may be wider takes the request of another."""
    target = previous_policy_id(history, command.case_type)
    if target is None:
        return _nothing_before(command.case_type)
    left = live_policy_id(history, command.case_type)
    if command.leaving not in (None, left):
        return Refusal(
            f"{short(command.leaving)} is not live for {command.case_type} any more: "
            f"{short(left)} is. Somebody rolled back already; look at it before you leave that too.",
            RefusalRule.ROLLBACK_LEAVES_THE_LIVE_POLICY,
        )
    told: dict[str, object] = {"rolled_back_from": left}
    widens = _widens(history, command, left, target, at)
    if not widens:
        return Said(EntryKind.ROLLED_BACK, target, dossier=told)
    request = rollback_request_of(history, command.case_type)
    if is_a_flow(command.actor) or request is None:
        return Refusal(
            f"Going back from {short(left)} to {short(target)} would widen: {'; '.join(widens)}. "
            f"Neither a flow nor one person widens what is decided for {command.case_type}: one "
            "person asks for it (`ratchet rollback`), a second one agrees by the same command. "
            "Halting it takes one (`ratchet halt`).",
            RefusalRule.ROLLBACK_WIDENS,
        )
    if same_person(request.actor, command.actor):
        return Refusal(
            f"{command.actor} asked for it already; a second person must agree to a rollback that "
            f"widens: {'; '.join(widens)}.",
            RefusalRule.TWO_PEOPLE_ROLL_BACK,
        )
    agreed = {
        "widens": list(widens),
        "requested_by": request.actor,
        "requested_because": request.dossier["reason"],
    }
    return Said(EntryKind.ROLLED_BACK, target, dossier={**told, **agreed})


def request_roll_back(
    history: Sequence[Entry], command: RequestRollBack, at: datetime
) -> Said | Refusal:
    """The first person's wish is kept; it binds to today's live policy and to where it would lead."""
    unsaid = without_reason(command.reason)
    if unsaid is not None:
        return unsaid
    target = previous_policy_id(history, command.case_type)
    if target is None:
        return _nothing_before(command.case_type)
    left = live_policy_id(history, command.case_type)
    widens = _widens(history, command, left, target, at)
    if not widens:
        return Refusal(
            f"Going back from {short(left)} to {short(target)} widens nothing, so one person is "
            "enough: roll it back.",
            RefusalRule.ROLLBACK_NEEDS_NO_SECOND,
        )
    request = rollback_request_of(history, command.case_type)
    if request is not None:
        return Refusal(
            f"{request.actor} asked for it at {request.at.isoformat()}; a second person agrees by "
            "rolling it back.",
            RefusalRule.TWO_PEOPLE_ROLL_BACK,
        )
    told = {"reason": command.reason.strip(), "leaving": left, "widens": list(widens)}
    return Said(EntryKind.ROLLBACK_REQUESTED, target, dossier=told)


def narrow(history: Sequence[Entry], command: Narrow, _: datetime) -> Said | Refusal:
    live = live_policy_id(history, command.case_type)
    if live is None or live != command.incumbent.policy_id:
        return Refusal(
            f"The policy to narrow, {short(command.incumbent.policy_id)}, is not the live one of "
            f"{command.case_type}.",
            RefusalRule.NOTHING_TO_NARROW,
        )
    if not _only_narrows(command.incumbent, command.narrowed):
        return Refusal(
            "An automatic change may only move the boundary inwards: no side further out, same "
            "model, calibration, overrides, audit plan and A/B plan, no later expiry. Anything else "
            "must be proposed and approved.",
            RefusalRule.NARROW_ONLY_NARROWS,
        )
    told = {"narrowed_from": live, "model_digest": command.narrowed.model_digest}
    return Said(EntryKind.NARROWED, command.narrowed.policy_id, dossier=told)


def _widens(
    history: Sequence[Entry],
    command: RollBack | RequestRollBack,
    left: str | None,
    target: str,
    at: datetime,
) -> tuple[str, ...]:
    """In which respects the rollback widens; not shown to be no wider is wider."""
    live, previous = command.live, command.target
    if live is None or previous is None:
        return ("nothing shows that it does not",)
    if (live.policy_id, previous.policy_id) != (left, target):
        return ("the policies that were compared are not the ones it is about",)
    widens = why_wider(previous, than=live, at=at)
    made = made_live_by(history, command.case_type)
    if widens and made is not None and made.kind is EntryKind.NARROWED:
        return (*widens, f"it undoes the narrowing of {made.at.isoformat()}")
    return widens


def _nothing_before(case_type: str) -> Refusal:
    return Refusal(
        f"{case_type} has no policy promoted before the live one; halt the case type instead.",
        RefusalRule.NOTHING_TO_ROLL_BACK_TO,
    )


def _seen_before(history: Sequence[Entry], command: Propose, at: datetime) -> Refusal | None:
    """Evidence that trained the model, chose today's boundary, or comes from the future."""
    since, until = (
        None if stamp is None else in_utc(stamp)
        for stamp in (command.evidence_since, command.evidence_until)
    )
    if until is not None and until > at:
        return _seen(
            f"The evidence runs until {until.isoformat()}, after the proposal itself; labels that "
            "came later cannot speak for it."
        )
    mine = of(history, command.case_type)
    generations = [
        entry
        for entry in mine
        if entry.kind is EntryKind.GENERATION_STARTED
        and entry.evidence_digest == command.policy.model_digest
    ]
    if not generations:
        return None  # not trained here: nothing is known of what the model saw
    if since is None or until is None or since > until:
        return _seen(
            "The proposal does not say from when to when its evidence reaches, so nobody can tell "
            "whether the model learned from it."
        )
    closed = _closed_until(mine, generations)
    if closed is None:
        return _seen(
            "The ledger does not say which cases trained the model, so nobody can tell whether "
            "these did. Train again."
        )
    if since >= closed:
        return None
    return _seen(
        f"The evidence begins at {since.isoformat()}, but cases opened before {closed.isoformat()} "
        "trained the model, were compared with it, chose today's boundary or are from before the "
        "evidence started again. The same rows never both choose and certify."
    )


def _closed_until(mine: Sequence[Entry], generations: Sequence[Entry]) -> datetime | None:
    """Until when a model's cases are spent; None: a generation does not say what trained it."""
    first, digest = generations[0], generations[0].evidence_digest
    stamps = [entry.dossier.get("trained_before") for entry in generations]
    for entry in mine:
        if entry.version < first.version:
            continue
        if entry.kind is EntryKind.EVIDENCE_RESTARTED:
            stamps.append(entry.dossier["evidence_since"])
        chose = entry.kind in (EntryKind.PROMOTED, EntryKind.NARROWED)
        # One table of looks serves a generation's whole life (METHODS 1.2): what it promotes in
        # between spends no evidence.
        chose &= not first.dossier.get("evidence_carries_over")
        if chose and entry.dossier.get("model_digest") == digest:
            stamps.append(entry.dossier.get("evidence_until", stamps[0]))
    if None in stamps:
        return None
    return max(in_utc(datetime.fromisoformat(str(stamp))) for stamp in stamps)


def _seen(reason: str) -> Refusal:
    return Refusal(reason, RefusalRule.EVIDENCE_IS_UNSEEN)


def _rests_on(proposal: Entry) -> dict[str, object]:
    """Which model a promotion makes live, until when its evidence reached, and whether it is a sprint
    or a renewal."""
    names = ("model_digest", "model_version", "evidence_until", SPRINT, RENEWS)
    return {name: proposal.dossier[name] for name in names if name in proposal.dossier}


def _renews(history: Sequence[Entry], command: Propose) -> dict[str, object]:
    """Which live policy's certificate the proposed policy renews; empty: it is another policy."""
    live = command.live
    if live is None or live.policy_id != live_policy_id(history, command.case_type):
        return {}
    return {RENEWS: live.policy_id} if is_renewal(command.policy, live) else {}


def _open_proposal(history: Sequence[Entry], case_type: str, policy_id: str) -> Entry | Refusal:
    for proposal in open_proposals(history, case_type):
        if proposal.policy_id == policy_id:
            return proposal
    return Refusal(
        f"No open proposal of {short(policy_id)} for {case_type}: it was never made, was already "
        "judged, or the live policy changed since. Propose it again.",
        RefusalRule.NOTHING_TO_APPROVE,
    )


def _ab_plan(history: Sequence[Entry], case_type: str, policy_id: str) -> Mapping[str, Any] | None:
    proposal = proposal_of(history, case_type, policy_id)
    return None if proposal is None else proposal.dossier.get("ab_plan")


def _not_for(case_type: str, policy: Policy) -> Refusal | None:
    if policy.case_type == case_type:
        return None
    return Refusal(
        f"{short(policy.policy_id)} is a policy for {policy.case_type}, not for {case_type}.",
        RefusalRule.POLICY_IS_KNOWN,
    )


def _halted(history: Sequence[Entry], case_type: str) -> Refusal | None:
    halt = halt_of(history, case_type)
    if halt is None:
        return None
    return Refusal(
        f"{case_type} is halted since {halt.at.isoformat()} by {halt.actor} "
        f"({halt.dossier['reason']}); two people must resume it first.",
        RefusalRule.IS_HALTED,
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


def _already_live(case_type: str, policy_id: str) -> Refusal:
    return Refusal(f"{short(policy_id)} is already live for {case_type}.", RefusalRule.ALREADY_LIVE)
