"""Is a change that ends no evidence told once, whoever finds it again?"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.verbs.certify import drift_told
from flows.verbs.certify.drift_told import Change, changes_in, told_tonight
from flows.verbs.certify.drift_windows import WholeWindows
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.services import Services
from models.vocabulary import Boundary
from tests.flows.verbs.hub_desk import DAY, NAME, NOW, OTHER, hub_desk
from tests.models.drift.cohorts import cohort

WEEK = 7 * DAY
SINCE = NOW - 5 * WEEK


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return hub_desk(tmp_path)


def windows(services: Services, number: int = 8) -> WholeWindows:
    return WholeWindows(
        services,
        pd.DataFrame(),
        pd.Timestamp(NOW - 9 * WEEK),
        number,
        NOW - 9 * WEEK,
        Boundary(0.1, 0.9),
    )


def night(
    monkeypatch: pytest.MonkeyPatch,
    services: Services,
    as_of: datetime,
    *found: Change,
    name: str = NAME,
    number: int = 8,
) -> list[str]:
    """What a night tells that finds these changes, in a process of its own."""
    monkeypatch.setattr(drift_told, "changes_in", lambda *_: list(found))
    drift_told._QUIET.clear()
    return told_tonight(services, load_snapshot(services, as_of), name, windows(services, number))


def change(what: str = "feature channel", since: datetime = SINCE) -> Change:
    return Change(what, since, f"since {since:%Y-%m-%d}: {what} moved.")


def test_a_change_is_told_on_one_night_however_often_that_night_runs(
    monkeypatch: pytest.MonkeyPatch, services: Services
) -> None:
    sentence = f"{NAME}: since {SINCE:%Y-%m-%d}: feature channel moved."
    assert night(monkeypatch, services, NOW, change()) == [sentence]
    assert night(monkeypatch, services, NOW + timedelta(hours=1), change()) == [sentence]
    assert night(monkeypatch, services, NOW + DAY, change()) == []


def test_the_same_change_found_a_window_away_is_not_told_again_and_a_later_one_is(
    monkeypatch: pytest.MonkeyPatch, services: Services
) -> None:
    night(monkeypatch, services, NOW, change())
    assert night(monkeypatch, services, NOW + DAY, change(since=SINCE + WEEK)) == []
    later = change(since=SINCE + 2 * WEEK)
    assert len(night(monkeypatch, services, NOW + 2 * DAY, change(), later)) == 1


def test_changes_and_case_types_stand_apart(
    monkeypatch: pytest.MonkeyPatch, services: Services
) -> None:
    night(monkeypatch, services, NOW, change())
    assert len(night(monkeypatch, services, NOW + DAY, change(), change("bad_share rose"))) == 1
    assert len(night(monkeypatch, services, NOW + DAY, change(), name=OTHER)) == 1


def test_one_process_works_out_the_same_windows_once(
    monkeypatch: pytest.MonkeyPatch, services: Services
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(drift_told, "changes_in", lambda *_: asked.append(1) or [])
    for number in (8, 8, 9):
        told_tonight(services, load_snapshot(services, NOW), NAME, windows(services, number))
    assert len(asked) == 2


def test_what_moved_is_said_with_the_day_it_began(
    monkeypatch: pytest.MonkeyPatch, services: Services
) -> None:
    """Simulated: the share of bad cases doubles with window 6; recall, which is promised, is as it
    was, and so is precision. Good cases are left out here, and no case is stored, so none came."""
    cases = cohort(np.random.default_rng(1), 2_000, 12, base_rate=[0.1] * 6 + [0.2] * 6)
    rows = pd.DataFrame(
        {
            "score": cases.score,
            "bad": cases.bad.astype(float),
            "automatable": True,
            "in_cohort": True,
            "in_block_cohort": True,
            "window": cases.window,
        }
    )
    monkeypatch.setattr(drift_told, "_good_cases", lambda *_: [])
    begins = NOW - 13 * WEEK
    given = WholeWindows(services, rows, pd.Timestamp(begins), 12, begins, Boundary(0.05, 0.9))
    found = changes_in(
        services.store,
        services.case_types,
        services.drift_window,
        load_snapshot(services, NOW),
        NAME,
        given,
    )
    (share,) = [one for one in found if one.what == "bad_share rose"]
    assert share.since == begins + 6 * WEEK
    assert share.sentence.startswith(
        f"since {begins + 6 * WEEK:%Y-%m-%d}: The share of bad cases rose: "
    )
    assert {one.what for one in found} <= {"bad_share rose", "precision fell"}
