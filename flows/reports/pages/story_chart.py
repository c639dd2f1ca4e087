"""What happened in a walk, at a glance: automation by night, a lane a case type, with what moved it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.reports.pages.plots import FAINT, INK, PALETTE, WIDTH_INCHES, as_svg, percent
from flows.reports.words.story_events import WORDS, Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NARROW_INCHES = 3.5
"""252 drawing units, for a screen of some 400 px."""

_LINE, _ORACLE, _TUNED, _BROKEN = PALETTE[0], PALETTE[2], PALETTE[5], "#B00020"
_FELL = frozenset({"tripped", "rolled_back", "narrowed"})
_ASKED = frozenset({"ticket", "retrain", "sprint", "look_back", "evidence", "refused"})
_CHARACTER_UNITS = 4.2
"""Mean width of a character of 7 units' DejaVu Sans, in drawing units (1/72 inch)."""
_LONGEST = 0.6
"""Of the lane's width: longer words of one night go on in another row."""
_ROW_UNITS = 10.0
_LANE_UNITS = 96.0


@dataclass(frozen=True)
class _Label:
    """The words of one night of a lane, the row above the lane in which they stand, and whether they
    end at their night instead of beginning there."""

    step: int
    words: str
    kinds: frozenset[str]
    row: int
    left: float
    ends: bool


def story_chart(
    steps: Sequence[Mapping[str, Any]],
    events: Sequence[Event],
    references: Mapping[str, Mapping[str, float | None]],
    *,
    narrow: bool = False,
) -> str:
    """One lane a case type: the share decided automatically by night, what happened, what could have been.

    Args:
        steps: `step, case_type, cases, auto_passed, auto_blocked, violation` (the promises that this
            night's decisions broke, "" where none).
        events: what happened (`flows.verbs.walk.story`).
        references: by case type the automation of `oracle` and `tuned_once`, None where there is none.
        narrow: for a screen of some 400 px.

    Raises:
        ValueError: there is no step.
    """
    if not steps:
        raise ValueError("there is nothing to draw: the walk has no night")
    names = list(dict.fromkeys(str(one["case_type"]) for one in steps))
    nights = max(int(one["step"]) for one in steps) + 1
    width = NARROW_INCHES if narrow else WIDTH_INCHES
    labels = {name: _labels(events, name, nights, 72.0 * width - 60.0) for name in names}
    heights = [_LANE_UNITS + _ROW_UNITS * _rows(labels[name]) + 22.0 for name in names]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(names), 1, sharex=True, squeeze=False, height_ratios=heights)
        for axes, name in zip(grid[:, 0], names, strict=True):
            mine = [one for one in steps if one["case_type"] == name]
            _draw_lane(axes, name, mine, labels[name], references.get(name, {}), nights)
            _draw_planted(axes, [one for one in events if one.case_type == name])
        grid[-1, 0].set_xlabel("night")
        _legend(figure, narrow, wave=any(one.days for one in events))

    inches = (sum(heights) + (58.0 if narrow else 44.0)) / 72.0
    return as_svg(draw, inches, described(events, names), width)


def described(events: Sequence[Event], names: Sequence[str]) -> str:
    """The chart in words, for who does not see it."""
    lanes = []
    for name in names:
        mine = [one for one in events if one.case_type == name]
        said = ", ".join(f"{WORDS[one.kind]} on night {one.step}" for one in mine)
        lanes.append(f"{name}: {said or 'nothing happened'}")
    return f"Simulated: automation by night and what moved it. {'; '.join(lanes)}."


def _labels(events: Sequence[Event], name: str, nights: int, units: float) -> tuple[_Label, ...]:
    """A lane's words by night, each in the lowest row where it does not touch another."""
    mine = sorted(
        (one for one in events if one.case_type == name and one.kind != "planted"),
        key=lambda one: one.step,
    )
    a_night = units / max(nights, 1)
    rows: list[list[tuple[float, float]]] = []
    found = []
    for step, same in groupby(mine, key=lambda one: one.step):
        kinds = list(dict.fromkeys(one.kind for one in same))
        for line in _lines(kinds, _LONGEST * units):
            words = ", ".join(WORDS[kind] for kind in line)
            length, at = _length(words), step * a_night
            # Words begin at their night; near the right end they end there.
            ends = at + length > units
            left = at - length if ends else at
            row = next(
                (
                    place
                    for place, taken in enumerate(rows)
                    if all(end <= left or left + length <= begin for begin, end in taken)
                ),
                len(rows),
            )
            rows[row : row + 1] = [[*(rows[row] if row < len(rows) else []), (left, left + length)]]
            found.append(_Label(step, words, frozenset(line), row, left / a_night, ends))
    return tuple(found)


def _lines(kinds: Sequence[str], longest: float) -> list[list[str]]:
    """A night's kinds of events in as few lines as hold them, the last ones first: lines are stacked
    upwards."""
    lines: list[list[str]] = []
    for kind in kinds:
        if lines and _length(", ".join(WORDS[one] for one in [*lines[-1], kind])) <= longest:
            lines[-1].append(kind)
        else:
            lines.append([kind])
    return lines[::-1]


def _length(words: str) -> float:
    """In drawing units, with the gap to the next words."""
    return _CHARACTER_UNITS * (len(words) + 1)


def _rows(labels: Sequence[_Label]) -> int:
    return max((one.row for one in labels), default=-1) + 1


def _draw_lane(
    axes: Axes,
    name: str,
    steps: Sequence[Mapping[str, Any]],
    labels: Sequence[_Label],
    references: Mapping[str, float | None],
    nights: int,
) -> None:
    night = np.array([one["step"] for one in steps], dtype=np.float64)
    cases = np.array([one["cases"] for one in steps], dtype=np.float64)
    automatic = np.array([one["auto_passed"] + one["auto_blocked"] for one in steps])
    rate = np.divide(automatic, cases, out=np.full(len(steps), np.nan), where=cases > 0)
    for key, colour, style in (("oracle", _ORACLE, "--"), ("tuned_once", _TUNED, ":")):
        if (level := references.get(key)) is not None:
            axes.axhline(level, color=colour, linestyle=style, linewidth=1.4)
    axes.plot(night, rate, color=_LINE)
    shown = [value for value in (*rate, *references.values()) if value is not None]
    top = 1.12 * max([0.1, *(float(value) for value in shown if np.isfinite(value))])
    axes.set_ylim(0.0, top)
    axes.set_xlim(-0.5, nights - 0.5)
    axes.yaxis.set_major_formatter(percent)
    axes.locator_params(axis="y", nbins=4)
    axes.grid(axis="x", visible=False)
    above = axes.get_xaxis_transform()
    unit = 1.0 / _LANE_UNITS
    for label in labels:
        colour = _colour(label.kinds)
        height = 1.0 + unit * (3.0 + _ROW_UNITS * label.row)
        axes.plot(
            [label.step, label.step], [0.0, height], transform=above, color=colour, linewidth=0.7,
            clip_on=False, zorder=1,
        )  # fmt: skip
        axes.text(
            label.step, height, label.words, transform=above, fontsize=7, va="bottom",
            ha="right" if label.ends else "left",
            color="#5c5c5c" if colour == FAINT else colour, zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
        ).set_in_layout(False)  # fmt: skip
    for step in dict.fromkeys(label.step for label in labels):
        kinds = frozenset().union(*(label.kinds for label in labels if label.step == step))
        value = rate[night == step]
        if len(value) and np.isfinite(value[0]):
            axes.plot(step, value[0], "o", color=_colour(kinds), markersize=4, zorder=5)
    broken = np.array([bool(one.get("violation")) for one in steps])
    axes.plot(
        night[broken], rate[broken], "X", color=_BROKEN, markersize=7, markeredgecolor="white",
        markeredgewidth=0.6, zorder=6,
    )  # fmt: skip
    axes.set_title(name, pad=6.0 + _ROW_UNITS * _rows(labels))


def _colour(kinds: frozenset[str]) -> str:
    """Of a night: something fell, something was asked for, or something was promoted."""
    return _BROKEN if kinds & _FELL else FAINT if kinds <= _ASKED else INK


def _draw_planted(axes: Axes, events: Sequence[Event]) -> None:
    for one in events:
        if one.kind == "planted" and one.days:
            axes.axvspan(one.step, one.step + one.days, color=_BROKEN, alpha=0.13, linewidth=0)


def _legend(figure: Figure, narrow: bool, *, wave: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [
        Line2D([], [], color=_LINE, label="decided automatically (simulated)"),
        Line2D([], [], color=_ORACLE, linestyle="--", label="oracle, in hindsight"),
        Line2D([], [], color=_TUNED, linestyle=":", label="threshold tuned once"),
        Line2D([], [], color=_BROKEN, marker="X", linestyle="", label="truth broke a promise"),
    ]
    if wave:
        handles.append(Patch(facecolor=_BROKEN, alpha=0.13, label="planted fraud wave"))
    figure.legend(
        handles=handles, loc="outside upper left", ncols=2 if narrow else 5, frameon=False,
        fontsize=7, columnspacing=1.2, handlelength=1.8,
    )  # fmt: skip
