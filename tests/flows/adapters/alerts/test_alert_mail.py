"""Alerts by e-mail: over TLS, or not at all; what is refused is told and waits."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.settings import load_settings
from flows.adapters.alerts.alert_mail import Mailbox, mail
from flows.adapters.alerts.alerts import Alerts
from tests.flows.adapters.alerts.test_alerts import NOW

LINE = {"at": "x", "kind": "guardrail_tripped", "case_type": "ato", "sentence": "ato: rolled back."}
HERE = ("127.0.0.1",)


class Post(socketserver.TCPServer):
    """A mail server without TLS that keeps what it is told."""

    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.lines: list[str] = []
        self.refuses = False

    def box(self) -> Mailbox:
        url = f"smtp://127.0.0.1:{self.server_address[1]}"
        return Mailbox(url, "ratchet@example.org", ("ops@example.org",))


class _Session(socketserver.StreamRequestHandler):
    server: Post

    def handle(self) -> None:
        self.say("220 here")
        data = False
        for raw in self.rfile:
            line = raw.decode("utf-8").rstrip("\r\n")
            self.server.lines.append(line)
            if data:
                if line == ".":
                    data = False
                    self.say("250 kept")
                continue
            verb = line[:4].upper()
            if verb == "RCPT" and self.server.refuses:
                self.say("550 no")
            elif verb == "DATA":
                data = True
                self.say("354 go on")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode("ascii"))


@pytest.fixture
def post() -> Iterator[Post]:
    with Post() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_an_alert_is_mailed(post: Post) -> None:
    """To a server of this machine, which was named; the sentence first."""
    assert mail(post.box(), LINE, allow_plain=HERE, seconds=2.0) == ""
    assert "Subject: [ratchet] guardrail_tripped (ato)" in post.lines
    assert "ato: rolled back." in post.lines
    assert "To: ops@example.org" in post.lines


def test_nothing_is_sent_in_the_open(post: Post) -> None:
    """A server without TLS that nobody named hears no alert."""
    assert "no TLS" in mail(post.box(), LINE, allow_plain=(), seconds=2.0)
    assert not any("rolled back" in line for line in post.lines)


def test_a_mailbox_that_refuses_is_told_and_the_alert_waits(tmp_path: Path, post: Post) -> None:
    post.refuses = True
    alerts = Alerts(tmp_path, mailbox=post.box(), allow_private=HERE)
    alerts.send("expired", None, "Once.", NOW)
    failed, told = alerts.recent(5)
    assert (failed["kind"], told["kind"], alerts.waiting()) == ("email_failed", "expired", 1)
    post.refuses = False
    assert Alerts(tmp_path, mailbox=post.box(), allow_private=HERE).deliver_waiting() == 0
    assert "Once." in post.lines


@pytest.mark.parametrize("url", ["smtp://127.0.0.1:9", "smtps://127.0.0.1:9", "smtp://127.0.0.1:x"])
def test_a_server_that_is_not_there_breaks_nothing(url: str) -> None:
    why = mail(Mailbox(url, "a@b.c", ("d@e.f",)), LINE, allow_plain=HERE, seconds=0.5)
    assert why
    assert "a@b.c" not in why


def test_settings_ask_from_whom_to_whom_and_never_show_the_password() -> None:
    url = "smtps://me:s3cret@mail.example"
    with pytest.raises(UserError, match="mail_from") as refused:
        load_settings(env={"RATCHET_ALERTS__SMTP_URL": url})
    assert "s3cret" not in str(refused.value)
    whole = load_settings(
        env={
            "RATCHET_ALERTS__SMTP_URL": url,
            "RATCHET_ALERTS__MAIL_FROM": "a@b.c",
            "RATCHET_ALERTS__MAIL_TO": "[d@e.f]",
        }
    )
    assert "s3cret" not in repr(whole)
    assert "s3cret" not in repr(Mailbox(url, "a@b.c", ()))
