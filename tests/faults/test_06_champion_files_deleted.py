"""The champion's files are deleted: an alarm, and the rollback target still loads (FAULTS 6).

A copy in the home goes on deciding (fault 53).

Injected: what MLflow has of the live version, of the target or of both is deleted on disk, with the
home's copies of them.
"""

from __future__ import annotations

from flows.verbs.decide.decide import decide_cases
from flows.verbs.house.reconcile import reconcile
from tests.builders import small_history
from tests.faults.hub import CHAMPION, NAME, NOW, PREVIOUS, Hub, two_roll_back


def models_of(told: dict) -> list[tuple[str, str, bool]]:
    return [(one["role"], one["model_version"], one["loads"]) for one in told["models"]]


def lose(hub: Hub, version: str) -> None:
    """The version's file and this home's copy of it."""
    hub.copy(version).unlink()
    hub.file(version).unlink()


def test_a_file_that_only_the_registry_lost_is_an_alarm_that_names_the_copy(hub: Hub) -> None:
    """The champion decides on; the way to mend it is in the sentence."""
    hub.file(CHAMPION).unlink()
    told = reconcile(hub.services, NOW)
    assert models_of(told) == [("champion", CHAMPION, True), ("rollback target", PREVIOUS, True)]
    ((kind, sentence),) = hub.alerts()
    assert kind == "registered_file_lost"
    assert "The champion is loaded from this home's copy alone." in sentence
    assert str(hub.copy(CHAMPION)) in sentence
    hub.file(CHAMPION).write_bytes(hub.copy(CHAMPION).read_bytes())
    assert reconcile(hub.services, NOW)["alarms"] == []


def test_the_alarm_names_the_version_and_the_way_back(hub: Hub) -> None:
    """Even where the model is still in this process's memory; and again an hour later."""
    hub.services.registry.load(NAME, CHAMPION, hub.digest(CHAMPION))
    lose(hub, CHAMPION)
    place, copies = hub.file(CHAMPION).parent, hub.services.registry.copies.folder
    for _ in range(2):
        told = reconcile(hub.services, NOW)
        assert models_of(told) == [
            ("champion", CHAMPION, False),
            ("rollback target", PREVIOUS, True),
        ]
    assert hub.alerts() == 2 * [
        (
            "champion_lost",
            "The champion cannot be loaded. small_case version 2 has no model.ubj: "
            f"{place} is empty. There is no copy of it in {copies}. "
            "It was not loaded. Roll back, or train again. The rollback target, version 1, still "
            "loads: `ratchet rollback small_case`.",
        )
    ]


def test_the_way_back_works_without_the_champions_files(hub: Hub) -> None:
    """A rollback, in a process that has no model in memory, decides by the older model."""
    lose(hub, CHAMPION)
    anew = hub.started_anew()
    two_roll_back(anew.services, "its files are gone")
    decided = decide_cases(anew.services, NAME, small_history(days=1, seed=9), NOW)
    assert set(decided["model_version"]) == {PREVIOUS}
    assert set(decided["action"]) == {"auto_pass", "auto_block", "escalate"}
    assert reconcile(anew.services, NOW)["alarms"] == []


def test_files_gone_on_both_are_one_alarm_that_promises_nothing(hub: Hub) -> None:
    """No way back is named that does not work."""
    lose(hub, CHAMPION)
    hub.copy(PREVIOUS).write_bytes(b"not a model")
    hub.file(PREVIOUS).write_bytes(b"not a model")
    told = reconcile(hub.services, NOW)
    ((kind, sentence),) = hub.alerts()
    assert kind == "champion_lost"
    assert "Neither does the rollback target load. small_case version 1: its file has" in sentence
    assert sentence.endswith("Halt the case type.")
    assert models_of(told) == [
        ("champion", CHAMPION, False),
        ("rollback target", PREVIOUS, False),
    ]


def test_a_rollback_target_without_files_is_an_alarm_before_it_is_needed(hub: Hub) -> None:
    """The champion decides on; only the way back is broken."""
    lose(hub, PREVIOUS)
    reconcile(hub.services, NOW)
    ((kind, sentence),) = hub.alerts()
    assert kind == "rollback_target_lost"
    assert sentence.startswith("A rollback would find no model. small_case version 1 has no")


def test_where_there_is_nothing_to_roll_back_to_the_alarm_says_so(hub: Hub) -> None:
    """After the rollback the first policy is alone."""
    two_roll_back(hub.services, "a test")
    lose(hub, PREVIOUS)
    told = reconcile(hub.services, NOW)
    assert told["alarms"][0].endswith(
        "There is nothing to roll back to: halt the case type, and train again."
    )
