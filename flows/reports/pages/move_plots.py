"""What does a threshold move look like: against its risks, near its cuts, and for the people?"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.reports.pages.plots import (
    BLOCK_COLOUR,
    FAINT,
    INK,
    PASS_COLOUR,
    STYLE,
    WIDTH_INCHES,
    as_svg,
    percent,
    percent_fine,
    signed_root,
    signed_square,
)
from models.replay.candidate_limits import REACH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

Row = Mapping[str, Any]
Draw = Callable[["FigureBase"], None]

PNG_DOTS_PER_INCH = 110
_HEADROOM = 1.06
_RISKS = {
    "recall": ("share of bad cases passed", "upper limit"),
    "false_omission_rate": ("bad share of the passed", "upper limit"),
    "precision": ("bad share of the blocked", "lower limit"),
}


def risk_against_automation(curves: Sequence[Row]) -> str:
    """Proven limit, estimate and target over what a cut automates; one panel a promise.

    Args:
        curves: `flows.verbs.whatif.move_evidence.risk_curves`.

    Raises:
        ValueError: there is no curve.
    """
    return as_svg(_risk_figure(curves), _RISK_INCHES, "Automation against proven risk")


def reliability_near_cuts(sides: Sequence[Row]) -> str:
    """Predicted and observed shares of bad cases around each cut; one panel a side.

    Args:
        sides: `flows.verbs.whatif.move_evidence.near_the_boundary`.

    Raises:
        ValueError: there is no side.
    """
    height = _RELIABILITY_INCHES * len(sides)
    return as_svg(_reliability_figure(sides), height, "Reliability of the score near the boundary")


def queue_by_hour(queue: Row) -> str:
    """The review queue before and after by hour of the day.

    Args:
        queue: `current` and `moved`, each with `by_hour` (`flows.verbs.whatif.queue_replay`).
    """
    return as_svg(_queue_figure(queue), _QUEUE_INCHES, "Simulated review queue by hour of the day")


def as_png(told: Row) -> bytes:
    """All figures of a replayed move on one picture.

    Raises:
        ValueError: there is nothing to draw.
    """
    import matplotlib
    from matplotlib.figure import Figure

    parts: list[tuple[float, Draw]] = []
    if told["curves"]:
        parts.append((_RISK_INCHES, _risk_figure(told["curves"])))
    if told["reliability"]:
        height = _RELIABILITY_INCHES * len(told["reliability"])
        parts.append((height, _reliability_figure(told["reliability"])))
    if told["queue"] is not None:
        parts.append((_QUEUE_INCHES, _queue_figure(told["queue"])))
    if not parts:
        raise ValueError("there is nothing to draw: no curve, no cut and no queue")
    heights = [height for height, _ in parts]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), layout="constrained")
        places = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
        for place, (_, draw) in zip(places, parts, strict=True):
            draw(place)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=PNG_DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


_RISK_INCHES, _RELIABILITY_INCHES, _QUEUE_INCHES = 3.6, 2.6, 2.9


def _risk_figure(curves: Sequence[Row]) -> Draw:
    if not curves:
        raise ValueError("there is nothing to draw: no promise has a curve")

    def draw(figure: FigureBase) -> None:
        grid = figure.subplots(1, len(curves), squeeze=False)[0]
        for axes, curve in zip(grid, curves, strict=True):
            _draw_risk(axes, curve)
        handles = {
            label: handle
            for axes in grid
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=3,
            frameon=False,
        )

    return draw


def _draw_risk(axes: Axes, curve: Row) -> None:
    """One promise. Misses and false omission are drawn as error shares (lower is better), precision
    as it is; what a look would certify is drawn in full, what lies beyond it hollow."""
    rows, side = curve["candidates"], curve["side"]
    x = _numbers(rows, "automation")
    flip = curve["risk"] == "recall"
    limit, estimate = (_turned(_numbers(rows, name), flip) for name in ("limit", "estimate"))
    target = 1.0 - curve["target"] if flip else curve["target"]
    beyond = _beyond(_numbers(rows, "cut"), curve["certified"], side)
    colour = PASS_COLOUR if side == "pass" else BLOCK_COLOUR
    what, bound = _RISKS[curve["risk"]]
    axes.plot(x, limit, color=colour, linewidth=1.2, zorder=3)
    axes.plot(
        x[~beyond], limit[~beyond], "o", color=colour, markersize=5, zorder=4,
        label=f"{bound}, within what is certified",
    )  # fmt: skip
    axes.plot(
        x[beyond], limit[beyond], "o", color=colour, markersize=4, markerfacecolor="white", zorder=4,
        label=f"{bound}, beyond what is certified",
    )  # fmt: skip
    axes.plot(x, estimate, color=INK, linestyle=":", linewidth=1.6, label="point estimate")
    axes.axhline(target, color=INK, linewidth=1.4, label="target")
    marks = (("current", "today's boundary", "--"), ("moved", "moved boundary", "-."))
    shown = [x.max(initial=0.0)]
    for whose, label, style in marks:
        place = curve["automation"][whose]
        if place is None:
            axes.plot([], [], color=INK, linestyle=style, linewidth=1.1, label=label)
            continue
        shown.append(place)
        axes.axvline(place, color=INK, linestyle=style, linewidth=1.1, label=label)
    _risk_scale(axes, curve["risk"], target, max(shown))
    verb = "passed" if side == "pass" else "blocked"
    places = ", ".join(
        f"{word} {curve['automation'][whose]:.1%}"
        for whose, word in (("current", "today"), ("moved", "moved"))
        if curve["automation"][whose] is not None
    )
    kept = "below" if bound == "upper limit" else "above"
    title = f"{curve['risk'].replace('_', ' ')}, target {curve['target']:.4g}"
    axes.set_title(f"{title}: kept {kept} the line")
    axes.set_xlabel(f"share of all cases auto-{verb}" + (f" ({places})" if places else ""))
    axes.set_ylabel(what)


def _risk_scale(axes: Axes, risk: str, target: float, widest: float) -> None:
    reach = REACH * (1.0 - target if risk == "precision" else target)
    if risk == "precision":
        axes.set_ylim(max(1.0 - reach, 0.0), 1.0 + 0.02 * reach)
    else:
        axes.set_ylim(0.0, min(reach, 1.0))
    axes.set_xlim(0.0, min(_HEADROOM * widest, 1.0) if widest else 1.0)
    axes.xaxis.set_major_formatter(percent if widest > 0.08 else percent_fine)
    axes.yaxis.set_major_formatter(percent_fine)
    axes.locator_params(axis="both", nbins=6)


def _reliability_figure(sides: Sequence[Row]) -> Draw:
    if not sides:
        raise ValueError("there is nothing to draw: no side of the boundary has a cut")

    def draw(figure: FigureBase) -> None:
        from matplotlib.patches import Patch

        grid = figure.subplots(len(sides), 1, squeeze=False)[:, 0]
        for axes, side in zip(grid, sides, strict=True):
            _draw_reliability(axes, side)
        handles, _ = grid[0].get_legend_handles_labels()
        label = "unsupported: no label"
        handles.append(Patch(facecolor="none", edgecolor=FAINT, hatch="//", label=label))
        figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)

    return draw


def _draw_reliability(axes: Axes, side: Row) -> None:
    """Bins of equally many cases stand side by side, so that no score is too crowded to read."""
    rows = side["bins"]
    place = np.arange(len(rows)) + 0.5
    seen = np.array([row["supported"] for row in rows], dtype=bool)
    observed, low, high = (_numbers(rows, name) for name in ("observed", "low", "high"))
    passing = side["side"] == "pass"
    axes.errorbar(
        place[seen], observed[seen], yerr=np.vstack([observed - low, high - observed])[:, seen],
        fmt="o", color=INK, markersize=5, elinewidth=1.3, capsize=4,
        label="observed, with its 95 % interval",
    )  # fmt: skip
    axes.plot(
        place, _numbers(rows, "predicted"), "_", color=PASS_COLOUR, markersize=26,
        markeredgewidth=2.0, label="predicted by the score",
    )  # fmt: skip
    for at in place[~seen]:
        axes.axvspan(at - 0.5, at + 0.5, facecolor="none", edgecolor=FAINT, hatch="//", linewidth=0)
    if passing:
        axes.set_yscale("function", functions=(signed_root, signed_square))
    top = np.nanmax(np.append(high, _numbers(rows, "predicted")))
    # A hair below zero, so that a bin without an error shows its whole dot.
    bottom = (
        -0.001 * top if passing else 0.95 * np.nanmin(np.append(low, _numbers(rows, "predicted")))
    )
    axes.set_ylim(bottom, min(1.25 * top, 1.0) if passing else 1.03)
    edge = _cut_place(rows, side)
    automated = (0.0, edge) if passing else (edge, float(len(rows)))
    colour = PASS_COLOUR if passing else BLOCK_COLOUR
    axes.axvspan(*automated, color=colour, alpha=0.10, linewidth=0)
    axes.axvline(edge, color=colour, linewidth=1.8)
    axes.set_xlim(0.0, len(rows))
    edges = [rows[0]["low_edge"], *(row["high_edge"] for row in rows)]
    axes.set_xticks(range(len(edges)), [f"{one:.3g}" for one in edges])
    axes.yaxis.set_major_formatter(percent_fine)
    if passing:
        axes.set_yticks(_root_ticks(float(axes.get_ylim()[1])))
        axes.minorticks_off()
    whose = "moved" if side["whose"] == "moved" else "today's"
    where = "left of the line: auto-pass" if passing else "right of the line: auto-block"
    axes.set_title(f"Near the {whose} {side['side']} cut {side['cut']:.4g} ({where})")
    axes.set_xlabel("score at the bins' edges")
    axes.set_ylabel("share of bad cases" + (" (root scale)" if passing else ""))
    axes.grid(axis="x", visible=False)


def _queue_figure(queue: Row) -> Draw:
    panels = (
        ("arrivals_per_hour", "Cases to review", "cases an hour"),
        ("waiting", "Cases waiting (mean)", "open cases, not taken up"),
        ("within_sla", "Resolved within the SLA", "share of the hour's arrivals"),
    )
    looks = (
        ("current", "today", {"color": INK, "linestyle": "--", "marker": "s"}),
        ("moved", "moved", {"color": BLOCK_COLOUR, "linestyle": "-", "marker": "o"}),
    )

    def draw(figure: FigureBase) -> None:
        grid = figure.subplots(1, len(panels))
        for axes, (name, title, unit) in zip(grid, panels, strict=True):
            for whose, label, look in looks:
                rows = queue[whose]["by_hour"]
                hours = [row["hour"] + 0.5 for row in rows]
                axes.plot(
                    hours, _numbers(rows, name), label=label, markersize=3.5, markevery=2, **look
                )
            axes.set_title(title)
            axes.set_ylabel(unit)
            axes.set_xlabel("hour of the day (UTC)")
            axes.set_xlim(0, 24)
            axes.set_xticks(range(0, 25, 6))
            if name == "within_sla":
                axes.yaxis.set_major_formatter(percent)
                axes.set_ylim(-0.03, 1.03)
            else:
                axes.set_ylim(0, max(_HEADROOM * axes.dataLim.ymax, 0.1))
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=2, frameon=False,
            title="simulated queue, from logged arrivals",
        )  # fmt: skip

    return draw


def _numbers(rows: Sequence[Row], name: str) -> np.ndarray:
    """A column with NaN for what is not known, shape (rows,)."""
    return np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=float)


def _turned(share: np.ndarray, flip: bool) -> np.ndarray:
    return 1.0 - share if flip else share


def _beyond(cuts: np.ndarray, certified: float | None, side: str) -> np.ndarray:
    """Which candidates are wider than what a look would certify, shape (candidates,)."""
    if certified is None:
        return np.ones(len(cuts), dtype=bool)
    return cuts > certified if side == "pass" else cuts < certified


def _cut_place(rows: Sequence[Row], side: Row) -> float:
    """How many bins lie below the cut."""
    lows = np.array([row["low_edge"] for row in rows])
    inside = lows > side["cut"] if side["side"] == "pass" else lows >= side["cut"]
    return float(np.argmax(inside)) if inside.any() else float(len(rows))


def _root_ticks(top: float) -> list[float]:
    """Round shares from 0 to the top of a square-root axis, some five of them."""
    steps = np.array([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0])
    kept: list[float] = [0.0]
    for step in steps[steps <= top]:
        if np.sqrt(step) - np.sqrt(kept[-1]) >= 0.16 * np.sqrt(top):
            kept.append(float(step))
    return kept
