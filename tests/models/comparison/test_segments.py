"""Does a boundary's figure in a segment come out as counted by hand?"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from models.comparison.segments import SegmentRows, by_segment
from models.vocabulary import Boundary


def some_rows(**changed):
    """Eight cases: four by web, four by app; one miss by web, one false block by app."""
    table = {
        "score": np.array([0.1, 0.1, 0.5, 0.9, 0.1, 0.5, 0.9, 0.9]),
        "bad": np.array([1, 0, 1, 1, 0, 0, 1, 0], dtype=bool),
        "labelled": np.ones(8, dtype=bool),
        "propensity": np.ones(8),
        "automatable": np.ones(8, dtype=bool),
    }
    return SegmentRows(**(table | changed))


CHANNEL = pd.Series(["web"] * 4 + ["app"] * 4)
EDGES = Boundary(0.2, 0.8)


def told(rows, segments=None):
    found = by_segment(rows, EDGES, segments or {"channel": CHANNEL})
    return {(one.column, one.value): one for one in found}


def test_a_good_total_does_not_hide_a_bad_segment():
    """Recall is 3/4 in all, 2/3 by web and 1 by app; precision 2/3, 1 and 1/2."""
    figures = told(some_rows())
    recall = {value: one.recall.value for (_, value), one in figures.items()}
    precision = {value: one.precision.value for (_, value), one in figures.items()}
    assert recall == pytest.approx({"all": 3 / 4, "web": 2 / 3, "app": 1.0})
    assert precision == pytest.approx({"all": 2 / 3, "web": 1.0, "app": 1 / 2})
    assert figures["all", "all"].automation_rate == 6 / 8


def test_with_equal_weights_the_interval_is_clopper_and_pearsons():
    """One miss among three bad cases by web."""
    recall = told(some_rows())["channel", "web"].recall
    assert recall.low == pytest.approx(1 - beta.ppf(0.975, 2, 2))
    assert recall.high == pytest.approx(1 - beta.ppf(0.025, 1, 3))


def test_a_rarely_audited_miss_counts_for_those_nobody_saw():
    """The one audited miss stands for ten: recall (1 + 1) / (10 + 1 + 1) by web."""
    rate = np.array([0.1, 0.1, 1, 1, 0.1, 1, 1, 1])
    labelled = np.array([1, 0, 1, 1, 0, 1, 1, 1], dtype=bool)
    figures = told(some_rows(propensity=rate, labelled=labelled))
    assert figures["channel", "web"].recall.value == pytest.approx(2 / 12)
    assert figures["channel", "web"].bad == 3


def test_what_a_segment_does_not_hold_is_not_estimable():
    """No bad case and no block by app: neither figure, and no nought in their place."""
    rows = some_rows(bad=np.array([1, 0, 1, 1, 0, 0, 0, 0], dtype=bool),
                     automatable=np.array([1] * 4 + [0] * 4, dtype=bool))  # fmt: skip
    app = told(rows)["channel", "app"]
    assert (app.recall, app.precision, app.automation_rate) == (None, None, 0.0)


def test_a_missing_value_is_a_segment_of_its_own():
    """Nothing is lost: the segments' cases add up to the total."""
    channel = CHANNEL.copy()
    channel[0] = None
    figures = told(some_rows(), {"channel": channel})
    assert figures["channel", "missing"].cases == 1
    assert sum(one.cases for (column, _), one in figures.items() if column == "channel") == 8
