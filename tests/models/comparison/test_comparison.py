"""How is a comparison said in one sentence, and as plain values?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.comparison.figures import GUARDS, METRICS, PRIMARY
from models.vocabulary import Boundary
from tests.models.comparison.worlds import judged, later_cases


@pytest.fixture(scope="module")
def found():
    """A better challenger, compared in two slices."""
    rows = later_cases(4_000, 1, challenger_sees=0.9)
    return judged(
        rows, slices={"half": np.arange(len(rows)) % 2}, challenger_certified=Boundary(0.02)
    )


def test_the_sentence_carries_its_figures(found):
    """Both log losses, the difference and its interval, cases, bad ones, AUC."""
    told = found.primary
    text = found.sentence()
    assert text.startswith("The challenger is better: log loss ")
    for number in (
        f"{told.challenger.value:.4f} against the champion's {told.champion.value:.4f}",
        f"({told.difference.value:+.4f}, 95 % interval {told.difference.low:+.4f} to {told.difference.high:+.4f})",
        f"on 4,000 later cases, {found.bad:,} of them bad",
        f"AUC {found.metric('auc').challenger.value:.4f} against",
    ):
        assert number in text
    assert text.count(". ") == 0


def test_plain_values_survive_json_unchanged(found):
    """Figures, slices and boundaries, and no row: it does not grow with the cases."""
    told = found.plain()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert list(told["metrics"]) == list(METRICS)
    assert told["metrics"]["auc"]["difference"]["low"] == found.metric("auc").difference.low
    assert told["boundaries"]["challenger_certified"] == {
        "pass_at_or_below": 0.02, "block_at_or_above": None,
    }  # fmt: skip
    assert len(json.dumps(told)) < 15_000


def test_guards_are_judged_more_strictly_than_the_primary_metric(found):
    """Four share 5 %."""
    assert found.primary.judged_at == 0.95
    assert {found.metric(name).judged_at for name in GUARDS} == {1 - 0.05 / 4}
    assert PRIMARY not in GUARDS


def test_an_unknown_metric_is_refused_with_the_known_ones(found):
    """By name."""
    with pytest.raises(ValueError, match="no metric 'f1'; it has log_loss, auc, recall"):
        found.metric("f1")


def test_curves_start_and_end_where_they_must_and_keep_the_area(found):
    """From (0, 0) to (1, 1), never falling; the trapezoids under 160 points are the AUC within
    .002; reliability bins hold every case once."""
    for curves, name in (
        (found.champion_curves, "champion"),
        (found.challenger_curves, "challenger"),
    ):
        alarms, bad = np.array(curves.roc).T
        assert (curves.roc[0], curves.roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
        assert (np.diff(alarms) >= 0).all()
        assert (np.diff(bad) >= 0).all()
        assert len(alarms) <= 161
        area = float(np.trapezoid(bad, alarms))
        assert area == pytest.approx(getattr(found.metric("auc"), name).value, abs=0.002)
        assert sum(one.cases for one in curves.reliability) == 4_000
        assert all(one.low <= one.observed <= one.high for one in curves.reliability)
