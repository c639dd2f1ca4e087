"""A certificate is renewed: what else changes by it? Nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from models.hub import approval_of, open_proposals, previous_policy_id, running_ab
from models.hub.policies.policy import Overrides
from models.hub.policies.renewal import is_renewal
from tests.hub import MIDDLE, NOW, OTHER_EVIDENCE, THIN, TRIED, Hub, entered, open_ledger, rule

UNTIL = NOW + timedelta(days=30)
LIVE = replace(THIN, valid_until=UNTIL)
RENEWED = replace(LIVE, valid_until=UNTIL + timedelta(days=20))


@pytest.fixture(params=["in memory", "in a ledger"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Hub:
    """MIDDLE was live, LIVE is."""
    made = Hub(open_ledger(tmp_path) if request.param == "in a ledger" else None)
    made.make_live(MIDDLE)
    made.make_live(LIVE)
    return made


@pytest.mark.parametrize(
    ("changed", "renews"),
    [
        ({}, True),
        ({"valid_until": UNTIL}, False),
        ({"valid_until": UNTIL - timedelta(days=1)}, False),
        ({"valid_until": None}, False),
        ({"boundary": MIDDLE.boundary}, False),
        ({"model_version": "2"}, False),
        ({"overrides": Overrides(70)}, False),
        ({"ab_plan": TRIED.ab_plan}, False),  # it would be tried first
    ],
)
def test_a_renewal_differs_by_a_later_expiry_alone(changed: dict, renews: bool) -> None:
    assert is_renewal(replace(RENEWED, **changed), LIVE) is renews


def test_what_never_expires_is_not_renewed() -> None:
    assert not is_renewal(RENEWED, THIN)
    assert not is_renewal(RENEWED, None)


def test_what_went_live_by_its_test_is_renewed_without_one() -> None:
    """A plan is of the test that is over."""
    assert is_renewal(RENEWED, replace(LIVE, ab_plan=TRIED.ab_plan))


def test_a_renewal_ends_no_trial_no_approval_and_no_proposal(hub: Hub) -> None:
    """TRIED runs against LIVE, another policy waits, a third is approved."""
    waits, agreed = (replace(TRIED, boundary=MIDDLE.boundary, model_version=v) for v in "45")
    hub.propose(TRIED)
    hub.approve(TRIED)
    started = entered(hub.start_ab())
    hub.propose(waits)
    hub.propose(agreed)
    approval = entered(hub.approve(agreed))
    promoted = hub.make_live(RENEWED)
    assert promoted.dossier["renews"] == LIVE.policy_id
    assert hub.live() == RENEWED.policy_id
    assert running_ab(hub.history, "ato") == started
    assert [one.policy_id for one in open_proposals(hub.history, "ato")] == [waits.policy_id]
    assert approval_of(hub.history, "ato", agreed.policy_id) == approval
    entered(hub.conclude_ab())
    assert entered(hub.promote(TRIED)).policy_id == hub.live() == TRIED.policy_id


def test_another_policy_ends_them_as_ever(hub: Hub) -> None:
    hub.propose(TRIED)
    hub.approve(TRIED)
    hub.start_ab()
    promoted = hub.make_live(replace(RENEWED, boundary=MIDDLE.boundary))
    assert "renews" not in promoted.dossier
    assert running_ab(hub.history, "ato") is None


def test_a_renewal_is_promoted_once(hub: Hub) -> None:
    """Neither it nor another renewal of the same certificate waits any more, approved or not."""
    sooner, later = (replace(RENEWED, valid_until=UNTIL + timedelta(days=d)) for d in (10, 15))
    hub.propose(sooner)
    hub.propose(later)
    hub.approve(later)
    hub.make_live(RENEWED)
    assert open_proposals(hub.history, "ato") == ()
    assert approval_of(hub.history, "ato", RENEWED.policy_id) is None
    assert rule(hub.promote(later)) == "promote_needs_approval"
    assert rule(hub.promote(RENEWED)) == "already_live"


def test_a_rollback_leaves_a_renewed_boundary(hub: Hub) -> None:
    """To what was promoted before it, not to the same with less time."""
    hub.make_live(RENEWED)
    assert previous_policy_id(hub.history, "ato") == MIDDLE.policy_id


def test_a_renewal_needs_its_approval(hub: Hub) -> None:
    """A second person, and the evidence that they read."""
    hub.propose(RENEWED)
    assert rule(hub.promote(RENEWED)) == "promote_needs_approval"
    assert rule(hub.approve(RENEWED, evidence=OTHER_EVIDENCE)) == "approval_binds_to_evidence"
    assert rule(hub.approve(RENEWED, actor="ana")) == "proposer_is_not_approver"


@pytest.mark.parametrize("say", [lambda hub: hub.propose, lambda hub: hub.promote])
def test_a_dossier_cannot_call_itself_a_renewal(hub: Hub, say: Callable) -> None:
    """Only the two policies tell."""
    other = replace(MIDDLE, model_version="9")
    if say(hub) == hub.promote:
        hub.propose(other)
        hub.approve(other)
    entry = entered(say(hub)(other, dossier={"renews": LIVE.policy_id}))
    assert "renews" not in entry.dossier
