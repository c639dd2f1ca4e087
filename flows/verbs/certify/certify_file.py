"""Certify a table of evidence by hand: what does it prove about each case type in it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from configs.errors import UserError
from flows.adapters.tables.reading_notes import Tell, nobody
from flows.adapters.tables.sources import by_case_type, evidence_reading
from models.boundary import Evidence, certify
from models.label_cost.waiting import in_days
from models.vocabulary import Boundary, Certificate, Targets


def certify_file(
    file: Path,
    targets: Targets,
    incumbent: Boundary | None,
    days: float | None = None,
    tell: Tell = nobody,
) -> dict[str, dict[str, Any]]:
    """One certificate for each case type of an EVIDENCE table (DESIGN 7), as plain values.

    The table is taken as one look, the first, so delta is split over the case types and nothing
    else (the caller keeps count of further looks at the same evidence).

    Args:
        days: how many days the table covers, so that missing labels have a price in days; None:
            its column `opened_at` says so, and without one there is no price in days.
        tell: is given each note on what was altered while the table was read.

    Raises:
        UserError: the file cannot be read, or a column or value cannot be used; the message names
            the case type.
    """
    reading = evidence_reading(file)
    for note in reading.notes:
        tell(note)
    groups = by_case_type(file, reading.rows)
    return {
        name: _judge(name, rows, targets, incumbent, len(groups), days)
        for name, rows in groups.items()
    }


def all_certified(told: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether every case type got its certificate."""
    return all(one["verdict"] == "certified" for one in told.values())


def _judge(
    name: str,
    rows: pd.DataFrame,
    targets: Targets,
    incumbent: Boundary | None,
    case_types: int,
    days: float | None,
) -> dict[str, Any]:
    share = Targets(**{**asdict(targets), "delta": targets.delta / case_types})
    try:
        evidence = Evidence.from_frame(rows.drop(columns="case_type"))
        found = certify(evidence, share, incumbent)
        days = _days_covered(rows) if days is None else days
        if days is not None:
            found = in_days(found, evidence, share, incumbent, days)
    except ValueError as wrong:
        raise UserError(f"{name}: {wrong}.") from None
    return _plain(found, len(rows))


def _days_covered(rows: pd.DataFrame) -> float | None:
    """From the first to the last `opened_at`; None without the column, or where it holds one moment."""
    if "opened_at" not in rows:
        return None
    opened = rows["opened_at"]
    return float((opened.max() - opened.min()) / pd.Timedelta(days=1)) or None


def _plain(found: Certificate, rows: int) -> dict[str, Any]:
    return {
        "verdict": found.verdict.value,
        "pass_at_or_below": found.boundary.pass_at_or_below,
        "block_at_or_above": found.boundary.block_at_or_above,
        "automation_rate": found.automation_rate,
        "limits": dict(found.limits),
        "precision_lower": found.precision_lower,
        "recall_lower": found.recall_lower,
        "labels_needed": dict(found.labels_needed),
        "days_needed": [price.plain() for price in found.days_needed],
        "reasons": list(found.reasons),
        "delta": found.delta,
        "effective_sample": found.effective_sample,
        "drawn_and_missing": found.drawn_and_missing,
        "rows": rows,
    }
