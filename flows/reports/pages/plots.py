"""What does the loop's behaviour look like, as small figures that live inside one page?"""

from __future__ import annotations

import hashlib
import html
import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.vocabulary import Boundary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float64]
Row = Mapping[str, Any]

WIDTH_INCHES = 9.0
"""648 drawing units, shown at 900 px: a font of 8 units is 11 px on the screen."""

# Okabe and Ito's palette without its yellow, which vanishes on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINE_STYLES = ("-", "--", ":")
INK, FAINT = "#222222", "#8a8a8a"
PASS_COLOUR, BLOCK_COLOUR = "#0072B2", "#D55E00"

MOST_POINTS = 240
"""More nights than this are pooled into equal stretches: a screen shows no more."""

_FONT_STACK = "'DejaVu Sans', Verdana, Arial, sans-serif"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a case type may be called 'over_$500'
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 8.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
}


def automation_by_night(steps: Sequence[Row]) -> str:
    """The share of cases decided automatically, one line a case type, a dot at each promotion.

    Args:
        steps: the backtest's steps (DESIGN 7): `date, case_type, cases, auto_passed, auto_blocked,
            promoted`. Nights without a case are gaps. Many nights are pooled.

    Raises:
        ValueError: there is no step, or a column is missing.
    """
    nights = _nights(steps, ("cases", "auto_passed", "auto_blocked", "promoted"))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        ends: list[tuple[float, str, str]] = []
        for number, (name, group) in enumerate(nights.groupby("case_type", sort=True)):
            colour, style = _look(number)
            pooled = _pooled(group)
            rate = (pooled["auto_passed"] + pooled["auto_blocked"]) / pooled["cases"].where(
                pooled["cases"] > 0
            )
            axes.plot(pooled["date"], rate, color=colour, linestyle=style)
            promoted = pooled["promoted"].to_numpy(dtype=bool)
            axes.plot(
                pooled["date"][promoted],
                rate[promoted],
                "o",
                color=colour,
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.8,
            )
            known = rate.dropna()
            ends.append((float(known.iloc[-1]) if len(known) else 0.0, str(name), colour))
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(percent)
        axes.set_title("Share of cases decided automatically (dot: a boundary was promoted)")
        _date_axis(axes)
        _label_ends(figure, axes, ends)

    types = nights["case_type"].nunique()
    return as_svg(draw, max(3.0, 0.26 * types + 0.9), "Automation rate by night and case type")


def boundary_by_night(steps: Sequence[Row]) -> str:
    """Where the two sides of each case type's boundary stood, one panel a case type.

    Scores are drawn on a logit scale, since boundaries crowd near 0 and 1. A side that is None
    (reviewed) leaves a gap.

    Args:
        steps: `date, case_type, pass_at_or_below, block_at_or_above, promoted`.

    Raises:
        ValueError: there is no step, or a column is missing.
    """
    nights = _nights(steps, ("pass_at_or_below", "block_at_or_above", "promoted"))
    groups = list(nights.groupby("case_type", sort=True))
    columns = min(len(groups), 2)
    rows = math.ceil(len(groups) / columns)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, (name, group) in zip(grid.flat, groups, strict=False):
            _draw_boundary(axes, group)
            axes.set_title(str(name))
        for axes in grid.flat[len(groups) :]:
            axes.set_axis_off()
        _legend_of_zones(figure)
        # Panels share their dates: nights before the first boundary are part of the story.
        margin = pd.Timedelta(hours=12)
        grid.flat[0].set_xlim(nights["date"].min() - margin, nights["date"].max() + margin)
        # The last panel of each column carries the dates, even above an empty place.
        for number in range(max(len(groups) - columns, 0), len(groups)):
            _date_axis(grid.flat[number])
            grid.flat[number].tick_params(labelbottom=True)
        figure.supylabel("score (logit scale)", fontsize=8)

    return as_svg(draw, 0.5 + 1.75 * rows, "Boundary by night and case type")


def limits_against_targets(rows: Sequence[Row]) -> str:
    """Proven limits beside the targets they must reach, one panel a risk.

    Args:
        rows: `case_type, risk, limit, target`; `limit` None is shown as not estimable. For
            `false_omission_rate` and `expected_loss` the limit must stay below the target, for
            every other risk above it.

    Raises:
        ValueError: there is no row, or a column is missing.
    """
    table = _table(rows, ("case_type", "risk", "limit", "target"))
    risks = list(dict.fromkeys(table["risk"]))
    names = sorted(table["case_type"].unique(), reverse=True)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(1, len(risks), sharey=True, squeeze=False)
        for axes, risk in zip(grid.flat, risks, strict=True):
            _draw_limits(axes, str(risk), table[table["risk"] == risk], names)

    return as_svg(draw, 1.1 + 0.3 * len(names), "Proven limits against targets by case type")


def reliability(scores: FloatArray, bad: FloatArray, boundary: Boundary, bins: int = 10) -> str:
    """Predicted against observed shares of bad cases, with 95 % Clopper-Pearson intervals.

    Bins hold equally many labelled cases; equal scores share a bin. The bins are unweighted:
    whether a label is drawn depends on the score alone, which a bin holds almost fixed. Both axes
    are on a square-root scale, which shows low base rates and zero.

    Args:
        scores: shape (n,), in [0, 1]. bad: shape (n,), 1, 0, or NaN where not observed.
        boundary: drawn as vertical lines.

    Raises:
        ValueError: shapes differ or nothing is labelled.
    """
    score, truth = np.asarray(scores, dtype=float), np.asarray(bad, dtype=float)
    if score.shape != truth.shape:
        raise ValueError(f"scores and bad differ in shape: {score.shape} and {truth.shape}")
    labelled = ~np.isnan(truth) & ~np.isnan(score)
    if not labelled.any():
        raise ValueError("no case is labelled, so there is no reliability to draw")
    table = _reliability_bins(score[labelled], truth[labelled], bins)
    note = f"{int(labelled.sum()):,} labelled of {score.size:,} cases"

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _draw_reliability(axes, table, boundary)
        axes.set_title(f"Reliability of the score ({note}; bars: 95 % intervals)")

    return as_svg(draw, 4.2, "Reliability of the score")


def sla_by_type(rows: Sequence[Row], references: Mapping[str, float]) -> str:
    """Resolution times by case type as bars (95th percentile; tick: median) against references.

    Args:
        rows: `case_type, p50_hours, p95_hours`, optionally `within_sla` (a share, printed at the
            bar); a quantile that is None lies in the open cases and is named so.
        references: label -> hours, e.g. {"SLA": 4.0, "everything reviewed": 9.5}.

    Raises:
        ValueError: there is no row, or a column is missing.
    """
    table = _table(rows, ("case_type", "p50_hours", "p95_hours")).sort_values(
        "case_type", ascending=False
    )
    sla_share = table["within_sla"] if "within_sla" in table else pd.Series(None, table.index)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _draw_sla(axes, table, sla_share, references)

    return as_svg(draw, 1.3 + 0.34 * len(table), "Resolution time by case type")


def _draw_boundary(axes: Axes, group: pd.DataFrame) -> None:
    low, high = _logit(0.0), _logit(1.0)
    group = _changes(group)
    dates = group["date"]
    passes = _logit(group["pass_at_or_below"].to_numpy(dtype=float))
    blocks = _logit(group["block_at_or_above"].to_numpy(dtype=float))
    sides = ((passes, low, PASS_COLOUR), (blocks, high, BLOCK_COLOUR))
    for side, edge, colour in sides:
        axes.fill_between(dates, side, edge, step="post", color=colour, alpha=0.12, linewidth=0)
        axes.plot(dates, side, color=colour, drawstyle="steps-post")
        at = group["promoted"].to_numpy(dtype=bool) & ~np.isnan(side)
        axes.plot(dates[at], side[at], "o", color=colour, markersize=3.5)
    ticks = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999]
    axes.set_yticks(_logit(np.array(ticks)), [f"{tick:g}" for tick in ticks])
    axes.set_ylim(low, high)


def _legend_of_zones(figure: Figure) -> None:
    from matplotlib.patches import Patch

    zones = ((BLOCK_COLOUR, "auto-block at or above"), (PASS_COLOUR, "auto-pass at or below"))
    handles = [
        Patch(facecolor=f"{colour}30", edgecolor=colour, linewidth=1.6, label=label)
        for colour, label in zones
    ]
    handles.insert(1, Patch(facecolor="white", edgecolor=FAINT, label="reviewed by people"))
    figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False)


def _draw_limits(axes: Axes, risk: str, table: pd.DataFrame, names: list[str]) -> None:
    below = risk in ("false_omission_rate", "expected_loss")
    places = {name: place for place, name in enumerate(names)}
    shown = pd.concat([table["limit"], table["target"]]).dropna().astype(float)
    if shown.empty:  # nothing estimable and nothing promised: an empty scale carries the words
        shown = pd.Series([0.0, 1.0])
    for row in table.to_dict("records"):
        place = places[row["case_type"]]
        target = None if pd.isna(row["target"]) else float(row["target"])
        if target is not None:
            axes.plot([target] * 2, [place - 0.32, place + 0.32], color=INK, linewidth=2.2)
        if pd.isna(row["limit"]):
            spot = shown.median() if target is None else target
            axes.annotate(
                "not estimable",
                (spot, place),
                xytext=(-6, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                color=FAINT,
            )
            continue
        limit = float(row["limit"])
        kept = target is None or (limit <= target if below else limit >= target)
        axes.plot(
            [limit],
            [place],
            "o" if kept else "X",
            color=PALETTE[2] if kept else PALETTE[1],
            markersize=8,
        )
    span = max(float(shown.max() - shown.min()), 0.02 * float(abs(shown.max())), 1e-6)
    axes.set_xlim(shown.min() - 0.6 * span, shown.max() + 0.25 * span)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.locator_params(axis="x", nbins=4)
    if risk != "expected_loss":
        axes.xaxis.set_major_formatter(percent_fine)
    bound = "upper" if below else "lower"
    axes.set_title(f"{risk.replace('_', ' ')}: {bound} limit")
    axes.set_xlabel("bar: target; dot: kept; cross: not kept")


def _draw_reliability(axes: Axes, table: pd.DataFrame, boundary: Boundary) -> None:
    top = min(1.0, 1.15 * max(float(table["high"].max()), float(table["score"].max())))
    cuts = (
        (boundary.pass_at_or_below, PASS_COLOUR, "auto-pass at or below", 0.995),
        (boundary.block_at_or_above, BLOCK_COLOUR, "auto-block at or above", 0.945),
    )
    drawn = [(cut, colour, label, place) for cut, colour, label, place in cuts if cut is not None]
    right = min(1.0, max([top, *(1.15 * cut for cut, *_ in drawn)]))
    for setter in (axes.set_xscale, axes.set_yscale):
        setter("function", functions=(signed_root, signed_square))
    axes.plot([0, min(top, right)], [0, min(top, right)], color=FAINT, linestyle="--", linewidth=1)
    heights = table["observed"]
    bars = np.vstack([heights - table["low"], table["high"] - heights])
    axes.errorbar(
        table["score"],
        heights,
        yerr=bars,
        fmt="o",
        color=INK,
        markersize=4.5,
        elinewidth=1.2,
        capsize=3,
    )
    axes.set_xlim(0, right)
    # Headroom for the labels, which would otherwise lie on the highest bins.
    axes.set_ylim(0, 1.25 * top)
    for cut, colour, label, place in drawn:
        axes.axvline(cut, color=colour, linewidth=1.4)
        # A label goes to the roomier side of its line.
        leans = "left" if signed_root(cut) < 0.5 * signed_root(right) else "right"
        axes.annotate(
            f"{label} {cut:.3g}",
            (cut, place),
            xycoords=("data", "axes fraction"),
            xytext=(4 if leans == "left" else -4, 0),
            textcoords="offset points",
            ha=leans,
            va="top",
            color=colour,
        )
    _root_ticks(axes, right, top)
    axes.set_xlabel("predicted probability of bad (square-root scale)")
    axes.set_ylabel("observed share of bad")


def _draw_sla(
    axes: Axes, table: pd.DataFrame, shares: pd.Series, references: Mapping[str, float]
) -> None:
    longest = pd.concat([table["p95_hours"], table["p50_hours"]]).astype(float).max()
    right = 1.3 * max([0.0 if math.isnan(longest) else longest, *references.values(), 0.1])
    places = np.arange(len(table))
    for place, row, share in zip(places, table.to_dict("records"), shares, strict=True):
        known = not pd.isna(row["p95_hours"])
        note = f"{row['p95_hours']:.1f} h" if known else "95th percentile still open"
        if not pd.isna(share):
            note += f" ({share:.1%} within)"
        length = float(row["p95_hours"]) if known else 0.0
        axes.barh(place, length, height=0.56, color="#9ecae1")
        if not pd.isna(row["p50_hours"]):
            axes.plot([row["p50_hours"]] * 2, [place - 0.28, place + 0.28], color=INK, linewidth=2)
        spot = length if pd.isna(row["p50_hours"]) else max(length, float(row["p50_hours"]))
        axes.annotate(
            note,
            (spot, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    for number, (label, hours) in enumerate(references.items()):
        colour = (BLOCK_COLOUR, PASS_COLOUR, INK)[number % 3]
        axes.axvline(hours, color=colour, linewidth=1.4, linestyle=LINE_STYLES[number % 3])
        axes.annotate(
            f"{label}: {hours:g} h",
            (hours, len(table) - 0.35 + 0.42 * number),
            xytext=(4, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    axes.set_yticks(places, [str(name) for name in table["case_type"]])
    axes.set_ylim(-0.6, len(table) - 0.1 + 0.42 * max(len(references) - 1, 0))
    axes.set_xlim(0, right)
    axes.set_xlabel("hours from queue to resolution (bar: 95th percentile, tick: median)")
    axes.grid(axis="y", visible=False)
    axes.set_title("Resolution time")


def _nights(steps: Sequence[Row], columns: tuple[str, ...]) -> pd.DataFrame:
    """Steps as a frame sorted by case type and date, dates parsed."""
    nights = _table(steps, ("date", "case_type", *columns))
    nights["date"] = pd.to_datetime(nights["date"], utc=True)
    return nights.sort_values(["case_type", "date"], ignore_index=True)


def _table(rows: Sequence[Row], columns: tuple[str, ...]) -> pd.DataFrame:
    if not rows:
        raise ValueError("there is nothing to draw: no row was given")
    table = pd.DataFrame([dict(row) for row in rows])
    missing = [repr(name) for name in columns if name not in table]
    if missing:
        raise ValueError(
            f"{len(missing)} columns are missing from the figure's rows: {', '.join(missing)}"
        )
    return table


def _changes(group: pd.DataFrame) -> pd.DataFrame:
    """The nights on which a boundary moved, and the last: a step line needs no others."""
    sides = group[["pass_at_or_below", "block_at_or_above"]].astype(float).fillna(-1.0)
    moved = (sides != sides.shift()).any(axis=1) | group["promoted"].astype(bool)
    moved.iloc[-1] = True
    kept: pd.DataFrame = group[moved]
    # Counted from the end, so that the last night stays whatever is thinned out.
    return kept[:: -math.ceil(len(kept) / MOST_POINTS)][::-1]


def _pooled(group: pd.DataFrame) -> pd.DataFrame:
    """One case type's nights, summed over equal stretches when there are too many to tell apart."""
    stretch = math.ceil(len(group) / MOST_POINTS)
    rules = {
        "date": "first",
        "cases": "sum",
        "auto_passed": "sum",
        "auto_blocked": "sum",
        "promoted": "any",
    }
    pooled: pd.DataFrame = group.groupby(np.arange(len(group)) // stretch).agg(rules)
    return pooled


def _reliability_bins(score: FloatArray, truth: FloatArray, bins: int) -> pd.DataFrame:
    """Mean score, observed share and its Clopper-Pearson interval (1934), one row a bin."""
    from scipy.special import betaincinv

    edges = np.unique(np.quantile(score, np.linspace(0, 1, bins + 1)))
    place = np.searchsorted(edges[1:-1], score, side="right")
    sizes = np.bincount(place, minlength=max(len(edges) - 1, 1))
    bad = np.bincount(place, weights=truth, minlength=sizes.size)
    total = np.bincount(place, weights=score, minlength=sizes.size)
    kept = sizes > 0
    n, k = sizes[kept].astype(float), bad[kept]
    with np.errstate(invalid="ignore"):
        low = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, 0.025), 0.0)
        high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), 0.975), 1.0)
    return pd.DataFrame(
        {"score": total[kept] / n, "observed": k / n, "low": low, "high": high, "cases": n}
    )


def _label_ends(figure: Figure, axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Name each line at its right end, pushed apart so that no two names touch."""
    height = figure.get_size_inches()[1] * 0.72 * 72  # drawing units of the axes, roughly
    low, high = axes.get_ylim()
    gap = min(11.5 / height, 1.0 / max(len(ends), 1)) * (high - low)
    ordered = sorted(ends)
    places = _apart([value for value, _, _ in ordered], gap, low, high)
    for (value, name, colour), place in zip(ordered, places, strict=True):
        axes.annotate(
            name,
            xy=(1.0, value),
            xytext=(1.035, place),
            xycoords=axes.get_yaxis_transform(),
            textcoords=axes.get_yaxis_transform(),
            color=colour,
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )


def _apart(values: list[float], gap: float, low: float, high: float) -> list[float]:
    """Sorted values pushed upward until neighbours are `gap` apart, then back below `high`."""
    places: list[float] = []
    for value in values:
        places.append(max(value, low) if not places else max(value, places[-1] + gap))
    ceiling = high
    for number in range(len(places) - 1, -1, -1):
        places[number] = min(places[number], ceiling)
        ceiling = places[number] - gap
    return places


def _date_axis(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.margins(x=0.01)


def _look(number: int) -> tuple[str, str]:
    style = LINE_STYLES[number // len(PALETTE) % len(LINE_STYLES)]
    return PALETTE[number % len(PALETTE)], style


def _logit(share: Any) -> Any:
    kept = np.clip(share, 0.0005, 0.9995)
    return np.log(kept / (1.0 - kept))


def signed_root(value: Any) -> Any:
    return np.sign(value) * np.sqrt(np.abs(value))


def signed_square(value: Any) -> Any:
    return np.sign(value) * np.square(value)


def _root_ticks(axes: Axes, right: float, top: float) -> None:
    """Ticks for square-root axes, thinned so that no two labels touch."""
    ticks = (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    for setter, end in ((axes.set_xticks, right), (axes.set_yticks, top)):
        shown = [tick for tick in ticks if tick <= end]
        room = 0.055 * math.sqrt(end)
        kept = shown[:1]
        for tick in shown[1:]:
            if math.sqrt(tick) - math.sqrt(kept[-1]) >= room:
                kept.append(tick)
        setter(kept, [f"{tick:.1%}" if 0 < tick < 0.01 else f"{tick:.0%}" for tick in kept])
    axes.minorticks_off()


def percent(value: float, _place: float) -> str:
    return f"{value:.0%}"


def percent_fine(value: float, _place: float) -> str:
    return f"{100 * value:.4g}%"


def as_svg(
    draw: Any, height_inches: float, description: str, width_inches: float = WIDTH_INCHES
) -> str:
    """Draw on a figure of its own and hand back the SVG element alone, ready to be inlined."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": description}), warnings.catch_warnings():
        # Text stays text: the reader's browser, not this machine, has the glyphs of 中文 names.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _inline(buffer.getvalue(), description)


def _inline(document: str, description: str) -> str:
    """Reduce a stand-alone SVG document to one element whose ids no other figure has.

    Header, DOCTYPE, metadata and namespaces name addresses and mean nothing inside HTML.
    """
    element = document[document.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", element)
    element = element.replace("xlink:href=", "href=")
    element = element.replace("'DejaVu Sans'", _FONT_STACK)
    prefix = "f" + hashlib.sha256(element.encode()).hexdigest()[:10] + "-"
    element = re.sub(r'\bid="', f'id="{prefix}', element)
    element = element.replace('href="#', f'href="#{prefix}').replace("url(#", f"url(#{prefix}")
    opening, rest = element.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', opening)
    if box is None:
        raise RuntimeError("matplotlib wrote an SVG without a viewBox")
    label = html.escape(description)
    return f'<svg role="img" aria-label="{label}" {box.group()}>{rest}'.strip()
