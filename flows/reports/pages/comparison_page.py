"""How does a challenger beside its champion read as one page, verdict first?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.reports.pages.comparison_plots import (
    MOST_SLICES,
    contributions_before_and_after,
    differences,
    rank_and_reliability,
    slice_differences,
)
from flows.reports.pages.page import Section, markdown, page
from flows.reports.words.move import boundary_text
from models.comparison import Compared, Comparison, Estimate, GateVerdict, SliceCompared

_SIMULATED = "All cases, labels and costs here are simulated."
_NOT_ESTIMABLE = "not estimable"
_UNITS = {"nats": "", "area": "", "share": "%", "usd": "USD"}
_SHORT = {
    "log_loss": "log loss",
    "recall_same_automation": "recall",
    "precision_same_automation": "precision",
}
_CONTRIBUTIONS = ("mean_before", "mean_after", "weight_before", "weight_after")


def comparison_page(
    comparison: Comparison,
    gate: GateVerdict,
    *,
    case_type: str,
    champion: str,
    challenger: str,
    contributions: Sequence[Mapping[str, Any]] = (),
    simulated: bool = False,
) -> str:
    """One self-contained page: verdict, gate, metrics, slices, curves, corrected features.

    Args:
        comparison, gate: `models.comparison.compare` and `gate`.
        case_type, champion, challenger: names of the case type and of the two model versions.
        contributions: of the corrected features, maybe empty: `feature`, `slice`, `mean_before`,
            `mean_after` (mean absolute contribution, logits), `weight_before`, `weight_after` (total
            weight); None where it is not known.
        simulated: the cases come from a simulated exchange; the page says so.
    """
    sections = [_verdict(comparison, gate, champion, challenger, simulated)]
    if comparison.regressions:
        sections.append(Section("Regressions", "\n\n".join(comparison.regressions)))
    if comparison.metrics:
        sections.append(_metrics(comparison))
    if comparison.slices:
        sections.append(_slices(comparison))
    if comparison.champion_curves is not None and comparison.challenger_curves is not None:
        sections.append(_curves(comparison))
    if contributions:
        sections.append(_contributions(contributions))
    sections.append(_how(comparison))
    return page(_title(case_type, simulated), sections)


def comparison_verdict(
    comparison: Comparison,
    gate: GateVerdict,
    *,
    case_type: str,
    champion: str,
    challenger: str,
    simulated: bool = False,
) -> str:
    """The verdict, the regressions and the table of metrics as markdown, for a Prefect artifact or an
    MLflow note."""
    sections = [_verdict(comparison, gate, champion, challenger, simulated)]
    if comparison.regressions:
        sections.append(Section("Regressions", "\n\n".join(comparison.regressions)))
    if comparison.metrics:
        table = [_metric_row(compared, comparison) for compared in comparison.metrics]
        sections.append(Section("Metrics", table=table, note=_note(comparison)))
    return markdown(_title(case_type, simulated), sections)


def _title(case_type: str, simulated: bool) -> str:
    return f"Champion and challenger: {case_type}" + (" (simulated)" if simulated else "")


def _verdict(
    comparison: Comparison, gate: GateVerdict, champion: str, challenger: str, simulated: bool
) -> Section:
    who = f"Champion: model {champion}. Challenger: model {challenger}."
    if simulated:
        who = f"{who} {_SIMULATED}"
    return Section("Verdict", f"{comparison.sentence()}\n\n{gate.sentence()}\n\n{who}")


def _metrics(comparison: Comparison) -> Section:
    return Section(
        "Metrics",
        svg=differences(comparison),
        table=[_metric_row(compared, comparison) for compared in comparison.metrics],
        note=_note(comparison),
    )


def _note(comparison: Comparison) -> str:
    notes = [
        f"In brackets: {comparison.confidence:.0%} intervals. Only log loss decides the verdict. AUC, expected loss, and "
        "recall and precision at the same automation are guarded: they share one error rate, so "
        "their change is judged at a higher confidence than the interval in the table (the figure "
        "draws what is judged). Amounts are US dollars a case."
    ]
    notes += [_sentence(compared.why_not) for compared in comparison.metrics if compared.why_not]
    return " ".join(notes)


def _metric_row(compared: Compared, comparison: Comparison) -> dict[str, Any]:
    title = compared.metric.title.replace(" at the ", ", ").replace(" boundary", "")
    unit = _UNITS[compared.metric.unit]
    return {
        "metric": f"{title} ({unit})" if unit else title,
        "difference": _bare(_difference(compared, comparison.confidence)),
        "change": compared.change,
        "champion": _bare(_estimate(compared, compared.champion)),
        "challenger": _bare(_estimate(compared, compared.challenger)),
    }


def _bare(told: str) -> str:
    """A figure short enough for a wide table: the unit stands in the row's or the column's name."""
    for unit in (" points", " %", " USD"):
        told = told.replace(unit, "")
    return told.replace(" to ", ", ")


def _slices(comparison: Comparison) -> Section:
    judged = [one for one in comparison.slices if one.metrics]
    left_out = [one for one in comparison.slices if one.why_not]
    worse = [one.slice for one in judged if one.worse_on]
    text = f"{len(judged)} slices were judged, {len(worse)} of them got worse"
    text += f": {', '.join(worse)}." if worse else "."
    if left_out:
        text += f" Too few cases to judge: {', '.join(one.slice for one in left_out)}."
    note = (
        f"The share of false findings is held at {1.0 - comparison.confidence:.0%} over all slices and metrics "
        "(Benjamini and Hochberg 1995), so a single interval that excludes zero is not yet a change. Differences; recall and precision are those at the same "
        "automation."
    )
    if len(judged) > MOST_SLICES:
        note += f" The figure shows the {MOST_SLICES} with the largest loss."
    return Section(
        "By slice",
        text,
        svg=slice_differences(comparison) if judged else None,
        table=[_slice_row(one, comparison.confidence) for one in judged],
        note=note if judged else "",
    )


def _slice_row(one: SliceCompared, confidence: float) -> dict[str, Any]:
    changes = [("worse", name) for name in one.worse_on] + [
        ("better", name) for name in one.better_on
    ]
    row: dict[str, Any] = {
        "slice": one.slice,
        "change": ", ".join(f"{word}: {_SHORT[name]}" for word, name in changes) or "unclear",
        "cases": f"{one.cases:,}, {one.bad:,} bad",
    }
    for compared in one.metrics:
        unit = " (%)" if compared.metric.unit == "share" else ""
        row[f"{_SHORT[compared.metric.name]}{unit}"] = _bare(_difference(compared, confidence))
    return row


def _curves(comparison: Comparison) -> Section:
    champion, challenger = comparison.champion_curves, comparison.challenger_curves
    assert champion is not None
    assert challenger is not None
    return Section(
        "Ranking and reliability",
        svg=rank_and_reliability(champion, challenger),
        note="Weighted by design. Reliability: ten bins of equally many labelled cases a model, exact "
        "intervals at effective counts; on the dotted line the score's word is kept.",
    )


def _contributions(rows: Sequence[Mapping[str, Any]]) -> Section:
    return Section(
        "Corrected features before and after",
        svg=contributions_before_and_after(rows),
        table=[
            {"feature": row["feature"], "slice": row["slice"]}
            | {name: row[name] for name in _CONTRIBUTIONS}
            for row in rows
        ],
        formats=dict.fromkeys(_CONTRIBUTIONS, ".4g"),
    )


def _how(comparison: Comparison) -> Section:
    """What was compared on what, for whoever repeats it."""
    boundaries = (
        ("live (champion's score)", comparison.live),
        ("same automation (challenger's score)", comparison.matched),
        ("champion's certified", comparison.champion_certified),
        ("challenger's certified", comparison.challenger_certified),
    )
    return Section(
        "How it was compared",
        f"{comparison.cases:,} labelled cases opened after both models' training, {comparison.bad:,} of them "
        f"bad, weighted by 1 / their designed probability of observation (as much as "
        f"{comparison.effective_cases:,.0f} equally weighted ones). {comparison.draws:,} paired "
        f"resamples, seed {comparison.seed}.",
        table=[
            {
                "boundary": name,
                "stands at": "none"
                if boundary is None
                else boundary_text(
                    {
                        "pass_at_or_below": boundary.pass_at_or_below,
                        "block_at_or_above": boundary.block_at_or_above,
                    }
                ),
            }
            for name, boundary in boundaries
        ],
        note="A boundary's value means another thing on another model's score. At the live boundary's "
        "scores the two automate different amounts, so recall and precision are also given where the "
        "challenger's cuts pass and block the same shares of these cases.",
    )


def _estimate(compared: Compared, estimate: Estimate | None) -> str:
    if estimate is None:
        return _NOT_ESTIMABLE
    told = compared.metric.told(estimate.value, estimate.low, estimate.high)
    return told if estimate.low is not None else f"{told} (interval {_NOT_ESTIMABLE})"


def _difference(compared: Compared, confidence: float) -> str:
    if compared.difference is None:
        return _NOT_ESTIMABLE
    interval = compared.difference.at(confidence)
    if interval is None:
        told = compared.metric.told_change(compared.difference.value)
        return f"{told} (interval {_NOT_ESTIMABLE})"
    return compared.metric.told_change(compared.difference.value, *interval)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
