"""When must two people agree to a proposal besides who made it, and what ends the first one's word?"""

from __future__ import annotations

import pytest

from models.hub import (
    EntryKind,
    Propose,
    approval_of,
    approvers_needed,
    approvers_of,
    first_approval_of,
    open_proposals,
    proposal_of,
)
from models.hub.record.provenance import provenance
from models.hub.rules.people import NIGHT
from tests.hub import (
    EVIDENCE,
    MIDDLE,
    OTHER_EVIDENCE,
    THIN,
    TRIED,
    Hub,
    a_policy,
    a_team,
    entered,
    rule,
)


def waiting(policy=MIDDLE, approvers: int = 2) -> Hub:
    """The night proposed a policy that takes two; ana, ben and eve are approvers."""
    hub = a_team()
    hub.enrol("eve", "approver")
    entered(hub.propose(policy, actor=NIGHT, approvers=approvers))
    return hub


def test_the_first_word_is_kept_and_a_second_persons_completes_it() -> None:
    """Nothing may be promoted between the two; the approval names both."""
    hub = waiting()
    first = entered(hub.approve(MIDDLE, actor="ana"))
    assert (first.kind, first.policy_id) == (EntryKind.FIRST_APPROVED, MIDDLE.policy_id)
    assert rule(hub.promote(MIDDLE)) == "promote_needs_approval"
    assert [one.policy_id for one in open_proposals(hub.history, "ato")] == [MIDDLE.policy_id]
    second = entered(hub.approve(MIDDLE, actor="ben"))
    assert (second.kind, approvers_of(second)) == (EntryKind.APPROVED, ("ana", "ben"))
    assert first_approval_of(hub.history, "ato", MIDDLE.policy_id) is None
    hub.promote(MIDDLE)
    assert hub.live() == MIDDLE.policy_id
    assert provenance(hub.history, "ato", MIDDLE.policy_id).approved_by == ("ana", "ben")


@pytest.mark.parametrize("name", ["ana", " Ana ", "\u0430na"])
def test_one_person_is_not_two(name: str) -> None:
    """However the name is spelled."""
    hub = waiting()
    entered(hub.approve(MIDDLE, actor="ana"))
    assert rule(hub.approve(MIDDLE, actor=name)) == "two_people_approve"


def test_the_proposer_is_neither_of_the_two() -> None:
    hub = a_team()
    hub.enrol("eve", "approver")
    entered(hub.propose(MIDDLE, actor="ana", approvers=2))
    assert rule(hub.approve(MIDDLE, actor="ana")) == "proposer_is_not_approver"
    entered(hub.approve(MIDDLE, actor="ben"))
    assert rule(hub.approve(MIDDLE, actor="ana")) == "proposer_is_not_approver"
    assert entered(hub.approve(MIDDLE, actor="eve")).kind is EntryKind.APPROVED


def test_both_bind_to_the_evidence_and_the_dossier_that_they_read() -> None:
    hub = waiting()
    entered(hub.approve(MIDDLE, actor="ana"))
    assert rule(hub.approve(MIDDLE, OTHER_EVIDENCE, actor="ben")) == "approval_binds_to_evidence"
    assert rule(hub.approve(MIDDLE, actor="ben", dossier="0" * 64)) == "approval_binds_to_dossier"
    assert approval_of(hub.history, "ato", MIDDLE.policy_id) is None


@pytest.mark.parametrize("end", ["revoke", "refuse", "propose", "live"])
def test_the_first_word_ends_with_who_gave_it_and_with_what_it_was_about(end: str) -> None:
    """Then the next approver is the first again, or there is nothing to approve."""
    hub = waiting()
    entered(hub.approve(MIDDLE, actor="ben"))
    if end == "revoke":
        hub.revoke("ben")
    elif end == "refuse":
        entered(hub.refuse(MIDDLE, "ana"))
    elif end == "propose":
        entered(hub.propose(MIDDLE, OTHER_EVIDENCE, actor=NIGHT, approvers=2))
    else:
        hub.make_live(THIN)
    assert first_approval_of(hub.history, "ato", MIDDLE.policy_id) is None
    evidence = OTHER_EVIDENCE if end == "propose" else EVIDENCE
    again = hub.approve(MIDDLE, evidence, actor="eve")
    if end in ("refuse", "live"):
        assert rule(again) == "nothing_to_approve"
    else:
        assert entered(again).kind is EntryKind.FIRST_APPROVED


@pytest.mark.parametrize("name", ["ana", "ben"])
def test_the_revocation_of_either_spends_the_approval_and_ends_the_trial(name: str) -> None:
    hub = waiting(TRIED)
    entered(hub.approve(TRIED, actor="ana"))
    entered(hub.approve(TRIED, actor="ben"))
    entered(hub.start_ab(TRIED, "cai"))
    hub.revoke(name, actor="eve")
    assert approval_of(hub.history, "ato", TRIED.policy_id) is None
    assert rule(hub.conclude_ab("promote", TRIED)) == "no_ab_to_conclude"


@pytest.mark.parametrize(("asked", "today"), [(2, 1), (1, 2)])
def test_the_stricter_of_then_and_now_counts(asked: int, today: int) -> None:
    """Whoever loosens the setting after the night, or on their own machine, loosens nothing."""
    hub = waiting(approvers=asked)
    first = entered(hub.approve(MIDDLE, actor="ana", approvers=today))
    assert first.kind is EntryKind.FIRST_APPROVED
    proposal = proposal_of(hub.history, "ato", MIDDLE.policy_id)
    assert proposal is not None
    assert approvers_needed(proposal, today) == 2


def test_no_dossier_claims_how_many_it_takes_or_who_agreed() -> None:
    """Both are said by the rule, whatever the command brings."""
    hub = a_team()
    claims = {"approvers_needed": 1, "approvers": ["ana", "ben"]}
    entered(hub.propose(MIDDLE, actor=NIGHT, approvers=2, dossier=claims))
    first = entered(hub.approve(MIDDLE, actor="ben", dossier=None))
    assert first.kind is EntryKind.FIRST_APPROVED
    assert approvers_of(first) == ("ben",)


@pytest.mark.parametrize("count", [0, 3])
def test_it_takes_one_or_two(count: int) -> None:
    with pytest.raises(ValueError, match="1 or 2 approvers"):
        Propose(case_type="ato", policy=a_policy(), actor="ana", base_version=0,
                evidence_digest=EVIDENCE, approvers=count)  # fmt: skip
