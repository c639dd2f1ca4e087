"""What does the loop's behaviour look like, as small figures that live inside one page?"""

import re
from datetime import date, timedelta
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.stats import binomtest

from flows.reports.pages.plots import (
    MOST_POINTS,
    _apart,
    _changes,
    _nights,
    _pooled,
    _reliability_bins,
    automation_by_night,
    boundary_by_night,
    limits_against_targets,
    reliability,
    sla_by_type,
)
from models.vocabulary import Boundary


def steps(nights, case_types=("kyc_audit",)):
    return [
        {
            "date": str(date(2024, 1, 1) + timedelta(night)),
            "case_type": case_type,
            "promoted": night > 0 and night % 30 == 0,
            "pass_at_or_below": None if night < 30 else 0.001 * (1 + night // 30),
            "block_at_or_above": None,
            "cases": 100,
            "auto_passed": night % 80,
            "auto_blocked": 1,
        }
        for night in range(nights)
        for case_type in case_types
    ]


LIMITS = [
    {"case_type": "ato", "risk": "recall", "limit": 0.995, "target": 0.99},
    {"case_type": "kyc", "risk": "recall", "limit": None, "target": 0.99},
    {"case_type": "ato", "risk": "false_omission_rate", "limit": 0.003, "target": 0.002},
]
QUEUES = [
    {"case_type": "ato", "p50_hours": 0.5, "p95_hours": 3.2, "within_sla": 0.97},
    {"case_type": "kyc", "p50_hours": 1.0, "p95_hours": None, "within_sla": 0.80},
]
SCORES = np.linspace(0.0, 1.0, 400)
BAD = np.where(np.arange(400) % 4 == 0, np.nan, (SCORES > 0.7).astype(float))

FIGURES = {
    "automation": lambda: automation_by_night(steps(40, ("ato", "kyc_audit"))),
    "boundary": lambda: boundary_by_night(steps(90, ("ato", "kyc_audit", "poa"))),
    "limits": lambda: limits_against_targets(LIMITS),
    "reliability": lambda: reliability(SCORES, BAD, Boundary(0.2, 0.9)),
    "sla": lambda: sla_by_type(QUEUES, {"SLA": 4.0, "everything reviewed": 9.5}),
}


@cache
def drawn(name):
    """Each figure once: drawing is the slow part."""
    return FIGURES[name]()


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_one_small_svg_element_that_loads_nothing(name):
    """Well-formed, under 150 kB, no header, no address, nothing rasterised."""
    svg = drawn(name)
    root = ElementTree.fromstring(svg)
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert len(svg.encode()) < 150_000
    assert "http" not in svg
    assert "<!DOCTYPE" not in svg
    assert "<image" not in svg


@pytest.mark.parametrize("name", FIGURES)
def test_letters_are_text_of_ten_pixels_or_more_at_nine_hundred(name):
    """Every font size, scaled from the drawing's width to 900 px, is readable."""
    svg = drawn(name)
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg).group(1))
    sizes = [float(size) for size in re.findall(r"font(?:-size)?:[^;\"]*?([\d.]+)px", svg)]
    assert sizes
    assert min(sizes) * 900 / width >= 10.0


def test_a_figure_drawn_twice_is_the_same_to_the_byte():
    """No date and no random id: a report's digest is reproducible."""
    assert FIGURES["sla"]() == drawn("sla")


@pytest.mark.parametrize("draw", [automation_by_night, boundary_by_night])
def test_years_of_nights_and_many_types_stay_small(draw):
    """Three years of five case types are pooled to what a screen shows."""
    svg = draw(steps(1_100, ("ato", "kyc_audit", "poa_review", "reset_2fa", "withdrawal")))
    assert len(svg.encode()) < 150_000


def test_pooled_nights_keep_every_case_and_every_promotion():
    """Pooling sums the counts; it loses no promotion's stretch."""
    nights = _nights(steps(1_000), ("cases", "auto_passed", "auto_blocked", "promoted"))
    pooled = _pooled(nights)
    assert len(pooled) <= MOST_POINTS
    assert pooled["cases"].sum() == 1_000 * 100
    assert pooled["promoted"].sum() == 33


def test_a_step_line_keeps_the_nights_on_which_it_moved_and_the_last():
    """Of 100 nights: the first, three promotions, the last."""
    nights = _nights(steps(100), ("pass_at_or_below", "block_at_or_above", "promoted"))
    kept = _changes(nights)
    assert kept["date"].dt.dayofyear.tolist() == [1, 31, 61, 91, 100]


def test_names_at_the_line_ends_never_touch():
    """Five equal values end up a full gap apart, inside the frame."""
    places = _apart([0.8] * 5, 0.1, 0.0, 1.0)
    assert np.diff(places) == pytest.approx([0.1] * 4)
    assert max(places) <= 1.0
    assert _apart([0.1, 0.9], 0.1, 0.0, 1.0) == [0.1, 0.9]


def test_reliability_intervals_are_clopper_pearsons():
    """Each bin agrees with scipy's exact binomial interval, at 0 and n too."""
    score = np.repeat([0.1, 0.5, 0.9], 10)
    truth = np.array([0.0] * 10 + [1.0] * 4 + [0.0] * 6 + [1.0] * 10)
    table = _reliability_bins(score, truth, 3)
    assert table["cases"].sum() == 30
    for row in table.itertuples():
        exact = binomtest(round(row.observed * row.cases), int(row.cases)).proportion_ci(0.95)
        assert (row.low, row.high) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("score", [0.0, 0.3, 1.0])
def test_one_single_score_still_makes_a_reliability_figure(score):
    """All cases tied: one bin."""
    assert len(_reliability_bins(np.full(20, score), np.arange(20) % 2.0, 10)) == 1
    assert reliability(np.full(20, score), np.arange(20) % 2.0, Boundary()).startswith("<svg")


def test_names_are_never_read_as_markup_or_mathematics():
    """A dollar sign, an angle bracket and 中文 come out as written."""
    name = "over_$500$ <b> 地址证明"
    svg = sla_by_type([{"case_type": name, "p50_hours": 1.0, "p95_hours": 2.0}], {"SLA": 4.0})
    assert name in "".join(ElementTree.fromstring(svg).itertext())


def test_what_is_not_known_is_said():
    """No limit is 'not estimable', an open quantile is named so."""
    assert "not estimable" in drawn("limits")
    assert "95th percentile still open" in drawn("sla")
    nothing = [{"case_type": "ato", "risk": "recall", "limit": None, "target": None}]
    assert "not estimable" in limits_against_targets(nothing)


def test_nights_without_a_boundary_or_a_case_are_drawn_as_gaps():
    """Everything reviewed, nothing decided: still a figure."""
    quiet = [{**step, "cases": 0, "pass_at_or_below": None} for step in steps(3)]
    assert automation_by_night(quiet).startswith("<svg")
    assert boundary_by_night(quiet).startswith("<svg")


def test_what_cannot_be_drawn_is_refused_with_its_reason():
    """No rows, a missing column, no label, unequal shapes."""
    with pytest.raises(ValueError, match="nothing to draw"):
        automation_by_night([])
    with pytest.raises(ValueError, match=r"1 columns are missing.*'limit'"):
        limits_against_targets([{"case_type": "a", "risk": "recall", "target": 0.9}])
    with pytest.raises(ValueError, match="no case is labelled"):
        reliability(np.array([0.5]), np.array([np.nan]), Boundary())
    with pytest.raises(ValueError, match="differ in shape"):
        reliability(np.array([0.5, 0.6]), np.array([1.0]), Boundary())
