"""Triage a table of evidence by hand: why did the agent err on each case type in it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from configs.errors import UserError
from flows.adapters.tables.reading_notes import Tell, nobody
from flows.adapters.tables.sources import by_case_type, evidence_reading
from models.triage import TriageEvidence, TriagePlan, diagnose, findings_of
from models.triage.evidence import NOTES
from models.vocabulary import Costs

PHI, RAW = "phi_", "x_"
_MOST_LEVELS = 20


def triage_file(
    file: Path,
    plan: TriagePlan,
    costs: Costs,
    segments: tuple[str, ...] = (),
    tell: Tell = nobody,
) -> dict[str, dict[str, Any]]:
    """The diagnosis of each case type of an EVIDENCE table (DESIGN 7), as plain values.

    Columns: `bad` and `margin` (or `score`); `phi_<feature>` for Type A, `x_<feature>` raw values,
    any of the columns a review brings (`feedback_path`, `root_cause`, ...). Rows are taken to be in
    order of time unless `opened_at` says otherwise. A case that was not drawn is left out: its truth
    was seen because of what it was.

    Args:
        segments: columns each value of which Type A is looked for in.
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
        name: _judge(name, _usable(file, rows, segments), plan, costs, segments)
        for name, rows in groups.items()
    }


def _usable(file: Path, rows: pd.DataFrame, segments: tuple[str, ...]) -> pd.DataFrame:
    """The rows in order of time, if they have the columns that triage takes."""
    missing = sorted({"bad"} - set(rows.columns))
    if not {"margin", "score"} & set(rows.columns):
        missing.append("margin (or score)")
    if missing:
        raise UserError(
            f"{file.name} has no column {', '.join(missing)}; it has: {', '.join(rows.columns)}."
        )
    unknown = [name for name in segments if _column(rows, name) is None]
    if unknown:
        raise UserError(
            f"--slice {unknown[0]}: {file.name} has no such column, and no {RAW}{unknown[0]}."
        )
    if "opened_at" in rows:
        rows = rows.sort_values("opened_at", kind="stable")
    return rows.reset_index(drop=True)


def _judge(
    name: str, rows: pd.DataFrame, plan: TriagePlan, costs: Costs, segments: tuple[str, ...]
) -> dict[str, Any]:
    try:
        evidence = _evidence(rows, segments)
        found = diagnose(evidence, plan)
        findings = findings_of(name, evidence, found, costs)
    except ValueError as wrong:
        raise UserError(f"{name}: {wrong}.") from None
    calibration = found.calibration
    return {
        "cause": found.cause.value,
        "cases": len(evidence.margin),
        "bad": int(evidence.bad.sum()),
        "errors": found.errors,
        "expected_errors": found.expected_errors,
        "findings": [one.plain() for one in findings],
        "noise": [{"feature": one.feature, "spread": one.spread} for one in found.weights.noise],
        "calibration": None
        if calibration is None
        else {
            "shift": calibration.shift,
            "slope": calibration.slope,
            "p_value": calibration.p_value,
            "curve": [
                {"cases": b.cases, "score": b.score, "bad_share": b.bad_share, "low": b.low,
                 "high": b.high}
                for b in calibration.curve
            ],
        },
        "not_judged": [
            {"feature": one.feature, "slice": one.slice, "why": one.why} for one in found.unjudged
        ],
    }  # fmt: skip


def _evidence(rows: pd.DataFrame, segments: tuple[str, ...]) -> TriageEvidence:
    known = rows["bad"].notna()
    if "drawn" in rows:
        known &= rows["drawn"].fillna(False).astype(bool)
    rows = rows[known.to_numpy()].reset_index(drop=True)
    phi = [str(name) for name in rows.columns if str(name).startswith(PHI)]
    raw = [str(name) for name in rows.columns if str(name).startswith(RAW)]
    contributions = None
    if phi:
        contributions = rows[phi].rename(columns=lambda name: name.removeprefix(PHI))
    values = rows[raw].rename(columns=lambda name: name.removeprefix(RAW))
    labels = {name: _labels(rows, name) for name in segments}
    bad = rows["bad"].astype("float64").to_numpy()
    if not np.isin(bad, (0.0, 1.0)).all():
        raise ValueError("bad must hold true, false or null, and nothing else")
    notes = rows[[name for name in NOTES if name in rows]]
    return TriageEvidence(_margin(rows), bad == 1.0, contributions, values, labels, notes)


def _margin(rows: pd.DataFrame) -> np.ndarray:
    if "margin" in rows:
        return rows["margin"].to_numpy(dtype=np.float64, na_value=np.nan)
    score = rows["score"].to_numpy(dtype=np.float64, na_value=np.nan)
    if not ((score >= 0.0) & (score <= 1.0)).all():
        raise ValueError("a score is missing or outside [0, 1]")
    return np.asarray(logit(np.clip(score, 1e-15, 1.0 - 1e-15)), dtype=np.float64)


def _column(rows: pd.DataFrame, name: str) -> pd.Series | None:
    for known in (name, f"{RAW}{name}"):
        if known in rows:
            return rows[known]
    return None


def _labels(rows: pd.DataFrame, name: str) -> np.ndarray:
    column = _column(rows, name)
    assert column is not None
    if column.nunique() > _MOST_LEVELS:
        raise ValueError(
            f"the slices of {name!r} are {column.nunique():,} different values; group them into at "
            f"most {_MOST_LEVELS} first"
        )
    return column.astype("str").to_numpy(dtype=object)
