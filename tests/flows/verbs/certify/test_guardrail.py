"""The live boundary's promise under the guard: what trips, what answers, and what the night tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from configs.errors import GateRefused
from flows.verbs.certify import guardrail
from flows.verbs.certify.guardrail import guard_live_policy
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.promote import force
from flows.verbs.night import run_night
from flows.verbs.services import Services
from models.hub import EntryKind, is_narrower
from models.hub.rules.people import GUARDRAIL
from models.vocabulary import Boundary
from tests.flows.verbs.hub_desk import (
    ANA,
    BEN,
    DAY,
    NAME,
    NARROW,
    NOW,
    WIDE,
    decided_cases,
    made_live,
    policy,
    with_model,
)

TRIPPED, ROLLED_BACK, NARROWED = (
    EntryKind.GUARDRAIL_TRIPPED,
    EntryKind.ROLLED_BACK,
    EntryKind.NARROWED,
)
LATER = NOW + 10 * DAY


def kinds_after(services: Services, version: int) -> list[EntryKind]:
    return [entry.kind for entry in services.ledger.history(NAME) if entry.version > version]


def guarded(services: Services) -> list[EntryKind]:
    """The kinds of the entries that one night's guard adds."""
    before = services.ledger.history(NAME)[-1].version
    guard_live_policy(services, load_snapshot(services, LATER), NAME)
    return kinds_after(services, before)


def test_a_refuted_boundary_is_rolled_back_and_people_are_told(services: Services) -> None:
    """Of what it passes 0.6 is bad: recall is 1 - .3 * .6 / (.3 * .6 + .4 * .5 + .3 * 1) = .74, and
    .9 is promised."""
    made_live(services, policy(NARROW), NOW - DAY)
    wide = made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.6)
    assert guarded(services) == [TRIPPED, ROLLED_BACK]
    trip, answer = services.ledger.history(NAME)[-2:]
    assert (trip.actor, answer.actor) == (GUARDRAIL, GUARDRAIL)
    assert (trip.policy_id, answer.policy_id) == (wide.policy_id, policy(NARROW).policy_id)
    assert trip.dossier["verdict"] == "incumbent_uncertified"
    assert services.ledger.live_policy(NAME) == policy(NARROW)
    (alert,) = services.alerts.recent(5)
    assert alert["kind"] == "guardrail_tripped"
    assert alert["sentence"].startswith(f"{NAME}: Today's pass side is refuted")
    assert "Answer: rolled back. A look-back waits: " in alert["sentence"]
    assert alert["sentence"].endswith(f"`ratchet look-back {NAME} --to FILE`.")
    assert alert["look_back"] > 0
    assert (alert["left"], alert["live"]) == (wide.policy_id, answer.policy_id)
    assert services.registry.aliases(NAME)["champion"] == "1"
    assert guarded(services) == []


def test_a_sound_boundary_is_left_alone(services: Services) -> None:
    """Nothing bad is passed and nothing good is blocked, in the same number of cases."""
    made_live(services, policy(NARROW), NOW - DAY)
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.0)
    assert guarded(services) == []
    assert services.alerts.recent(5) == []


def test_with_nothing_before_it_the_refuted_side_goes_back_to_people(services: Services) -> None:
    """The side that was not refuted decides on."""
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.6)
    assert guarded(services) == [TRIPPED, NARROWED]
    live = services.ledger.live_policy(NAME)
    assert live is not None
    assert live == replace(policy(WIDE), boundary=live.boundary)
    assert live.boundary.block_at_or_above == WIDE.block_at_or_above
    low = live.boundary.pass_at_or_below
    assert low is None or low < 0.3
    assert "Answer: narrowed. A look-back waits: " in services.alerts.recent(1)[0]["sentence"]


def test_a_wider_policy_before_it_is_no_way_back(services: Services) -> None:
    """With the model that was just refuted it would pass even more."""
    made_live(services, policy(WIDE), NOW - DAY)
    made_live(services, policy(NARROW), NOW)
    decided_cases(services, policy(NARROW), NOW, 6_000, bad_passed=0.9)
    assert guarded(services) == [TRIPPED, NARROWED]


@pytest.mark.parametrize("before", [WIDE, NARROW, Boundary(0.05, 0.95)])
def test_another_models_policy_is_no_way_back_for_a_flow(
    services: Services, before: Boundary
) -> None:
    """Whatever its boundary: another model's scores cannot be compared with today's (FAULTS 46)."""
    made_live(services, policy(before), NOW - 2 * DAY)
    with_model(services, "2", NOW - DAY)
    made_live(services, policy(NARROW, "2"), NOW)
    decided_cases(services, policy(NARROW, "2"), NOW, 6_000, bad_passed=0.9)
    assert guarded(services) == [TRIPPED, NARROWED]
    live = services.ledger.live_policy(NAME)
    assert live is not None
    assert live.model_version == "2"
    assert is_narrower(live.boundary, than=NARROW)


def test_a_way_back_that_has_expired_is_not_taken(services: Services) -> None:
    """It would decide nothing; what is still proven of today's boundary is more than that."""
    made_live(services, policy(NARROW, valid_until=NOW), NOW - DAY)
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 6_000, bad_passed=0.9)
    assert guarded(services) == [TRIPPED, NARROWED]


def test_what_it_falls_back_to_is_guarded_in_the_same_night(services: Services) -> None:
    """Had it decided, recall were 1 - .2 * .9 / (.3 * .9 + .4 * .5 + .3 * 1) = .77: back, and then
    narrower."""
    made_live(services, policy(Boundary(0.2, 0.9)), NOW - DAY)
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 8_000, bad_passed=0.9)
    assert guarded(services) == [TRIPPED, ROLLED_BACK, TRIPPED, NARROWED]
    assert [one["kind"] for one in services.alerts.recent(5)] == ["guardrail_tripped"] * 2
    live = services.ledger.live_policy(NAME)
    assert live is not None
    low = live.boundary.pass_at_or_below
    assert low is None or low < 0.2


def test_a_way_back_whose_model_is_gone_is_not_taken(services: Services) -> None:
    """It narrows instead, and says that the way back is lost."""
    made_live(services, policy(NARROW), NOW - 2 * DAY)
    with_model(services, "2", NOW - DAY)
    made_live(services, policy(WIDE, "2"), NOW)
    decided_cases(services, policy(WIDE, "2"), NOW, 3_000, bad_passed=0.6)
    del services.registry.digests[NAME, "1"]
    assert guarded(services) == [TRIPPED, NARROWED]
    told = [one["kind"] for one in services.alerts.recent(5)]
    assert told == ["guardrail_tripped", "rollback_target_lost"]


def test_a_forced_boundary_is_guarded_like_any_other(services: Services) -> None:
    """It went live without a proof, so it needs the guard most."""
    made_live(services, policy(NARROW), NOW - DAY)
    force(
        services.ledger, services.registry, services.alerts, policy(WIDE), ANA, "an emergency", NOW
    )
    force(services.ledger, services.registry, services.alerts, policy(WIDE), BEN, "agreed", NOW)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.6)
    assert guarded(services) == [TRIPPED, ROLLED_BACK]


def test_an_alarm_that_nothing_can_answer_stands_in_the_ledger_once(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the alarm's own boundary is today's, the guard ends and says that nothing was left."""
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.6)
    alarm = guardrail.guard_champion(services, load_snapshot(services, LATER), NAME)
    assert alarm is not None
    same = replace(alarm, certificate=replace(alarm.certificate, boundary=WIDE))
    monkeypatch.setattr(
        guardrail, "guard_champion", lambda _, __, name: same if name == NAME else None
    )
    assert guarded(services) == [TRIPPED]
    assert services.alerts.recent(1)[0]["sentence"].endswith("Answer: nothing narrower was left.")


def test_the_nights_dossier_tells_the_alarm_and_its_answer(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificate stands first, its entries before any proposal's."""
    made_live(services, policy(NARROW), NOW - DAY)
    wide = made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.6)
    monkeypatch.setattr("flows.verbs.night.judge_case_types", lambda *_: [])
    monkeypatch.setattr("flows.verbs.night.find_causes", lambda *_: [])
    night = run_night(services, [], LATER).plain()
    assert [(one["kind"], one["policy_id"]) for one in night["entries"]] == [
        ("guardrail_tripped", wide.policy_id),
        ("rolled_back", policy(NARROW).policy_id),
    ]
    (certificate,) = night["certificates"]
    assert certificate["verdict"] == "incumbent_uncertified"
    assert "pass side is refuted" in certificate["reasons"][0]


def test_only_the_side_that_decides_is_guarded(services: Services) -> None:
    """A policy that reviews everything has nothing to refute."""
    made_live(services, policy(Boundary.everything_reviewed()), NOW)
    decided_cases(services, policy(Boundary.everything_reviewed()), NOW, 500, bad_passed=0.6)
    assert guarded(services) == []


def test_a_look_back_that_cannot_be_sized_keeps_no_alarm_from_people(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The boundary fell, and that is told; so is what went wrong beside it."""
    made_live(services, policy(NARROW), NOW - DAY)
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.6)

    def breaks(*_: object) -> None:
        raise GateRefused("the store is not to be read.")

    monkeypatch.setattr(guardrail, "look_backs", breaks)
    assert guarded(services) == [TRIPPED, ROLLED_BACK]
    (alert,) = services.alerts.recent(5)
    assert alert["sentence"].endswith(
        "Answer: rolled back. The look-back was not sized: the store is not to be read."
    )
