"""What does a history say about a case type: what is live, what waits, what is tried or stopped?"""

from __future__ import annotations

from collections.abc import Sequence

from models.hub.policies.canonical import canonical_json, sha256_of
from models.hub.policies.renewal import RENEWS, renewed
from models.hub.record.entries import CHANGES_THE_LIVE_POLICY, PEOPLE, SPRINT, Entry, EntryKind
from models.hub.record.said import same_person


def version_of(history: Sequence[Entry], case_type: str) -> int:
    """The case type's latest version; 0 before its first entry."""
    return max((entry.version for entry in history if entry.case_type == case_type), default=0)


def live_policy_id(history: Sequence[Entry], case_type: str) -> str | None:
    """The policy that decides now; None before the first promotion (everything is reviewed)."""
    lineage = lineage_of(history, case_type)
    return lineage[-1] if lineage else None


def previous_policy_id(history: Sequence[Entry], case_type: str) -> str | None:
    """The policy a rollback would return to: the one promoted before the live one."""
    lineage = lineage_of(history, case_type)
    return lineage[-2] if len(lineage) > 1 else None


def made_live_by(history: Sequence[Entry], case_type: str) -> Entry | None:
    """The entry that made the live policy live: a promotion, a rollback, a narrowing, a force."""
    return next(
        (one for one in reversed(of(history, case_type)) if one.kind in CHANGES_THE_LIVE_POLICY),
        None,
    )


def open_proposals(history: Sequence[Entry], case_type: str) -> tuple[Entry, ...]:
    """Proposals nobody has judged yet and that were made against today's live policy."""
    waiting: dict[str | None, Entry] = {}
    for entry in since_live_change(history, case_type):
        if entry.kind is EntryKind.PROPOSED:
            waiting[entry.policy_id] = entry
        elif entry.kind in (EntryKind.APPROVED, EntryKind.REFUSED):
            waiting.pop(entry.policy_id, None)
        elif renewed(entry):  # another renewal of what it renewed has nothing left to renew
            waiting = {name: one for name, one in waiting.items() if RENEWS not in one.dossier}
    return tuple(waiting.values())


def approval_of(history: Sequence[Entry], case_type: str, policy_id: str) -> Entry | None:
    """The approval a promotion could rest on: still in force, against today's live policy.

    An A/B test that ended without a proof spends it, and so does the revocation of who gave it (of
    two, of either): the policy must be proposed and approved anew.
    """
    judged = [
        entry
        for entry in since_live_change(history, case_type)
        if entry.policy_id == policy_id
        and (
            entry.kind in (EntryKind.APPROVED, EntryKind.REFUSED, EntryKind.PROPOSED)
            or (entry.kind is EntryKind.AB_CONCLUDED and entry.dossier["verdict"] == "stop")
        )
    ]
    if not judged or judged[-1].kind is not EntryKind.APPROVED:
        return None
    spent = approver_revoked(history, judged[-1]) or _renewed_since(history, judged[-1])
    return None if spent else judged[-1]


def first_approval_of(history: Sequence[Entry], case_type: str, policy_id: str) -> Entry | None:
    """The first of two people's word on the waiting proposal of a policy; None: nobody's, it was
    proposed anew since, or who gave it may no longer act."""
    first: Entry | None = None
    for entry in since_live_change(history, case_type):
        if entry.policy_id != policy_id:
            continue
        if entry.kind is EntryKind.FIRST_APPROVED:
            first = entry
        elif entry.kind in (EntryKind.PROPOSED, EntryKind.APPROVED, EntryKind.REFUSED):
            first = None
    return first if first is not None and not was_revoked(history, first) else None


def approvers_needed(proposal: Entry, at_least: int = 1) -> int:
    """How many people must agree to a proposal besides who made it: what it asks for, or more.

    A proposal of before this was asked needs one.
    """
    return max(int(proposal.dossier.get("approvers_needed", 1)), at_least)


def approvers_of(approval: Entry) -> tuple[str, ...]:
    """Who gave an approval: one person, or two in the order of their words."""
    return tuple(str(name) for name in approval.dossier.get("approvers", (approval.actor,)))


def proposal_of(history: Sequence[Entry], case_type: str, policy_id: str) -> Entry | None:
    """The latest proposal of a policy, judged or not."""
    return next(
        (
            entry
            for entry in reversed(of(history, case_type))
            if entry.kind is EntryKind.PROPOSED and entry.policy_id == policy_id
        ),
        None,
    )


def dossier_digest(proposal: Entry) -> str:
    """The SHA-256 (hex) of a proposal's dossier: what an approval binds to."""
    return sha256_of(canonical_json(proposal.dossier))


def running_ab(history: Sequence[Entry], case_type: str) -> Entry | None:
    """The registration of the A/B test that runs: `policy_id` is tried, cases since `at` count.

    A halt, a refusal of its policy, the revocation of who approved it and every change of the live
    policy end it. `history` has everybody's entries, or a revocation is not seen.
    """
    running: Entry | None = None
    approved: dict[str | None, Entry] = {}
    for entry in since_live_change(history, case_type):
        if entry.kind is EntryKind.APPROVED:
            approved[entry.policy_id] = entry
        elif entry.kind is EntryKind.AB_STARTED:
            # The one it was started on: somebody else's approval later on does not revive it.
            revoked = approver_revoked(history, approved[entry.policy_id])
            running = None if revoked else entry
        elif entry.kind in (EntryKind.AB_CONCLUDED, EntryKind.HALTED) or (
            entry.kind is EntryKind.REFUSED
            and running is not None
            and entry.policy_id == running.policy_id
        ):
            running = None
    return running


def proven_ab(history: Sequence[Entry], case_type: str, policy_id: str) -> Entry | None:
    """The conclusion that proved an approved policy, since it was approved; None: not proven."""
    approval = approval_of(history, case_type, policy_id)
    if approval is None:
        return None
    return next(
        (
            entry
            for entry in since_live_change(history, case_type)
            if entry.kind is EntryKind.AB_CONCLUDED
            and entry.policy_id == policy_id
            and entry.version > approval.version
            and entry.dossier["verdict"] == "promote"
        ),
        None,
    )


def stopped_ab(history: Sequence[Entry], case_type: str) -> tuple[Entry, Entry] | None:
    """(registration, what ended it) of the latest A/B test against today's live policy, where it ended
    without a proof: by its conclusion, a halt, a refusal, or the revocation of who approved it. None:
    there was none, one runs, or it is proven."""
    running: Entry | None = None
    ended: tuple[Entry, Entry] | None = None
    for entry in since_live_change(history, case_type):
        if entry.kind is EntryKind.AB_STARTED:
            running, ended = entry, None
        elif running is None:
            continue
        elif entry.kind is EntryKind.AB_CONCLUDED:
            if entry.dossier["verdict"] == "stop":
                ended = (running, entry)
            running = None
        elif entry.kind is EntryKind.HALTED or (
            entry.kind is EntryKind.REFUSED and entry.policy_id == running.policy_id
        ):
            ended = (running, entry)
            running = None
    if running is not None and running_ab(history, case_type) is None:
        return running, _revocations(history, running)[-1]
    return ended


def concluded_salts(history: Sequence[Entry], case_type: str) -> frozenset[str]:
    """The salts of the A/B tests of a case type that were concluded, whatever they said."""
    found: set[str] = set()
    salt: str | None = None
    for entry in of(history, case_type):
        if entry.kind is EntryKind.AB_STARTED:
            salt = str(entry.dossier["ab_plan"]["salt"])
        elif entry.kind is EntryKind.AB_CONCLUDED and salt is not None:
            found.add(salt)
    return frozenset(found)


def is_halted(history: Sequence[Entry], case_type: str) -> bool:
    """Whether every case goes to review because somebody pulled the brake."""
    return halt_of(history, case_type) is not None


def halt_of(history: Sequence[Entry], case_type: str) -> Entry | None:
    """The halt in force, or None."""
    halts = _brakes(history, case_type)
    return halts[0] if halts else None


def resume_request_of(history: Sequence[Entry], case_type: str) -> Entry | None:
    """The first person's wish to end the halt in force; None: nobody's, or nobody's who may still
    act."""
    return next(
        (
            entry
            for entry in _brakes(history, case_type)
            if entry.kind is EntryKind.RESUME_REQUESTED and not was_revoked(history, entry)
        ),
        None,
    )


def force_request_of(history: Sequence[Entry], case_type: str, policy_id: str) -> Entry | None:
    """The first approver's wish to force a policy, made against today's live policy; None: nobody's,
    it was turned down, or who asked may no longer act."""
    asked = [
        entry
        for entry in since_live_change(history, case_type)
        if entry.policy_id == policy_id
        and entry.kind in (EntryKind.FORCE_REQUESTED, EntryKind.REFUSED)
    ]
    waits = bool(asked) and asked[-1].kind is EntryKind.FORCE_REQUESTED
    return asked[-1] if waits and not was_revoked(history, asked[-1]) else None


def rollback_request_of(history: Sequence[Entry], case_type: str) -> Entry | None:
    """The first person's wish for a rollback that widens, made against today's live policy; None:
    nobody's, it was turned down, or who asked may no longer act."""
    asked: Entry | None = None
    for entry in since_live_change(history, case_type):
        if entry.kind is EntryKind.ROLLBACK_REQUESTED:
            asked = entry
        elif asked is not None and (entry.kind, entry.policy_id) == (
            EntryKind.REFUSED,
            asked.policy_id,
        ):
            asked = None
    return asked if asked is not None and not was_revoked(history, asked) else None


def looks_taken(history: Sequence[Entry], case_type: str) -> int:
    """How many looks were spent since the model last changed."""
    return len(_looks(history, case_type))


def lineage_of(history: Sequence[Entry], case_type: str) -> list[str]:
    """The policies made live and not rolled back, oldest first.

    A narrowing takes its incumbent's place, so that no rollback undoes it by widening again; so does
    a sprint, or a rollback would return to the very boundary that it is to leave, and a renewal, as
    what it renewed would decide the same and end sooner.
    """
    lineage: list[str] = []
    for entry in of(history, case_type):
        if entry.kind not in CHANGES_THE_LIVE_POLICY:
            continue
        sprints = entry.kind is EntryKind.PROMOTED and SPRINT in entry.dossier
        narrows = entry.kind in (EntryKind.ROLLED_BACK, EntryKind.NARROWED)
        if sprints or narrows or renewed(entry):
            lineage.pop()
        if entry.kind is not EntryKind.ROLLED_BACK and entry.policy_id is not None:
            lineage.append(entry.policy_id)
    return lineage


def since_live_change(history: Sequence[Entry], case_type: str) -> list[Entry]:
    """A proposal argues against an incumbent; once that changed, the argument has to be made anew. A
    renewal of the incumbent's certificate changes nothing that it argues with."""
    mine = of(history, case_type)
    changes = [
        at
        for at, entry in enumerate(mine)
        if entry.kind in CHANGES_THE_LIVE_POLICY and not renewed(entry)
    ]
    return mine[changes[-1] + 1 :] if changes else mine


def was_revoked(history: Sequence[Entry], entry: Entry) -> bool:
    """Whether who made an entry was revoked since: their half of a step for two no longer counts."""
    return _revoked_since(history, entry, (entry.actor,))


def approver_revoked(history: Sequence[Entry], approval: Entry) -> bool:
    """Whether somebody who gave an approval was revoked since."""
    return _revoked_since(history, approval, approvers_of(approval))


def _revocations(history: Sequence[Entry], since: Entry) -> list[Entry]:
    return [e for e in of(history, PEOPLE) if e.kind is EntryKind.REVOKED and e.seq > since.seq]


def _renewed_since(history: Sequence[Entry], approval: Entry) -> bool:
    """Whether an approved renewal, or another one of the same certificate, was promoted since."""
    proposal = proposal_of(history, approval.case_type, str(approval.policy_id))
    return (
        proposal is not None
        and RENEWS in proposal.dossier
        and any(
            renewed(one) and one.version > approval.version
            for one in of(history, approval.case_type)
        )
    )


def _revoked_since(history: Sequence[Entry], entry: Entry, names: Sequence[str]) -> bool:
    return any(
        later.kind is EntryKind.REVOKED
        and later.seq > entry.seq
        and any(same_person(str(later.dossier["name"]), name) for name in names)
        for later in of(history, PEOPLE)
    )


def of(history: Sequence[Entry], case_type: str) -> list[Entry]:
    """The entries of one case type, oldest first."""
    return [entry for entry in history if entry.case_type == case_type]


def _brakes(history: Sequence[Entry], case_type: str) -> list[Entry]:
    """The halt in force and what was asked about it since; empty while nothing is halted."""
    brakes: list[Entry] = []
    for entry in of(history, case_type):
        if entry.kind is EntryKind.HALTED:
            brakes = [entry]
        elif entry.kind is EntryKind.RESUMED:
            brakes = []
        elif entry.kind is EntryKind.RESUME_REQUESTED:
            brakes.append(entry)
    return brakes


def _looks(history: Sequence[Entry], case_type: str) -> list[Entry]:
    looks: list[Entry] = []
    for entry in of(history, case_type):
        if entry.kind is EntryKind.GENERATION_STARTED and not entry.dossier.get("shadow"):
            looks = []  # a model in shadow leaves the trial of the other where it is
        elif entry.kind is EntryKind.LOOK_TAKEN:
            looks.append(entry)
    return looks
