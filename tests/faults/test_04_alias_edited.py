"""The MLflow alias is edited behind our back: detected, decisions keep the ledger's policy, and the
alias is pointed back (FAULTS 4).

Injected: MLflow's aliases are moved and removed past us; MLflow fails, or is away, in mid-promotion.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from configs.errors import ServiceUnreachable
from flows.adapters.mlflow.model_registry import ModelRegistry
from flows.verbs.decide.decide import decide_cases
from flows.verbs.govern.promote import approve_and_promote
from flows.verbs.house.aliases import alias_drift, wanted_aliases
from flows.verbs.house.reconcile import reconcile, verdict_of
from models.hub.record.entries import EntryKind
from tests.builders import small_history
from tests.faults.hub import (
    CHALLENGER,
    CHAMPION,
    NAME,
    NOW,
    PREVIOUS,
    Hub,
    propose,
    two_roll_back,
)

AS_THE_LEDGER_SAYS = {"champion": CHAMPION, "previous": PREVIOUS, "challenger": CHALLENGER}


def test_the_aliases_followed_every_entry(hub: Hub) -> None:
    """Two promotions and a third generation, and nobody had to reconcile anything."""
    assert (
        hub.services.registry.aliases(NAME)
        == AS_THE_LEDGER_SAYS
        == wanted_aliases(hub.services.ledger, NAME)
    )
    told = reconcile(hub.services, NOW)
    assert (told["alarms"], told["aliases"], hub.alerts()) == ([], [], [])
    assert verdict_of(told).startswith("The ledger verifies, and MLflow agrees with it. 2 models")


@pytest.mark.parametrize(
    ("alias", "edited"),
    [
        ("champion", CHALLENGER),
        ("champion", None),
        ("previous", CHAMPION),
        ("challenger", PREVIOUS),
    ],
)
def test_an_edited_alias_is_told_and_pointed_back(hub: Hub, alias: str, edited: str | None) -> None:
    """With what it named and what it names by the ledger; a second look finds nothing to do."""
    hub.services.registry.point_alias(NAME, alias, edited)
    told = reconcile(hub.services, NOW)
    wanted = AS_THE_LEDGER_SAYS[alias]
    assert told["aliases"] == [
        {"case_type": NAME, "alias": alias, "found": edited, "wanted": wanted}
    ]
    named = "nothing" if edited is None else f"version {edited}"
    sentence = f"{NAME}: `{alias}` named {named}; by the ledger it is version {wanted}."
    assert hub.alerts() == [("alias_drift", f"{sentence} It was pointed back.")]
    assert hub.services.registry.aliases(NAME) == AS_THE_LEDGER_SAYS
    assert alias_drift(hub.services.ledger, hub.services.registry, NAME) == []


def test_decisions_keep_the_ledgers_policy_whatever_the_alias_says(hub: Hub) -> None:
    """The same cases are decided to the last bit as before, by a process that started after."""
    cases = small_history(days=1, seed=9)
    before = decide_cases(hub.services, NAME, cases, NOW)
    assert set(before["model_version"]) == {CHAMPION}
    assert set(before["action"]) == {"auto_pass", "auto_block", "escalate"}
    hub.services.registry.point_alias(NAME, "champion", CHALLENGER)
    after = decide_cases(hub.started_anew().services, NAME, cases, NOW)
    pd.testing.assert_frame_equal(after, before)


def test_an_alias_of_somebody_elses_is_left_alone(hub: Hub) -> None:
    """People may mark versions as they like; ours are three."""
    hub.services.registry.point_alias(NAME, "the_one_we_like", PREVIOUS)
    assert reconcile(hub.services, NOW)["aliases"] == []
    assert hub.services.registry.aliases(NAME)["the_one_we_like"] == PREVIOUS


def test_an_alias_that_cannot_be_pointed_back_is_told(hub: Hub) -> None:
    """The champion's version was deleted in MLflow: there is nothing to point to."""
    hub.client.delete_model_version(NAME, CHAMPION)
    hub.forget_copies()
    told = reconcile(hub.services, NOW)
    assert "It could not be pointed back: small_case has no version 2" in told["alarms"][0]
    assert "The champion cannot be loaded." in told["alarms"][1]


def test_a_rollback_points_the_aliases_back(hub: Hub) -> None:
    """The older model is champion again, nothing is before it, and the newest stays under test."""
    two_roll_back(hub.services, "a test")
    assert hub.services.registry.aliases(NAME) == {"champion": PREVIOUS, "challenger": CHALLENGER}


def test_mlflow_failing_in_a_promotion_undoes_nothing(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry stands and decides, the failure is told, and the next reconcile repairs it."""

    def away(*_: object) -> None:
        raise ServiceUnreachable("MLflow is away")

    proposed = propose(hub.services)
    with monkeypatch.context() as broken:
        broken.setattr(hub.services.registry, "point_alias", away)
        promoted = approve_and_promote(hub.services, NAME, proposed.policy_id, "ben", NOW)
    assert promoted.kind is EntryKind.PROMOTED
    live = hub.services.ledger.live_policy(NAME)
    assert live is not None
    assert live.model_version == CHALLENGER
    ((kind, sentence),) = hub.alerts()
    assert kind == "aliases_not_projected"
    assert sentence.endswith("MLflow is away")
    assert hub.services.registry.aliases(NAME) == AS_THE_LEDGER_SAYS  # not yet
    reconcile(hub.services, NOW)
    assert hub.services.registry.aliases(NAME) == {"champion": CHALLENGER, "previous": CHAMPION}


def test_an_mlflow_server_that_is_away_stops_no_rollback(
    hub: Hub,
) -> None:
    """Nobody listens at this address: the ledger rolls back, and reconcile says what it could not do."""
    nowhere = ModelRegistry.in_home(hub.services.home, "http://127.0.0.1:9")
    services = replace(hub.services, registry=nowhere)
    two_roll_back(services, "a test")
    live = services.ledger.live_policy(NAME)
    assert live is not None
    assert live.model_version == PREVIOUS
    told = reconcile(services, NOW)
    assert told["ledger"]["ok"]
    assert told["alarms"][0].startswith("Aliases and model files were not checked to the end.")
    assert [kind for kind, _ in hub.alerts()] == ["aliases_not_projected", "registry_unreachable"]


def test_a_ledger_that_does_not_verify_moves_no_alias(hub: Hub) -> None:
    """There is nothing to go by: it is told, and MLflow stays as it was found."""
    hub.services.registry.point_alias(NAME, "champion", CHALLENGER)
    (hub.services.home / "ledger.head").unlink()
    told = reconcile(hub.services, NOW)
    assert not told["ledger"]["ok"]
    assert [kind for kind, _ in hub.alerts()] == ["ledger_broken"]
    assert hub.services.registry.aliases(NAME)["champion"] == CHALLENGER
