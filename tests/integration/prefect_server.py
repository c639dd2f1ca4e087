"""A Prefect server with everything of prefect.yaml deployed: how does an integration test get one?

One a test session. A test that runs flows brings a home of its own and starts its own worker.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient

ROOT = Path(__file__).resolve().parents[2]
PREFECT = str(Path(sys.executable).parent / "prefect")


@pytest.fixture(scope="session")
def prefect_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a process needs to talk to the server, and nothing that a person's shell has set."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("PREFECT_", "RATCHET_", "MLFLOW_TRACKING"))
    }
    return {
        **clean,
        "RATCHET_PROJECT": str(ROOT),
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "DO_NOT_TRACK": "true",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="session")
def prefect_server(prefect_environment: dict[str, str]) -> Iterator[str]:
    """A running server; yields the address of its API."""
    url = prefect_environment["PREFECT_API_URL"]
    port = url.rsplit(":", 1)[1].split("/")[0]
    command = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port]
    process = subprocess.Popen(
        command,
        env=prefect_environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: httpx.get(f"{url}/health", timeout=2).is_success, 120)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def prefect_deployments(
    prefect_server: str, prefect_environment: dict[str, str]
) -> list[dict[str, Any]]:
    """Deployed exactly as prefect.yaml says, twice, as a person would who changed something."""
    run_prefect(prefect_environment, "work-pool", "create", "ratchet", "--type", "process")
    for _ in range(2):
        run_prefect(prefect_environment, "--no-prompt", "deploy", "--all")
    return post(prefect_server, "/deployments/filter", {})


@contextlib.contextmanager
def working(environment: Mapping[str, str], folder: Path) -> Iterator[Path]:
    """A worker of the pool for as long as the block lasts; yields the file with its log."""
    log = folder / "worker.log"
    worker = subprocess.Popen(
        [PREFECT, "worker", "start", "--pool", "ratchet", "--limit", "1"],
        env=dict(environment),
        cwd=folder,
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        preexec_fn=_heed_interrupts,
    )
    try:
        yield log
    finally:
        worker.terminate()
        worker.wait(timeout=60)


def run_prefect(environment: Mapping[str, str], *arguments: str) -> None:
    """One `prefect` command that must succeed."""
    done = subprocess.run(
        [PREFECT, *arguments],
        env=dict(environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def post(server: str, path: str, body: dict[str, Any]) -> Any:
    """What the server's API answers; None where it has nothing to say.

    By Prefect's own client: a server whose SQLite is locked answers 503, and means "ask again".
    """
    return _asked(server, "POST", path, json=body)


def get(server: str, path: str, **query: str) -> Any:
    """What the server's API has at a place."""
    return _asked(server, "GET", path, params=query)


def _asked(server: str, method: str, path: str, **content: Any) -> Any:
    with SyncPrefectClient(server) as client:
        answer = client.request(method, path, **content)
    return answer.json() if answer.content else None


def runs_of(server: str, deployment_id: str, **state: Any) -> list[dict[str, Any]]:
    """The flow runs of one deployment; `state` narrows them, as in `type={"any_": ["FAILED"]}`."""
    wanted: dict[str, Any] = {"deployments": {"id": {"any_": [deployment_id]}}}
    if state:
        wanted["flow_runs"] = {"state": state}
    found: list[dict[str, Any]] = post(server, "/flow_runs/filter", wanted)
    return found


def finished(server: str, deployment_id: str) -> list[dict[str, Any]]:
    """The runs of one deployment that came to an end, good or bad."""
    return runs_of(server, deployment_id, type={"any_": ["COMPLETED", "FAILED", "CRASHED"]})


def wait_for(condition: Callable[[], Any], seconds: float) -> None:
    """Until something is so; an AssertionError when it is not so in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, httpx.HTTPError):  # the server may not be up yet
            if condition():
                return
        time.sleep(1.0)
    raise AssertionError(f"not so after {seconds:.0f} s")


def _heed_interrupts() -> None:
    """A worker turns SIGTERM into SIGINT, which a shell's background job inherits as ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
