"""Since when may the rows of an EVIDENCE table be pooled, and why not for longer?"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.drift.check import FEWEST_ROWS
from models.drift.sample import FloatArray, IntArray, Sample
from models.drift.windows import Pool, Restart, consecutive, windows_to_pool
from models.vocabulary import Boundary


@dataclass(frozen=True, slots=True)
class PooledEvidence:
    """The newest part of the evidence that is one population.

    Attributes:
        since: the label of the oldest window that may be pooled; None for an empty table.
        first_row: place of that window's first row; `frame.iloc[first_row:]` may be pooled.
        restarts: where the population changed, oldest first.
        sentence: for the report.
    """

    since: Hashable | None
    first_row: int
    restarts: tuple[Restart, ...]
    sentence: str


def evidence_to_pool(
    frame: pd.DataFrame,
    features: Sequence[str],
    boundary: Boundary,
    *,
    window: str = "window",
    alpha: float = 0.01,
    falls_pool: bool = False,
) -> PooledEvidence:
    """Find since when the rows of one case type are one population, by `windows_to_pool`.

    Give complete windows (days, weeks): one that still grows would be compared again every night.

    Args:
        frame: rows in order of time, as an EVIDENCE table (DESIGN 7): `score` by one model, `bad`
            (true, false, null = not observed), `propensity`, optionally `drawn`, the features, and
            the window of each row. Truth of a case that was not drawn is left out: it was seen
            because the case was bad.
        features: columns that the model under test reads.
        boundary: in whose score bands the risks are compared; the one in force.
        window: the column that names each row's window.
        alpha: probability of a false restart, in all windows together.
        falls_pool: as in `windows_to_pool`.

    Raises:
        ValueError: a column is missing, a window is missing or comes back after another, a value
            is out of range, or a feature is neither a number, a flag nor a category.
    """
    needed = ["score", "bad", "propensity", window, *features]
    missing = [name for name in needed if name not in frame]
    if missing:
        raise ValueError(
            f"drift cannot be judged without the columns {', '.join(map(repr, missing))}; the "
            f"table has {', '.join(map(repr, frame.columns))}"
        )
    number, labels = _windows(frame[window])
    sample = Sample(
        scores=_numbers(frame, "score"),
        features=frame[list(features)],
        bad=_designed_truth(frame),
        propensity=_numbers(frame, "propensity"),
        boundary=boundary,
    )
    pool = windows_to_pool(consecutive(sample, number), alpha, falls_pool=falls_pool)
    if not len(frame):
        return PooledEvidence(None, 0, (), "There is no evidence yet.")
    first_row = int(np.searchsorted(number, pool.first))
    return PooledEvidence(
        labels[pool.first], first_row, pool.restarts, _sentence(pool, labels, len(frame), first_row)
    )


def _windows(column: pd.Series) -> tuple[IntArray, pd.Index]:
    """(number of each row's window, 0 for the oldest; label of each window)."""
    number, labels = pd.factorize(column)
    number = np.asarray(number, dtype=np.int64)
    if (number < 0).any():
        raise ValueError(
            f"{int((number < 0).sum())} rows have no value in {column.name!r}; each row needs the "
            "window it belongs to"
        )
    back = np.flatnonzero(np.diff(number) < 0)
    if len(back):
        row = int(back[0]) + 1
        raise ValueError(
            f"rows must come in order of time, but window {labels[number[row]]} comes back at row "
            f"{row} after window {labels[number[row - 1]]}; sort the table by time"
        )
    return number, pd.Index(labels)


def _designed_truth(frame: pd.DataFrame) -> FloatArray:
    truth = _numbers(frame, "bad")
    if "drawn" not in frame:
        return truth
    drawn = frame["drawn"].to_numpy(dtype=np.bool_) | (_numbers(frame, "propensity") == 1.0)
    return np.where(drawn, truth, np.nan)


def _numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _sentence(pool: Pool, labels: pd.Index, rows: int, first_row: int) -> str:
    since, kept = _told(labels[pool.first]), rows - first_row
    if pool.restarts:
        findings = pool.restarts[-1].verdict.findings
        more = f" {len(findings) - 1} more moved with it." if len(findings) > 1 else ""
        return (
            f"Evidence starts again at {since} and pools {kept:,} of {rows:,} cases. "
            f"{findings[0].sentence}{more}"
        )
    if not pool.comparisons:
        return (
            f"All {rows:,} cases since {since} are pooled unjudged: drift is judged between "
            f"samples of {FEWEST_ROWS} cases or more."
        )
    return f"All {rows:,} cases since {since} may be pooled: no drift in {len(labels)} windows."


def _told(label: Hashable) -> str:
    return f"{label:%Y-%m-%d}" if isinstance(label, pd.Timestamp) else str(label)
