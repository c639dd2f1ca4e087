"""How often does a night look for causes?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flows.verbs import night
from flows.verbs.causes.tickets import last_triage
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.night import find_causes
from flows.verbs.record.night_results import NightResults
from flows.verbs.services import Services
from tests.flows.verbs.hub_desk import DAY, NAME, NOW


@pytest.mark.parametrize(
    ("every", "looked"),
    [(1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6]), (30, [0])],
    ids=["every night", "every third night", "once"],
)
def test_between_two_triages_a_night_files_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch, every: int, looked: list[int]
) -> None:
    """Whatever hour a night is for; the same night again is triaged again."""
    asked: list[int] = []
    pausing = replace(services, triage_every=timedelta(days=every))

    def found(_: Services, snapshot: object, case_type: str) -> None:
        if case_type == NAME:
            asked.append((snapshot.as_of.date() - NOW.date()).days)  # type: ignore[attr-defined]

    monkeypatch.setattr(night, "triage_case_type", found)
    hours = (0, 5, -1, 2, -1, 0, 3)
    for number, hour in enumerate(hours):
        at = NOW + number * DAY + timedelta(hours=hour)
        find_causes(pausing, load_snapshot(pausing, at), NightResults())
        filed = last_triage(pausing.store, at)
        assert filed is not None
        assert filed.date() == (NOW + max(one for one in looked if one <= number) * DAY).date()
    assert asked == looked
    find_causes(
        pausing, load_snapshot(pausing, NOW + looked[-1] * DAY + timedelta(hours=6)), NightResults()
    )
    assert asked == [*looked, looked[-1]]
