"""The champion's files are deleted: an alarm, and the rollback target still loads (FAULTS 6).

Injected: the live version's files, the target's or both are deleted on disk.
"""

from __future__ import annotations

from flows.verbs.decide import decide_cases
from flows.verbs.promote import roll_back
from flows.verbs.reconcile import reconcile
from tests.builders import small_history
from tests.faults.hub import CHAMPION, NAME, NOW, PREVIOUS, Hub


def models_of(told: dict) -> list[tuple[str, str, bool]]:
    return [(one["role"], one["model_version"], one["loads"]) for one in told["models"]]


def test_the_alarm_names_the_version_and_the_way_back(hub: Hub) -> None:
    """Even where the model is still in this process's memory; and again an hour later."""
    hub.desk.registry.load(NAME, CHAMPION, hub.digest(CHAMPION))
    hub.file(CHAMPION).unlink()
    for _ in range(2):
        told = reconcile(hub.desk, NOW)
        assert models_of(told) == [
            ("champion", CHAMPION, False),
            ("rollback target", PREVIOUS, True),
        ]
    assert hub.alerts() == 2 * [
        (
            "champion_lost",
            "The champion cannot be loaded. small_case version 2 has no model.ubj in the registry. "
            "It was not loaded. Roll back, or train again. The rollback target, version 1, still "
            "loads: `ratchet rollback small_case`.",
        )
    ]


def test_the_way_back_works_without_the_champions_files(hub: Hub) -> None:
    """A rollback, in a process that has no model in memory, decides by the older model."""
    hub.file(CHAMPION).unlink()
    anew = hub.started_anew()
    roll_back(anew.desk, NAME, "ben", "its files are gone", NOW)
    decided = decide_cases(anew.desk, NAME, small_history(days=1, seed=9), NOW)
    assert set(decided["model_version"]) == {PREVIOUS}
    assert set(decided["action"]) == {"auto_pass", "auto_block", "escalate"}
    assert reconcile(anew.desk, NOW)["alarms"] == []


def test_files_gone_on_both_are_one_alarm_that_promises_nothing(hub: Hub) -> None:
    """No way back is named that does not work."""
    hub.file(CHAMPION).unlink()
    hub.file(PREVIOUS).write_bytes(b"not a model")
    told = reconcile(hub.desk, NOW)
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
    hub.file(PREVIOUS).unlink()
    reconcile(hub.desk, NOW)
    ((kind, sentence),) = hub.alerts()
    assert kind == "rollback_target_lost"
    assert sentence.startswith("A rollback would find no model. small_case version 1 has no")


def test_where_there_is_nothing_to_roll_back_to_the_alarm_says_so(hub: Hub) -> None:
    """After the rollback the first policy is alone."""
    roll_back(hub.desk, NAME, "ben", "a test", NOW)
    hub.file(PREVIOUS).unlink()
    told = reconcile(hub.desk, NOW)
    assert told["alarms"][0].endswith(
        "There is nothing to roll back to: halt the case type, and train again."
    )
