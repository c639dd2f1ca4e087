"""When may a policy be proposed, approved, promoted, narrowed or rolled back?"""

from dataclasses import replace
from datetime import timedelta

import pytest

from models.hub import (
    AuditPlan,
    Entry,
    EntryKind,
    Narrow,
    Promote,
    Propose,
    dossier_digest,
    open_proposals,
    previous_policy_id,
)
from models.vocabulary import Boundary
from tests.hub import (
    EVIDENCE,
    MIDDLE,
    NOW,
    OTHER_EVIDENCE,
    THIN,
    WIDE,
    Hub,
    a_policy,
    entered,
    rule,
)


def test_a_policy_goes_live_by_proposal_approval_and_promotion():
    """Two people and three entries; the promotion carries the approved evidence."""
    hub = Hub()
    assert hub.live() is None
    hub.make_live(THIN)
    kinds = [entry.kind for entry in hub.history]
    assert kinds == [EntryKind.PROPOSED, EntryKind.APPROVED, EntryKind.PROMOTED]
    assert hub.live() == THIN.policy_id
    assert hub.history[-1].evidence_digest == EVIDENCE


@pytest.mark.parametrize("name", ["ana", " Ana "])
def test_proposer_is_not_approver(name):
    """Nor under another spelling of the same name."""
    hub = Hub()
    hub.propose(THIN)
    assert rule(hub.approve(THIN, actor=name)) == "proposer_is_not_approver"


def test_approval_binds_to_evidence():
    """An approval of other evidence does not count for this proposal."""
    hub = Hub()
    hub.propose(THIN)
    assert rule(hub.approve(THIN, evidence="f" * 64)) == "approval_binds_to_evidence"


def test_nothing_to_approve():
    """Not proposed, judged already, or proposed against a policy that is no longer live."""
    hub = Hub()
    assert rule(hub.approve(THIN)) == "nothing_to_approve"
    hub.make_live(THIN)
    assert rule(hub.approve(THIN)) == "nothing_to_approve"
    hub.propose(MIDDLE)
    hub.propose(WIDE)
    hub.approve(MIDDLE)
    hub.promote(MIDDLE)
    assert rule(hub.approve(WIDE)) == "nothing_to_approve"
    assert open_proposals(hub.history, "ato") == ()


def test_promote_needs_approval():
    """Proposed is not approved, refused is not approved, and a withdrawn approval is none."""
    hub = Hub()
    assert rule(hub.promote(THIN)) == "promote_needs_approval"
    hub.propose(THIN)
    assert rule(hub.promote(THIN)) == "promote_needs_approval"
    hub.approve(THIN)
    hub.refuse(THIN)
    assert rule(hub.promote(THIN)) == "promote_needs_approval"


def test_an_approval_does_not_outlive_a_change_of_the_live_policy():
    """What was approved against one incumbent must be argued again against the next."""
    hub = Hub()
    hub.make_live(MIDDLE)
    hub.propose(WIDE)
    hub.approve(WIDE)
    hub.ask(Narrow, incumbent=MIDDLE, narrowed=THIN, actor="guardrail")
    assert rule(hub.promote(WIDE)) == "promote_needs_approval"


def test_already_live():
    """The live policy is neither proposed nor promoted again."""
    hub = Hub()
    hub.make_live(THIN)
    assert rule(hub.propose(THIN)) == "already_live"
    assert rule(hub.promote(THIN)) == "already_live"


def test_already_proposed():
    """The same night run twice files one proposal; new evidence makes a new one."""
    hub = Hub()
    hub.propose(THIN)
    assert rule(hub.propose(THIN)) == "already_proposed"
    assert isinstance(hub.propose(THIN, evidence="f" * 64), Entry)


def test_rolling_back_returns_to_the_policy_promoted_before():
    """Step by step to the first one, and no further."""
    hub = Hub()
    for policy in (THIN, MIDDLE, WIDE):
        hub.make_live(policy)
    assert previous_policy_id(hub.history, "ato") == MIDDLE.policy_id
    assert hub.roll_back().policy_id == MIDDLE.policy_id
    assert hub.roll_back().policy_id == THIN.policy_id
    assert rule(hub.roll_back()) == "nothing_to_roll_back_to"
    assert hub.live() == THIN.policy_id


def test_a_rollback_does_not_undo_a_narrowing():
    """The narrowed policy stands in its incumbent's place: back is one before, not wider again."""
    hub = Hub()
    hub.make_live(THIN)
    hub.make_live(WIDE)
    hub.ask(Narrow, incumbent=WIDE, narrowed=MIDDLE, actor="guardrail")
    assert hub.live() == MIDDLE.policy_id
    assert hub.roll_back().policy_id == THIN.policy_id


@pytest.mark.parametrize(
    "narrowed",
    [
        WIDE,
        MIDDLE,
        a_policy(0.1, 0.7),
        a_policy(0.21, 0.9),
        replace(THIN, audit=AuditPlan(0.01)),
        replace(THIN, model_digest="b" * 64),
    ],
    ids=["wider", "the same", "one side wider", "traded", "fewer audits", "another model"],
)
def test_narrow_only_narrows(narrowed):
    """The automatic command can do nothing that needs a person."""
    hub = Hub()
    hub.make_live(MIDDLE)
    said = hub.ask(Narrow, incumbent=MIDDLE, narrowed=narrowed, actor="guardrail")
    assert rule(said) == "narrow_only_narrows"


def test_narrowing_cannot_prolong_a_certificate():
    """A later expiry needs evidence, unless nothing is automated any more."""
    hub, until = Hub(), NOW + timedelta(days=30)
    live = replace(MIDDLE, valid_until=until)
    hub.make_live(live)
    later = replace(THIN, valid_until=until + timedelta(days=1))
    assert rule(hub.ask(Narrow, incumbent=live, narrowed=later)) == "narrow_only_narrows"
    nothing = replace(live, boundary=Boundary.everything_reviewed(), valid_until=None)
    assert isinstance(hub.ask(Narrow, incumbent=live, narrowed=nothing), Entry)


def test_only_the_live_policy_is_narrowed():
    """A narrowing of anything else, or of nothing, is refused."""
    hub = Hub()
    assert rule(hub.ask(Narrow, incumbent=WIDE, narrowed=THIN)) == "nothing_to_narrow"
    hub.make_live(MIDDLE)
    assert rule(hub.ask(Narrow, incumbent=WIDE, narrowed=THIN)) == "nothing_to_narrow"


def test_evidence_is_named():
    """A proposal rests on something, or is none."""
    assert rule(Hub().propose(THIN, evidence="")) == "evidence_is_named"


def test_a_policy_is_proposed_for_its_own_case_type():
    """A policy for one case type says nothing about another."""
    hub = Hub()
    assert rule(hub.propose(THIN, case_type="kyc_audit")) == "policy_is_known"


def test_a_dossier_says_the_policys_own_boundary():
    """Another one in the dossier, or none, never hides from the approver what would be live."""
    for told in ({}, {"pass_at_or_below": 0.01, "block_at_or_above": None}):
        said = entered(Hub().propose(WIDE, dossier=told)).dossier
        assert (said["pass_at_or_below"], said["block_at_or_above"]) == (0.3, 0.7)


def test_an_approval_binds_to_the_dossier_that_was_read():
    """Same policy, same evidence, another dossier: what was read is not what was filed."""
    hub = Hub()
    read = dossier_digest(entered(hub.propose(THIN, dossier={"recall": 0.99})))
    hub.refuse(THIN)
    hub.propose(THIN, dossier={"recall": 0.90})
    assert rule(hub.approve(THIN, dossier=read)) == "approval_binds_to_dossier"


def test_an_approval_keeps_what_was_seen():
    """The dossier stands in the approval itself, with its digest."""
    hub = Hub()
    proposal = entered(hub.propose(THIN, dossier={"recall": 0.99}))
    approval = entered(hub.approve(THIN))
    assert approval.dossier["seen"] == dict(proposal.dossier)
    assert approval.dossier["dossier_digest"] == dossier_digest(proposal)


def test_an_approval_is_not_replayed_on_a_later_proposal():
    """Withdrawn and proposed on new evidence, the old approval's words do not fit."""
    hub = Hub()
    hub.propose(THIN)
    hub.approve(THIN)
    hub.refuse(THIN)
    assert rule(hub.approve(THIN)) == "nothing_to_approve"
    hub.propose(THIN, evidence=OTHER_EVIDENCE)
    assert rule(hub.approve(THIN)) == "approval_binds_to_evidence"


def test_an_approval_is_not_replayed_after_a_rollback():
    """WIDE was approved and promoted once; rolled back, it must be argued for anew."""
    hub = Hub()
    hub.make_live(THIN)
    hub.make_live(WIDE)
    hub.roll_back()
    assert rule(hub.promote(WIDE)) == "promote_needs_approval"
    assert rule(hub.approve(WIDE)) == "nothing_to_approve"


def test_an_approved_policy_is_not_proposed_over_its_approval():
    """A second proposal would undo the first one's approval unasked."""
    hub = Hub()
    hub.propose(THIN)
    hub.approve(THIN)
    assert rule(hub.propose(THIN, evidence=OTHER_EVIDENCE)) == "already_proposed"
    assert hub.promote(THIN).kind == "promoted"


def test_a_rollback_that_names_what_it_leaves_is_carried_out_once():
    """Two people see the same bad policy; the second one's rollback would leave the good one."""
    hub = Hub()
    for policy in (THIN, MIDDLE, WIDE):
        hub.make_live(policy)
    assert hub.roll_back(leaving=WIDE.policy_id).policy_id == MIDDLE.policy_id
    again = hub.roll_back(leaving=WIDE.policy_id)
    assert rule(again) == "rollback_leaves_the_live_policy"
    assert hub.live() == MIDDLE.policy_id


@pytest.mark.parametrize("kind", [Propose, Promote])
def test_a_dossier_cannot_say_what_the_rules_believe(kind):
    """Until when evidence reaches is the proposal's word, not the dossier's."""
    hub, told = Hub(), {"evidence_until": "2020-01-01T00:00:00+00:00"}
    proposed = hub.propose(THIN, dossier=told if kind is Propose else {})
    hub.approve(THIN)
    promoted = hub.promote(THIN, dossier=told if kind is Promote else {})
    assert "evidence_until" not in proposed.dossier
    assert "evidence_until" not in promoted.dossier
