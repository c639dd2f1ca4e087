"""A rollback that would widen, by a flow or by one person: refused, unless a second person agrees.

Injected: `ratchet rollback`, the flow's own verb and bare ledger commands, back to a policy that
reaches further out, is another model's, lasts longer, is audited less or asks people less often.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from configs.errors import GateRefused
from flows.adapters.ledger.ledger import Ledger
from flows.verbs.govern.promote import roll_back
from models.hub import AuditPlan, Force, Overrides, RequestForce, RollBack, version_of
from models.hub.rules.people import GUARDRAIL, ROLL_BACK
from tests.faults.house import NAME, House, built, copied
from tests.hub import MIDDLE, NOW, THIN, Hub, a_team, entered, rule

WIDER = {
    "pass side": replace(THIN, boundary=replace(THIN.boundary, pass_at_or_below=0.11)),
    "block side": replace(THIN, boundary=replace(THIN.boundary, block_at_or_above=0.89)),
    "both sides": MIDDLE,
    "another model": replace(THIN, model_digest="b" * 64),
    "another model, and narrower": replace(
        THIN, model_digest="b" * 64, boundary=replace(THIN.boundary, pass_at_or_below=0.01)
    ),
    "lasts longer": replace(THIN, valid_until=NOW + timedelta(days=900)),
    "audited less": replace(THIN, audit=AuditPlan(0.04)),
    "fewer key users": replace(THIN, overrides=Overrides(75)),
}
LIVE = replace(THIN, valid_until=NOW + timedelta(days=800), overrides=Overrides(70))


@pytest.fixture
def house(tmp_path) -> House:
    return copied(tmp_path / "home")


def one_asks_and_another_agrees(house: House) -> None:
    """Through the command: the first one is told why nothing changed, in words and in the code."""
    assert house.live_id() == house.narrow.policy_id
    asked = house.ask("rollback", NAME, "--reason", "it was better", by="ben")
    assert asked.code == 3, asked.err
    assert "Nothing changed yet" in asked.out
    assert "it passes more and blocks more" in asked.out
    assert house.live_id() == house.narrow.policy_id
    again = house.ask("rollback", NAME, "--reason", "really", by="ben")
    assert (again.code, "a second person must agree" in again.err) == (3, True)
    assert house.live_id() == house.narrow.policy_id
    agreed = house.ask("rollback", NAME, "--reason", "so it was", by="ola")
    assert agreed.code == 0, agreed.err
    assert "ben asked, ola agreed" in agreed.out
    assert house.live_id() == house.wide.policy_id
    last = json.loads(house.ask("history", NAME, "--json").out)["entries"][-1]
    assert (last["kind"], last["actor"], last["dossier"]["requested_by"]) == (
        "rolled_back", "ola", "ben",
    )  # fmt: skip


def no_flow_does_it(house: House) -> None:
    """The flow's own name is no person, even where a person asked; the refusal is kept."""
    house.ask("rollback", NAME, "--reason", "it was better", by="ben")
    services = house.services()
    for actor in (ROLL_BACK, GUARDRAIL):
        with pytest.raises(GateRefused, match=r"would widen|has not tripped"):
            roll_back(services, NAME, actor, "a run in Prefect", datetime.now(UTC))
    assert house.live_id() == house.narrow.policy_id
    assert "rollback_widens" in [one.rule for one in services.ledger.refusals(NAME)]


def no_respect_widens_by_one(ledger: Ledger, before) -> None:
    """Past the verbs: a bare command, with or without policies of somebody's choice."""
    hub: Hub = a_team(ledger)
    hub.make_live(before)
    hub.make_live(LIVE)
    base = version_of(hub.history, "ato")
    for claimed in ({}, {"live": before, "target": LIVE}, {"live": LIVE, "target": LIVE}):
        command = RollBack(case_type="ato", actor="ben", base_version=base, **claimed)
        assert rule(hub.give(command)) == "rollback_widens"
    assert rule(hub.roll_back(ROLL_BACK)) == "rollback_widens"
    assert hub.live() == LIVE.policy_id
    entered(hub.request_roll_back("ben"))
    assert rule(hub.roll_back("ben")) == "two_people_roll_back"
    entered(hub.roll_back("cai"))
    assert hub.live() == before.policy_id


def test_one_person_asks_and_a_second_one_agrees(house: House) -> None:
    """By the same command."""
    one_asks_and_another_agrees(house)


def test_no_flow_widens(house: House) -> None:
    no_flow_does_it(house)


def test_what_narrows_still_takes_one(house: House) -> None:
    """Back from the wide policy to a narrower one: by one person, at once."""
    house.ask("rollback", NAME, "--reason", "it was better", by="ben")
    house.ask("rollback", NAME, "--reason", "it was better", by="ola")
    wider = replace(house.wide, boundary=replace(house.wide.boundary, pass_at_or_below=0.45))
    services = house.services()
    hub = Hub(services.ledger)
    hub.now = datetime.now(UTC)
    told = {"case_type": NAME}
    entered(hub.ask(RequestForce, policy=wider, reason="a test", actor="ana", **told))
    entered(hub.ask(Force, policy_id=wider.policy_id, actor="ben", **told))
    back = house.ask("rollback", NAME, "--reason", "too wide", by="ola")
    assert back.code == 0, back.err
    assert house.live_id() == house.wide.policy_id


@pytest.mark.parametrize("before", WIDER.values(), ids=WIDER)
def test_no_respect_in_which_a_policy_is_wider_passes_by_one(tmp_path, before) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    no_respect_widens_by_one(Ledger(url, tmp_path / "ledger.head"), before)


@pytest.mark.slow
@pytest.mark.parametrize("before", WIDER.values(), ids=WIDER)
def test_on_postgres_no_respect_passes_by_one(tmp_path, postgres_url, before) -> None:
    no_respect_widens_by_one(Ledger(postgres_url, tmp_path / "ledger.head"), before)


@pytest.mark.slow
def test_on_postgres_one_asks_and_a_second_one_agrees(tmp_path, postgres_url, monkeypatch) -> None:
    monkeypatch.setenv("RATCHET_DATABASE_URL", postgres_url)
    house = built(tmp_path / "home")
    no_flow_does_it(house)
    agreed = house.ask("rollback", NAME, "--reason", "so it was", by="ola")
    assert agreed.code == 0, agreed.err
    assert house.live_id() == house.wide.policy_id
