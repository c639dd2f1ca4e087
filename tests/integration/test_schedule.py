"""prefect.yaml really deploys, and its cron really creates nights that run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live_sources import write_live_sources

ROOT = Path(__file__).resolve().parents[2]
PREFECT = str(Path(sys.executable).parent / "prefect")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("live")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "RATCHET_"))}
    return {
        **clean,
        **write_live_sources(home / "upstream"),
        "RATCHET_HOME": str(home / "ratchet"),
        "RATCHET_PROJECT": str(ROOT),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="module")
def server(environment: dict[str, str]) -> Iterator[str]:
    url = environment["PREFECT_API_URL"]
    port = url.rsplit(":", 1)[1].split("/")[0]
    command = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port]
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(lambda: urllib.request.urlopen(f"{url}/health", timeout=2).status == 200, 120)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def deployments(server: str, environment: dict[str, str]) -> list[dict[str, Any]]:
    """Deployed exactly as prefect.yaml says, twice, as a person would who changed something."""
    _prefect(environment, "work-pool", "create", "ratchet", "--type", "process")
    for _ in range(2):
        _prefect(environment, "--no-prompt", "deploy", "--all")
    return _post(server, "/deployments/filter", {})


def test_deploy_all_creates_every_deployment_once(deployments: list[dict[str, Any]]) -> None:
    """As many deployments as prefect.yaml lists, each in the work pool."""
    listed = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    entrypoints = sorted(one["entrypoint"] for one in listed)
    assert sorted(one["entrypoint"] for one in deployments) == entrypoints
    assert {one["work_pool_name"] for one in deployments} == {"ratchet"}


def test_the_nightly_cron_creates_runs_at_two_in_utc(
    server: str, deployments: list[dict[str, Any]]
) -> None:
    """SQLAlchemy 2.1 silently creates none; deploying twice must not double them."""
    nightly = next(one for one in deployments if one["name"] == "nightly")

    def scheduled() -> list[dict[str, Any]]:
        wanted = {"deployments": {"id": {"any_": [nightly["id"]]}}}
        return _post(server, "/flow_runs/filter", wanted)

    _wait_for(lambda: len(scheduled()) > 0, 120)
    slots = [run["expected_start_time"] for run in scheduled()]
    assert len(slots) == len(set(slots))
    assert {slot[11:16] for slot in slots} == {"02:00"}


def _heed_interrupts() -> None:
    """A worker turns SIGTERM into SIGINT, which a shell's background job inherits as ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_cron_run_completes_and_its_dossier_counts_the_rows_it_admitted(
    server: str, deployments: list[dict[str, Any]], environment: dict[str, str], tmp_path: Path
) -> None:
    """The same deployment on a cron of every minute: created, picked up, run, filed."""
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    nightly = next(one for one in document["deployments"] if one["name"] == "nightly")
    nightly["schedules"][0]["cron"] = "* * * * *"
    document["deployments"] = [nightly]
    often = tmp_path / "often.yaml"
    often.write_text(yaml.safe_dump(document), encoding="utf-8")
    _prefect(environment, "--no-prompt", "deploy", "--all", "--prefect-file", str(often))

    worker = subprocess.Popen(
        [PREFECT, "worker", "start", "--pool", "ratchet", "--limit", "1"],
        env=environment,
        cwd=tmp_path,
        stdout=(tmp_path / "worker.log").open("w"),
        stderr=subprocess.STDOUT,
        preexec_fn=_heed_interrupts,
    )
    ids = [one["id"] for one in deployments if one["name"] == "nightly"]

    def finished() -> list[dict[str, Any]]:
        done = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}
        return _post(
            server,
            "/flow_runs/filter",
            {"deployments": {"id": {"any_": ids}}, "flow_runs": done},
        )

    try:
        _wait_for(lambda: len(finished()) > 0, 300)
    finally:
        worker.terminate()
        worker.wait(timeout=60)
    run = finished()[0]
    log = (tmp_path / "worker.log").read_text(encoding="utf-8")
    assert run["state_type"] == "COMPLETED", log[-3000:]
    assert run["auto_scheduled"]
    dossiers = sorted((Path(environment["RATCHET_HOME"]) / "live" / "dossiers").glob("*.json"))
    dossier = json.loads(dossiers[0].read_text(encoding="utf-8"))
    assert dossier["rows_admitted"] > 0
    assert {batch["table"] for batch in dossier["batches"]} == {"decisions", "reviews", "outcomes"}
    assert not dossier["stopped"]


def _prefect(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [PREFECT, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _post(server: str, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        server + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def _wait_for(condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):  # the server may not be up yet
            if condition():
                return
        time.sleep(1.0)
    raise AssertionError(f"not so after {seconds:.0f} s")
