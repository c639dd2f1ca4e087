"""A home that was moved or copied: its own models load, or it says why not; a copy never reads the original's files.

Injected: the home's folder renamed, copied with the original left in place (and every file that is
opened below the original recorded), copied without its models; homes whose names hold `?`, `#`, `%`,
brackets, spaces and other alphabets.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from configs.errors import GateRefused
from flows.adapters.alerts.alerts import Alerts
from flows.verbs.decide.decide import decide_cases
from flows.verbs.house.reconcile import reconcile
from flows.verbs.services import Services
from tests.builders import small_case_type, small_history, small_settings
from tests.faults.hub import CHAMPION, NAME, NOW, PREVIOUS, Hub, make_hub, register, small_model

ODD = [
    "ho?me #1 [x] %41&a=b ü é:b;c",
    "a%20b?c=d&password=e",
    "家 ?x",
    'quote\'s "two" {brace}$HOME*',
]

_OPENED: list[str] = []
_watching = False


def _record(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in ("open", "os.listdir", "os.scandir", "sqlite3.connect"):
        _OPENED.append(str(arguments[0]))


sys.addaudithook(_record)  # there is no removing one; it records while `files_opened` is open


@contextmanager
def files_opened() -> Iterator[list[str]]:
    """The paths of what is opened or listed by Python in the meantime, and of databases."""
    global _watching
    _OPENED.clear()
    _watching = True
    try:
        yield _OPENED
    finally:
        _watching = False


def opened_at(home: Path) -> Hub:
    services = Services.at(home, small_settings(), {NAME: small_case_type()}, seed=3)
    return Hub(replace(services, alerts=Alerts(home)))


def moved(template: Path, home: Path) -> Hub:
    """Unlike `copy_hub`: what MLflow recorded still names the folder that the home came from."""
    shutil.copytree(template, home)
    return opened_at(home)


def decided(hub: Hub) -> pd.DataFrame:
    return decide_cases(hub.started_anew().services, NAME, small_history(days=1, seed=9), NOW)


def everything_in(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.endswith((".lock", "-wal", "-shm"))
    }


@pytest.fixture
def original(hub_template: Path, tmp_path: Path) -> Path:
    """A home whose records name its own place."""
    home = tmp_path / "original"
    moved(hub_template, home)
    return home


@pytest.mark.parametrize("copies", [True, False], ids=["with copies", "without copies"])
def test_a_moved_home_decides_and_reconciles_as_before(
    hub_template: Path, tmp_path: Path, copies: bool
) -> None:
    """Also one from before there were copies: MLflow's records follow the home."""
    hub = moved(hub_template, tmp_path / "moved")
    if not copies:
        hub.forget_copies()
    assert set(decided(hub)["action"]) == {"auto_pass", "auto_block", "escalate"}
    told = reconcile(hub.services, NOW)
    assert told["alarms"] == []
    assert [one["loads"] for one in told["models"]] == [True, True]
    for version in (PREVIOUS, CHAMPION):
        assert hub.file(version).is_relative_to(tmp_path / "moved")


def test_people_are_told_once_that_the_home_was_moved(
    hub_template: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the number of records: an experiment, a run and twice a version for each of three."""
    hub = moved(hub_template, tmp_path / "moved")
    for _ in range(2):
        hub.started_anew().services.registry.aliases(NAME)
    told = [one.getMessage() for one in caplog.records if "was moved or copied" in one.getMessage()]
    assert len(told) == 1
    assert f"{1 + 3 + 3 + 3} of MLflow's records" in told[0]


@pytest.mark.parametrize("copies", [True, False], ids=["with copies", "without copies"])
def test_a_copy_opens_nothing_of_the_original_and_leaves_it_as_it_was(
    original: Path, tmp_path: Path, copies: bool
) -> None:
    """Deciding, reconciling, and registering a new model, which is where files are written."""
    before = everything_in(original)
    shutil.copytree(original, tmp_path / "copy")
    with files_opened() as opened:
        hub = opened_at(tmp_path / "copy")
        if not copies:
            hub.forget_copies()
        decided(hub)
        reconcile(hub.services, NOW)
        register(hub.services, small_model(5))
    assert any(str(tmp_path / "copy") in one for one in opened)
    assert [one for one in opened if str(original) in one] == []
    assert everything_in(original) == before
    assert hub.file("4").is_relative_to(tmp_path / "copy")


def test_a_copy_without_its_models_says_so_though_the_original_has_them(
    original: Path, tmp_path: Path
) -> None:
    """Both places are named; the original's files, with the right bytes, are not looked at."""
    shutil.copytree(original, tmp_path / "copy")
    hub = opened_at(tmp_path / "copy")
    hub.forget_copies()
    shutil.rmtree(tmp_path / "copy" / "mlflow" / "artifacts")
    with pytest.raises(GateRefused) as refused:
        hub.started_anew().services.registry.load(NAME, CHAMPION, hub.digest(CHAMPION))
    assert f"{tmp_path / 'copy' / 'mlflow' / 'artifacts'}" in str(refused.value)
    assert f"There is no copy of it in {tmp_path / 'copy' / 'models'}" in str(refused.value)
    assert set(decided(hub)["action"]) == {"escalate"}


def test_the_original_goes_on_as_before_beside_its_copy(original: Path, tmp_path: Path) -> None:
    """Its records still name its own files."""
    shutil.copytree(original, tmp_path / "copy")
    reconcile(opened_at(tmp_path / "copy").services, NOW)
    hub = opened_at(original)
    assert reconcile(hub.services, NOW)["alarms"] == []
    assert hub.file(CHAMPION).is_relative_to(original)


def test_one_version_that_was_pointed_elsewhere_is_not_mended_by_a_move(
    hub_template: Path, tmp_path: Path
) -> None:
    """Only what lies below the old home's folder follows; the rest was no move, and is an alarm."""
    hub = moved(hub_template, tmp_path / "moved")
    elsewhere = (tmp_path / "elsewhere").as_uri()
    hub.execute(
        "UPDATE model_versions SET source = ?, storage_location = ? WHERE version = 2",
        elsewhere,
        elsewhere,
    )
    (alarm,) = reconcile(hub.services, NOW)["alarms"]
    assert "version 2: MLflow names" in alarm
    assert "No request was made." in alarm


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_a_home_of_any_name_works_and_can_be_moved(tmp_path: Path, name: str) -> None:
    """Registering, promoting, deciding, reconciling; nothing is made beside the home."""
    home = tmp_path / name / "live"
    make_hub(home)
    hub = opened_at(home)
    before = decided(hub)
    assert set(before["action"]) == {"auto_pass", "auto_block", "escalate"}
    assert reconcile(hub.services, NOW)["alarms"] == []
    new = tmp_path / f"{name} moved"
    (tmp_path / name).rename(new)
    hub = opened_at(new / "live")
    hub.forget_copies()
    pd.testing.assert_frame_equal(decided(hub), before)
    assert reconcile(hub.services, NOW)["alarms"] == []
    assert [one.name for one in tmp_path.iterdir()] == [new.name]
    assert {one.name for one in new.iterdir()} == {"live"}
