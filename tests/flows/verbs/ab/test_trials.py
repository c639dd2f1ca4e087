"""What comes after an A/B test that proved nothing?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flows.verbs.ab.trials import (
    ENDED_BY,
    HARM,
    REFUTED,
    contradicted,
    fresh_plan,
    next_step,
    next_steps,
)
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.approve import approve, refuse
from flows.verbs.govern.promote import promote
from flows.verbs.services import Services
from models.hub import ConcludeAb, Entry, TakeLook
from models.hub.record.readers import looks_taken
from models.hub.rules.people import NIGHT, VALIDATE_AB
from models.vocabulary import Boundary
from tests.flows.verbs.hub_desk import (
    A_PLAN,
    ANA,
    DAY,
    NAME,
    NARROW,
    NOW,
    OLA,
    WIDE,
    digest_of,
    filed,
    hub_desk,
    made_live,
    policy,
)

TRIED = policy(WIDE, ab_plan=A_PLAN)
LATER = NOW + DAY


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """NARROW is live, TRIED is on trial."""
    made = hub_desk(tmp_path, ab_plan=A_PLAN)
    made_live(made, policy(NARROW), NOW)
    proposal = filed(made, TRIED)
    approve(made, proposal, ANA, NOW)
    promote(made.ledger, made.registry, made.alerts, proposal, OLA, NOW)
    return made


def stopped(services: Services, by: str, reason: str = "The horizon of 14 days is over.") -> None:
    command = ConcludeAb(
        case_type=NAME,
        policy_id=TRIED.policy_id,
        verdict="stop",
        actor=VALIDATE_AB,
        base_version=last_version(services.ledger, NAME),
        evidence_digest="e" * 64,
        dossier={ENDED_BY: by, "reasons": [reason], REFUTED: ["recall"] if by == HARM else []},
    )
    assert isinstance(services.ledger.submit(command, LATER), Entry)


def a_look(services: Services, version: str = "1") -> None:
    command = TakeLook(
        case_type=NAME,
        actor=NIGHT,
        base_version=last_version(services.ledger, NAME),
        evidence_digest="e" * 64,
        look_index=looks_taken(services.ledger.history(), NAME) + 1,
        delta_spent=0.0,
        effective_sample=100.0,
        dossier={"model_digest": digest_of(version)},
    )
    assert isinstance(services.ledger.submit(command, LATER), Entry)


def test_every_test_has_a_salt_of_its_own(services: Services, tmp_path: Path) -> None:
    """The plan's before the first one; then numbered."""
    before = hub_desk(tmp_path / "other", ab_plan=A_PLAN)
    assert fresh_plan(before.ledger, before.case_types, NAME) == A_PLAN
    assert fresh_plan(services.ledger, services.case_types, NAME) == replace(A_PLAN, salt="ab-1.2")
    none = hub_desk(tmp_path / "none")
    assert fresh_plan(none.ledger, none.case_types, NAME) is None


def test_nothing_is_said_while_a_test_runs(services: Services) -> None:
    assert next_steps(services.ledger, services.case_types) == []


def test_the_end_the_proof_and_the_next_step_are_said(services: Services) -> None:
    stopped(services, "horizon")
    told = next_step(services.ledger, NAME)
    assert (
        f"the A/B test of {TRIED.policy_id[:12]} ended on {LATER:%Y-%m-%d} without a proof" in told
    )
    assert "(The horizon of 14 days is over)" in told
    assert "took no look, so what its boundary was proven by stands" in told
    assert told.endswith("a night proposes the boundary anew for a test of new cases, as long as its proof stands.")  # fmt: skip
    again = filed(
        services,
        replace(TRIED, ab_plan=fresh_plan(services.ledger, services.case_types, NAME)),
        LATER,
    )
    assert f"`ratchet approve {str(again.policy_id)[:12]}`" in next_step(services.ledger, NAME)
    assert next_steps(services.ledger, services.case_types) == [next_step(services.ledger, NAME)]


def test_a_withdrawn_approval_is_named(services: Services) -> None:
    (proposal,) = [e for e in services.ledger.history(NAME) if e.policy_id == TRIED.policy_id][:1]
    refuse(services.ledger, proposal, ANA, "second thoughts", LATER)
    assert "(ana withdrew its approval)" in next_step(services.ledger, NAME)


@pytest.mark.parametrize(
    ("boundary", "version", "held"),
    [
        (WIDE, "1", True),
        (Boundary(0.4, 0.6), "1", True),
        (Boundary(0.3, None), "1", True),  # what was refuted is about what it passes
        (Boundary(0.2, 0.6), "1", False),
        (Boundary(None, 0.7), "1", False),
        (NARROW, "1", False),
        (WIDE, "2", False),
    ],
)
def test_what_a_test_refuted_waits_for_a_later_look(
    services: Services, boundary: Boundary, version: str, held: bool
) -> None:
    """What passes as much or more, by the same model; a look of that model lets it go on."""
    stopped(services, HARM, "The new boundary is proven to break its promise of recall.")
    assert bool(contradicted(services.ledger, NAME, digest_of(version), boundary)) is held
    a_look(services, "2")
    assert bool(contradicted(services.ledger, NAME, digest_of(version), boundary)) is (
        held and version != "2"
    )
    a_look(services, "1")
    assert not contradicted(services.ledger, NAME, digest_of(version), boundary)


def test_a_refuted_boundary_says_what_it_waits_for(services: Services) -> None:
    stopped(services, HARM, "The new boundary is proven to break its promise of recall.")
    assert "Next: nothing for now. A boundary is proven on its cohort" in next_step(
        services.ledger, NAME
    )


@pytest.mark.parametrize("by", ["horizon", "split", "promise"])
def test_a_test_that_refuted_nothing_holds_nothing_up(services: Services, by: str) -> None:
    stopped(services, by)
    assert not contradicted(services.ledger, NAME, digest_of("1"), WIDE)
