"""Webhooks: only to public addresses, to the address that was looked at, without redirects, in time."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from flows.adapters.alerts import webhook
from flows.adapters.alerts.webhook import bounded, call, is_public


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.7", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1"],
)  # fmt: skip
def test_no_private_address_is_public(address: str) -> None:
    """Nor one wrapped in IPv6: mapped, translated or tunnelled."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_a_public_address_is(address: str) -> None:
    assert is_public(address)


class Server(HTTPServer):
    """Counts who came, and sends them on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Redirecting)
        self.hosts: list[str] = []


class Redirecting(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.hosts.append(str(self.headers["Host"]))
        self.send_response(307)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/again")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server():
    with Server() as serving:
        threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
        yield serving
        serving.shutdown()


def post(url: str, *allowed: str, seconds: float = 2.0) -> str:
    return call("POST", url, {"kind": "a"}, allow_private=allowed, seconds=seconds)


def test_a_private_target_is_refused_before_anything_is_sent(server: Server) -> None:
    """By address, by name, and by the name of another host."""
    for host in ("127.0.0.1", "localhost", "[::1]", "0"):
        assert "private network" in post(f"http://{host}:{server.server_port}/", "hooks.example")
    assert server.hosts == []


def test_no_redirect_is_followed(server: Server) -> None:
    assert post(f"http://127.0.0.1:{server.server_port}/", "127.0.0.1") == "status 307"
    assert len(server.hosts) == 1


def test_a_proxy_of_the_environment_is_not_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look the host up by itself."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert post(f"http://127.0.0.1:{server.server_port}/", "127.0.0.1") == "status 307"


def test_a_name_is_looked_up_once_and_its_checked_address_is_called(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer would be another: whoever connected by name would go there (rebinding)."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(host: object, port: object, *rest: object, **named: object) -> object:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name.startswith("127."):
            return real(name, port, *rest, **named)  # type: ignore[call-overload]
        asked.append(name)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    url = f"http://hooks.example:{server.server_port}/"
    monkeypatch.setattr(webhook, "is_public", lambda address: address == "127.0.0.1")
    assert post(url) == "status 307"
    assert asked == ["hooks.example"]
    assert server.hosts == [f"hooks.example:{server.server_port}"]
    assert "private network" in post(url)  # the next call looks again, and is refused


def test_one_private_address_among_public_ones_refuses_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.1")]  # fmt: skip
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert "private network" in post("http://hooks.example/")


def test_every_wait_is_bounded() -> None:
    """A look-up or a server that drips has no timeout of its own."""
    began = time.monotonic()
    assert bounded(lambda: time.sleep(5) or "", 0.1) == "it took too long"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("url", ["http://[broken", "http://\0", "http://no-such-host.invalid/x"])
def test_an_address_that_is_none_is_a_word(url: str) -> None:
    assert post(url) not in ("", "it took too long")
