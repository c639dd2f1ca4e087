"""A benchmark's clock: our modules ask it while a command runs, and nothing keeps it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.commands import Home, clock_at
from flows.verbs import live

PAST = datetime(2018, 5, 3, 2, tzinfo=UTC)


def test_our_modules_ask_the_given_clock_and_no_other_afterwards() -> None:
    """Plain datetimes come out of it, whatever was imported meanwhile."""
    with clock_at(PAST):
        assert live.night_of(None) == PAST
        from datetime import datetime as inside  # as some commands import it when they run

        assert inside.now(UTC) == PAST
        assert isinstance(PAST, inside)
        assert type(inside(2020, 1, 1)) is datetime
        assert type(inside.fromisoformat("2020-01-01")) is datetime
    assert abs(live.night_of(None) - datetime.now(UTC)) < timedelta(minutes=1)
    kept = [
        name for name, module in sys.modules.items() if getattr(module, "datetime", None) is inside
    ]
    assert kept == []


def test_a_command_runs_in_its_home_at_its_moment(tmp_path: Path) -> None:
    """A person enrolled then is listed since then; exit codes and words come back."""
    home = Home(tmp_path / "home", {"RATCHET_CASE_TYPES": "[ato]"})
    home.enrol("ana", "approver", PAST)
    said = home.ask("people", "list", at=PAST)
    assert (said.code, "2018-05-03" in said.out) == (0, True), said.err
    refused = home.ask("night", at=PAST)
    assert (refused.code, "no source is configured" in refused.err) == (2, True)
