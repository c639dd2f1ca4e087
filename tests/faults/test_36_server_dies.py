"""MLflow, Prefect or PostgreSQL dies in mid-run: no half state; the run resumes or starts anew (FAULTS 36).

Injected: SIGKILL to Prefect's and MLflow's servers below an `up` whose night waits for a lock; SIGKILL
to an MLflow server between the upload of a model and its registration; an immediate shutdown of a
PostgreSQL server on which a night is about to commit its first table.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from configs.errors import ServiceUnreachable
from flows.adapters.mlflow.model_registry import ModelRegistry
from flows.adapters.sql.database import open_database, writing
from flows.verbs.certify.generation import current_generation
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.learn.train import retrain
from tests.faults.test_58_retrain_asked_twice import NAME, generations, taught
from tests.faults.upped import RATCHET, environment, upped, wait_for
from tests.faults.upstream import TABLES, Upstream
from tests.integration.postgres import _binaries, _make_cluster, _start, _wait_until_ready
from tests.integration.test_mlflow_server import server as mlflow_server_of_a_test

mlflow_server = mlflow_server_of_a_test


def test_a_night_outlives_prefect_and_mlflow(upstream: Upstream, tmp_path: Path) -> None:
    """Both come back by themselves; the night ends, or is closed so that the next one does it all."""
    home = tmp_path / "home"
    with upped(home, upstream.variables) as up:
        assert upstream.ask("status").code == 0
        with writing(open_database(f"sqlite:///{home / 'live' / 'ledger.db'}")):
            run = up.api.create_run(up.nightly()).run_id
            wait_for(lambda: up.run(run).state == "RUNNING", 90, "the night runs")
            for role in ("prefect", "mlflow"):
                for process in up.servers(role):
                    process.kill()
            wait_for(lambda: "prefect ended by signal 9" in up.said(), 30, "it is seen")
        wait_for(up.api.is_healthy, 180, "Prefect is back")
        page = f"http://127.0.0.1:{up.ports[1]}/health"
        wait_for(lambda: _answers(page), 180, "MLflow is back")
        if up.ended(run, 180).state != "COMPLETED":
            run = up.api.create_run(up.nightly()).run_id
            assert up.ended(run, 180).state == "COMPLETED", up.said()
        assert up.api.taken_slots() == {}
    for table in TABLES:
        assert len(upstream.stored(table)) == len(upstream.read(table))
    assert upstream.ask("ledger", "verify").code == 0


def test_a_retrain_whose_registry_dies_leaves_no_challenger(
    mlflow_server: tuple[str, subprocess.Popen[bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ledger names no model that the registry lacks; asked again, with a registry, it makes one."""
    address, process = mlflow_server
    services, upstream = taught(tmp_path / "home")
    own = services.registry
    behind = dataclasses.replace(
        services, registry=ModelRegistry.in_home(tmp_path / "there", address)
    )
    register = ModelRegistry._create_version

    def die(self: ModelRegistry, *arguments: Any) -> str:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return register(self, *arguments)

    with monkeypatch.context() as dying:
        dying.setattr(ModelRegistry, "_create_version", die)
        with pytest.raises(ServiceUnreachable, match="MLflow does not answer"):
            retrain(behind, load_snapshot(behind, upstream.start), NAME)
    assert generations(services) == 0
    assert current_generation(services.ledger, services.case_types, NAME) is None
    again = dataclasses.replace(services, registry=own)
    told = retrain(again, load_snapshot(again, upstream.start), NAME)
    assert told.filed
    generation = current_generation(again.ledger, again.case_types, NAME)
    assert generation is not None
    assert generations(again) == 1


@contextmanager
def cluster(home: Path) -> Iterator[Any]:
    """Starts a PostgreSQL server on one folder, as often as it is called; ends the last at the end."""
    binaries = _binaries()[1]
    running: list[subprocess.Popen[bytes]] = []
    with (home / "server.log").open("a") as log:
        shutil.chown(home, "postgres", "postgres")
        _make_cluster(home, binaries["initdb"], log)

        def start() -> subprocess.Popen[bytes]:
            server = _start(home, binaries["postgres"], log)
            running.append(server)
            _wait_until_ready(server, home)
            return server

        yield start
        running[-1].send_signal(signal.SIGQUIT)
        running[-1].wait(30)


def test_a_night_whose_database_dies_is_done_by_the_next(
    upstream: Upstream, tmp_path: Path, postgres_server: Path
) -> None:
    """It ends with a sentence; with the server back, every row is stored once and the ledger verifies."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        with cluster(folder) as start:
            server = start()
            plain = f"postgresql://postgres@/ratchet?host={folder}"
            with psycopg.connect(plain.replace("/ratchet", "/postgres"), autocommit=True) as made:
                made.execute("CREATE DATABASE ratchet")
            url = plain.replace("postgresql:", "postgresql+psycopg:")
            kept = Upstream(
                upstream.folder, upstream.home, {**upstream.variables, "RATCHET_DATABASE_URL": url}
            )
            assert kept.ask("status").code == 0
            night = _night_until_it_waits(kept, plain)
            server.send_signal(signal.SIGQUIT)
            server.wait(30)
            _, err = night.communicate(timeout=90)
            assert night.returncode in (3, 4), err
            assert b"Traceback" not in err, err.decode()
            start()
            said = kept.night()
            assert said.code == 0, said.out + said.err
            for table in TABLES:
                assert len(kept.stored(table)) == len(kept.read(table))
            assert kept.ask("ledger", "verify").code == 0
    finally:
        shutil.rmtree(folder)


def _night_until_it_waits(kept: Upstream, plain: str) -> subprocess.Popen[bytes]:
    """A night that has read its first table and cannot enter it: its index is locked."""
    holder = psycopg.connect(plain)
    names = [row[0] for row in holder.execute(
        "SELECT tablename FROM pg_tables WHERE tablename LIKE 'evidence%'")]  # fmt: skip
    assert names
    for name in names:
        holder.execute(f'LOCK TABLE "{name}" IN SHARE ROW EXCLUSIVE MODE')
    night = subprocess.Popen(
        [RATCHET, "night"], env=environment(kept.home.home, dict(kept.variables)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip

    def waits() -> bool:
        with psycopg.connect(plain) as asking:
            found = asking.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
        assert night.poll() is None, night.communicate()
        return bool(found and found[0])

    wait_for(waits, 120, "the night waits for the index")
    return night


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except (httpx.HTTPError, OSError):
        return False
