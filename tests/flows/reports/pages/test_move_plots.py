"""What a threshold move looks like: readable, self-contained, and silent where nothing is known."""

import re
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest

from flows.reports.pages.move_plots import (
    _beyond,
    _cut_place,
    _root_ticks,
    as_png,
    queue_by_hour,
    reliability_near_cuts,
    risk_against_automation,
)
from tests.flows.reports.moves import a_move, no_move

FIGURES = {
    "risk": lambda: risk_against_automation(a_move()["curves"]),
    "reliability": lambda: reliability_near_cuts(a_move()["reliability"]),
    "queue": lambda: queue_by_hour(a_move()["queue"]),
}


@cache
def drawn(name):
    """Each figure once: drawing is the slow part."""
    return FIGURES[name]()


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_one_small_svg_element_with_readable_letters(name):
    """Well-formed, nothing loaded or rasterised, every letter of ten pixels or more at 900."""
    svg = drawn(name)
    assert ElementTree.fromstring(svg).get("aria-label")
    assert "http" not in svg
    assert "<image" not in svg
    assert len(svg.encode()) < 150_000
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg).group(1))
    sizes = [float(size) for size in re.findall(r"font(?:-size)?:[^;\"]*?([\d.]+)px", svg)]
    assert min(sizes) * 900 / width >= 10.0


def test_each_thing_that_is_drawn_is_named_with_its_unit():
    """Target, limits, estimate, both boundaries; UTC hours; that the queue is simulated."""
    for text in ("target", "point estimate", "today's boundary", "moved boundary", "upper limit"):
        assert text in drawn("risk")
    assert "share of all cases auto-passed (today 20.0%, moved 40.0%)" in drawn("risk")
    assert "unsupported: no label" in drawn("reliability")
    assert "hour of the day (UTC)" in drawn("queue")
    assert "simulated queue" in drawn("queue")


def test_what_is_not_certified_is_drawn_hollow():
    """Outward of the certified cut on either side; everything where nothing is certified."""
    assert _beyond(np.array([0.01, 0.02, 0.03]), 0.02, "pass").tolist() == [False, False, True]
    assert _beyond(np.array([0.97, 0.93, 0.9]), 0.93, "block").tolist() == [False, False, True]
    assert _beyond(np.array([0.97, 0.93]), None, "block").all()


def test_the_cut_lies_between_the_bins_it_parts():
    """A pass cut's upper bin begins just above it, a block cut's at it; beyond all bins: the end."""
    above = float(np.nextafter(0.2, 1.0))
    rows = [{"low_edge": 0.1}, {"low_edge": above}]
    assert _cut_place(rows, {"side": "pass", "cut": 0.2}) == 1.0
    rows = [{"low_edge": 0.1}, {"low_edge": 0.2}, {"low_edge": 0.3}]
    assert _cut_place(rows, {"side": "block", "cut": 0.2}) == 1.0
    assert _cut_place(rows, {"side": "block", "cut": 0.9}) == 3.0


@pytest.mark.parametrize("top", [0.003, 0.02, 0.3, 1.0])
def test_ticks_of_a_root_axis_never_crowd(top):
    """From zero, in order, at least 16 % of the axis apart."""
    ticks = np.sqrt(_root_ticks(top))
    assert ticks[0] == 0.0
    assert len(ticks) >= 3
    assert np.diff(ticks).min() >= 0.16 * np.sqrt(top)


def test_all_figures_come_as_one_picture():
    """A PNG, with and without a move; nothing at all is refused with its reason."""
    assert as_png(a_move()).startswith(b"\x89PNG")
    assert len(as_png(no_move())) < len(as_png(a_move()))
    with pytest.raises(ValueError, match="no curve, no cut and no queue"):
        as_png(a_move(curves=[], reliability=[], queue=None))


@pytest.mark.parametrize("draw", [risk_against_automation, reliability_near_cuts])
def test_nothing_to_draw_is_refused(draw):
    """No curve, no cut."""
    with pytest.raises(ValueError, match="nothing to draw"):
        draw([])


def test_evidence_that_supports_nothing_is_still_drawn():
    """No limit, no estimate, no labelled bin: an empty frame with its target and hatched bins."""
    told = a_move()
    for curve in told["curves"]:
        for row in curve["candidates"]:
            row |= {"limit": None, "estimate": None}
    for side in told["reliability"]:
        for row in side["bins"]:
            row |= {"supported": False, "observed": None, "low": None, "high": None}
    assert risk_against_automation(told["curves"]).startswith("<svg")
    assert reliability_near_cuts(told["reliability"]).startswith("<svg")
