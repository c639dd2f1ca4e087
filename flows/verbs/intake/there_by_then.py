"""Which rows of a source were there by the moment that a night of the past is for?

A source of today also holds what came after that moment. Such rows are no rows from the future, which a
contract puts aside: a later night admits them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.adapters.tables.reading_notes import Note
from flows.verbs.ports import EvidenceStore

_HAPPENED = {
    "decisions": ("opened_at", "decided_at"),
    "reviews": ("queued_at", "resolved_at"),
    "outcomes": ("observed_at",),
}
_SKEW = timedelta(minutes=5)
"""As much as a contract lets a clock run ahead."""


@dataclass(frozen=True)
class ThereByThen:
    """The rows of a delivery that a past night may know, and how many came later."""

    rows: pd.DataFrame = field(repr=False)
    later: int

    def told(self, source: str, as_of: datetime) -> tuple[Note, ...]:
        """What to tell people of the rows left out; empty where there is none."""
        if not self.later:
            return ()
        what = (
            f"rows with stamps after {as_of:%Y-%m-%d %H:%M} UTC were not there yet and are left out"
        )
        return (Note(source, what, self.later),)


def there_by_then(
    table: str, rows: pd.DataFrame, mark: str | None, as_of: datetime, now: datetime | None = None
) -> ThereByThen:
    """The rows whose stamps all lie at or before `as_of`, in their order.

    A row's stamps are what happened (opened, decided, resolved, observed) and, where the source has
    one, its watermark. A stamp that is missing, cannot be read or lies after `now` says nothing: the
    contract names it.

    Args:
        table: decisions, reviews or outcomes.
        mark: the source's watermark column; None: it has none.
        now: the clock; None: this moment.
    """
    if not len(rows) or not rows.columns.is_unique:
        return ThereByThen(rows, 0)
    latest = pd.Timestamp((now or datetime.now(UTC)) + _SKEW)
    later: npt.NDArray[np.bool_] = np.zeros(len(rows), dtype=np.bool_)
    for name in dict.fromkeys([*_HAPPENED[table], *([mark] if mark else [])]):
        if name in rows:
            stamps = pd.to_datetime(rows[name], utc=True, errors="coerce")
            after = (stamps > pd.Timestamp(as_of)) & (stamps <= latest)
            later |= after.to_numpy(dtype=np.bool_)
    if not later.any():
        return ThereByThen(rows, 0)
    return ThereByThen(rows[~later].reset_index(drop=True), int(later.sum()))


def why_out_of_order(store: EvidenceStore, table: str, as_of: datetime) -> str:
    """Why nothing can be stored of a table as of a past moment, or "".

    What is stored is stamped in order, so that a read as of a moment never changes (ADR 20).
    """
    stored = store.last_received(table)
    if stored is None or stored <= as_of:
        return ""
    return (
        f"{table} received at {stored:%Y-%m-%d %H:%M:%S} UTC are stored already, and what came in "
        f"before cannot be added behind them. Walk nights of the past in order, or leave out --as-of."
    )
