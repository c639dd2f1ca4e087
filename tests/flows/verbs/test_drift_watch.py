"""Does evidence start again when the cases change, and only then?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from flows.verbs.desk import Desk
from flows.verbs.generation import current_generation, last_version
from flows.verbs.night import protect, run_night
from flows.verbs.walk import Walk
from models.hub import RestartEvidence
from models.hub.entries import Entry, EntryKind
from models.hub.people import NIGHT
from models.simulation import RevealedHistory
from tests.builders import small_case_type, small_history, walk_settings, with_mlflow
from tests.flows.verbs.hub_desk import DAY, NAME, NOW, hub_desk


def walked_with(
    home: Path,
    history: pd.DataFrame,
    *,
    channel_turns: bool = False,
    nights_after: int | None = None,
) -> Walk:
    """One model throughout, so that its evidence grows over all weeks after the warm-up; to the
    end, or until so many nights after evidence started again for the first time."""
    kind = small_case_type()
    signal, channel = kind.features
    features = (signal, replace(channel, turns_with_calendar=channel_turns))
    kinds = {"small_case": replace(kind, features=features)}
    upstream = RevealedHistory(history, kinds, warm_up_days=15, step_days=1)
    walk = Walk(
        Desk.at(with_mlflow(home), walk_settings(60), kinds, seed=3), upstream, retrain_days=60
    )
    walk.warm_up()
    since = 0
    for step in range(upstream.steps):
        walk.night_and_day(step)
        since += bool(restarts(walk))
        if nights_after is not None and since > nights_after:
            break
    return walk


def restarts(walk: Walk) -> list[Entry]:
    entries = walk.desk.ledger.history("small_case")
    return [entry for entry in entries if entry.kind is EntryKind.EVIDENCE_RESTARTED]


@pytest.mark.slow
def test_evidence_starts_again_where_a_feature_moved_and_the_dossier_says_so(
    tmp_path: Path,
) -> None:
    """From day 30 on `signal` is one standard deviation higher."""
    history = small_history(days=60, per_day=120)
    moved_at = history["opened_at"].iloc[0] + pd.Timedelta(days=30)
    history["signal"] += (history["opened_at"] >= moved_at).astype(float)
    walk = walked_with(tmp_path, history, nights_after=7)

    first = restarts(walk)[0]
    since = pd.Timestamp(first.dossier["evidence_since"])
    assert abs(since - moved_at) <= walk.desk.drift_window
    assert "'signal'" in first.dossier["why"]
    told = [one for night in walk.nights for one in night["drift"]]
    assert [one["why"] for one in told] == [entry.dossier["why"] for entry in restarts(walk)]
    generation = current_generation(walk.desk, "small_case")
    assert generation.evidence_since >= since.to_pydatetime()


@pytest.mark.slow
def test_a_quiet_history_pools_all_its_windows(tmp_path: Path) -> None:
    walk = walked_with(tmp_path, small_history(days=45, per_day=120))
    assert restarts(walk) == []
    assert all(night["drift"] == [] for night in walk.nights)


@pytest.mark.slow
def test_a_feature_that_turns_with_the_calendar_ends_no_evidence(tmp_path: Path) -> None:
    """`channel` becomes another word on day 30; said to turn with the calendar, it may."""
    history = small_history(days=45, per_day=120)
    later = history["opened_at"] >= history["opened_at"].iloc[0] + pd.Timedelta(days=30)
    history["channel"] = history["channel"].where(~later, "desk")
    moved = restarts(walked_with(tmp_path / "moved", history, nights_after=0))
    assert any("'channel'" in entry.dossier["why"] for entry in moved)
    turned = restarts(walked_with(tmp_path / "turned", history, channel_turns=True))
    assert not any("'channel'" in entry.dossier["why"] for entry in turned)


def test_the_nights_dossier_says_what_the_guard_found_before_anything_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry is some seconds older than the moment that the night is as of."""
    desk = hub_desk(tmp_path)
    since = NOW - 10 * DAY
    restart = RestartEvidence(
        case_type=NAME,
        actor=NIGHT,
        base_version=last_version(desk, NAME),
        evidence_since=since,
        dossier={"why": "Evidence starts again, and pools 215 of 2,100 cases."},
    )
    entry = desk.ledger.submit(restart, NOW)
    found = {NAME: entry}
    monkeypatch.setattr("flows.verbs.night.watch_drift", lambda _, __, name: found.pop(name, None))
    monkeypatch.setattr("flows.verbs.night.judge_case_types", lambda *_: [])
    monkeypatch.setattr("flows.verbs.night.find_causes", lambda *_: [])
    protected = protect(desk, NOW)
    night = run_night(desk, [], NOW + pd.Timedelta(seconds=5), protected=protected)
    assert [(one["case_type"], one["why"]) for one in night["drift"]] == [
        (NAME, "Evidence starts again, and pools 215 of 2,100 cases.")
    ]
