"""Alerts: a line a matter, kept whatever fails, and posted where somebody asked for it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.errors import UserError
from configs.settings import load_settings
from flows.adapters.alerts import alerts as module
from flows.adapters.alerts.alerts import Alerts
from flows.verbs.services import Services
from tests.builders import small_case_type, small_settings

LOOPBACK = ("127.0.0.1",)
NOW = datetime(2026, 3, 2, 4, tzinfo=timezone(timedelta(hours=2)))
TOLD = {
    "at": "2026-03-02T02:00:00+00:00",
    "kind": "guardrail_tripped",
    "case_type": "ato",
    "sentence": "ato: rolled back.",
    "cases": 7,
    "versions": ["1", "2"],
}


class Receiver(HTTPServer):
    """A webhook that remembers what it was sent and answers with a status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[dict[str, Any]] = []
        self.status = 204
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token=s3cret"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.server.received.append(json.loads(self.rfile.read(size)))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def send(alerts: Alerts) -> None:
    alerts.send(
        "guardrail_tripped", "ato", "ato: rolled back.", NOW, cases=np.int64(7), versions=("1", "2")
    )


def test_an_alert_is_one_line_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In UTC, with its facts; the newest is read first."""
    alerts = Alerts(tmp_path / "home")
    assert alerts.recent(5) == []
    with caplog.at_level(logging.WARNING, "ratchet"):
        send(alerts)
    alerts.send("expired", None, "Second.", NOW)
    first, _ = alerts.file.read_text(encoding="ascii").splitlines()
    assert json.loads(first) == TOLD
    assert [one["kind"] for one in alerts.recent(5)] == ["expired", "guardrail_tripped"]
    assert [one["kind"] for one in alerts.recent(1)] == ["expired"]
    assert alerts.recent(0) == []
    assert caplog.messages == ["guardrail_tripped: ato: rolled back.", "expired: Second."]


def test_the_webhook_gets_the_same_line(tmp_path: Path, receiver: Receiver) -> None:
    """Posted once, as JSON."""
    alerts = Alerts(tmp_path, receiver.url, allow_private=LOOPBACK)
    send(alerts)
    assert receiver.received == [TOLD]
    assert alerts.recent(5) == [TOLD]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_is_told_beside_the_alert(
    tmp_path: Path, receiver: Receiver, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The alert stays, a second line says why nobody got it, and the address is in neither."""
    receiver.status = status
    alerts = Alerts(tmp_path, receiver.url, allow_private=LOOPBACK)
    with caplog.at_level(logging.DEBUG):
        send(alerts)
    failed, told = alerts.recent(5)
    assert told == TOLD
    assert (failed["kind"], failed["of"]) == ("webhook_failed", "guardrail_tripped")
    assert f"(status {status})" in failed["sentence"]
    assert "s3cret" not in alerts.file.read_text() + caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://[broken", "http://\0"])
def test_a_webhook_that_is_not_there_breaks_nothing(tmp_path: Path, url: str) -> None:
    """Nobody listens, or the address is none."""
    alerts = Alerts(tmp_path, url, allow_private=LOOPBACK)
    send(alerts)
    assert [one["kind"] for one in alerts.recent(5)] == ["webhook_failed", "guardrail_tripped"]


def test_a_webhook_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts the connection and says nothing; the wait is shortened for the test."""
    monkeypatch.setattr(module, "WEBHOOK_SECONDS", 0.1)
    with HTTPServer(("127.0.0.1", 0), _Handler) as silent:
        alerts = Alerts(tmp_path, f"http://127.0.0.1:{silent.server_port}", allow_private=LOOPBACK)
        send(alerts)
    assert "(ReadTimeout)" in alerts.recent(1)[0]["sentence"]


def test_many_senders_lose_no_line(tmp_path: Path) -> None:
    """Eight at once, each through a file of its own, as processes would."""
    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            pool.submit(Alerts(tmp_path).send, "race", None, "x" * 500, NOW, number=number)
    found = Alerts(tmp_path).recent(1000)
    assert sorted(one["number"] for one in found) == list(range(200))


def test_a_line_that_a_crash_cut_off_costs_no_other(tmp_path: Path) -> None:
    """It is said to be unreadable; the next alert starts on a line of its own."""
    alerts = Alerts(tmp_path)
    send(alerts)
    with alerts.file.open("ab") as file:
        file.write(b'{"at": "2026-')
    send(alerts)
    assert [one["kind"] for one in alerts.recent(5)] == [
        "guardrail_tripped",
        "unreadable",
        "guardrail_tripped",
    ]


def test_a_home_that_cannot_be_written_is_logged_and_breaks_nothing(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """A file stands where the folder should be; the webhook still hears of it."""
    (tmp_path / "home").write_text("", encoding="utf-8")
    send(Alerts(tmp_path / "home", receiver.url, allow_private=LOOPBACK))
    assert receiver.received == [TOLD]
    assert any("could not be written" in one for one in caplog.messages)


@pytest.mark.parametrize("fact", [{"case_id": 1}, pd.Series([1]), [[pd.Timestamp(0)]], object()])
def test_rows_are_no_facts(tmp_path: Path, fact: Any) -> None:
    """Only plain values and lists of them go into an alert; a number that is none is null."""
    alerts = Alerts(tmp_path)
    with pytest.raises(ValueError, match="rows do not"):
        alerts.send("kind", "ato", "A sentence.", NOW, fact=fact)
    with pytest.raises(ValueError, match="time zone"):
        alerts.send("kind", "ato", "A sentence.", NOW.replace(tzinfo=None))
    assert alerts.recent(5) == []
    alerts.send("kind", "ato", "A sentence.", NOW, value=float("nan"))
    assert alerts.recent(1)[0]["value"] is None


def test_only_a_live_desk_posts(tmp_path: Path) -> None:
    """A demo or backtest keeps its alerts in its own home; a wrong address is never shown."""
    url = "http://127.0.0.1:9/s3cret"
    settings = small_settings().model_copy(
        update={"alerts": load_settings(env={"RATCHET_ALERTS__WEBHOOK_URL": url}).alerts}
    )
    kinds = {"small_case": small_case_type()}
    assert Services.at(tmp_path / "live", settings, kinds).alerts._webhook_url == url
    assert Services.at(tmp_path / "own", settings, kinds, seed=1).alerts._webhook_url is None
    assert "s3cret" not in repr(settings)
    with pytest.raises(UserError) as refused:
        load_settings(env={"RATCHET_ALERTS__WEBHOOK_URL": "ftp://x/s3cret"})
    assert "RATCHET_ALERTS__WEBHOOK_URL" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_what_nobody_took_waits_and_is_sent_with_the_next_night(
    tmp_path: Path, receiver: Receiver
) -> None:
    """A channel that failed rests: the second alert costs no second wait, and waits, too."""
    receiver.status = 500
    alerts = Alerts(tmp_path, receiver.url, allow_private=LOOPBACK)
    send(alerts)
    alerts.send("expired", None, "Second.", NOW)
    assert (len(receiver.received), alerts.waiting()) == (1, 2)
    assert alerts.deliver_waiting() == 2  # it still rests
    receiver.status = 204
    anew = Alerts(tmp_path, receiver.url, allow_private=LOOPBACK)
    assert anew.deliver_waiting() == 0
    assert [one["kind"] for one in receiver.received[1:]] == ["guardrail_tripped", "expired"]
    assert (anew.waiting(), anew.deliver_waiting()) == (0, 0)


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are kept to be sent; all of them stand in the file."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    alerts = Alerts(tmp_path, "http://127.0.0.1:9/", allow_private=LOOPBACK)
    for number in range(5):
        alerts.send(f"kind_{number}", None, "A sentence.", NOW)
    kept = [json.loads(line) for line in (tmp_path / module.WAITING).read_text().splitlines()]
    assert [one["alert"]["kind"] for one in kept] == ["kind_2", "kind_3", "kind_4"]
    assert len([one for one in alerts.recent(50) if one["kind"].startswith("kind_")]) == 5


@pytest.mark.parametrize(("ended", "path"), [("done", "/hook"), ("held", "/hook/fail"), ("failed", "/hook/fail")])  # fmt: skip
def test_a_night_that_ended_is_told_by_a_heartbeat(
    tmp_path: Path, receiver: Receiver, ended: str, path: str
) -> None:
    alerts = Alerts(tmp_path, heartbeat_url=receiver.url, allow_private=LOOPBACK)
    alerts.beat(ended, NOW)
    assert receiver.asked == [f"{path}?token=s3cret"]
    assert alerts.recent(5) == []
    receiver.status = 500
    alerts.beat(ended, NOW)
    assert [one["kind"] for one in alerts.recent(5)] == ["heartbeat_failed"]
    assert "s3cret" not in alerts.file.read_text()
