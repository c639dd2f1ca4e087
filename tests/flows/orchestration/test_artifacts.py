"""What a night leaves in Prefect: its verdict names the tickets, and a table lists them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.orchestration import artifacts
from flows.verbs.causes.tickets import file_findings, open_tickets
from flows.verbs.services import Services
from tests.builders import small_settings
from tests.findings import a_finding
from tests.nights import quiet_night

NIGHT = datetime(2026, 5, 4, 2, tzinfo=UTC)


@pytest.mark.parametrize("found", [True, False])
def test_the_nights_artifact_lists_its_tickets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    """A sentence in any case, a table where there is a ticket."""
    left: dict[str, str] = {}
    monkeypatch.setattr(
        artifacts,
        "create_markdown_artifact",
        lambda markdown, key, description: left.update({key: markdown}),
    )
    settings = small_settings()
    services = Services.at(tmp_path, settings, settings.load_case_types(), seed=3)
    file_findings(services.store, [a_finding()] if found else [], NIGHT)
    night = quiet_night(NIGHT, tickets=open_tickets(services))
    artifacts.publish_night(night)

    text = left["night-verdict"]
    assert ("1 pattern of errors is open (\\$3,600 at stake)." in text) == found
    assert ("No pattern of errors is open." in text) != found
    assert ("| ato | A | typing_rhythm_distance | network_type=vpn |" in text) == found


def test_the_nights_artifact_tells_what_changed_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rollback and a narrowing; a proposal waits for somebody and is counted elsewhere."""
    left: list[str] = []
    monkeypatch.setattr(
        artifacts,
        "create_markdown_artifact",
        lambda markdown, key, description: left.append(markdown),
    )
    kinds = ("guardrail_tripped", "rolled_back", "proposed")
    entries = [{"case_type": "ato", "kind": kind, "policy_id": None} for kind in kinds]
    night = quiet_night(NIGHT)
    artifacts.publish_night({**night, "entries": entries})
    artifacts.publish_night(night)
    assert "Changed by itself: ato guardrail tripped, ato rolled back. " in left[0]
    assert "Changed by itself" not in left[1]


def test_the_nights_artifact_says_first_what_is_held_or_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before any count."""
    left: list[str] = []
    monkeypatch.setattr(
        artifacts,
        "create_markdown_artifact",
        lambda markdown, key, description: left.append(description),
    )
    results = {"tables": {"reviews": {"state": "failed", "why": ["reviews: no file."]}}}
    night = quiet_night(NIGHT, verdict="Failed: reviews. Done: nothing.", results=results)
    artifacts.publish_night(night)
    assert left[0].startswith("Failed: reviews. Done: nothing. reviews: no file. 0 new rows")


def test_no_artifact_shows_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the verdict, its description, the table and a plain text."""
    left: list[dict[str, object]] = []
    for name in ("create_markdown_artifact", "create_table_artifact"):
        monkeypatch.setattr(artifacts, name, lambda **given: left.append(given))
    address = "postgresql://ana:hunter2ikWq@host/x?password=hunter2ikWq"
    artifacts.publish("night", f"See {address}.", [{"why": f"From {address}", "cases": 3}])
    artifacts.publish_text("night", f"See {address}.")
    assert len(left) == 3
    assert "hunter2ikWq" not in str(left)
    assert left[1]["table"] == [
        {"why": "From postgresql://ana:***@host/x?password=***", "cases": 3}
    ]


def test_a_table_says_yes_and_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """To people, not True and False; a number stays one."""
    left: list[dict[str, object]] = []
    for name in ("create_markdown_artifact", "create_table_artifact"):
        monkeypatch.setattr(artifacts, name, lambda **given: left.append(given))
    artifacts.publish("ab", "It goes on.", [{"proven": True, "tested": False, "cases": 1}])
    assert left[1]["table"] == [{"proven": "yes", "tested": "no", "cases": 1}]
    assert "True" not in str(left)
