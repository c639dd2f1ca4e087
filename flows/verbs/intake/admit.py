"""Admit a batch: good rows into the store, bad rows into quarantine by name, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_contracts import CONTRACTS, Admission, AdmissionContext, admit, reject_report
from data_contracts.admission import BROKEN_RULES
from data_contracts.digests import row_digests
from flows.verbs.intake.delivered_decisions import contract_for
from flows.verbs.ports import AdmissionServices, EvidenceStore
from models.vocabulary import CaseType

KEYS = {
    "decisions": ("case_id",),
    "reviews": ("review_id", "revision"),
    "outcomes": ("case_id", "source", "observed_at"),
}
DECISION_COLUMNS = [
    "case_id", "case_type", "opened_at", "decided_at", "recommendation", "action", "priority",
]  # fmt: skip
"""What rules about reviews and outcomes know of a decision."""
UNKNOWN_CASE = "decision_is_known"
"""The rule that a row breaks whose case was never decided, or whose decision is not in yet."""

FEWEST_REFUSED = 50
"""Under this many refused rows a delivery is called broken by its structure alone."""

Waits = Callable[[pd.DataFrame], npt.NDArray[np.bool_]]
"""Of rows of an unknown case: which of them wait for their decision instead of being quarantined."""


@dataclass(frozen=True, slots=True)
class AdmittedBatch:
    """What became of one delivered batch, in numbers and names; no row of it.

    rows_in = admitted + quarantined + waiting; `already_stored` of the admitted were held before.

    Attributes:
        waiting: rows whose decision is not in yet; nothing was stored of them, and no watermark
            passes them, so they are read again.
        held: why the admitted rows' labels look unlike a sound population; they are stored.
        failed: why the whole delivery failed; nothing was stored.
        notes: what was lost, altered or guessed while it was read.
        refused: why most of what is new is in quarantine; "" where it is not.
        received_at: the stamp of what was stored; None: nothing was.
    """

    table: str
    rows_in: int
    admitted: int
    already_stored: int
    quarantined: int
    rejections: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    report: str = ""
    source: str = ""
    waiting: int = 0
    held: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refused: str = ""
    received_at: datetime | None = None

    def __post_init__(self) -> None:
        told = self.admitted + self.quarantined + self.waiting
        if not self.failed and self.rows_in != told:
            raise AssertionError(
                f"{self.table}: {self.rows_in} rows came in and {told} are accounted for; rows were "
                "lost or made"
            )

    def counts(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "rows_in": self.rows_in,
            "admitted": self.admitted,
            "already_stored": self.already_stored,
            "quarantined": self.quarantined,
            "waiting": self.waiting,
            "rejections": dict(self.rejections),
            "held": list(self.held),
            "failed": list(self.failed),
            "source": self.source,
            "notes": list(self.notes),
        }


def judge_batch(
    services: AdmissionServices,
    table: str,
    frame: pd.DataFrame,
    now: datetime,
    *,
    ours: bool = False,
) -> Admission:
    """Hold a batch to its contract against what the store knows; nothing is written.

    Args:
        ours: these rows were made here.
    """
    contract = contract_for(services, table, ours=ours)
    return admit(
        frame,
        contract,
        context_of(
            services.store, services.case_types, services.reviewer_share_cap, table, frame, now
        ),
    )


def admit_batch(
    services: AdmissionServices,
    table: str,
    frame: pd.DataFrame,
    now: datetime,
    *,
    source: str,
    stamp: str | None = None,
    ours: bool = False,
    waits: Waits | None = None,
    at_commit: bool = False,
) -> AdmittedBatch:
    """Judge a batch and store it: admitted rows, rejected rows and the watermark in one step.

    A batch that failed as a whole is neither stored nor quarantined and its watermark stays, so
    that the same rows are read again once the source is mended.

    Args:
        stamp: the column that tells how far the source was read. The watermark moves to the latest
            *admitted* row (and no further than now), and stays where a row waits.
        ours: these rows were made here: of two under one key the first counts for good.
        waits: which rows of an unknown case wait; None: all are quarantined.
        at_commit: the rows are stamped with the moment of the commit, as everything live is; else
            with `now`, the moment of a night that is walked (ADR 20).
    """
    judged = judge_batch(services, table, frame, now, ours=ours)
    if judged.failed:
        return told_of(judged, source=source)
    waiting = _waiting(judged.rejected, waits)
    refused = _mostly_refused(judged, waiting, stamp, services.store.watermark(source))
    receipt = services.store.append(
        table,
        judged.rows,
        judged.rejected[~waiting],
        key=KEYS[table],
        source=source,
        received_at=None if at_commit else now,
        watermark=None if waiting.any() else _read_until(frame, judged, stamp, now),
        once=ours,
    )
    told = told_of(judged, receipt.already_stored, source=source, waiting=int(waiting.sum()))
    return replace(told, received_at=receipt.received_at, refused=refused)


def told_of(
    judged: Admission, already_stored: int = 0, *, source: str = "", waiting: int = 0
) -> AdmittedBatch:
    """An admission in numbers and names."""
    rejections = dict(judged.rejections)
    if waiting:
        rejections[UNKNOWN_CASE] -= waiting
    return AdmittedBatch(
        table=judged.contract.name,
        rows_in=judged.rows_in,
        admitted=judged.admitted,
        already_stored=already_stored,
        quarantined=judged.quarantined - waiting,
        rejections={rule: count for rule, count in rejections.items() if count},
        failed=judged.failed,
        report=reject_report(judged) if judged.quarantined > waiting else "",
        source=source,
        waiting=waiting,
        held=judged.held,
    )


def _mostly_refused(
    judged: Admission, waiting: npt.NDArray[np.bool_], stamp: str | None, seen: datetime | None
) -> str:
    """Why a delivery is broken though each of its rows was judged: most of what is new, or of what is
    new of one case type, is in quarantine. Rows that were there before say nothing."""
    rejected = _newer(judged.rejected[~waiting], stamp, seen)
    if len(rejected) < FEWEST_REFUSED:
        return ""
    admitted = _newer(judged.rows, stamp, seen)
    refused, among = len(rejected), len(rejected) + len(admitted)
    if refused <= len(admitted) and "case_type" in rejected and "case_type" in admitted:
        bad = rejected["case_type"].astype("str").value_counts()
        good = admitted["case_type"].astype("str").value_counts().reindex(bad.index, fill_value=0)
        worst = bad[(bad >= FEWEST_REFUSED) & (bad > good)]
        refused, among = int(worst.sum()), int((worst + good[worst.index]).sum())
    elif refused <= len(admitted):
        return ""
    if not refused:
        return ""
    by_rule = rejected[BROKEN_RULES].astype("str").value_counts().head(3)
    rules = ", ".join(f"{count:,} by {rule}" for rule, count in by_rule.items())
    return (
        f"{refused:,} of {among:,} new rows of one kind are in quarantine ({rules}). So many at once are "
        "no accident: the source or its mapping has changed. Correct it; `ratchet quarantine` shows "
        "the rows, and they are read again."
    )


def _newer(rows: pd.DataFrame, stamp: str | None, seen: datetime | None) -> pd.DataFrame:
    """The rows beyond the watermark, and those whose stamp says nothing."""
    if stamp is None or seen is None or stamp not in rows:
        return rows
    stamps = pd.to_datetime(rows[stamp], utc=True, errors="coerce", format="mixed")
    return rows[~(stamps <= pd.Timestamp(seen)).to_numpy(dtype=np.bool_)]


def admit_again(
    services: AdmissionServices, table: str, now: datetime, *, at_commit: bool = False
) -> AdmittedBatch | None:
    """Try once more the quarantined rows whose only fault was that their case was not known; None
    where no such case has been decided since."""
    rejected = services.store.rejects(table)
    if rejected.empty or BROKEN_RULES not in rejected:
        return None
    unknown = rejected[(rejected[BROKEN_RULES] == UNKNOWN_CASE).to_numpy(dtype=np.bool_)]
    unknown = (
        unknown[unknown["case_id"].notna().to_numpy()] if "case_id" in unknown else unknown[:0]
    )
    if unknown.empty or not services.store.counts("decisions")[0]:
        return None
    known = services.store.holds("decisions", unknown[["case_id"]].astype("str"))
    rows = unknown[known].drop(columns=[BROKEN_RULES, "received_at"])
    rows = rows.dropna(axis="columns", how="all").drop_duplicates(list(KEYS[table]))
    rows = rows.reindex(columns=[n for n in unknown if n not in (BROKEN_RULES, "received_at")])
    rows = rows[~services.store.holds(table, rows[list(KEYS[table])])].reset_index(drop=True)
    if rows.empty:
        return None
    source = f"quarantined {table}"
    return admit_batch(services, table, rows, now, source=source, at_commit=at_commit)


def _waiting(rejected: pd.DataFrame, waits: Waits | None) -> npt.NDArray[np.bool_]:
    waiting = np.zeros(len(rejected), dtype=np.bool_)
    if waits is None or rejected.empty:
        return waiting
    unknown = (rejected[BROKEN_RULES] == UNKNOWN_CASE).to_numpy(dtype=np.bool_)
    waiting[unknown] = waits(rejected[unknown])
    return waiting


def _read_until(
    frame: pd.DataFrame, judged: Admission, stamp: str | None, now: datetime
) -> datetime | None:
    if stamp is None or stamp not in frame:
        return None
    admitted = np.ones(len(frame), dtype=np.bool_)
    admitted[judged.rejected.index] = False
    newest = frame[stamp].to_numpy()[admitted] if admitted.any() else frame[stamp].iloc[:0]
    latest = pd.Series(newest).max() if len(newest) else pd.NaT
    if pd.isna(latest):
        return None
    moment: datetime = pd.to_datetime([latest], utc=True)[0].to_pydatetime()
    return min(moment, now)


def context_of(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    reviewer_share_cap: float,
    table: str,
    frame: pd.DataFrame,
    now: datetime,
) -> AdmissionContext:
    """What the rules may know of a batch: the case types, and what is stored of its cases."""
    decisions = revisions = facts = None
    if not frame.columns.is_unique:
        # The contract refuses it by name; two columns of one name cannot be looked up.
        return AdmissionContext(now=now, case_types=case_types)
    if table != "decisions":
        decisions = _stored_decisions(store, frame)
    if table == "reviews":
        revisions = _stored_revisions(store, frame)
    if table == "outcomes":
        facts = _stored_outcomes(store, frame)
    return AdmissionContext(
        now=now,
        case_types=case_types,
        decisions=decisions,
        stored_revisions=revisions,
        stored_outcomes=facts,
        reviewer_share_cap=reviewer_share_cap,
    )


def _stored_decisions(store: EvidenceStore, frame: pd.DataFrame) -> pd.DataFrame | None:
    if not store.counts("decisions")[0] or "case_id" not in frame:
        return None
    named = frame["case_id"].dropna().astype(str).unique().tolist()
    return store.read("decisions", columns=DECISION_COLUMNS, filters={"case_id": named})


def _stored_revisions(store: EvidenceStore, frame: pd.DataFrame) -> pd.DataFrame | None:
    if not store.counts("reviews")[0] or "review_id" not in frame:
        return None
    columns: Sequence[str] = CONTRACTS["reviews"].schema.names
    named = frame["review_id"].dropna().astype(str).unique().tolist()
    stored = store.read("reviews", columns=columns, filters={"review_id": named})
    stored["row_digest"] = row_digests(stored, columns)
    return stored[["review_id", "revision", "row_digest"]]


def _stored_outcomes(store: EvidenceStore, frame: pd.DataFrame) -> pd.DataFrame | None:
    if not store.counts("outcomes")[0] or "case_id" not in frame:
        return None
    named = frame["case_id"].dropna().astype(str).unique().tolist()
    return store.read("outcomes", columns=[*KEYS["outcomes"], "bad"], filters={"case_id": named})
