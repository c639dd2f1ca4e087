"""The sweep's methods answer the same question, and its table says what was measured."""

import math

import numpy as np
import pytest

from benchmarks import sweep
from benchmarks.sweep import COSTS, EXACT, METHODS, _agree, simulated_log, table
from models.replay.replay import replay
from models.vocabulary import Boundary


@pytest.mark.parametrize("levels", [None, 40])
def test_every_exact_method_finds_the_same_loss(levels):
    """5,000 simulated cases, without ties and with forty distinct scores."""
    scores, bad = simulated_log(5_000)
    if levels is not None:
        scores = np.round(scores * levels).astype(np.float32) / np.float32(levels)
    losses = {name: METHODS[name](scores, bad) for name in EXACT}
    assert len(set(losses.values())) == 1, losses
    assert METHODS["bincount"](scores, bad) >= losses["ours"]


def test_the_loss_is_that_of_the_best_boundary_replayed_by_itself():
    """All pairs of nine cuts on sixty cases, one by one."""
    scores, bad = simulated_log(60)
    scores = np.round(scores * 8).astype(np.float32) / np.float32(8)
    bad[:7] = True
    cuts = [None, *np.unique(scores).tolist()]
    columns = scores, bad.astype(float), np.ones(60), np.ones(60, bool)
    losses = [
        replay(*columns, Boundary(), Boundary(low, high), COSTS).after.expected_loss_usd.value
        for low in cuts
        for high in cuts
        if low is None or high is None or low < high
    ]
    assert METHODS["sort_and_cumsum"](scores, bad) == min(losses)


def test_scores_are_calibrated_and_the_same_every_time():
    """Simulated: among scores near 1/2 half are bad; a larger log begins with the smaller one."""
    scores, bad = simulated_log(400_000)
    near = (scores > 0.4) & (scores < 0.6)
    share, expected = bad[near].mean(), scores[near].mean()
    assert abs(share - expected) < 4 * math.sqrt(0.25 / near.sum())
    again, _ = simulated_log(400_000)
    assert np.array_equal(scores, again)


def test_disagreement_by_a_cent_is_told():
    """Ours must be equal; a peer may differ by its shares' rounding; coarse bins may differ."""
    rows = [
        {"method": "sort_and_cumsum", "cases": 10, "loss_usd": 100.0},
        {"method": "ours", "cases": 10, "loss_usd": 100.0},
        {"method": "bincount", "cases": 10, "loss_usd": 101.0},
        {"method": "one_pass", "cases": 10, "loss_usd": None},
    ]
    assert _agree(rows)
    assert not _agree([*rows, {"method": "ours", "cases": 10, "loss_usd": 100.01}])
    assert not _agree([*rows, {"method": "roc_curve", "cases": 10, "loss_usd": 100.01}])


def test_one_measurement_has_a_time_a_ratio_and_a_peak(monkeypatch):
    """Small and quick, in this process."""
    monkeypatch.setattr(sweep, "MOST_ROUNDS", 1)
    row = sweep.measure("ours", 20_000)
    assert row["loss_usd"] == METHODS["sort_and_cumsum"](*simulated_log(20_000))
    assert row["passes"] == row["seconds"] / row["pass_seconds"]
    assert 0 < row["log_gib"] < row["peak_gib"]


def test_saving_replaces_what_was_measured_again_and_keeps_the_rest(tmp_path, monkeypatch):
    """One method of one size anew; sizes ascending, methods in their order."""
    monkeypatch.setattr(sweep, "RESULTS", tmp_path / "sweep" / "sweep.jsonl")
    sweep._save([{"cases": 20, "method": "ours", "seconds": 3.0}])
    sweep._save(
        [
            {"cases": 20, "method": "ours", "seconds": 1.0},
            {"cases": 10, "method": "bincount", "seconds": 2.0},
            {"cases": 10, "method": "one_pass", "seconds": 2.5},
        ]
    )
    told = [(row["cases"], row["method"], row["seconds"]) for row in sweep._saved()]
    assert told == [(10, "one_pass", 2.5), (10, "bincount", 2.0), (20, "ours", 1.0)]


def test_the_table_compares_losses_with_the_exact_one():
    """The same, a little dearer, and what did not fit into memory."""
    one = {"cases": 10, "seconds": 1.0, "passes": 3.0, "added_gib": 0.5}
    rows = [
        {"method": "ours", "loss_usd": 100.0, **one},
        {"method": "bincount", "loss_usd": 101.0, **one},
        {"method": "sort_and_cumsum", "loss_usd": 100.0, **one},
        {"method": "roc_curve", "cases": 10, "seconds": None, "note": "more than 12 GiB"},
    ]
    text = table(rows)
    assert "| ours | 3 | 1 | 0.50 GiB | the same |" in text
    assert "| bincount | 3 | 1 | 0.50 GiB | +1.0e-02 |" in text
    assert "| roc_curve | - | - | more than 12 GiB | - |" in text
