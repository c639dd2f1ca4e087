"""The auditor's question: which policy decided then, and who approved it?"""

from __future__ import annotations

import json

import pytest

from configs.errors import UserError
from flows.verbs.govern.approve import approve
from flows.verbs.govern.brakes import halt
from flows.verbs.govern.history import history_of
from flows.verbs.govern.promote import force, promote, roll_back
from flows.verbs.services import Services
from tests.flows.verbs.hub_desk import (
    A_PLAN,
    ANA,
    BEN,
    DAY,
    NAME,
    NARROW,
    NOW,
    OLA,
    OTHER,
    WIDE,
    filed,
    made_live,
    policy,
)


def live(services: Services, as_of=None, now=NOW + 30 * DAY, case_type=NAME):
    told = history_of(services.ledger, services.case_types, case_type, as_of, now)
    (standing,) = told["live"]
    return standing


def test_two_policies_ago_is_told_as_it_stood(services: Services) -> None:
    """Three promotions; asked for the first one's days, the later ones have not happened."""
    until = NOW + 2.5 * DAY
    first = policy(NARROW, valid_until=until)
    made_live(services, first, NOW, ANA)
    made_live(services, policy(WIDE), NOW + 3 * DAY, BEN)
    halt(services.ledger, services.case_types, NAME, OLA, "a test", NOW + 5 * DAY)

    then = live(services, NOW + DAY)
    assert (then["policy_id"], then["state"]) == (first.policy_id, "live")
    assert (then["approved_by"], then["approved_at"]) == ([ANA], NOW.isoformat())
    assert (then["proposed_by"], then["made_live"]) == ("nightly_calibration", "promoted")
    assert then["valid_until"] == until.isoformat()
    assert (then["previous_policy_id"], then["halted_by"]) == (None, None)
    assert live(services, NOW + 2.75 * DAY)["state"] == "expired"

    after = live(services, NOW + 4 * DAY)
    assert (after["policy_id"], after["approved_by"]) == (policy(WIDE).policy_id, [BEN])
    assert after["previous_policy_id"] == first.policy_id
    today = live(services)
    assert (today["state"], today["halted_because"]) == ("halted", "a test")
    before = live(services, NOW - DAY)
    assert (before["state"], before["policy_id"], before["approved_by"]) == ("shadow", None, [])

    told = history_of(services.ledger, services.case_types, NAME, NOW + DAY, NOW + 30 * DAY)
    assert [one["kind"] for one in told["entries"]] == [
        "generation_started", "proposed", "approved", "promoted",
    ]  # fmt: skip


def test_without_a_moment_it_is_now_and_not_the_last_entry(services: Services) -> None:
    """A certificate that ran out since the last entry has run out."""
    made_live(services, policy(NARROW, valid_until=NOW + DAY))
    assert live(services, now=NOW)["state"] == "live"
    assert live(services, now=NOW + DAY)["state"] == "expired"


def test_a_rollback_a_force_and_a_trial_are_told(services: Services) -> None:
    """Whose word each rests on."""
    made_live(services, policy(NARROW), NOW, ANA)
    force(services.ledger, services.registry, services.alerts, policy(WIDE), ANA, "an attack", NOW)
    force(services.ledger, services.registry, services.alerts, policy(WIDE), BEN, "agreed", NOW)
    told = live(services)
    assert (told["made_live"], told["forced"], told["forced_because"]) == (
        "forced",
        True,
        "an attack",
    )
    assert (told["approved_by"], told["evidence_digest"]) == ([ANA, BEN], None)

    roll_back(services, NAME, OLA, "over", NOW + DAY)
    told = live(services)
    assert (told["made_live"], told["made_live_by"]) == ("rolled_back", OLA)
    assert (told["forced"], told["approved_by"]) == (False, [ANA])

    proposal = filed(services, policy(WIDE, ab_plan=A_PLAN), NOW + DAY)
    approve(services, proposal, BEN, NOW + DAY)
    promote(services.ledger, services.registry, services.alerts, proposal, OLA, NOW + 2 * DAY)
    told = live(services)
    assert told["policy_id"] == policy(NARROW).policy_id
    assert (told["trying"], told["trying_since"]) == (
        proposal.policy_id,
        (NOW + 2 * DAY).isoformat(),
    )


def test_the_whole_history_names_people_and_no_digest_of_their_token(services: Services) -> None:
    """It is plain JSON; every case type has a standing."""
    told = history_of(services.ledger, services.case_types, None, None, NOW)
    assert [one["case_type"] for one in told["live"]] == [NAME, OTHER]
    enrolled = [one for one in told["entries"] if one["kind"] == "enrolled"]
    assert [one["dossier"]["name"] for one in enrolled] == ["ana", "ben", "ola", "audrey"]
    assert "token_digest" not in json.dumps(told, default=str)


def test_an_unknown_case_type_is_answered_with_the_known_ones(services: Services) -> None:
    with pytest.raises(UserError, match="no case type 'smal'; the case types are small_case"):
        history_of(services.ledger, services.case_types, "smal", None, NOW)
