"""Bound to all interfaces without auth, or a server below its safe version: `doctor` refuses (FAULTS 38).

Injected: environment variables that open a server; a real process of this home's `up` that listens on
all interfaces; a real server that says it is an older version; older packages.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows.adapters.servers.processes import ROLE_VARIABLE, UP_VARIABLE
from flows.verbs.house import doctor
from tests.faults.upped import environment, free_ports, wait_for
from tests.flows.commands.live_home import LiveHome, Said


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveHome:
    for name in environment(tmp_path).keys() - {"RATCHET_HOME"}:
        assert not name.startswith("RATCHET_")
    for name in ("MLFLOW_HOST", "PREFECT_SERVER_API_HOST", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    home = LiveHome((tmp_path / "home").resolve())
    home.services()
    return home


def refused(live: LiveHome, *words: str) -> Said:
    said = live.ask("doctor")
    assert said.code == 3, said.out
    for word in words:
        assert word in said.out
    return said


def test_a_house_in_order_is_not_refused(live: LiveHome) -> None:
    said = live.ask("doctor")
    assert said.code == 0, said.out


@pytest.mark.parametrize("variable", ["PREFECT_SERVER_API_HOST", "MLFLOW_HOST"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_told_to_listen_everywhere(
    live: LiveHome, variable: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it asks who comes, it is not refused."""
    monkeypatch.setenv(variable, host)
    refused(live, variable, "bind it to 127.0.0.1")
    asks = {"PREFECT_SERVER_API_HOST": "PREFECT_SERVER_API_AUTH_STRING",
            "MLFLOW_HOST": "MLFLOW_AUTH_CONFIG_PATH"}[variable]  # fmt: skip
    monkeypatch.setenv(asks, "somebody:something")
    assert live.ask("doctor").code == 0


@pytest.mark.parametrize(("bind", "code"), [("0.0.0.0", 3), ("127.0.0.1", 0)])
def test_a_process_that_listens_everywhere(live: LiveHome, bind: str, code: int) -> None:
    """Whatever the variables say: what the kernel says counts."""
    port = free_ports()[0]
    marked = {UP_VARIABLE: str(live.home), ROLE_VARIABLE: "prefect"}
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", bind, "--directory", str(live.home)],
        env=environment(live.home, marked), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: _listens(port), 30, "the server listens")
        said = live.ask("doctor")
        assert said.code == code, said.out
        assert (f"0.0.0.0:{port} (process {server.pid}) can be reached" in said.out) == (code == 3)
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def old_server() -> Iterator[str]:
    """An MLflow server as far as doctors can tell, of a version with a known hole."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"3.16.0" if self.path == "/version" else b"OK")

        def log_message(self, *_: object) -> None:
            """Said to nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_that_says_it_is_old(
    live: LiveHome, old_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is installed here: it may run from another folder, or on another machine."""
    monkeypatch.setenv("RATCHET_MLFLOW_TRACKING_URI", old_server)
    refused(live, f"mlflow at {old_server} is '3.16.0', and safe from 3.16.1 on")


@pytest.mark.parametrize(("name", "old"), [("mlflow", "3.16.0"), ("prefect", "3.6.27")])
def test_an_old_package(
    live: LiveHome, name: str, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = doctor.version
    monkeypatch.setattr(doctor, "version", lambda one: old if one == name else real(one))
    refused(live, f"{name} {old} is installed", "make setup")


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
