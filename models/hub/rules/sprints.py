"""When may the audits of a live policy be raised for a time? (METHODS 2)

A sprint buys labels with people's hours and changes nothing else: the same cases are decided in the same
way, so it neither widens nor restarts any evidence. It goes the road of any proposal (a second person
approves, then it is promoted) and ends by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from models.hub.policies.canonical import utc_stamp
from models.hub.policies.lasting import sprint_has_ended
from models.hub.policies.narrower import decides_nothing
from models.hub.policies.policy import Policy
from models.hub.record.commands import ProposeSprint
from models.hub.record.entries import SPRINT, Entry, EntryKind
from models.hub.record.readers import (
    approval_of,
    halt_of,
    live_policy_id,
    open_proposals,
    running_ab,
)
from models.hub.record.refusal import Refusal, RefusalRule
from models.hub.record.said import Said, short
from models.hub.rules.promotion import asked_for


def sprint_of(live: Policy, rate: float, until: datetime) -> Policy:
    """The live policy with its audits raised to a rate until a moment, in the place of any sprint that it
    has.

    What its A/B test was to prove is proven, so the sprint has no plan to be tried by.

    Raises:
        ValueError: the rate is outside (0, 1] or raises nothing, or the moment has no time zone.
    """
    audit = replace(live.audit, sprint_rate=rate, sprint_until=until)
    return replace(live, audit=audit, ab_plan=None)


def propose_sprint(
    history: Sequence[Entry], command: ProposeSprint, at: datetime
) -> Said | Refusal:
    case_type, sprint = command.case_type, command.sprint
    refusal = _nothing_to_raise(history, command, at)
    if refusal is not None:
        return refusal
    plan = sprint.audit
    if plan.sprint_rate is None or plan.sprint_until is None or not _only_raises(command):
        return Refusal(
            "A sprint raises the audits of the live policy until a moment and leaves everything else as "
            "it is: boundary, model, calibration, overrides, expiry, and the rates after it. Anything "
            "else must be proposed as a policy of its own.",
            RefusalRule.SPRINT_ONLY_RAISES,
        )
    ended = sprint_has_ended(plan.sprint_until, at)
    if ended is not None:
        return ended
    waits = next(
        (one for one in open_proposals(history, case_type) if one.policy_id == sprint.policy_id),
        None,
    ) or approval_of(history, case_type, sprint.policy_id)
    if waits is not None:
        return Refusal(
            f"This sprint was {waits.kind.value} already by {waits.actor} (version {waits.version}).",
            RefusalRule.ALREADY_PROPOSED,
        )
    told = {
        **asked_for(sprint, command.approvers),
        SPRINT: {
            "rate": plan.sprint_rate,
            "until": utc_stamp(plan.sprint_until),
            "in_place_of": command.live.policy_id,
        },
    }
    return Said(EntryKind.PROPOSED, sprint.policy_id, command.evidence_digest, told)


def _nothing_to_raise(
    history: Sequence[Entry], command: ProposeSprint, at: datetime
) -> Refusal | None:
    live = live_policy_id(history, command.case_type)
    if live is None or live != command.live.policy_id:
        return Refusal(
            f"The policy whose audits are to be raised, {short(command.live.policy_id)}, is not the live "
            f"one of {command.case_type}. Read it and ask again.",
            RefusalRule.NOTHING_TO_SPRINT,
        )
    if decides_nothing(command.live, at):
        return Refusal(
            f"Every case of {command.case_type} is reviewed today, so there is no audit to raise; its "
            "labels come by themselves.",
            RefusalRule.NOTHING_TO_SPRINT,
        )
    halt = halt_of(history, command.case_type)
    if halt is not None:
        return Refusal(
            f"{command.case_type} is halted by {halt.actor} since {halt.at.isoformat()}: every case is "
            "reviewed, so there is no audit to raise. Ask again once two people have resumed it.",
            RefusalRule.NOTHING_TO_SPRINT,
        )
    if not command.evidence_digest:
        return Refusal("The sprint names no evidence for its price.", RefusalRule.EVIDENCE_IS_NAMED)
    trial = running_ab(history, command.case_type)
    if trial is not None:
        return Refusal(
            f"An A/B test of {short(trial.policy_id)} runs for {command.case_type} since "
            f"{trial.at.isoformat()}, and another live policy would end it; wait for its conclusion.",
            RefusalRule.ONE_AB_AT_A_TIME,
        )
    return None


def _only_raises(command: ProposeSprint) -> bool:
    """Whether the two policies differ in the sprint alone (and the plan of a test that is over)."""
    live, sprint = (
        replace(one, audit=replace(one.audit, sprint_rate=None, sprint_until=None), ab_plan=None)
        for one in (command.live, command.sprint)
    )
    return live == sprint and command.sprint.ab_plan is None
