"""Logs as JSON: one object a line on the standard error, masked, with the command and the case type."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.adapters.alerts import json_logs
from flows.adapters.alerts.alerts import Alerts
from tests.flows.commands.live_home import LiveHome


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("ratchet")
    before, level = list(root.handlers), ours.level
    yield
    for one in list(root.handlers):
        if one not in before:
            root.removeHandler(one)
    ours.setLevel(level)


def test_each_event_is_an_object_and_nothing_else_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person would read on the standard error is an object, too."""
    monkeypatch.setenv("RATCHET_LOG", "json")
    said = LiveHome(tmp_path).ask("halt", "ato", "--reason", "odd")
    lines = [json.loads(line) for line in said.err.splitlines()]
    assert said.code == 3
    assert "Nobody is enrolled" in lines[-1]["message"]
    assert {one["verb"] for one in lines} == {"halt"}
    assert datetime.fromisoformat(lines[-1]["time"]).tzinfo is not None


def test_an_alert_names_its_case_type_and_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RATCHET_LOG", "json")
    json_logs.log_as_asked("night")
    json_logs.log_as_asked("night")
    now = datetime.now(UTC)
    Alerts(tmp_path).send("expired", "ato", "See postgresql://me:s3cret@db/x.", now)
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["verb"], told["case_type"]) == ("warning", "night", "ato")
    assert told["message"].startswith("expired: See")
    assert "s3cret" not in line


def test_another_word_is_refused_and_text_stays_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATCHET_LOG", "xml")
    refused = LiveHome(tmp_path).ask("status")
    assert (refused.code, "json or text" in refused.err) == (2, True)
    monkeypatch.setenv("RATCHET_LOG", "text")
    assert LiveHome(tmp_path).ask("halt", "ato", "--reason", "x").err.startswith("ratchet: ")
