"""Admit a batch: good rows into the store, bad rows into quarantine by name, nothing lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import CONTRACTS, Admission, AdmissionContext, admit, reject_report
from data_contracts.contract import Trailing
from data_contracts.digests import row_digests
from flows.verbs.delivered_decisions import contract_for
from flows.verbs.desk import Desk

KEYS = {
    "decisions": ("case_id",),
    "reviews": ("review_id", "revision"),
    "outcomes": ("case_id", "source", "observed_at"),
}
_DECISION_COLUMNS = [
    "case_id", "case_type", "opened_at", "decided_at", "recommendation", "action", "priority",
]  # fmt: skip
TRAILING_BATCHES = 14


@dataclass(frozen=True, slots=True)
class AdmittedBatch:
    """What became of one delivered batch, in numbers and names; no row of it."""

    table: str
    rows_in: int
    admitted: int
    already_stored: int
    quarantined: int
    rejections: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    report: str = ""

    def counts(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "rows_in": self.rows_in,
            "admitted": self.admitted,
            "already_stored": self.already_stored,
            "quarantined": self.quarantined,
            "rejections": dict(self.rejections),
            "failed": list(self.failed),
        }


def judge_batch(
    desk: Desk, table: str, frame: pd.DataFrame, now: datetime, *, ours: bool = False
) -> Admission:
    """Hold a batch to its contract against what the store knows; nothing is written.

    Args:
        ours: these rows were made here, so nothing about the batch says whether a delivery was cut.
    """
    contract = contract_for(desk, table, ours=ours)
    return admit(frame, contract, _context(desk, table, frame, now, ours))


def admit_batch(
    desk: Desk,
    table: str,
    frame: pd.DataFrame,
    now: datetime,
    *,
    source: str,
    watermark: datetime | None = None,
    ours: bool = False,
) -> AdmittedBatch:
    """Judge a batch and store it: admitted rows, rejected rows and the watermark in one step.

    A batch that failed as a whole is neither stored nor quarantined and its watermark stays, so
    that the same rows are read again once the source is mended.

    Args:
        ours: these rows were made here: of two under one key the first counts for good.
    """
    judged = judge_batch(desk, table, frame, now, ours=ours)
    if judged.failed:
        return told_of(judged)
    receipt = desk.store.append(
        table,
        judged.rows,
        judged.rejected,
        key=KEYS[table],
        source=source,
        received_at=now,
        watermark=watermark,
        once=ours,
    )
    return told_of(judged, receipt.already_stored)


def told_of(judged: Admission, already_stored: int = 0) -> AdmittedBatch:
    """An admission in numbers and names."""
    return AdmittedBatch(
        table=judged.contract.name,
        rows_in=judged.rows_in,
        admitted=judged.admitted,
        already_stored=already_stored,
        quarantined=judged.quarantined,
        rejections=judged.rejections,
        failed=judged.failed,
        report=reject_report(judged) if judged.quarantined else "",
    )


def _context(
    desk: Desk, table: str, frame: pd.DataFrame, now: datetime, ours: bool
) -> AdmissionContext:
    decisions = revisions = trailing = None
    if table != "decisions":
        decisions = _stored_decisions(desk, frame)
    if table == "reviews":
        revisions = _stored_revisions(desk, frame)
    if table == "decisions" and not ours:
        trailing = _trailing_volumes(desk, frame, now)
    return AdmissionContext(
        now=now,
        case_types=desk.case_types,
        decisions=decisions,
        stored_revisions=revisions,
        trailing=trailing,
        reviewer_share_cap=desk.reviewer_share_cap,
    )


def _stored_decisions(desk: Desk, frame: pd.DataFrame) -> pd.DataFrame | None:
    if not desk.store.counts("decisions")[0] or "case_id" not in frame:
        return None
    named = frame["case_id"].dropna().astype(str).unique().tolist()
    return desk.store.read("decisions", columns=_DECISION_COLUMNS, filters={"case_id": named})


def _stored_revisions(desk: Desk, frame: pd.DataFrame) -> pd.DataFrame | None:
    if not desk.store.counts("reviews")[0] or "review_id" not in frame:
        return None
    columns: Sequence[str] = CONTRACTS["reviews"].schema.names
    named = frame["review_id"].dropna().astype(str).unique().tolist()
    stored = desk.store.read("reviews", columns=columns, filters={"review_id": named})
    stored["row_digest"] = row_digests(stored, columns)
    return stored[["review_id", "revision", "row_digest"]]


def _trailing_volumes(desk: Desk, frame: pd.DataFrame, now: datetime) -> dict[str, Trailing] | None:
    """Rows a batch by case type over the last batches, of the case types this batch holds.

    Only volume, and only of decisions: the base rate and volume of *reviews* change whenever a
    boundary moves, so comparing them with their past would stop the very night after a promotion.
    """
    if not desk.store.counts("decisions")[0] or "case_type" not in frame:
        return None
    past = desk.store.sizes("decisions", "case_type", as_of=now)
    sizes = past.groupby(["case_type", "received_at"], observed=True)["rows"].sum()
    found = {}
    for case_type in sizes.index.unique("case_type").intersection(
        frame["case_type"].dropna().unique().tolist()
    ):
        recent = sizes[case_type].sort_index().iloc[-TRAILING_BATCHES:]
        found[str(case_type)] = Trailing(
            base_rate=None, rows_per_batch=float(np.median(recent)), batches=len(recent)
        )
    return found
