"""Why may a command not happen?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RefusalRule(StrEnum):
    """Why a command is refused; the name is what a report and a test say."""

    STALE_BASE = "stale_base"
    ACTOR_IS_NAMED = "actor_is_named"
    ACTOR_IS_ENROLLED = "actor_is_enrolled"
    ROLE_PERMITS = "role_permits"
    PEOPLE_STAND_APART = "people_stand_apart"
    NAME_IS_FREE = "name_is_free"
    FIRST_PERSON_APPROVES = "first_person_approves"
    LAST_APPROVER_STAYS = "last_approver_stays"
    REASON_IS_GIVEN = "reason_is_given"
    EVIDENCE_IS_NAMED = "evidence_is_named"
    EVIDENCE_IS_UNSEEN = "evidence_is_unseen"
    CERTIFICATE_LASTS = "certificate_lasts"
    ALREADY_PROPOSED = "already_proposed"
    PROPOSER_IS_NOT_APPROVER = "proposer_is_not_approver"
    APPROVAL_BINDS_TO_EVIDENCE = "approval_binds_to_evidence"
    APPROVAL_BINDS_TO_DOSSIER = "approval_binds_to_dossier"
    NOTHING_TO_APPROVE = "nothing_to_approve"
    PROMOTE_NEEDS_APPROVAL = "promote_needs_approval"
    PROMOTE_NEEDS_AB = "promote_needs_ab"
    NOTHING_TO_SPRINT = "nothing_to_sprint"
    SPRINT_ONLY_RAISES = "sprint_only_raises"
    SPRINT_ENDS_LATER = "sprint_ends_later"
    NOTHING_TO_EXTEND = "nothing_to_extend"
    EXTENSION_IS_ASKED_FOR = "extension_is_asked_for"
    TWO_PEOPLE_EXTEND = "two_people_extend"
    ALREADY_LIVE = "already_live"
    NOTHING_TO_ROLL_BACK_TO = "nothing_to_roll_back_to"
    NOTHING_TO_NARROW = "nothing_to_narrow"
    NARROW_ONLY_NARROWS = "narrow_only_narrows"
    LOOK_IN_TURN = "look_in_turn"
    MODEL_IS_NEW = "model_is_new"
    RESTART_MOVES_ON = "restart_moves_on"
    POLICY_IS_KNOWN = "policy_is_known"
    AB_NEEDS_APPROVAL = "ab_needs_approval"
    AB_IS_REGISTERED = "ab_is_registered"
    ONE_AB_AT_A_TIME = "one_ab_at_a_time"
    AB_SALT_IS_NEW = "ab_salt_is_new"
    NO_AB_TO_CONCLUDE = "no_ab_to_conclude"
    ONLY_THE_LIVE_POLICY_TRIPS = "only_the_live_policy_trips"
    GUARDRAIL_TRIPS_FIRST = "guardrail_trips_first"
    ROLLBACK_LEAVES_THE_LIVE_POLICY = "rollback_leaves_the_live_policy"
    IS_HALTED = "is_halted"
    NOT_HALTED = "not_halted"
    TWO_PEOPLE_RESUME = "two_people_resume"
    TWO_APPROVERS_FORCE = "two_approvers_force"
    NOTHING_TO_FORCE = "nothing_to_force"
    HOLD_IS_KNOWN = "hold_is_known"
    HOLD_HAS_ENDED = "hold_has_ended"
    HELD_ALREADY = "held_already"
    BOUND_LIES_AFTER = "bound_lies_after"
    TWO_PEOPLE_STRIKE = "two_people_strike"
    TWO_PEOPLE_APPROVE = "two_people_approve"

    ROLLBACK_WIDENS = "rollback_widens"
    ROLLBACK_NEEDS_NO_SECOND = "rollback_needs_no_second"
    TWO_PEOPLE_ROLL_BACK = "two_people_roll_back"

    SECRET_STANDS_APART = "secret_stands_apart"
    SECRET_IS_RECORDED = "secret_is_recorded"
    SECRET_IS_ANOTHER = "secret_is_another"

    LEDGER_STANDS_APART = "ledger_stands_apart"
    NOTHING_TO_ACCEPT = "nothing_to_accept"
    TWO_APPROVERS_ACCEPT = "two_approvers_accept"
    ERASURE_IS_NAMED = "erasure_is_named"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A sentence for the person who asked, and the name of the rule that said no."""

    reason: str
    rule: RefusalRule


def without_reason(reason: str) -> Refusal | None:
    """The refusal of a command whose actor does not say why; None where they do."""
    if reason.strip():
        return None
    return Refusal("No reason is given; say why, in a sentence.", RefusalRule.REASON_IS_GIVEN)
