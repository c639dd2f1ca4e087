"""The roads of benchmarks.live_road, shortened: a price or a proposal, and shadow scores for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.live_road import as_it_is, own_model
from configs.places import ratchet_data

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ratchet_data() / "handbook_transactions.parquet").exists(),
        reason="needs the cards (RATCHET_DATA)",
    ),
]


def priced(line: dict[str, Any]) -> bool:
    """Certified, so many labels, or that no number of them proves it: the draws of a home decide which."""
    if line["verdict"] == "certified" or line["labels_needed"]:
        return True
    return line["verdict"] == "hold" and "a better model is the way" in " ".join(line["reasons"])


def test_another_agents_feed_has_a_price_and_a_challenger_that_scores_all(tmp_path: Path) -> None:
    first, after = as_it_is(tmp_path, (24, 26)).lines
    assert priced(first)
    assert first["people"] == ["retrain 0"]
    (shadow,) = after["shadow"]
    assert shadow["scored"] == shadow["decisions"] > 0
    assert after["exit"] == 0


def test_a_past_is_proposed_approved_decided_and_guarded(tmp_path: Path) -> None:
    road = own_model(tmp_path, last=20)
    imported = road.lines[0]
    assert imported["verdict"] == "certified"
    assert imported["people"] == ["imported again: no change", "approve 0, promote 0"]
    assert road.lines[-1]["guard"] == "holds"
