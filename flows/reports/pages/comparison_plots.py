"""What do two models look like side by side: their differences, ranks, words and features?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.reports.pages.plots import (
    FAINT,
    INK,
    PALETTE,
    as_svg,
    percent,
    signed_root,
    signed_square,
)
from models.comparison import Compared, Comparison, SliceCompared
from models.comparison.comparison import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_SLICES = 30
CHAMPION_COLOUR, CHALLENGER_COLOUR = PALETTE[0], PALETTE[1]
_CHANGE_COLOURS = {"better": PALETTE[2], "worse": PALETTE[1], "unclear": FAINT}
_MARKERS = {"better": "o", "worse": "D", "unclear": "o"}
_UNITS = {
    "nats": "log loss saved, nats",
    "area": "AUC gained",
    "share": "gained, percentage points",
    "usd": "US dollars a case saved",
}
_ROW_INCHES = 0.27


def differences(comparison: Comparison) -> str:
    """The improvement of every metric with its interval, one panel a unit; right is better.

    Raises:
        ValueError: there is no metric.
    """
    units: dict[str, list[Compared]] = {}
    for compared in comparison.metrics:
        units.setdefault(compared.metric.unit, []).append(compared)
    if not units:
        raise ValueError("there is nothing to draw: the models could not be compared")
    heights = [len(rows) + 2.2 for rows in units.values()]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(units), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (unit, rows) in zip(grid, units.items(), strict=True):
            named = [(compared.metric.title, compared, compared.change) for compared in rows]
            _draw_forest(axes, named)
            axes.set_xlabel(_UNITS[unit])
        grid[0].set_title("Challenger against champion: right of the line is better")

    return as_svg(draw, 0.3 + _ROW_INCHES * sum(heights), "Differences with their intervals")


def slice_differences(comparison: Comparison) -> str:
    """The improvement of log loss in each judged slice; where there are many, the worst ones.

    Raises:
        ValueError: no slice was judged.
    """
    judged = [(one, one.metrics[0]) for one in comparison.slices if one.metrics]
    if not judged:
        raise ValueError("there is nothing to draw: no slice has cases enough")
    if len(judged) > MOST_SLICES:
        kept = sorted(judged, key=lambda pair: -_loss(pair[1]))[:MOST_SLICES]
        judged = [pair for pair in judged if pair in kept]
    named = [
        (f"{one.slice} ({one.cases:,} cases)", compared, _slice_change(one, compared))
        for one, compared in judged
    ]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _draw_forest(axes, named)
        axes.set_xlabel(_UNITS["nats"])
        axes.set_title("Log loss by slice: right of the line is better")

    return as_svg(draw, 0.9 + _ROW_INCHES * len(named), "Log loss differences by slice")


def rank_and_reliability(champion: Curves, challenger: Curves) -> str:
    """ROC of both models, and how far the word of either score is kept."""
    looks = (
        ("champion", champion, CHAMPION_COLOUR, "-", "o"),
        ("challenger", challenger, CHALLENGER_COLOUR, "--", "s"),
    )

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for name, curves, colour, style, marker in looks:
            alarms, found = np.array(curves.roc).T
            left.plot(alarms, found, color=colour, linestyle=style, label=name)
            _draw_reliability(right, curves, name, colour, marker)
        left.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
        left.set_title("Ranking (ROC)")
        left.set_xlabel("share of good cases above the cut")
        left.set_ylabel("share of bad cases above the cut")
        left.xaxis.set_major_formatter(percent)
        left.yaxis.set_major_formatter(percent)
        left.set_xlim(-0.01, 1.01)
        left.set_ylim(-0.01, 1.01)
        left.legend(loc="lower right", frameon=False)
        _reliability_scale(right, [*champion.reliability, *challenger.reliability])

    return as_svg(draw, 3.9, "ROC and reliability of champion and challenger")


def contributions_before_and_after(rows: Sequence[Mapping[str, Any]]) -> str:
    """Mean absolute contribution and total weight of the corrected features, before and after.

    Args:
        rows: `feature`, `slice`, `mean_before`, `mean_after`, `weight_before`, `weight_after`; None
            where it is not known.

    Raises:
        ValueError: there is no row.
    """
    if not rows:
        raise ValueError("there is nothing to draw: no feature was corrected")
    names = [f"{row['feature']} ({row['slice']})" for row in rows]
    panels = (("mean", "Mean absolute contribution", "logits"), ("weight", "Total weight", ""))

    def draw(figure: Figure) -> None:
        grid = figure.subplots(1, 2, sharey=True)
        for axes, (kind, title, unit) in zip(grid, panels, strict=True):
            _draw_steps(axes, rows, kind)
            axes.set_title(title)
            axes.set_xlabel(unit)
        grid[0].set_yticks(range(len(names)), names)
        grid[0].set_ylim(len(names) - 0.4, -0.6)
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)

    return as_svg(draw, 1.2 + _ROW_INCHES * len(rows), "Contributions before and after")


def _draw_forest(axes: Axes, rows: Sequence[tuple[str, Compared, str]]) -> None:
    """One line a row: a dot with its interval, and the figure in words at the right."""
    axes.axvline(0.0, color=INK, linewidth=1.1)
    for place, (_, compared, change) in enumerate(rows):
        told, colour = compared.difference, _CHANGE_COLOURS[change]
        if told is not None:
            scale = _scale(compared)
            axes.plot(
                [told.value * scale], [place], _MARKERS[change], color=colour, markersize=5.5 if change == "worse" else 6.5,
                markerfacecolor="white" if change == "unclear" else colour, zorder=3,
            )  # fmt: skip
            interval = told.at(compared.judged_at)
            if interval is not None:
                ends = [bound * scale for bound in interval]
                axes.plot(ends, [place, place], color=colour, linewidth=1.8, zorder=2)
        text = _words(compared, change)
        axes.annotate(
            text, (1.01, place), xycoords=axes.get_yaxis_transform(), va="center", color=INK,
            annotation_clip=False,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.locator_params(axis="x", nbins=7)
    # Zero stays in sight, whatever the intervals.
    low, high = axes.get_xlim()
    reach = 0.08 * max(high - low, 1e-9)
    axes.set_xlim(min(low, -reach), max(high, reach))


def _words(compared: Compared, change: str) -> str:
    if compared.difference is None:
        return "not estimable"
    told = compared.metric.told_change(compared.difference.value)
    return told if change == "unclear" else f"{told}, {change}"


def _scale(compared: Compared) -> float:
    """So that right is better, and shares are in points."""
    unit = 100.0 if compared.metric.unit == "share" else 1.0
    return unit if compared.metric.higher_is_better else -unit


def _loss(compared: Compared) -> float:
    return compared.difference.value if compared.difference is not None else -math.inf


def _slice_change(one: SliceCompared, compared: Compared) -> str:
    """What false-discovery control leaves, not the single interval."""
    if compared.metric.name in one.worse_on:
        return "worse"
    return "better" if compared.metric.name in one.better_on else "unclear"


def _draw_reliability(axes: Axes, curves: Curves, name: str, colour: str, marker: str) -> None:
    predicted, observed, low, high = (
        np.array([getattr(one, part) for one in curves.reliability])
        for part in ("predicted", "observed", "low", "high")
    )
    axes.errorbar(
        predicted, observed, yerr=np.maximum(np.vstack([observed - low, high - observed]), 0.0),
        fmt=marker, color=colour, markersize=4.5, elinewidth=1.1, capsize=2.5, label=name, alpha=0.9,
    )  # fmt: skip


def _reliability_scale(axes: Axes, bins: Sequence[Any]) -> None:
    top = min(1.0, 1.1 * max(max(one.high, one.predicted) for one in bins))
    for setter in (axes.set_xscale, axes.set_yscale):
        setter("function", functions=(signed_root, signed_square))
    axes.plot([0, top], [0, top], color=FAINT, linestyle=":", linewidth=0.8)
    steps = (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
    ticks = [steps[0]]
    for step in steps[1:]:
        if step <= top and math.sqrt(step) - math.sqrt(ticks[-1]) >= 0.09 * math.sqrt(top):
            ticks.append(step)
    labels = [f"{tick:.1%}" if 0.0 < tick < 0.01 else f"{tick:.0%}" for tick in ticks]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.minorticks_off()
    axes.set_xlim(-0.0001 * top, top)
    axes.set_ylim(-0.0001 * top, top)
    axes.set_title("Reliability (bars: intervals)")
    axes.set_xlabel("predicted probability of bad (square-root scale)")
    axes.set_ylabel("observed share of bad")
    axes.legend(loc="upper left", frameon=False)


def _draw_steps(axes: Axes, rows: Sequence[Mapping[str, Any]], kind: str) -> None:
    for place, row in enumerate(rows):
        before, after = row[f"{kind}_before"], row[f"{kind}_after"]
        if before is not None and after is not None:
            axes.annotate(
                "", (after, place), (before, place),
                arrowprops={"arrowstyle": "-|>", "color": FAINT, "linewidth": 1.2, "shrinkA": 4, "shrinkB": 4},
            )  # fmt: skip
    for when, colour, marker in (
        ("before", CHAMPION_COLOUR, "o"),
        ("after", CHALLENGER_COLOUR, "s"),
    ):
        known = [
            (row[f"{kind}_{when}"], place)
            for place, row in enumerate(rows)
            if row[f"{kind}_{when}"] is not None
        ]
        label = f"{when} ({'champion' if when == 'before' else 'challenger'})"
        axes.plot(
            [value for value, _ in known], [place for _, place in known], marker, color=colour,
            markersize=6, label=label,
        )  # fmt: skip
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.0), high)
