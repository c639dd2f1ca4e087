"""A night that stopped, or that could not judge a live boundary: an alert, a line in `status` and in the walk's summary, a failed run in Prefect, exit code 3.

Injected: a source whose file is gone, through the command and through the flow's own steps; a ledger
that cannot be trusted.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import GateRefused
from flows.verbs.live import close_night, refuse_unless_done
from flows.verbs.record.dossier_files import last_dossier
from tests.faults.nights import dossier, night, quiet_nights, stored
from tests.flows.commands.live_home import LiveHome
from tests.flows.verbs.hub_desk import DAY, NOW, hub_desk
from tests.live_sources import write_live_sources
from tests.outside_agent import decided, reviewed


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
    assert home.services().store.counts("decisions")[1] > 0


def test_the_flows_run_fails_once_all_else_is_done(tmp_path: Path) -> None:
    """What `nightly_calibration` raises at its end, after the dossier is filed and people are told."""
    services = hub_desk(tmp_path)
    told = dossier(services, NOW, reviews="the database does not answer.")
    close_night(services, told)
    assert last_dossier(services.home, services.shared) == told.plain()
    (alert,) = services.alerts.recent(5)
    assert (alert["kind"], alert["subject"]) == ("night_failed", "reviews")
    assert "the database does not answer" in alert["sentence"]
    with pytest.raises(GateRefused, match="Failed: reviews"):
        refuse_unless_done(told)


@pytest.mark.parametrize("how", ["propensity of 0", "one type renamed", "other words"])
def test_a_delivery_whose_rows_are_refused_is_not_done(tmp_path: Path, how: str) -> None:
    """Each row was judged and put aside by name, and yet nothing of a kind came in: the source has
    changed. It is said each night until it is mended (once where other rows came in), and the rows
    come in then."""
    services = hub_desk(tmp_path)
    quiet_nights(services, NOW, 2)
    cases = decided(NOW + DAY, 200)
    reviews, table = reviewed(cases), "decisions"
    broken, words = cases, reviews
    if how == "propensity of 0":
        broken = cases.assign(propensity=0.0)
    elif how == "one type renamed":
        broken = cases.assign(case_type=cases["case_type"].where(cases.index % 5 > 1, "renamed"))
    else:
        words, table = reviews.assign(verdict="ALLOW"), "reviews"
    for day in (2,) if how == "one type renamed" else (2, 3):
        told = night(services, NOW + day * DAY, decisions=broken, reviews=words)
        assert told["results"]["tables"][table]["state"] == "failed"
        (why,) = told["results"]["tables"][table]["why"]
        assert "are in quarantine" in why
        assert "renamed" not in why
        assert "ALLOW" not in why
    mended = night(services, NOW + 4 * DAY, decisions=cases, reviews=reviews)
    assert mended["results"]["tables"][table]["state"] == "done"
    assert (stored(services, "decisions"), stored(services, "reviews")) == (400, 400)


def test_a_few_refused_rows_are_told_by_their_rule_alone(tmp_path: Path) -> None:
    """One in five is put aside; the night is done."""
    services = hub_desk(tmp_path)
    cases = decided(NOW - DAY, 300)
    some = cases.assign(propensity=cases["propensity"].where(cases.index % 5 > 0, 0.0))
    told = night(services, NOW, decisions=some)
    assert told["results"]["tables"]["decisions"]["state"] == "done"
    assert told["rows_quarantined"] == 60


def test_a_night_that_is_done_raises_nothing(tmp_path: Path) -> None:
    """And tells nobody."""
    services = hub_desk(tmp_path)
    told = dossier(services, NOW)
    close_night(services, told)
    refuse_unless_done(told)
    assert services.alerts.recent(5) == []
