"""Does evidence start again when the cases change, and only then?"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from flows.verbs.generation import current_generation
from models.hub.entries import EntryKind
from tests.builders import small_history, walked


def restarts(walk) -> list:
    entries = walk.desk.ledger.history("small_case")
    return [entry for entry in entries if entry.kind is EntryKind.EVIDENCE_RESTARTED]


def test_evidence_starts_again_where_a_feature_moved_and_the_dossier_says_so(
    tmp_path: Path,
) -> None:
    """From day 30 on `signal` is one standard deviation higher."""
    history = small_history(days=55, per_day=120)
    moved_at = history["opened_at"].iloc[0] + pd.Timedelta(days=30)
    history["signal"] += (history["opened_at"] >= moved_at).astype(float)
    walk = walked(tmp_path, history)

    first = restarts(walk)[0]
    since = pd.Timestamp(first.dossier["evidence_since"])
    assert abs(since - moved_at) <= walk.desk.drift_window
    assert "'signal'" in first.dossier["why"]
    told = [one for night in walk.nights for one in night["drift"]]
    assert [one["why"] for one in told] == [entry.dossier["why"] for entry in restarts(walk)]
    generation = current_generation(walk.desk, "small_case")
    assert generation.evidence_since >= since.to_pydatetime()


def test_a_quiet_history_pools_all_its_windows(tmp_path: Path) -> None:
    walk = walked(tmp_path, small_history(days=45, per_day=120))
    assert restarts(walk) == []
    assert all(night["drift"] == [] for night in walk.nights)
