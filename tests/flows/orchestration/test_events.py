"""The event that starts a retrain: what it carries, and when it is sent."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml

from configs.errors import ServiceUnreachable
from flows.orchestration import events
from flows.verbs.causes.answers import announced
from flows.verbs.services import Services
from tests.builders import small_settings
from tests.findings import a_finding

ROOT = Path(__file__).resolve().parents[3]
NIGHT = datetime(2026, 5, 4, 2, tzinfo=UTC)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    settings = small_settings()
    return Services.at(tmp_path, settings, settings.load_case_types(), seed=3)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The findings that were given to Prefect; the server gives every event back at once."""
    given: list[Any] = []

    def emitted(finding: Any) -> UUID:
        given.append(finding)
        return uuid4()

    monkeypatch.setattr(events, "_emitted", emitted)
    monkeypatch.setattr(events, "_flushed", lambda seconds: None)
    monkeypatch.setattr(events, "_held", set)
    monkeypatch.setattr(events.PREFECT_API_URL, "value", lambda: "http://127.0.0.1:1/api")
    return given


def the_trigger() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    deployments = [one for one in document["deployments"] if "triggers" in one]
    assert [one["entrypoint"] for one in deployments] == ["flows/retrain.py:retrain"]
    assert deployments[0]["concurrency_limit"] == 1
    (trigger,) = deployments[0]["triggers"]
    return trigger


def test_an_announced_finding_is_not_sent_again(services: Services, sent: list[Any]) -> None:
    """The pattern ids of what was sent, then nothing; what does not fire is never sent."""
    findings = [a_finding(), a_finding("new_device", counterfactual=None)]
    assert events.announce(services, findings, NIGHT) == [findings[0].pattern_id]
    assert events.announce(services, findings, NIGHT) == []
    assert sent == findings[:1]


def test_what_did_not_arrive_is_sent_by_the_next_night(
    services: Services, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that forgets events: a clear error in time, and nothing is written down."""
    with monkeypatch.context() as away:
        away.setattr(events, "_held", lambda asked: set())
        with pytest.raises(ServiceUnreachable, match="did not arrive"):
            events.announce(services, [a_finding()], NIGHT, seconds=0.0)
    assert announced(services.store).empty
    assert events.announce(services, [a_finding()], NIGHT) == [a_finding().pattern_id]


def test_without_a_server_nothing_is_sent_or_written_down(
    services: Services, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An embedded server would hear it and start nothing."""
    monkeypatch.setattr(events.PREFECT_API_URL, "value", lambda: None)
    assert events.announce(services, [a_finding()], NIGHT) == []
    assert sent == []
    assert announced(services.store).empty


def test_a_finding_that_does_not_fire_has_no_payload() -> None:
    """Its errors before and after are not known."""
    with pytest.raises(ValueError, match="no counterfactual"):
        events.payload_of(a_finding(counterfactual=None))


def test_the_deployed_trigger_hears_our_event_and_fills_the_flows_parameters() -> None:
    """As Prefect itself parses, matches and renders it; the flow takes every parameter."""
    from prefect.cli.deploy._triggers import _initialize_deployment_triggers
    from prefect.events import Event
    from prefect.utilities.schema_tools.hydration import HydrationContext, hydrate

    from flows.retrain import retrain

    finding = a_finding()
    event = Event(
        event=events.FOUND,
        resource={"prefect.resource.id": "ratchet.case_type.ato"},
        payload=events.payload_of(finding),
    )
    (trigger,) = _initialize_deployment_triggers("by-hand", [the_trigger()])
    assert trigger.expect == {events.FOUND}
    assert trigger.match.matches(event.resource)
    context = HydrationContext(
        render_jinja=True, raise_on_error=True, jinja_context={"event": event}
    )
    assert hydrate(trigger.parameters, context) == {
        "case_type": "ato",
        "pattern_id": finding.pattern_id,
        "feature": "typing_rhythm_distance",
    }
    assert set(trigger.parameters) <= set(inspect.signature(retrain.fn).parameters)
