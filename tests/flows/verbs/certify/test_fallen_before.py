"""A boundary that the guard refuted is not proposed again on what proved it before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from flows.verbs.certify.certify import certify_case_type
from flows.verbs.certify.fallen_before import fell_before
from flows.verbs.certify.generation import current_generation, last_version
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.propose import act_on
from flows.verbs.govern.submit import submitted
from flows.verbs.services import Services
from models.hub import EntryKind, Narrow, RestartEvidence, TripGuardrail, open_proposals
from models.hub.rules.people import GUARDRAIL, NIGHT
from models.vocabulary import Boundary, CertificateVerdict
from tests.flows.verbs.certified_desk import Certified, certified_desk
from tests.flows.verbs.hub_desk import DAY, NAME, decided_cases

HELD = "The guard refuted the"


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    return certified_desk(tmp_path)


def fall(certified: Certified, left: Boundary) -> None:
    """The guard refutes the live boundary, and narrows it to what it leaves."""
    services, live, at = certified.services, certified.live, certified.now
    dossier = {
        "verdict": "incumbent_uncertified",
        "pass_at_or_below": left.pass_at_or_below,
        "block_at_or_above": left.block_at_or_above,
    }
    trip = TripGuardrail(
        case_type=NAME,
        policy_id=live.policy_id,
        actor=GUARDRAIL,
        base_version=last_version(services.ledger, NAME),
        evidence_digest="0" * 64,
        dossier=dossier,
    )
    assert submitted(services.ledger, trip, at).kind is EntryKind.GUARDRAIL_TRIPPED
    narrow = Narrow(
        case_type=NAME,
        incumbent=live,
        narrowed=replace(live, boundary=left),
        actor=GUARDRAIL,
        base_version=last_version(services.ledger, NAME),
        dossier=dossier,
    )
    assert submitted(services.ledger, narrow, at).kind is EntryKind.NARROWED


def night(services: Services, days: float, since: Certified) -> tuple[str, bool]:
    """(the certificate's first reason, whether a boundary was proposed)."""
    at = since.now + days * DAY
    judged = certify_case_type(services, load_snapshot(services, at), NAME)
    proposed = act_on(services, judged, at)
    assert (proposed is not None) == (judged.certificate.verdict is CertificateVerdict.CERTIFIED)
    return judged.certificate.reasons[0], proposed is not None


def more_cases(certified: Certified, count: int = 3_000) -> None:
    live = certified.services.ledger.live_policy(NAME)
    assert live is not None
    decided_cases(
        certified.services, live, certified.now + timedelta(hours=1), count, 0.0, seed=9, keyed=True
    )


def test_what_was_proven_before_the_fall_is_held_and_a_later_look_lets_it_go_on(
    certified: Certified,
) -> None:
    """Recall: a look that reaches so far with the cases since is a proof of its own."""
    fall(certified, Boundary(None, certified.live.boundary.block_at_or_above))
    reason, proposed = night(certified.services, 1, certified)
    assert f"{HELD} pass side of {certified.live.policy_id[:12]}" in reason
    assert not proposed
    more_cases(certified)
    reason, proposed = night(certified.services, 12, certified)
    assert proposed, reason
    asked = open_proposals(certified.services.ledger.history(), NAME)[-1].dossier
    looks = certified.services.ledger.history(NAME)[-2].dossier["sequence"]["looks"]
    assert asked["pass_at_or_below"] == max(cut for _, _, cut, _ in looks[1:])


def test_a_refuted_block_side_waits_for_evidence_that_begins_after_the_fall(
    certified: Certified,
) -> None:
    """Its steps stay proven once they are, so later cases do not prove them by themselves."""
    services = certified.services
    fall(certified, Boundary(certified.live.boundary.pass_at_or_below, None))
    more_cases(certified)
    reason, proposed = night(services, 12, certified)
    assert f"{HELD} block side" in reason
    assert not proposed
    restart = RestartEvidence(
        case_type=NAME,
        actor=NIGHT,
        base_version=last_version(services.ledger, NAME),
        evidence_since=certified.now,
        dossier={"why": "the law moved"},
    )
    submitted(services.ledger, restart, certified.now + 12 * DAY)
    reason, proposed = night(services, 13, certified)
    assert HELD not in reason


def test_a_narrower_boundary_is_not_held_up(certified: Certified) -> None:
    """What fell decided more: nothing was found against the cut that is proven now."""
    fall(certified, Boundary(None, certified.live.boundary.block_at_or_above))
    generation = current_generation(certified.services.ledger, certified.services.case_types, NAME)
    assert generation is not None
    assert (
        fell_before(
            certified.services.ledger,
            certified.services.case_types,
            generation,
            certified.live.boundary,
        )
        is not None
    )
    assert (
        fell_before(
            certified.services.ledger,
            certified.services.case_types,
            generation,
            Boundary(0.2, None),
        )
        is None
    )
