"""Figures: what stands in the home, in the scrapers' format, on this machine only."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from configs.errors import ServiceUnreachable
from flows.adapters.servers.prometheus import HOST, exposition, serve
from flows.verbs.live import file_dossier
from flows.verbs.record.metrics import samples
from tests.faults.house import NAME, House, copied

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path: Path) -> House:
    return copied(tmp_path / "home")


def figures(house: House, now: datetime) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = exposition(lambda: samples(house.services(), now)).decode("utf-8")
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def night(house: House, at: datetime, state: str) -> None:
    batch = {"table": "reviews", "admitted": 9, "already_stored": 4, "quarantined": 2}
    one = {"state": state, "why": [], "guard": "holds"}
    results = {"tables": {}, "case_types": {NAME: one}}
    file_dossier(
        house.services(), {"as_of": at.isoformat(), "results": results, "batches": [batch]}
    )


def test_a_home_in_figures(house: House) -> None:
    """The last *good* night is older than the last one; the boundary is the live one."""
    now = datetime.now(UTC)
    night(house, now - timedelta(days=3), "done")
    night(house, now - timedelta(days=1), "held")
    assert house.decide(0)[0].code == 0
    told = figures(house, datetime.now(UTC))
    about = (("case_type", NAME),)
    assert told["ratchet_up", ()] == told["ratchet_ledger_verified", ()] == 1
    assert 3 * 86_400 <= told["ratchet_last_good_night_age_seconds", about] < 3 * 86_400 + 600
    assert told["ratchet_last_night_rows", (("outcome", "new"), ("table", "reviews"))] == 9 - 4
    assert told["ratchet_last_night_rows", (("outcome", "quarantined"), ("table", "reviews"))] == 2
    assert told["ratchet_boundary", (*about, ("side", "pass"))] == 0.3
    assert told["ratchet_boundary", (*about, ("side", "block"))] == 0.7
    assert told["ratchet_state", (*about, ("state", "live"))] == 1
    assert told["ratchet_guard_state", (*about, ("state", "holds"))] == 1
    assert 0 < told["ratchet_automation_rate", about] < 1
    assert told["ratchet_holds_open", about] == told["ratchet_proposals_waiting", about] == 0
    assert told["ratchet_alerts_undelivered", ()] == 0


def test_an_edited_ledger_is_a_figure_and_no_crash(house: House) -> None:
    house.sql("UPDATE ledger_entries SET actor = 'zoe' WHERE seq = 3")
    told = figures(house, datetime.now(UTC))
    assert (told["ratchet_up", ()], told["ratchet_ledger_verified", ()]) == (1, 0)
    assert told["ratchet_state", (("case_type", NAME), ("state", "untrusted"))] == 1


def test_a_home_that_cannot_be_read_is_down() -> None:
    def gone():
        raise ServiceUnreachable("the disk is gone")

    assert b"ratchet_up 0.0" in exposition(gone)


def test_they_are_served_on_this_machine_only(house: House) -> None:
    server, thread = serve(lambda: samples(house.services(), datetime.now(UTC)), 0)
    try:
        assert server.server_address[0] == HOST == "127.0.0.1"
        url = f"http://{HOST}:{server.server_port}/metrics"
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert b"ratchet_ledger_verified 1.0" in answer.read()
        with pytest.raises(ServiceUnreachable, match="Port"):
            serve(lambda: [], server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=5)


def test_the_command_writes_a_file_once(house: House, tmp_path: Path) -> None:
    out = tmp_path / "ratchet.prom"
    said = house.ask("metrics", "--to", str(out))
    assert (said.code, said.out) == (0, "")
    assert "ratchet_ledger_entries" in out.read_text()
    assert house.ask("metrics", "--to", str(out), "--port", "9").code == 2
