"""What does the page of a replayed threshold move say, verdict first?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.errors import UserError
from flows.adapters.files.files import write_atomically
from flows.reports.pages.move_plots import (
    as_png,
    queue_by_hour,
    reliability_near_cuts,
    risk_against_automation,
)
from flows.reports.pages.page import Section, page
from flows.reports.words.move import cheapest_text, move_table, move_verdict, proof_text

KINDS = (".html", ".png")


def report_kind(path: Path) -> str:
    """What a report's name asks for: `.html` or `.png`.

    Raises:
        UserError: the name ends otherwise.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UserError(
            f"a report {path.name!r} was asked for; its name must end in .html (the page) or .png "
            "(its figures alone)."
        )
    return kind


def file_report(told: Mapping[str, Any], path: Path) -> None:
    """Write the report of a replayed move, whole or not at all.

    Raises:
        UserError: the name fits no kind of report, or there is no figure for a picture.
    """
    if report_kind(path) == ".html":
        content = move_page(told).encode("utf-8")
    else:
        try:
            content = as_png(told)
        except ValueError as nothing:
            raise UserError(f"{path.name}: {nothing}. Ask for an .html report.") from None
    write_atomically(path, lambda file: file.write(content))


def move_page(told: Mapping[str, Any]) -> str:
    """One self-contained page: the verdict, the figures, before and after."""
    verdict = "\n\n".join(filter(None, [move_verdict(told), proof_text(told)]))
    sections = [Section("Verdict", verdict)]
    if told["curves"]:
        sections.append(_risks(told))
    if told["reliability"]:
        sections.append(
            Section(
                "The score near the boundary",
                svg=reliability_near_cuts(told["reliability"]),
                table=[
                    {"side": side["side"], **row}
                    for side in told["reliability"]
                    for row in side["bins"]
                ],
                formats={
                    "low_edge": ".4g", "high_edge": ".4g", "predicted": ".3%", "observed": ".3%",
                    "low": ".3%", "high": ".3%",
                },
                note="Only cases designed to be observed speak, weighted by their design. Intervals "
                "are exact (Clopper and Pearson 1934; several designed weights in one bin share the "
                "5 %). A bin in which a designed weight has no label is unsupported: nothing is "
                "carried over from its neighbours.",
            )
        )  # fmt: skip
    if told["queue"] is not None:
        sections.append(
            Section(
                "The review queue by hour of the day",
                svg=queue_by_hour(told["queue"]),
                note="Simulated: logged arrivals, drawn handling times, the configured shifts, key "
                "users first.",
            )
        )
    rows = move_table(told)
    if rows:
        sections.append(
            Section(
                "Before and after",
                f"{told['cases']:,} mature cases of {told['days']} days, as known at {told['as_of']}.\n\n"
                + cheapest_text(told),
                table=[{name: _cell(value) for name, value in row.items()} for row in rows],
            )
        )
    return page(f"What if: {told['case_type']}", sections)


def _risks(told: Mapping[str, Any]) -> Section:
    confidence = told["curves"][0]["confidence"]
    return Section(
        "Automation against proven risk",
        svg=risk_against_automation(told["curves"]),
        table=[
            {
                "promise": curve["risk"].replace("_", " "),
                "target": curve["target"],
                "test": curve["test"],
                "proven today": told["limits"][curve["risk"]]["current"],
                "proven when moved": told["limits"][curve["risk"]]["moved"],
                "certified cut": curve["certified"],
            }
            for curve in told["curves"]
        ],
        formats={"proven today": ".4g", "proven when moved": ".4g", "certified cut": ".4g"},
        note=f"Scores of model {told['certificate']['model_version']}. Limits share a confidence of {confidence:.3%}, that of the next look, and each holds "
        "for its cut alone. A wider cut than the certified one is not proven by its limit: precision "
        "is proven outward, step by step.",
    )


def _cell(value: Any) -> Any:
    return f"{value:,.5g}" if isinstance(value, float) else value
