"""What two models look like side by side: readable, self-contained, silent where nothing is known."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pytest

from flows.reports.pages.comparison_plots import (
    MOST_SLICES,
    contributions_before_and_after,
    differences,
    rank_and_reliability,
    slice_differences,
)
from tests.flows.reports.comparisons import CONTRIBUTIONS, mixed_fortunes, nothing_to_compare

FIGURES = {
    "differences": lambda: differences(mixed_fortunes()),
    "slices": lambda: slice_differences(mixed_fortunes()),
    "curves": lambda: rank_and_reliability(
        mixed_fortunes().champion_curves, mixed_fortunes().challenger_curves
    ),
    "contributions": lambda: contributions_before_and_after(CONTRIBUTIONS),
}


@cache
def drawn(name: str) -> str:
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
    """Metrics, units, which way is better, what is not estimable; slices; both models."""
    for text in ("log loss", "AUC", "gained, percentage points", "right of the line is better",
                 "not estimable", "US dollars a case saved"):  # fmt: skip
        assert text in drawn("differences")
    assert "account_age=new" in drawn("slices")
    assert "channel=rare" not in drawn("slices")
    for text in ("champion", "challenger", "square-root scale", "share of bad cases above the cut"):
        assert text in drawn("curves")
    for text in ("device_age_days (all)", "before (champion)", "after (challenger)", "logits"):
        assert text in drawn("contributions")


def test_a_change_is_worded_as_it_was_judged():
    """The slice that false-discovery control left is 'worse'; log loss overall is 'better'."""
    (new,) = (one for one in mixed_fortunes().slices if one.slice == "account_age=new")
    assert f"{new.metrics[0].difference.value:+.4f}, worse" in drawn("slices")
    told = mixed_fortunes().primary.difference.value
    assert f"{told:+.4f}, better" in drawn("differences")


def test_of_many_slices_the_worst_are_drawn():
    """Forty judged slices: thirty fit, and the one with the largest loss is among them."""
    found = mixed_fortunes()
    new, old = (one for one in found.slices if one.slice.startswith("account_age="))
    many = [replace(old, slice=f"s{number}") for number in range(MOST_SLICES + 10)]
    svg = slice_differences(replace(found, slices=(*many, new)))
    assert "account_age=new" in svg
    assert len(re.findall(r">s\d+ \(", svg)) == MOST_SLICES - 1


def test_nothing_to_draw_is_refused():
    """No metric, no judged slice, no corrected feature."""
    for draw in (
        lambda: differences(nothing_to_compare()),
        lambda: slice_differences(nothing_to_compare()),
        lambda: contributions_before_and_after([]),
    ):
        with pytest.raises(ValueError, match="nothing to draw"):
            draw()
