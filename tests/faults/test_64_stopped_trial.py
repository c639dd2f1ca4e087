"""A stopped A/B test (horizon, broken split, halt): the standing proof is kept, no look was taken by it, the next step is named.

Injected: a test without a case until its horizon, one with every case in one arm, and a halt.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from flows.verbs.ab.trials import next_step
from flows.verbs.ab.validate_ab import validate_ab
from flows.verbs.decide.decide import AB_CASES
from flows.verbs.govern.approve import approve, find_approved
from flows.verbs.govern.brakes import halt, resume
from flows.verbs.govern.promote import promote
from models.hub import EntryKind, Policy, is_narrower, running_ab
from tests.faults.renewals import failed, looks, night, spent
from tests.flows.verbs.certified_desk import LATER, Certified, certified_desk
from tests.flows.verbs.hub_desk import A_PLAN, ANA, BEN, DAY, NAME, OLA, decided_cases, store

PLAN = replace(A_PLAN, precision_margin=0.1)
OVER = LATER + PLAN.horizon_days * DAY


@pytest.fixture
def trying(tmp_path: Path, database_url: str | None) -> Certified:
    """A wider boundary was proven, approved, and is on trial."""
    return certified_desk(tmp_path / "home", database=database_url, ab_plan=PLAN, audit_rate=0.5)


def tried(certified: Certified) -> Policy:
    trial = running_ab(certified.services.ledger.history(), NAME)
    assert trial is not None
    return certified.services.ledger.policy(str(trial.policy_id))


def begins_again(certified: Certified, before: Policy) -> None:
    """The night after proposes the same boundary for a test of another split; a person approves it."""
    services, at = certified.services, OVER + timedelta(hours=1)
    entries, results = night(services, at)
    assert failed(results) == []
    (proposal,) = [entry for entry in entries if entry.kind is EntryKind.PROPOSED]
    again = services.ledger.policy(str(proposal.policy_id))
    assert not is_narrower(again.boundary, than=before.boundary)  # a later look may prove more
    assert again.ab_plan == replace(PLAN, salt="ab-1.2")
    assert proposal.dossier["ab_days"]["horizon_days"] == PLAN.horizon_days
    assert f"ratchet approve {again.policy_id[:12]}" in next_step(services.ledger, NAME)
    approve(services, proposal, BEN, at)
    assert (
        promote(services.ledger, services.registry, services.alerts, proposal, BEN, at).kind
        is EntryKind.AB_STARTED
    )
    assert next_step(services.ledger, NAME) == ""


def test_at_the_horizon(trying: Certified) -> None:
    """Nothing came, so nothing is proven: the looks stand, and the next test may begin."""
    services, before = trying.services, tried(trying)
    taken, paid = looks(services), spent(services)
    (told,) = validate_ab(services, OVER)
    assert told["verdict"] == "stop"
    assert "a night proposes the boundary anew" in told["next"]
    assert "took no look" in told["next"]
    (alert,) = services.alerts.recent(1)
    assert told["next"] in alert["sentence"]
    begins_again(trying, before)
    assert (looks(services), spent(services)) == (taken, paid)


def test_by_a_broken_split(trying: Certified) -> None:
    """400 cases, all in one arm."""
    services, before = trying.services, tried(trying)
    taken, paid = looks(services), spent(services)
    cases = decided_cases(
        services, trying.live, LATER + DAY, 400, bad_passed=0.0, seed=3, keyed=True
    )
    low, high = before.boundary.pass_at_or_below, before.boundary.block_at_or_above
    assert low is not None
    assert high is not None
    score = cases["score"].to_numpy()
    action = np.where(score <= low, "auto_pass", np.where(score >= high, "auto_block", "escalate"))
    rows = cases[["case_id", "case_type", "opened_at", "decided_at", "arm"]].assign(
        control_action=cases["action"], treatment_action=action, policy_id=before.policy_id
    )
    store(services, AB_CASES, rows, ["case_id"], LATER + DAY)
    (told,) = validate_ab(services, LATER + 3 * DAY)
    assert (told["verdict"], told["arms"]) == ("stop", {"control": 400, "treatment": 0})
    assert "find out which cases were lost" in told["next"]
    assert (looks(services), spent(services)) == (taken, paid)
    begins_again(trying, before)
    assert spent(services) == paid


def test_by_a_halt(trying: Certified) -> None:
    """Its approval stands, so it goes on by one command once two people have ended the halt."""
    services, before = trying.services, tried(trying)
    taken = looks(services)
    halt(services.ledger, services.case_types, NAME, OLA, "a burst", LATER + DAY)
    assert "ratchet resume" in next_step(services.ledger, NAME)
    resume(services.ledger, services.case_types, NAME, OLA, "over", LATER + 2 * DAY)
    resume(services.ledger, services.case_types, NAME, ANA, "seen", LATER + 2 * DAY)
    assert f"ratchet promote {before.policy_id[:12]}" in next_step(services.ledger, NAME)
    entries, _ = night(services, LATER + 2 * DAY)
    assert entries == []  # it is approved; nothing is proposed beside it
    approved = find_approved(services.ledger, services.case_types, before.policy_id)
    assert (
        promote(
            services.ledger, services.registry, services.alerts, approved, OLA, LATER + 3 * DAY
        ).kind
        is EntryKind.AB_STARTED
    )
    assert looks(services) == taken


def test_a_night_beside_a_running_test_proposes_no_second_one(trying: Certified) -> None:
    entries, _ = night(trying.services, LATER + 2 * DAY)
    assert entries == []
    assert next_step(trying.services.ledger, NAME) == ""
