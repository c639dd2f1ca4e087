"""A night that stopped, or that could not judge a live boundary: an alert, a line in `status` and in the walk's summary, a failed run in Prefect, exit code 3.

Injected: a source whose file is gone, through the command and through the flow's own steps; a ledger
that cannot be trusted.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import GateRefused
from flows.verbs.live import close_night, last_dossier, refuse_unless_done
from tests.faults.nights import night
from tests.flows.commands.live_home import LiveHome
from tests.flows.verbs.hub_desk import NOW, hub_desk
from tests.live_sources import write_live_sources


def test_the_command_says_it_first_and_ends_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tables are read, the third one's file is gone."""
    for name, value in write_live_sources(tmp_path / "up", days=2, scale=0.02).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "up" / "reviews.parquet").unlink()
    home = LiveHome(tmp_path / "home")
    said = home.ask("night")
    assert said.code == 3, said.err
    first, second = said.out.splitlines()[:2]
    assert first.startswith("Failed: reviews. Done: ")
    assert second.startswith("  reviews: Source 'desk_reviews': ")
    assert "does not exist" in second
    later = home.ask("status")
    assert f": {first}\n{second}\n" in later.out
    assert "Alert" in later.out
    assert home.desk().store.counts("decisions")[1] > 0


def test_the_flows_run_fails_once_all_else_is_done(tmp_path: Path) -> None:
    """What `nightly_calibration` raises at its end, after the dossier is filed and people are told."""
    desk = hub_desk(tmp_path)
    told = night(desk, NOW, reviews="the database does not answer.")
    close_night(desk, told)
    assert last_dossier(desk) == told
    (alert,) = desk.alerts.recent(5)
    assert (alert["kind"], alert["subject"]) == ("night_failed", "reviews")
    assert "the database does not answer" in alert["sentence"]
    with pytest.raises(GateRefused, match="Failed: reviews"):
        refuse_unless_done(told)


def test_a_night_that_is_done_raises_nothing(tmp_path: Path) -> None:
    """And tells nobody."""
    desk = hub_desk(tmp_path)
    told = night(desk, NOW)
    close_night(desk, told)
    refuse_unless_done(told)
    assert desk.alerts.recent(5) == []
