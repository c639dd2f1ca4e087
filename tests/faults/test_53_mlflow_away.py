"""MLflow's database locked, away, replaced, or naming an http source: deciding goes on from a digest-verified copy in the home, or escalates; no traceback, no request out, every wait bounded.

Injected: an exclusive lock held by another connection; the file deleted, overwritten, emptied, made a
folder, replaced by another database or by one of another schema revision; `source` of the versions
pointed to http, s3, another folder and a pipe, by raw SQL; a port nobody listens at, and one that
accepts and never answers.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.mlflow import mlflow_store
from flows.adapters.mlflow.model_registry import ModelRegistry
from flows.verbs.decide.decide import decide_cases
from flows.verbs.decide.export_serving import export_serving
from flows.verbs.house.reconcile import reconcile
from flows.verbs.night import run_night
from flows.verbs.services import Services
from models.hub.policies.deciding import REFUSED
from tests.builders import small_case_type, small_history, small_settings, small_walk
from tests.faults.hub import CHAMPION, NAME, NOW, PREVIOUS, Hub, two_roll_back

ROOT = Path(__file__).resolve().parents[2]
QUICK_SECONDS = 0.3

Injected = AbstractContextManager[object]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is as in production, and shorter."""
    assert 0 < mlflow_store.WAIT_SECONDS <= 10
    monkeypatch.setattr(mlflow_store, "WAIT_SECONDS", QUICK_SECONDS)


def database(hub: Hub) -> Path:
    return hub.services.home / "mlflow" / "mlflow.db"


@contextmanager
def locked(hub: Hub) -> Iterator[None]:
    with closing(sqlite3.connect(database(hub), isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield


def gone(hub: Hub) -> Injected:
    database(hub).unlink()
    return nullcontext()


def text_instead(hub: Hub) -> Injected:
    database(hub).write_text("not a database, but long enough to look at\n" * 50, encoding="utf-8")
    return nullcontext()


def emptied(hub: Hub) -> Injected:
    database(hub).write_bytes(b"")
    return nullcontext()


def cut(hub: Hub) -> Injected:
    whole = database(hub).read_bytes()
    database(hub).write_bytes(whole[:3000])
    return nullcontext()


def folder_instead(hub: Hub) -> Injected:
    database(hub).unlink()
    database(hub).mkdir()
    return nullcontext()


def other_database(hub: Hub) -> Injected:
    database(hub).unlink()
    with closing(sqlite3.connect(database(hub))) as made, made:
        made.execute("CREATE TABLE recipes (name TEXT)")
    return nullcontext()


def other_revision(hub: Hub) -> Injected:
    hub.execute("UPDATE alembic_version SET version_num = 'f00dfeed0000'")
    return nullcontext()


SILENT: dict[str, tuple[Callable[[Hub], Injected], str]] = {
    "locked": (locked, "stayed locked by another process for 0.3 s"),
    "deleted": (gone, "is not there"),
    "a text file": (text_instead, "is damaged, or is no database"),
    "emptied": (emptied, "is empty"),
    "cut": (cut, "is damaged, or is no database"),
    "a folder": (folder_instead, "is no file"),
    "another database": (other_database, "holds other tables"),
    "another version's": (other_revision, "was made by another version of MLflow"),
}

SOURCES = {
    "http": "http://127.0.0.1:{port}/models/2",
    "https with a token": "https://u:hunter2@127.0.0.1:{port}/m?sig=hunter2",
    "s3": "s3://bucket/models/2",
    "another host's file": "file://elsewhere/srv/models/2",
    "a file outside the home": "file://{outside}",
    "a path outside the home": "{outside}",
    "out of the folder by dots": "file://{artifacts}/../../../outside",
    "mlflow's own proxy": "mlflow-artifacts://127.0.0.1:{port}/2",
    "another model": "models:/small_case/1",
    "a run": "runs:/0123456789abcdef/model",
    "no address": "what is this",
}


def decided(hub: Hub) -> pd.DataFrame:
    """By a process that has no model in memory."""
    return decide_cases(hub.started_anew().services, NAME, small_history(days=1, seed=9), NOW)


def point_elsewhere(hub: Hub, source: str, outside: Path, port: int) -> None:
    outside.mkdir(exist_ok=True)
    (outside / "model.ubj").write_bytes(hub.file(CHAMPION).read_bytes())
    artifacts = hub.services.home / "mlflow" / "artifacts"
    uri = source.format(port=port, outside=outside, artifacts=artifacts)
    hub.execute("UPDATE model_versions SET source = ?, storage_location = ?", uri, uri)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port at which somebody waits for requests, and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as waiting:
        waiting.settimeout(0.2)
        yield waiting


def was_called(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("fault", SILENT)
def test_deciding_goes_on_from_the_copies_to_the_last_bit(hub: Hub, fault: str) -> None:
    """As before the fault, automatic decisions among them, and nobody waits for MLflow."""
    before = decided(hub)
    assert set(before["action"]) == {"auto_pass", "auto_block", "escalate"}
    with SILENT[fault][0](hub):
        started = time.monotonic()
        after = decided(hub)
        assert time.monotonic() - started < 5
    pd.testing.assert_frame_equal(after, before)
    assert hub.alerts() == []


@pytest.mark.parametrize("fault", SILENT)
def test_without_a_copy_every_case_goes_to_people_and_they_are_told_why(
    hub: Hub, fault: str
) -> None:
    """A home from before there were copies."""
    inject, said = SILENT[fault]
    hub.forget_copies()
    with inject(hub):
        after = decided(hub)
    assert set(after["action"]) == {"escalate"}
    assert set(after["override"]) == {REFUSED}
    told = [sentence for kind, sentence in hub.alerts() if kind == REFUSED]
    assert told
    assert all(said in one and "There is no copy of it" in one for one in told)


@pytest.mark.parametrize("fault", SILENT)
def test_reconcile_says_what_is_wrong_and_does_not_hang(hub: Hub, fault: str) -> None:
    """One alarm for the registry; the champion and the way back load from this home."""
    inject, said = SILENT[fault]
    left = database(hub).exists()
    with inject(hub):
        started = time.monotonic()
        told = reconcile(hub.started_anew().services, NOW)
        assert time.monotonic() - started < 20 * QUICK_SECONDS
        assert left
    ((kind, sentence),) = hub.alerts()
    assert kind == "registry_unreachable"
    assert said in sentence
    assert [one["loads"] for one in told["models"]] == [True, True]


@pytest.mark.parametrize("fault", SILENT)
def test_asking_neither_makes_nor_changes_a_database(hub: Hub, fault: str) -> None:
    """What was put in its place stays as it was put there."""
    with SILENT[fault][0](hub):
        file = database(hub)
        before = file.read_bytes() if file.is_file() else None
        reconcile(hub.started_anew().services, NOW)
        assert (file.read_bytes() if file.is_file() else None) == before


@pytest.mark.parametrize("fault", ["locked", "a text file", "another version's"])
def test_a_night_a_rollback_and_an_export_go_on(hub: Hub, fault: str, tmp_path: Path) -> None:
    """The ledger's entry stands, the aliases are told to be behind, and the folder is exported."""
    with SILENT[fault][0](hub):
        services = hub.started_anew().services
        exported = export_serving(services, NAME, tmp_path / "served", NOW)
        assert exported.model_version == CHAMPION
        night = run_night(services, [], NOW).plain()
        assert night["rows_admitted"] == 0
        two_roll_back(services, "a test")
        live = services.ledger.live_policy(NAME)
        assert live is not None
        assert live.model_version == PREVIOUS
    assert "aliases_not_projected" in [kind for kind, _ in hub.alerts()]


def test_an_approval_needs_the_registered_file_and_says_so(hub: Hub) -> None:
    """A copy decides, but nothing new is let in past the registry."""
    with locked(hub), pytest.raises(ServiceUnreachable, match="stayed locked"):
        hub.started_anew().services.registry.check_files(
            NAME, CHAMPION, hub.services.ledger.live_policy(NAME).model_digest
        )


@pytest.mark.parametrize("source", SOURCES)
def test_no_request_goes_out_and_no_file_is_read_from_elsewhere(
    hub: Hub, listener: socket.socket, tmp_path: Path, source: str
) -> None:
    """With a copy deciding goes on and reconcile says what is wrong; without one, people decide. The
    file elsewhere has the right bytes, and still is none of ours."""
    before, port = decided(hub), listener.getsockname()[1]
    point_elsewhere(hub, SOURCES[source], tmp_path / "outside", port)
    pd.testing.assert_frame_equal(decided(hub), before)
    told = reconcile(hub.started_anew().services, NOW)
    assert [one["loads"] for one in told["models"]] == [True, True]
    assert [kind for kind, _ in hub.alerts()] == ["registered_file_lost"] * 2
    assert all("No request was made." in sentence for sentence in told["alarms"])
    hub.forget_copies()
    assert set(decided(hub)["action"]) == {"escalate"}
    assert "hunter2" not in json.dumps(hub.alerts())
    assert not was_called(listener)


def test_an_experiment_that_keeps_files_elsewhere_is_sent_none(
    hub: Hub, listener: socket.socket
) -> None:
    """A new version would have been uploaded there."""
    where = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    hub.execute("UPDATE experiments SET artifact_location = ?", where)
    with (
        pytest.raises(ServiceUnreachable, match="no request was made"),
        hub.started_anew().services.registry.run("retrain", NAME, "A run."),
    ):
        pytest.fail("nothing may be logged there")
    assert not was_called(listener)


def test_a_pipe_in_the_files_place_is_not_waited_for(hub: Hub) -> None:
    """Reading it would block for ever."""
    hub.forget_copies()
    hub.file(CHAMPION).unlink()
    os.mkfifo(hub.file(CHAMPION))
    with pytest.raises(GateRefused, match="no regular file"):
        hub.started_anew().services.registry.load(NAME, CHAMPION, hub.digest(CHAMPION))


def test_a_link_out_of_the_home_is_not_followed(hub: Hub, tmp_path: Path) -> None:
    """A version's folder, and its file."""
    hub.forget_copies()
    digest, outside = hub.digest(CHAMPION), tmp_path / "outside"
    hub.folder(CHAMPION).rename(outside)
    hub.folder(CHAMPION).symlink_to(outside)
    with pytest.raises(GateRefused, match="outside"):
        hub.started_anew().services.registry.load(NAME, CHAMPION, digest)
    hub.folder(CHAMPION).unlink()
    hub.folder(CHAMPION).mkdir()
    hub.file(CHAMPION).symlink_to(outside / "model.ubj")
    with pytest.raises(GateRefused, match="leads out of its folder"):
        hub.started_anew().services.registry.load(NAME, CHAMPION, digest)


def test_a_server_that_never_answers_is_given_up_in_time(
    hub: Hub, listener: socket.socket, tmp_path: Path
) -> None:
    """One wait, however often it is asked after."""
    port = listener.getsockname()[1]
    registry = ModelRegistry(f"http://127.0.0.1:{port}", tmp_path / "a", tmp_path / "b")
    started = time.monotonic()
    for _ in range(20):
        with pytest.raises(ServiceUnreachable, match="MLflow does not answer at"):
            registry.aliases(NAME)
    assert time.monotonic() - started < 10 * QUICK_SECONDS


def test_a_database_server_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    """Nobody listens there; MLflow itself would try ten times."""
    address = "postgresql+psycopg://ana:hunter2@127.0.0.1:9/mlflow"
    registry = ModelRegistry(address, tmp_path / "a", tmp_path / "b")
    with pytest.raises(ServiceUnreachable, match="ana:\\*\\*\\*@127") as silent:
        registry.aliases(NAME)
    assert "hunter2" not in str(silent.value)


def test_a_walk_goes_on_without_new_models_when_mlflow_is_away(tmp_path: Path) -> None:
    """Every night is walked, everything is reviewed, and each fit that was lost is an alert."""
    walk = small_walk(tmp_path / "home", small_history(days=20), warm_up_days=15)
    (tmp_path / "home" / "mlflow" / "mlflow.db").write_text("gone", encoding="utf-8")
    walk.warm_up()
    for step in range(2):
        walk.night_and_day(step)
    assert walk.services.ledger.live_policy(NAME) is None
    kinds = {one["kind"] for one in walk.services.alerts.recent(100)}
    assert kinds == {"model_not_registered"}


def test_copies_are_private_named_by_their_bytes_and_read_without_mlflow(hub: Hub) -> None:
    """Three models, three files of mode 0600 in a folder of mode 0700; a new process loads one."""
    folder = hub.services.registry.copies.folder
    assert folder.parent == hub.services.home
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    digest = hub.digest(CHAMPION)
    code = (
        "import sys; from pathlib import Path; from flows.verbs.services import Services\n"
        "from flows.adapters.mlflow.model_registry import ModelRegistry\n"
        f"m = ModelRegistry.in_home(Path({str(hub.services.home)!r})).load({NAME!r}, '2', {digest!r})\n"
        "print(m.digest, 'mlflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == [digest, "False"], done.stderr[-2000:]


def test_a_loaded_file_of_the_registry_becomes_a_copy(hub: Hub) -> None:
    """So a home from before copies has one after the first decision."""
    hub.forget_copies()
    decided(hub)
    assert hub.copy(CHAMPION).read_bytes() == hub.file(CHAMPION).read_bytes()


def test_a_home_that_cannot_keep_a_copy_decides_on(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    """A file stands where the folder of copies should be."""
    hub.forget_copies()
    hub.services.registry.copies.folder.write_text("", encoding="utf-8")
    assert set(decided(hub)["action"]) == {"auto_pass", "auto_block", "escalate"}
    assert "No copy of model" in caplog.text


def test_an_empty_home_has_no_store_and_misses_none(tmp_path: Path) -> None:
    """Before the first model `reconcile` finds nothing wrong, and makes no database."""
    services = Services.at(tmp_path / "home", small_settings(), {NAME: small_case_type()}, seed=3)
    told = reconcile(services, NOW)
    assert told["alarms"] == []
    assert not (tmp_path / "home" / "mlflow").exists()


def test_the_lock_is_over_and_everything_agrees_again(hub: Hub) -> None:
    """The refusals above could not fail otherwise."""
    with locked(hub):
        reconcile(hub.started_anew().services, NOW)
    told = reconcile(hub.started_anew().services, NOW + timedelta(hours=1))
    assert told["alarms"] == []
