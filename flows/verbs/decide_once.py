"""Decide cases exactly once: what is decided already keeps its decision, whatever is live now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import UserError
from data_contracts import CASES, AdmissionContext, admit, reject_report
from data_contracts.admission import BROKEN_RULES
from flows.adapters.decisions_file import COLUMNS
from flows.adapters.kill_points import kill_point
from flows.verbs.admit import admit_batch
from flows.verbs.decide import decide_cases
from flows.verbs.desk import Desk
from models.vocabulary import Action

REPEATED = "case_id_appears_once"


@dataclass(frozen=True)
class DecidedOnce:
    """What became of some cases: rows in = decided now + decided before + refused.

    Attributes:
        decisions: the stored decision of every case that was not refused, in the cases' order.
        decided, already_decided: how many were stored now, and how many had been before.
        rejections: refused rows by broken rule; a row counts once a rule.
    """

    rows_in: int
    decided: int
    already_decided: int
    refused: int
    decisions: pd.DataFrame = field(repr=False)
    rejected: pd.DataFrame = field(repr=False)
    rejections: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        told = self.decided + self.already_decided
        if self.rows_in != told + self.refused or len(self.decisions) != told:
            raise AssertionError(
                f"{self.rows_in} cases came in, {self.decided} were decided, {self.already_decided} "
                f"had been and {self.refused} were refused; cases were lost or made"
            )

    def counts(self) -> dict[str, Any]:
        """In numbers and names; no row."""
        automatic = self.decisions["action"] != Action.ESCALATE.value
        return {
            "rows_in": self.rows_in,
            "decided": self.decided,
            "already_decided": self.already_decided,
            "refused": self.refused,
            "rejections": dict(self.rejections),
            "actions": _counted(self.decisions["action"]),
            "overrides": _counted(self.decisions["override"]),
            "audited": int((automatic & self.decisions["audited"].astype(bool)).sum()),
            "to_seniors": int((self.decisions["queue"] == "senior").sum()),
        }


def decide_once(
    desk: Desk,
    case_type: str,
    cases: pd.DataFrame,
    now: datetime,
    *,
    source: str,
    repeated: np.ndarray | None = None,
) -> DecidedOnce:
    """Refuse by name what is no sound case, decide what is new, and store both.

    Decisions are admitted through their contract before they count, and of two processes that
    decide the same case the first one's decision counts; both return it.

    Args:
        cases: by contract `cases`, all of one type.
        now: when they are decided (a case opened later, by its clock, is decided when opened).
        repeated: which of them are refused because their id stands elsewhere, too.

    Raises:
        UserError: the cases cannot be read as a whole; the message names the columns.
        AssertionError: what was decided here broke the contract of decisions (our bug).
        ServiceUnreachable: the store does not answer.
    """
    refused = np.zeros(len(cases), dtype=bool) if repeated is None else repeated
    twice = cases[refused].assign(**{BROKEN_RULES: REPEATED})
    sound, rejected, rejections = _sound(desk, case_type, cases[~refused], now)
    if len(twice):
        rejections[REPEATED] = rejections.get(REPEATED, 0) + len(twice)
        rejected = pd.concat([rejected, twice], ignore_index=True)
    quarantine_cases(desk, rejected, source, now)
    known = desk.store.holds("decisions", sound[["case_id"]])
    new = sound[~known].reset_index(drop=True)
    decided, stored = _decide_new(desk, case_type, new, now, source)
    kill_point("decide.piece_stored")
    return DecidedOnce(
        rows_in=len(cases),
        decided=stored,
        already_decided=len(sound) - stored,
        refused=len(rejected),
        decisions=_standing(desk, sound, decided if stored == len(sound) else None),
        rejected=rejected,
        rejections=rejections,
    )


def _sound(
    desk: Desk, case_type: str, cases: pd.DataFrame, now: datetime
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    if cases.empty:
        return cases, cases.assign(**{BROKEN_RULES: ""}), {}
    context = AdmissionContext(now=now, case_types={case_type: desk.case_types[case_type]})
    judged = admit(cases, CASES, context)
    if judged.failed:
        raise UserError(reject_report(judged, limit=0))
    return judged.rows, judged.rejected, dict(judged.rejections)


def quarantine_cases(desk: Desk, rejected: pd.DataFrame, source: str, now: datetime) -> None:
    """Put cases aside; `rejected` says in `broken_rules` why each of them."""
    if rejected.empty:
        return
    nothing = pd.DataFrame({"case_id": pd.Series(dtype="str")})
    desk.store.append("cases", nothing, rejected, key=("case_id",), source=source, received_at=now)


def _decide_new(
    desk: Desk, case_type: str, new: pd.DataFrame, now: datetime, source: str
) -> tuple[pd.DataFrame, int]:
    """The decisions on new cases, and how many of them another process did not store first."""
    if new.empty:
        return new, 0
    opened = new["opened_at"]
    stamped = new.assign(decided_at=opened.where(opened > pd.Timestamp(now), pd.Timestamp(now)))
    decided = decide_cases(desk, case_type, stamped, now)
    batch = admit_batch(desk, "decisions", decided, now, source=source, ours=True)
    if batch.failed or batch.quarantined:
        raise AssertionError(
            f"decisions on {len(new)} cases broke their contract: {batch.failed or batch.rejections}"
        )
    return decided, batch.admitted - batch.already_stored


def _standing(desk: Desk, cases: pd.DataFrame, decided: pd.DataFrame | None) -> pd.DataFrame:
    """The stored decisions in the cases' order; those just stored need no reading."""
    if decided is not None:
        return decided[list(COLUMNS)] if len(decided) else pd.DataFrame(columns=list(COLUMNS))
    held = desk.store.columns("decisions")
    names = [name for name in COLUMNS if name in held]
    ids = cases["case_id"].tolist()
    stored = desk.store.read("decisions", columns=names, filters={"case_id": ids})
    first = stored[~stored["case_id"].duplicated()].set_index("case_id")
    told = first.loc[cases["case_id"]].reset_index()
    return told.reindex(columns=list(COLUMNS))


def _counted(words: pd.Series) -> dict[str, int]:
    named = words[words.notna() & (words != "")]
    return dict(Counter(named.astype("str").tolist()).most_common())
