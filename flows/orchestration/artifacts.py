"""What does a flow run leave in Prefect for people to read?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from configs.masking import masked, masked_leaves
from flows.reports.pages.page import Section, markdown
from flows.reports.words.live_boundaries import live_lines
from flows.reports.words.tickets import tickets_sentence, tickets_table
from flows.verbs.learn.challenger import Challenger, challenger_table, correction_table
from flows.verbs.record.night_results import not_done


def publish(
    name: str,
    verdict: str,
    table: Sequence[dict[str, Any]],
    others: Sequence[Section] = (),
) -> None:
    """The verdict in markdown first, then its table, under stable keys; `others` below the verdict."""
    key = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    verdict, table = masked(verdict), masked_leaves(list(table))
    text = markdown(name, [Section("Verdict", verdict, table=table or None), *others])
    create_markdown_artifact(markdown=masked(text), key=f"{key}-verdict", description=verdict[:200])
    if table:
        rows = [{name: _cell(value) for name, value in row.items()} for row in table]
        create_table_artifact(table=rows, key=f"{key}-table")


def _cell(value: Any) -> Any:
    """A cell as a person reads it: a truth is yes or no."""
    return ("yes" if value else "no") if isinstance(value, bool) else value


def publish_text(name: str, text: str) -> None:
    """Markdown for a person to read, under a stable key."""
    key = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    create_markdown_artifact(markdown=masked(text), key=key)


def publish_night(night: dict[str, Any]) -> None:
    """A night's verdict, and its boundaries as a table."""
    certified = [c["case_type"] for c in night["certificates"] if c["verdict"] == "certified"]
    verdict = (
        " ".join([night["verdict"], *not_done(night["results"]), *night.get("next", [])])
        + f" {night['rows_new']:,} new rows admitted, {night['rows_quarantined']:,} quarantined. "
        f"Certified: {', '.join(certified) or 'none'}. "
        f"{len(night['waiting'])} proposals wait for approval. "
        + _by_itself(night["entries"])
        + f"{len(night['second_reviews'])} second reviews are needed (cases named in the dossier). "
        + tickets_sentence(night["tickets"])
    )
    keys = ("case_type", "verdict", "pass_at_or_below", "block_at_or_above", "automation_rate")
    rows = [
        {**{key: c[key] for key in keys}, "why": " ".join(c["reasons"])}
        for c in night["certificates"]
    ]
    found = Section("Tickets", table=tickets_table(night["tickets"]))
    publish("night", verdict, rows, [found] if night["tickets"] else [])


def night_lines(night: dict[str, Any]) -> list[str]:
    """What stands below a night's verdict in the log of its run."""
    certified = [c["case_type"] for c in night["certificates"] if c["verdict"] == "certified"]
    lines = [
        *not_done(night["results"]),
        *night.get("next", []),
        *live_lines(night.get("live", [])),
        f"{night['rows_new']:,} new rows admitted, {night['rows_quarantined']:,} quarantined, "
        f"{night['rows_waiting']:,} wait for their decisions.",
        f"Certified: {', '.join(certified) or 'none'}. {len(night['waiting'])} proposals wait for approval.",
        _by_itself(night["entries"]).strip(),
    ]
    return [line for line in lines if line]


def _by_itself(entries: Sequence[dict[str, Any]]) -> str:
    """What was narrowed or rolled back without asking anybody, as a sentence, or ""."""
    changed = [
        f"{one['case_type']} {one['kind'].replace('_', ' ')}"
        for one in entries
        if one["kind"] in ("narrowed", "rolled_back", "guardrail_tripped")
    ]
    return f"Changed by itself: {', '.join(changed)}. " if changed else ""


def publish_retrain(challenger: Challenger) -> None:
    """A retrain's note, its comparison as a table, and the named features before and after."""
    name = f"retrain-{challenger.case_type}"
    publish(name, challenger.note, challenger_table(challenger))
    if challenger.corrections:
        corrected = correction_table(challenger.corrections)
        publish(f"{name}-features", "Contributions before and after.", corrected)
