"""Certify a table of evidence by hand: what does it prove about each case type in it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from configs.errors import UserError
from flows.adapters.sources import read_evidence
from models.boundary import certify
from models.vocabulary import Boundary, Certificate, Targets


def certify_file(
    file: Path, targets: Targets, incumbent: Boundary | None
) -> dict[str, dict[str, Any]]:
    """One certificate for each case type of an EVIDENCE table (DESIGN 7), as plain values.

    The table is taken as one look, the first, so delta is split over the case types and nothing
    else (the caller keeps count of further looks at the same evidence).

    Raises:
        UserError: the file cannot be read, or a column or value cannot be used; the message names
            the case type.
    """
    table = read_evidence(file)
    if "case_type" not in table:
        table = table.assign(case_type="all cases")
    if table["case_type"].isna().any():
        count = int(table["case_type"].isna().sum())
        raise UserError(f"{file.name}: {count:,} rows have no case_type; name it in every row.")
    groups = {str(name): rows for name, rows in table.groupby("case_type", sort=True)}
    return {
        name: _judge(name, rows, targets, incumbent, len(groups)) for name, rows in groups.items()
    }


def all_certified(told: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether every case type got its certificate."""
    return all(one["verdict"] == "certified" for one in told.values())


def _judge(
    name: str, rows: pd.DataFrame, targets: Targets, incumbent: Boundary | None, case_types: int
) -> dict[str, Any]:
    share = Targets(**{**asdict(targets), "delta": targets.delta / case_types})
    try:
        found = certify(rows.drop(columns="case_type"), share, incumbent)
    except ValueError as wrong:
        raise UserError(f"{name}: {wrong}.") from None
    return _plain(found, len(rows))


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
        "reasons": list(found.reasons),
        "delta": found.delta,
        "effective_sample": found.effective_sample,
        "drawn_and_missing": found.drawn_and_missing,
        "rows": rows,
    }
