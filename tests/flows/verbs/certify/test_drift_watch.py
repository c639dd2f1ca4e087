"""Does evidence start again when what is certified became worse, and only then? Is the rest told?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.settings import Settings
from flows.verbs.certify.drift_told import Change, changes_in
from flows.verbs.certify.drift_watch import Drift, watch_drift
from flows.verbs.certify.drift_windows import whole_windows
from flows.verbs.certify.generation import current_generation, last_version
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.night import protect, run_night
from flows.verbs.record.night_results import moved
from flows.verbs.services import Services
from flows.verbs.walk.walk import Walk
from models.hub import RestartEvidence
from models.hub.record.entries import Entry, EntryKind
from models.hub.rules.people import NIGHT
from models.simulation import RevealedHistory
from tests.builders import small_case_type, small_history, walk_settings, with_mlflow
from tests.flows.verbs.hub_desk import DAY, NAME, NOW, hub_desk

MOVES_ON = 30


def walked_with(
    home: Path,
    history: pd.DataFrame,
    *,
    enough: Callable[[Walk], bool] = lambda _: False,
    **night: float,
) -> Walk:
    """One model throughout, so that its evidence grows over all weeks; to the end, or until it is
    enough. `night` are settings of the night."""
    kinds = {"small_case": small_case_type(audit_rate=0.3)}
    upstream = RevealedHistory(history, kinds, warm_up_days=15, step_days=1)
    walk = Walk(
        Services.at(with_mlflow(home), _settings(**night), kinds, seed=3), upstream, retrain_days=60
    )
    walk.warm_up()
    for step in range(upstream.steps):
        walk.night_and_day(step)
        if enough(walk):
            break
    return walk


def _settings(**night: float) -> Settings:
    settings = walk_settings(60)
    return settings.model_copy(update={"night": settings.night.model_copy(update=night)})


def restarts(walk: Walk) -> list[Entry]:
    entries = walk.services.ledger.history("small_case")
    return [entry for entry in entries if entry.kind is EntryKind.EVIDENCE_RESTARTED]


def told(walk: Walk) -> list[str]:
    return [sentence for night in walk.nights for sentence in moved(night["results"])]


def later(history: pd.DataFrame) -> pd.Series:
    return history["opened_at"] >= history["opened_at"].iloc[0] + pd.Timedelta(days=MOVES_ON)


def moved_on(history: pd.DataFrame) -> pd.Timestamp:
    return history["opened_at"].iloc[0] + pd.Timedelta(days=MOVES_ON)


@pytest.mark.slow
def test_evidence_starts_again_where_bad_cases_moved_towards_the_pass_side(tmp_path: Path) -> None:
    """From day 30 on bad cases look two standard deviations better; the next sequence has no looks
    and goes on with the number of comparisons."""
    history = small_history(days=60, per_day=150)
    history["signal"] -= 2.0 * (later(history) & history["bad"])
    walk = walked_with(tmp_path, history, enough=lambda walk: bool(restarts(walk)))

    (first,) = restarts(walk)
    since = pd.Timestamp(first.dossier["evidence_since"])
    assert abs(since - moved_on(history)) <= walk.services.drift_window
    assert first.dossier["reason_code"] == "recall"
    assert "Bad cases moved towards the pass side: " in first.dossier["why"]
    (drift,) = walk.nights[-1]["drift"]
    assert drift["why"] == first.dossier["why"]
    generation = current_generation(walk.services.ledger, walk.services.case_types, "small_case")
    assert generation is not None
    assert generation.cohort_from == since.to_pydatetime()
    assert generation.sequence == 1
    assert generation.comparisons == first.dossier["comparisons"] > 0


@pytest.mark.slow
def test_a_feature_that_moved_is_told_once_and_ends_nothing(tmp_path: Path) -> None:
    """On day 30 one of two channels that mean the same is given up."""
    history = small_history(days=48, per_day=200)
    gone = later(history) & (history["channel"] == "desk")
    history["channel"] = history["channel"].where(~gone, "app")
    walk = walked_with(tmp_path / "moved", history)
    assert restarts(walk) == []
    (sentence,) = [one for one in told(walk) if "'channel'" in one]
    assert sentence.startswith("small_case: among good cases, since ")
    day = pd.Timestamp(sentence.partition("since ")[2][:10], tz="UTC")
    assert abs(day - moved_on(history)) <= walk.services.drift_window

    # The same night run again tells the same, and a later one does not.
    night = next(one for one in walk.nights if sentence in moved(one["results"]))
    again = told_again(walk, pd.Timestamp(night["as_of"]))
    assert sentence in again
    assert sentence not in told_again(walk, pd.Timestamp(night["as_of"]) + timedelta(days=1))
    assert any("'channel'" in change.sentence for change in changes(walk, walk.services))
    assert not any(
        "'channel'" in change.sentence for change in changes(walk, turning(walk.services))
    )


def told_again(walk: Walk, as_of: pd.Timestamp) -> tuple[str, ...]:
    snapshot = load_snapshot(walk.services, as_of.to_pydatetime())
    return watch_drift(walk.services, snapshot, "small_case").told


def changes(walk: Walk, services: Services) -> list[Change]:
    """All that moved by the last night, told before or not."""
    snapshot = load_snapshot(services, datetime.fromisoformat(walk.nights[-1]["as_of"]))
    generation = current_generation(services.ledger, services.case_types, "small_case")
    assert generation is not None
    windows = whole_windows(services, snapshot, "small_case", generation)
    assert windows is not None
    return changes_in(
        services.store, services.case_types, services.drift_window, snapshot, "small_case", windows
    )


def turning(services: Services) -> Services:
    """The same desk, told that `channel` follows the calendar."""
    kind = services.case_types["small_case"]
    signal, channel = kind.features
    turns = replace(channel, turns_with_calendar=True)
    return replace(services, case_types={"small_case": replace(kind, features=(signal, turns))})


@pytest.mark.slow
def test_a_quiet_history_pools_all_its_windows_and_tells_nothing(tmp_path: Path) -> None:
    walk = walked_with(tmp_path, small_history(days=45, per_day=120))
    assert restarts(walk) == []
    assert all(night["drift"] == [] for night in walk.nights)
    assert told(walk) == []


@pytest.mark.slow
def test_evidence_that_is_too_old_starts_again_with_its_newer_half(tmp_path: Path) -> None:
    """Evidence may be 20 days old: on the first night that it is older, ten days of it go on."""
    walk = walked_with(
        tmp_path,
        small_history(days=45, per_day=120),
        evidence_days=20.0,
        enough=lambda walk: bool(restarts(walk)),
    )
    (first,) = restarts(walk)
    since = pd.Timestamp(first.dossier["evidence_since"])
    assert first.at - since.to_pydatetime() == timedelta(days=10)
    assert first.dossier["reason_code"] == "age"
    assert "more than 20 days ago (night.evidence_days)" in first.dossier["why"]
    assert np.isfinite(first.dossier["comparisons"])


def test_the_nights_dossier_says_what_the_guard_found_before_anything_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry is some seconds older than the moment that the night is as of."""
    services = hub_desk(tmp_path)
    since = NOW - 10 * DAY
    restart = RestartEvidence(
        case_type=NAME,
        actor=NIGHT,
        base_version=last_version(services.ledger, NAME),
        evidence_since=since,
        dossier={"why": "Evidence starts again, and pools 215 of 2,100 cases."},
    )
    entry = services.ledger.submit(restart, NOW)
    found = {NAME: Drift(entry, ())}
    monkeypatch.setattr(
        "flows.verbs.night.watch_drift", lambda _, __, name: found.pop(name, Drift(None, ()))
    )
    monkeypatch.setattr("flows.verbs.night.judge_case_types", lambda *_: [])
    monkeypatch.setattr("flows.verbs.night.find_causes", lambda *_: [])
    protected = protect(services, NOW)
    night = run_night(services, [], NOW + pd.Timedelta(seconds=5), protected=protected).plain()
    assert [(one["case_type"], one["why"]) for one in night["drift"]] == [
        (NAME, "Evidence starts again, and pools 215 of 2,100 cases.")
    ]
