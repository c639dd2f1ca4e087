"""What the people of a demo do: a planned draw, a look-back after a fall, and what nobody would approve."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from flows.verbs.evidence.store_draws import store_drawn
from flows.verbs.govern.promote import roll_back
from flows.verbs.services import Services
from flows.verbs.walk.stand_ins import OPS, SECOND, Draw, StandIns
from models.hub import EntryKind
from models.vocabulary import Boundary
from tests.flows.verbs.evidence.test_store_draws import with_scores
from tests.flows.verbs.hub_desk import (
    ANA,
    DAY,
    NAME,
    NARROW,
    NOW,
    OTHER,
    decided_cases,
    filed,
    hub_desk,
    made_live,
    policy,
    with_model,
)

WIDE = Boundary(0.5, 0.9)
NIGHT = {"tickets": []}
LATER = NOW + 60 * DAY


@dataclass
class Reviewers:
    """Who is handed cases, and notes which."""

    given: list[tuple[pd.DataFrame, datetime, float]] = field(default_factory=list)

    def __call__(self, decisions: pd.DataFrame, as_of: datetime, days: float) -> None:
        self.given.append((decisions, as_of, days))


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """A live policy that decided 600 cases, half of its decisions audited."""
    made = with_scores(hub_desk(tmp_path / "home"))
    live = policy(WIDE)
    made_live(made, policy(NARROW), NOW - DAY)
    made_live(made, live, NOW)
    decided_cases(made, live, NOW + DAY, 600, bad_passed=0.2, keyed=True)
    return made


def test_on_its_night_two_people_draw_from_the_store_and_its_cases_go_to_reviewers(
    services,
) -> None:
    """One asks, another agrees, and whoever was drawn is handed out, over the days planned."""
    reviewers = Reviewers()
    people = StandIns(reviewers, draws=(Draw(NAME, 5, 0.9, 4.0),))
    people.after(services, NIGHT, 4, LATER)
    assert not reviewers.given
    people.after(services, NIGHT, 5, LATER)
    kinds = (EntryKind.EXTENSION_REQUESTED, EntryKind.AUDIT_EXTENDED)
    said = [(one.kind, one.actor) for one in services.ledger.history(NAME) if one.kind in kinds]
    assert said == [(kinds[0], OPS), (kinds[1], SECOND)]
    ((rows, as_of, days),) = reviewers.given
    assert sorted(rows["case_id"]) == sorted(store_drawn(services, NAME, LATER)["case_id"])
    assert len(rows) > 0
    assert (as_of, days) == (LATER, 4.0)
    assert [(one.why, one.cases) for one in people.handed] == [("sprint", len(rows))]


def test_what_a_fallen_boundary_passed_goes_to_reviewers_once(services) -> None:
    """The night after, nothing is handed out again."""
    reviewers = Reviewers()
    people = StandIns(reviewers, look_back_days=2.0)
    roll_back(services, NAME, ANA, "It passes too many bad cases.", LATER)
    people.after(services, NIGHT, 60, LATER)
    ((rows, _, days),) = reviewers.given
    assert days == 2.0
    assert set(rows["action"].astype("str")) == {"auto_pass"}
    scores = rows["score"].to_numpy(dtype=np.float64)
    assert ((scores > NARROW.pass_at_or_below) & (scores <= WIDE.pass_at_or_below)).all()
    people.after(services, NIGHT, 61, LATER + DAY)
    assert len(reviewers.given) == 1


@pytest.mark.parametrize(("version", "agreed"), [("1", False), ("2", True)])
def test_nobody_approves_the_model_whose_boundary_fell(
    services, version: str, agreed: bool
) -> None:
    """What is proven of it is an average; the fall is about today. A later model may be approved."""
    people = StandIns(Reviewers())
    proposal = filed(services, policy(Boundary(0.45, 0.9)), LATER)
    assert people.would_approve(services, proposal, LATER)
    roll_back(services, NAME, ANA, "It passes too many bad cases.", LATER)
    if version != "1":
        with_model(services, version, LATER)
    later = filed(services, policy(Boundary(0.4, 0.9), version), LATER + DAY)
    assert people.would_approve(services, later, LATER + DAY) is agreed


def fitted(case_type: str, filed: bool = True) -> SimpleNamespace:
    """What a retrain answers, as far as the stand-ins look at it."""
    return SimpleNamespace(case_type=case_type, filed=filed)


def test_a_ticket_that_asks_for_a_retrain_is_answered_the_night_after(
    services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not fire, or is answered, asks for nothing; nor does one that no night has found again
    since it was read."""
    asked: list[tuple[object, ...]] = []
    ticket = {
        "pattern_id": "p1",
        "case_type": NAME,
        "fires": True,
        "status": "open",
        "subject": "signal",
        "last_seen": "2026-03-01",
    }
    monkeypatch.setattr("flows.verbs.walk.stand_ins.to_answer", lambda *_: [ticket])

    def retrain(services: Services, snapshot: object, *told: object) -> SimpleNamespace:
        asked.append(told)
        return fitted(NAME, filed=False)

    monkeypatch.setattr("flows.verbs.walk.stand_ins.retrain", retrain)
    people = StandIns(Reviewers())
    silent = [{**ticket, "fires": False}, {**ticket, "status": "answered"}]
    nights = [silent, [ticket], [ticket], [{**ticket, "last_seen": "2026-03-09"}], []]
    for night, tickets in enumerate(nights):
        people.after(services, {"tickets": tickets}, night, NOW + night * DAY)
        people.retrains(services, NOW + (night + 1) * DAY)
        assert len(asked) == (0, 1, 1, 2, 2)[night]
    assert asked[0] == (NAME, ["p1"], ["signal"])


@pytest.mark.parametrize(
    ("filed", "expected"), [(True, [0, 0, 1, 0, 0, 0]), (False, [0, 0, 1, 0, 0, 1])]
)
def test_after_a_fall_somebody_retrains_so_many_nights_later(
    services, monkeypatch: pytest.MonkeyPatch, filed: bool, expected: list[int]
) -> None:
    """Until then the newest labels would be of what made it fall alone. Once, where the gate let the model
    under test; else again, as many nights later."""
    monkeypatch.setattr("flows.verbs.walk.stand_ins.retrain", lambda *_: fitted(NAME, filed))
    people = StandIns(Reviewers(), retrain_after=3)
    roll_back(services, NAME, ANA, "It passes too many bad cases.", LATER)
    people.after(services, NIGHT, 60, LATER)
    asked = [len(people.retrains(services, LATER + night * DAY)) for night in range(1, 7)]
    assert asked == expected


def test_a_draw_that_is_refused_stops_nobody_and_is_told(services) -> None:
    """Where nothing was ever live there is no window; the loop goes on, and the story says why not."""
    reviewers = Reviewers()
    people = StandIns(reviewers, draws=(Draw(OTHER, 5, 0.9, 4.0),))
    people.after(services, NIGHT, 5, LATER)
    assert not reviewers.given
    assert not people.handed
    (told,) = people.refused
    assert (told.at, told.case_type) == (LATER, OTHER)
    assert "no model of it is under test" in told.why
