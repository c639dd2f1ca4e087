"""Which commands may happen after which history, and which rule refuses the others?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hub import (
    Approve,
    AuditPlan,
    Entry,
    EntryKind,
    Narrow,
    Policy,
    Promote,
    Propose,
    Refusal,
    Refuse,
    RestartEvidence,
    RollBack,
    StartGeneration,
    TakeLook,
    decide,
    dossier_digest,
    last_look,
    live_policy_id,
    looks_taken,
    open_proposals,
    previous_policy_id,
    proposal_of,
)
from models.vocabulary import Boundary

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVIDENCE = "e" * 64


def a_policy(low=0.1, high=0.9, **changes):
    boundary = Boundary(low, high)
    return Policy("ato", "risk", "1", "a" * 64, AuditPlan(0.05), boundary=boundary, **changes)


WIDE, MIDDLE, THIN = a_policy(0.3, 0.7), a_policy(0.2, 0.8), a_policy(0.1, 0.9)


class Desk:
    """A history in memory: each call asks for one command against the latest version."""

    def __init__(self):
        self.history = []

    def ask(self, command_type, *, actor="ana", base_version=None, case_type="ato", **said):
        mine = [entry for entry in self.history if entry.case_type == case_type]
        base = len(mine) if base_version is None else base_version
        command = command_type(case_type=case_type, actor=actor, base_version=base, **said)
        answer = decide(self.history, command, NOW + timedelta(hours=len(self.history)))
        if isinstance(answer, Entry):
            self.history.append(answer)
        return answer

    def propose(self, policy, evidence=EVIDENCE, **said):
        return self.ask(Propose, policy=policy, evidence_digest=evidence, **said)

    def approve(self, policy, evidence=EVIDENCE, actor="ben"):
        proposal = proposal_of(self.history, "ato", policy.policy_id)
        return self.ask(
            Approve,
            proposal_policy_id=policy.policy_id,
            evidence_digest=evidence,
            dossier_digest=dossier_digest(proposal) if proposal else "",
            actor=actor,
        )

    def promote(self, policy, **said):
        return self.ask(Promote, policy_id=policy.policy_id, **said)

    def make_live(self, policy):
        self.propose(policy)
        self.approve(policy)
        answer = self.promote(policy)
        assert isinstance(answer, Entry), answer

    def live(self):
        return live_policy_id(self.history, "ato")


def rule(answer):
    assert isinstance(answer, Refusal), answer
    assert answer.reason
    return answer.rule


def test_a_policy_goes_live_by_proposal_approval_and_promotion():
    """Two people and three entries; the promotion carries the approved evidence."""
    desk = Desk()
    assert desk.live() is None
    desk.make_live(THIN)
    kinds = [entry.kind for entry in desk.history]
    assert kinds == [EntryKind.PROPOSED, EntryKind.APPROVED, EntryKind.PROMOTED]
    assert desk.live() == THIN.policy_id
    assert desk.history[-1].evidence_digest == EVIDENCE


def test_the_chain_runs_over_all_case_types_and_versions_over_one():
    """Places count the ledger, versions count the case type."""
    desk = Desk()
    desk.propose(THIN)
    desk.propose(replace(THIN, case_type="kyc_audit"), case_type="kyc_audit")
    desk.propose(WIDE)
    said = [(entry.seq, entry.case_type, entry.version) for entry in desk.history]
    assert said == [(1, "ato", 1), (2, "kyc_audit", 1), (3, "ato", 2)]
    assert [entry.previous_hash for entry in desk.history[1:]] == [
        entry.own_hash for entry in desk.history[:-1]
    ]


def test_stale_base():
    """A command made against an older (or imagined) version is refused."""
    desk = Desk()
    desk.propose(THIN)
    assert rule(desk.propose(WIDE, base_version=0)) == "stale_base"
    assert rule(desk.propose(WIDE, base_version=2)) == "stale_base"


@pytest.mark.parametrize("name", ["ana", " Ana "])
def test_proposer_is_not_approver(name):
    """Nor under another spelling of the same name."""
    desk = Desk()
    desk.propose(THIN)
    assert rule(desk.approve(THIN, actor=name)) == "proposer_is_not_approver"


def test_approval_binds_to_evidence():
    """An approval of other evidence does not count for this proposal."""
    desk = Desk()
    desk.propose(THIN)
    assert rule(desk.approve(THIN, evidence="f" * 64)) == "approval_binds_to_evidence"


def test_nothing_to_approve():
    """Not proposed, judged already, or proposed against a policy that is no longer live."""
    desk = Desk()
    assert rule(desk.approve(THIN)) == "nothing_to_approve"
    desk.make_live(THIN)
    assert rule(desk.approve(THIN)) == "nothing_to_approve"
    desk.propose(MIDDLE)
    desk.propose(WIDE)
    desk.approve(MIDDLE)
    desk.promote(MIDDLE)
    assert rule(desk.approve(WIDE)) == "nothing_to_approve"
    assert open_proposals(desk.history, "ato") == ()


def test_promote_needs_approval():
    """Proposed is not approved, refused is not approved, and a withdrawn approval is none."""
    desk = Desk()
    assert rule(desk.promote(THIN)) == "promote_needs_approval"
    desk.propose(THIN)
    assert rule(desk.promote(THIN)) == "promote_needs_approval"
    desk.approve(THIN)
    desk.ask(Refuse, proposal_policy_id=THIN.policy_id, actor="cai")
    assert rule(desk.promote(THIN)) == "promote_needs_approval"


def test_an_approval_does_not_outlive_a_change_of_the_live_policy():
    """What was approved against one incumbent must be argued again against the next."""
    desk = Desk()
    desk.make_live(MIDDLE)
    desk.propose(WIDE)
    desk.approve(WIDE)
    desk.ask(Narrow, incumbent=MIDDLE, narrowed=THIN, actor="guardrail")
    assert rule(desk.promote(WIDE)) == "promote_needs_approval"


def test_already_live():
    """The live policy is neither proposed nor promoted again."""
    desk = Desk()
    desk.make_live(THIN)
    assert rule(desk.propose(THIN)) == "already_live"
    assert rule(desk.promote(THIN)) == "already_live"


def test_already_proposed():
    """The same night run twice files one proposal; new evidence makes a new one."""
    desk = Desk()
    desk.propose(THIN)
    assert rule(desk.propose(THIN)) == "already_proposed"
    assert isinstance(desk.propose(THIN, evidence="f" * 64), Entry)


def test_rolling_back_returns_to_the_policy_promoted_before():
    """Step by step to the first one, and no further."""
    desk = Desk()
    for policy in (THIN, MIDDLE, WIDE):
        desk.make_live(policy)
    assert previous_policy_id(desk.history, "ato") == MIDDLE.policy_id
    assert desk.ask(RollBack).policy_id == MIDDLE.policy_id
    assert desk.ask(RollBack).policy_id == THIN.policy_id
    assert rule(desk.ask(RollBack)) == "nothing_to_roll_back_to"
    assert desk.live() == THIN.policy_id


def test_a_rollback_does_not_undo_a_narrowing():
    """The narrowed policy stands in its incumbent's place: back is one before, not wider again."""
    desk = Desk()
    desk.make_live(THIN)
    desk.make_live(WIDE)
    desk.ask(Narrow, incumbent=WIDE, narrowed=MIDDLE, actor="guardrail")
    assert desk.live() == MIDDLE.policy_id
    assert desk.ask(RollBack).policy_id == THIN.policy_id


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
    desk = Desk()
    desk.make_live(MIDDLE)
    said = desk.ask(Narrow, incumbent=MIDDLE, narrowed=narrowed, actor="guardrail")
    assert rule(said) == "narrow_only_narrows"


def test_narrowing_cannot_prolong_a_certificate():
    """A later expiry needs evidence, unless nothing is automated any more."""
    desk, until = Desk(), NOW + timedelta(days=30)
    live = replace(MIDDLE, valid_until=until)
    desk.make_live(live)
    later = replace(THIN, valid_until=until + timedelta(days=1))
    assert rule(desk.ask(Narrow, incumbent=live, narrowed=later)) == "narrow_only_narrows"
    nothing = replace(live, boundary=Boundary.everything_reviewed(), valid_until=None)
    assert isinstance(desk.ask(Narrow, incumbent=live, narrowed=nothing), Entry)


def test_only_the_live_policy_is_narrowed():
    """A narrowing of anything else, or of nothing, is refused."""
    desk = Desk()
    assert rule(desk.ask(Narrow, incumbent=WIDE, narrowed=THIN)) == "nothing_to_narrow"
    desk.make_live(MIDDLE)
    assert rule(desk.ask(Narrow, incumbent=WIDE, narrowed=THIN)) == "nothing_to_narrow"


def test_looks_count_from_the_last_change_of_model():
    """Each look has its number in turn; a new generation starts at one."""
    desk = Desk()

    def look(index, sample=100.0):
        return desk.ask(
            TakeLook,
            evidence_digest=EVIDENCE,
            look_index=index,
            delta_spent=0.03,
            effective_sample=sample,
        )

    look(1)
    look(2, 130.0)
    assert rule(look(2)) == "look_in_turn"
    assert looks_taken(desk.history, "ato") == 2
    assert last_look(desk.history, "ato").dossier["effective_sample"] == 130.0
    desk.ask(StartGeneration, model_digest="a" * 64)
    assert (looks_taken(desk.history, "ato"), last_look(desk.history, "ato")) == (0, None)
    assert isinstance(look(1), Entry)
    assert looks_taken(desk.history, "kyc_audit") == 0


@given(st.lists(st.tuples(st.sampled_from("parbn"), st.integers(0, 2), st.integers(0, 2))))
def test_whatever_is_asked_nothing_goes_live_without_two_people(asked):
    """Random commands by three people: every promotion has a proposer and another approver."""
    desk, policies, people = Desk(), [THIN, MIDDLE, WIDE], ["ana", "ben", "cai"]
    for letter, which, who in asked:
        policy, actor = policies[which], people[who]
        if letter == "p":
            desk.propose(policy, actor=actor)
        elif letter == "a":
            desk.approve(policy, actor=actor)
        elif letter == "r":
            desk.promote(policy, actor=actor)
        elif letter == "b":
            desk.ask(RollBack, actor=actor)
        else:
            desk.ask(Narrow, incumbent=policy, narrowed=policies[max(which - 1, 0)], actor=actor)
    assert all(entry.is_intact for entry in desk.history)
    for at, entry in enumerate(desk.history):
        if entry.kind is EntryKind.PROMOTED:
            before = [old for old in desk.history[:at] if old.policy_id == entry.policy_id]
            approval = next(old for old in reversed(before) if old.kind is EntryKind.APPROVED)
            proposals = [old for old in before if old.kind is EntryKind.PROPOSED]
            assert proposals[-1].seq < approval.seq
            assert proposals[-1].actor != approval.actor


def test_evidence_restarts_only_later_and_afresh_for_another_model():
    """Looks stay spent across a restart; a new model's evidence may begin before an old restart."""
    desk = Desk()
    later, sooner = NOW + timedelta(days=9), NOW + timedelta(days=8)

    def restart(since, **said):
        return desk.ask(RestartEvidence, evidence_since=since, **said)

    desk.ask(
        TakeLook, evidence_digest=EVIDENCE, look_index=1, delta_spent=0.03, effective_sample=10.0
    )
    assert restart(later, dossier={"why": "moved"}).dossier == {
        "why": "moved", "evidence_since": "2026-01-10T00:00:00.000000+00:00",
    }  # fmt: skip
    assert looks_taken(desk.history, "ato") == 1
    assert rule(restart(later)) == rule(restart(sooner)) == "restart_moves_on"
    assert isinstance(restart(sooner, case_type="kyc_audit"), Entry)
    desk.ask(StartGeneration, model_digest="a" * 64)
    assert restart(sooner).kind is EntryKind.EVIDENCE_RESTARTED
