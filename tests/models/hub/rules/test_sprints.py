"""More audits of the live policy for a time: nothing else changes, and a second person agrees."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from models.hub import (
    EntryKind,
    Policy,
    ProposeSprint,
    RefusalRule,
    live_policy_id,
    previous_policy_id,
    why_wider,
)
from models.hub.policies.deciding import rule_of
from models.hub.policies.exported import exported_policy
from models.hub.record.provenance import provenance
from models.hub.rules.sprints import sprint_of
from models.vocabulary import Costs
from tests.hub import EVIDENCE, MIDDLE, NOW, THIN, TRIED, WIDE, Hub, a_team, entered, rule

UNTIL = NOW + timedelta(days=30)
SPRINT = sprint_of(MIDDLE, 0.5, UNTIL)


def ask_sprint(
    hub: Hub, sprint: Policy = SPRINT, live: Policy = MIDDLE, actor: str = "ana", **said
):
    told = {"live": live, "sprint": sprint, "evidence_digest": EVIDENCE, **said}
    return hub.ask(ProposeSprint, actor=actor, **told)


def a_live_hub() -> Hub:
    """THIN was live, and MIDDLE is."""
    hub = Hub()
    hub.make_live(THIN)
    hub.make_live(MIDDLE)
    return hub


def sprinting_hub() -> Hub:
    hub = a_live_hub()
    entered(ask_sprint(hub))
    entered(hub.approve(SPRINT))
    entered(hub.promote(SPRINT))
    return hub


def test_a_sprint_goes_the_road_of_any_proposal():
    """Proposed, approved by somebody else, promoted; the dossier says rate and end."""
    hub = a_live_hub()
    proposed = entered(ask_sprint(hub))
    assert proposed.kind is EntryKind.PROPOSED
    assert proposed.dossier["sprint"] == {
        "rate": 0.5,
        "until": "2026-01-31T00:00:00.000000+00:00",
        "in_place_of": MIDDLE.policy_id,
    }
    assert rule(hub.approve(SPRINT, actor="ana")) is RefusalRule.PROPOSER_IS_NOT_APPROVER
    assert rule(hub.promote(SPRINT)) is RefusalRule.PROMOTE_NEEDS_APPROVAL
    entered(hub.approve(SPRINT))
    entered(hub.promote(SPRINT))
    assert hub.live() == SPRINT.policy_id


def test_a_sprint_takes_its_policys_place_so_that_a_rollback_leaves_the_boundary():
    """The guard that leaves a refuted boundary must not land on the same one without its sprint."""
    hub = sprinting_hub()
    assert previous_policy_id(hub.history, "ato") == THIN.policy_id
    entered(hub.trip(SPRINT))
    back = entered(hub.roll_back(actor="guardrail"))  # fewer audits, and still no widening
    assert back.policy_id == THIN.policy_id


def test_a_sprint_restarts_no_evidence():
    """What is proven later may rest on cases from before the sprint, though its promotion came between."""
    hub = Hub()
    entered(hub.start_generation(trained_before=NOW))
    since, until = NOW + timedelta(days=1), NOW + timedelta(days=2)
    hub.now = NOW + timedelta(days=3)
    hub.make_live(MIDDLE, evidence_since=since, evidence_until=until)
    entered(ask_sprint(hub, dossier={"evidence_until": UNTIL.isoformat()}))
    entered(hub.approve(SPRINT))
    promoted = entered(hub.promote(SPRINT))
    assert "evidence_until" not in promoted.dossier
    said = {"evidence_since": until, "evidence_until": hub.now}
    assert entered(hub.propose(WIDE, evidence="f" * 64, **said)).kind is EntryKind.PROPOSED


@pytest.mark.parametrize(
    "changed",
    [
        replace(SPRINT, boundary=WIDE.boundary),
        replace(SPRINT, boundary=THIN.boundary),
        replace(SPRINT, model_digest="b" * 64),
        replace(SPRINT, calibration={"slope": 2.0}),
        replace(SPRINT, valid_until=UNTIL),
        replace(SPRINT, audit=replace(SPRINT.audit, rate=0.01)),
        replace(SPRINT, ab_plan=TRIED.ab_plan),
        MIDDLE,
    ],
)
def test_a_sprint_changes_nothing_but_the_audits_of_a_time(changed: Policy):
    assert rule(ask_sprint(a_live_hub(), changed)) is RefusalRule.SPRINT_ONLY_RAISES


def test_only_the_live_policy_sprints():
    assert rule(ask_sprint(Hub())) is RefusalRule.NOTHING_TO_SPRINT
    hub = a_live_hub()
    other = sprint_of(THIN, 0.5, UNTIL)
    assert rule(ask_sprint(hub, other, live=THIN)) is RefusalRule.NOTHING_TO_SPRINT
    reviewed = Policy.review_everything("ato", 0.05)
    hub.make_live(reviewed)
    sprint = sprint_of(reviewed, 0.5, UNTIL)
    assert rule(ask_sprint(hub, sprint, live=reviewed)) is RefusalRule.NOTHING_TO_SPRINT


def test_nobody_asks_for_a_sprint_while_a_halt_reviews_everything():
    """No decision is automatic then, so its days would pass without an audit."""
    hub = a_live_hub()
    entered(hub.halt())
    assert rule(ask_sprint(hub)) is RefusalRule.NOTHING_TO_SPRINT
    entered(hub.resume("ana"))
    entered(hub.resume("ben"))
    entered(ask_sprint(hub))


def test_a_sprint_names_the_evidence_of_its_price():
    assert rule(ask_sprint(a_live_hub(), evidence_digest="")) is RefusalRule.EVIDENCE_IS_NAMED


def test_a_sprint_that_is_over_is_neither_asked_for_nor_approved_nor_promoted():
    hub = a_live_hub()
    over = sprint_of(MIDDLE, 0.5, hub.now)
    assert rule(ask_sprint(hub, over)) is RefusalRule.SPRINT_ENDS_LATER
    entered(ask_sprint(hub))
    hub.now = UNTIL
    assert rule(hub.approve(SPRINT)) is RefusalRule.SPRINT_ENDS_LATER
    hub.now = UNTIL - timedelta(days=1)
    entered(hub.approve(SPRINT))
    hub.now = UNTIL
    assert rule(hub.promote(SPRINT)) is RefusalRule.SPRINT_ENDS_LATER


def test_a_sprint_is_asked_for_once():
    hub = a_live_hub()
    entered(ask_sprint(hub))
    assert rule(ask_sprint(hub)) is RefusalRule.ALREADY_PROPOSED
    entered(hub.approve(SPRINT))
    assert rule(ask_sprint(hub)) is RefusalRule.ALREADY_PROPOSED


def test_no_sprint_ends_a_running_trial():
    hub = a_live_hub()
    entered(hub.propose(TRIED))
    entered(hub.approve(TRIED))
    entered(hub.start_ab())
    assert rule(ask_sprint(hub)) is RefusalRule.ONE_AB_AT_A_TIME


def test_another_sprint_takes_the_place_of_the_first():
    """A longer one, or a shorter one: the rates after it are those of always."""
    hub = sprinting_hub()
    longer = sprint_of(SPRINT, 0.8, UNTIL + timedelta(days=9))
    entered(ask_sprint(hub, longer, live=SPRINT))
    entered(hub.approve(longer))
    entered(hub.promote(longer))
    assert live_policy_id(hub.history, "ato") == longer.policy_id
    assert previous_policy_id(hub.history, "ato") == THIN.policy_id


def test_nobody_says_in_a_dossier_that_a_promotion_is_a_sprint():
    """The hub alone says so: else a widening would take the place of what it widened."""
    hub = a_live_hub()
    entered(hub.propose(WIDE, dossier={"sprint": {"until": UNTIL.isoformat()}}))
    entered(hub.approve(WIDE))
    promoted = entered(hub.promote(WIDE, dossier={"sprint": {"in_place_of": "x"}}))
    assert "sprint" not in promoted.dossier
    assert previous_policy_id(hub.history, "ato") == MIDDLE.policy_id


@pytest.mark.parametrize(("name", "may"), [("ana", True), ("cai", True), ("dee", False)])
def test_who_proposes_approves_or_operates_may_ask_for_a_sprint(name: str, may: bool):
    hub = a_team()
    entered(hub.propose(MIDDLE))
    entered(hub.approve(MIDDLE))
    entered(hub.promote(MIDDLE))
    said = ask_sprint(hub, actor=name)
    assert (entered(said).actor == name) if may else rule(said) is RefusalRule.ROLE_PERMITS


def test_a_case_is_audited_at_the_rate_in_force_when_it_is_decided():
    """Until the end at the sprint's, from then on at the policy's own; what is decided is the same."""
    decided_at = pd.Series([UNTIL - timedelta(seconds=1), UNTIL]).astype("datetime64[us, UTC]")
    scores = np.array([0.1, 0.1])
    for policy, rates in ((SPRINT, [0.5, 0.05]), (MIDDLE, [0.05, 0.05])):
        rule_ = rule_of(
            policy, scores, decided_at=decided_at, key="0" * 16, costs=Costs(), withheld=""
        )
        assert np.asarray(rule_.audit_rate).tolist() == rates
        assert rule_.boundary == MIDDLE.boundary


def test_a_sprint_is_no_widening_and_neither_is_its_end():
    assert why_wider(SPRINT, than=MIDDLE, at=NOW) == ()
    assert why_wider(MIDDLE, than=SPRINT, at=NOW) == ()


def test_who_stands_behind_a_boundary_in_a_sprint_is_who_approved_the_boundary():
    hub = a_live_hub()
    entered(ask_sprint(hub))
    entered(hub.approve(SPRINT, actor="cai"))
    entered(hub.promote(SPRINT))
    behind = provenance(hub.history, "ato", SPRINT.policy_id)
    assert behind.approved_by == ("ben",)
    assert behind.proposal is not None
    assert behind.proposal.policy_id == MIDDLE.policy_id
    assert behind.made_live is not None
    assert behind.made_live.policy_id == SPRINT.policy_id


def test_an_agent_elsewhere_is_told_of_a_sprint_and_of_none_where_there_is_none():
    told = exported_policy("ato", "external", SPRINT, False, NOW)
    assert told["audit"]["sprint_rate"] == 0.5
    assert told["audit"]["sprint_until"] == "2026-01-31T00:00:00.000000+00:00"
    assert "sprint_until" in told["how_to_audit"]
    plain = exported_policy("ato", "external", MIDDLE, False, NOW)
    assert "sprint" not in str(plain)
