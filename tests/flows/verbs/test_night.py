"""A night judges on the ledger as it stood when it began, and asks for nothing on an older one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from flows.adapters.ledger.ledger import Ledger
from flows.verbs.certify.certify import Judged, certify_case_type
from flows.verbs.certify.generation import CARRIES_OVER, last_version
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.propose import act_on
from flows.verbs.govern.submit import StaleBase
from flows.verbs.night import run_night
from flows.verbs.services import Services
from models.hub import Entry, EntryKind, PlaceHold
from models.hub.record.refusal import RefusalRule
from tests.flows.verbs.certified_desk import BEFORE, LATER
from tests.flows.verbs.hub_desk import (
    DAY,
    NAME,
    NOW,
    decided_cases,
    hub_desk,
    made_live,
    policy,
    with_model,
)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """3,000 cases decided by a live boundary prove a wider one, and nobody has looked yet."""
    services = hub_desk(tmp_path)
    model = SimpleNamespace(
        reference_scores=np.linspace(0.0, 1.0, 1_000),
        calibration=SimpleNamespace(slope=1.0, intercept=0.0),
    )
    services.registry.load = lambda *_, **__: model  # type: ignore[method-assign, assignment, return-value]
    with_model(services, "2", NOW - DAY, **{CARRIES_OVER: True})
    made_live(services, policy(BEFORE, "2"), NOW)
    decided_cases(
        services, policy(BEFORE, "2"), NOW, 3_000, bad_passed=0.0, keyed=True, bad_from=2.0
    )
    return services


def judged(services: Services) -> Judged:
    found = certify_case_type(services, load_snapshot(services, LATER), NAME)
    assert found is not None
    return found


def labels_wait(home: Path) -> None:
    """Another process puts the labels on hold that the proof rests on."""
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}", home / "ledger.head", enrolled_only=False)
    hold = PlaceHold(
        case_type=NAME,
        table="decisions",
        rule="base_rate",
        reason="60 % of the labels say bad, where it was 20 %.",
        since=NOW - 100 * DAY,
        actor="nightly_calibration",
        base_version=last_version(ledger, NAME),
    )
    assert isinstance(ledger.submit(hold, LATER), Entry)


def test_a_night_proposes_nothing_that_was_judged_before_another_entry(services: Services) -> None:
    """Its labels wait by now. Judged again, it says so."""
    night = services.on_snapshot()
    proven = judged(night)
    labels_wait(services.home)
    with pytest.raises(StaleBase):
        act_on(night, proven, LATER)
    assert services.ledger.refusals(NAME)[-1].rule is RefusalRule.STALE_BASE
    assert judged(night).certificate.verdict != proven.certificate.verdict == "certified"


def test_the_newest_version_asked_for_while_the_command_is_built_lets_it_through(
    services: Services,
) -> None:
    """What a night on the ledger itself would do: compare-and-swap guards the last read alone."""
    proven = judged(services)
    labels_wait(services.home)
    proposed = act_on(services, proven, LATER)
    assert proposed is not None
    assert proposed.kind is EntryKind.PROPOSED


def test_another_case_types_entry_makes_nothing_stale(services: Services) -> None:
    """Versions are counted by case type: a proposal is filed though others write beside it."""
    night = services.on_snapshot()
    proven = judged(night)
    beside = Ledger(
        f"sqlite:///{services.home / 'ledger.db'}",
        services.home / "ledger.head",
        enrolled_only=False,
    )
    other = PlaceHold(
        case_type="other_case",
        table="reviews",
        rule="volume",
        reason="Half of the rows.",
        since=NOW,
        actor="nightly_calibration",
        base_version=last_version(beside, "other_case"),
    )
    assert isinstance(beside.submit(other, LATER), Entry)
    assert act_on(night, proven, LATER) is not None


def test_a_whole_night_says_what_came_in_between(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry comes after the evidence was read: the night is not green, proposes nothing for that
    case type, and the next one, on what stands now, is."""
    monkeypatch.setattr("flows.verbs.night.find_causes", lambda *_: [])
    monkeypatch.setattr("flows.verbs.night.score_delivered", lambda *_, **__: [])

    def meanwhile(_: Services) -> bool:
        labels_wait(services.home)
        return False

    night = run_night(services, [], LATER, before_judging=meanwhile)
    assert not night.all_done
    assert any("stale" in why or "came in between" in why for why in night.not_done), night.not_done
    assert [entry.kind for entry in night.entries] == []
    after = run_night(services, [], LATER + DAY)
    assert "on hold" in " ".join(after.not_done)
    assert after.waiting == []
