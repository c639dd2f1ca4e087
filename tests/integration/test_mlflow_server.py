"""A registry behind a tracking server: files travel through that server, and deciding outlives it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from configs.errors import ServiceUnreachable
from flows.adapters.mlflow.model_registry import ModelRegistry
from tests.faults.hub import NAME, small_model

pytestmark = pytest.mark.slow
READY_SECONDS = 240.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`mlflow server` on a free port of this machine, its files below the test's folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path / "server"
    folder.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "RATCHET_"))}
    environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts",
    ]  # fmt: skip
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    started = subprocess.Popen(
        command, cwd=folder, env=environment | {"PATH": path}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until_healthy(f"http://127.0.0.1:{port}", started)
        yield f"http://127.0.0.1:{port}", started
    finally:
        _end(started)


def test_a_model_goes_through_the_server_and_outlives_it(
    server: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """Another home without copies fetches it, checks it, and loads it when the server is gone."""
    address, process = server
    model = small_model(1)
    first = ModelRegistry.in_home(tmp_path / "first", address)
    with first.run("retrain", NAME, "A model."):
        version = first.add_version(NAME, model).version
        first.log(metrics={"val/auc": 0.9}, texts={"report.html": "<p>a page</p>"})
    first.point_alias(NAME, "champion", version)
    second = ModelRegistry.in_home(tmp_path / "second", address)
    assert second.aliases(NAME) == {"champion": version}
    assert second.load(NAME, version, model.digest) == model
    _end(process)
    assert ModelRegistry.in_home(tmp_path / "second", address).load(NAME, version, model.digest)
    shutil.rmtree(tmp_path / "second" / "models")
    third = ModelRegistry.in_home(tmp_path / "second", address)
    started = time.monotonic()
    with pytest.raises(ServiceUnreachable, match="There is no copy of it"):
        third.load(NAME, version, model.digest)
    assert time.monotonic() - started < 60


def _until_healthy(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    pytest.fail("the server did not become healthy")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The server and its workers, which are one group."""
    if process.poll() is None:
        os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(20)
