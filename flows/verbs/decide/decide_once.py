"""Decide cases exactly once: what is decided already keeps its decision, whatever is live now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused, UserError
from data_contracts import CASES, AdmissionContext, admit
from data_contracts.admission import BROKEN_RULES
from data_contracts.digests import row_digests
from flows.adapters.files.kill_points import kill_point
from flows.adapters.tables.decisions_file import COLUMNS
from flows.verbs.certify.generation import scored_elsewhere
from flows.verbs.decide.decide import decide_cases
from flows.verbs.intake.admit import KEYS, judge_batch
from flows.verbs.ports import DecisionServices, EvidenceStore, Ledger
from models.risk.cells import ReadCases, read_cells
from models.vocabulary import Action, CaseType

REPEATED = "case_id_appears_once"
PUT_ASIDE = "cases_put_aside"
"""The evidence table of rows that were quarantined, by their digests."""
CELLS_OF_A_COLUMN = 20
"""From so many cells on, a column of which none can be read is refused as a whole."""
CLOCKS_APART = timedelta(minutes=5)
"""As far as a stamp may run ahead (`AdmissionContext.clock_skew_minutes`)."""
LOST_RACES = 5


@dataclass(frozen=True)
class DecidedOnce:
    """What became of some cases: rows in = decided now + decided before + refused.

    Attributes:
        decisions: the stored decision of every case that was not refused, in the cases' order.
        decided, already_decided: how many were stored now, and how many had been before.
        rejections: refused rows by broken rule; a row counts once a rule.
        put_aside: the same of those that were not refused before.
    """

    rows_in: int
    decided: int
    already_decided: int
    refused: int
    decisions: pd.DataFrame = field(repr=False)
    rejected: pd.DataFrame = field(repr=False)
    rejections: Mapping[str, int] = field(default_factory=dict)
    put_aside: Mapping[str, int] = field(default_factory=dict)

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
    services: DecisionServices,
    case_type: str,
    cases: pd.DataFrame,
    now: datetime | None,
    *,
    source: str,
    repeated: np.ndarray | None = None,
) -> DecidedOnce:
    """Refuse by name what is no sound case, decide what is new, and store both.

    Decisions are admitted through their contract before they count, and of two processes that
    decide the same case the first one's decision counts; both return it. Only what was decided here
    counts as decided: a delivered decision on one of these cases is a claim, whoever's policy it
    names, and stands for nothing. A cell that cannot be read sends its case to a person, by name.

    Args:
        cases: by contract `cases`, all of one type.
        now: None: the clock tells when they are decided, and the store when it was received; given
            where the clock is simulated. A case opened later, by its clock, is decided when opened.
        repeated: which of them are refused because their id stands elsewhere, too.

    Raises:
        UserError: the cases cannot be read as a whole (the message names the columns), or another
            agent decides them.
        GateRefused: the ledger was written by a clock that is far ahead of this one.
        AssertionError: what was decided here broke the contract of decisions (our bug).
        ServiceUnreachable: the store does not answer.
    """
    refuse_decided_elsewhere(services.case_types, case_type)
    refused = np.zeros(len(cases), dtype=bool) if repeated is None else repeated
    twice = cases[refused].assign(**{BROKEN_RULES: REPEATED})
    sound, unreadable, rejected, rejections = _sound(
        services.case_types, case_type, cases[~refused], clock(now)
    )
    if len(twice):
        rejections[REPEATED] = rejections.get(REPEATED, 0) + len(twice)
        rejected = pd.concat([rejected, twice], ignore_index=True)
    put_aside = quarantine_cases(services.store, rejected, source, now)
    known = services.store.holds("decisions", sound[["case_id"]], decided_here=True)
    new = sound[~known].reset_index(drop=True)
    decided, stored = _decide_new(services, case_type, new, unreadable[~known], now, source)
    kill_point("decide.piece_stored")
    return DecidedOnce(
        rows_in=len(cases),
        decided=stored,
        already_decided=len(sound) - stored,
        refused=len(rejected),
        decisions=standing_decisions(
            services.store, sound, decided if stored == len(sound) else None
        ),
        rejected=rejected,
        rejections=rejections,
        put_aside=put_aside,
    )


def refuse_decided_elsewhere(case_types: Mapping[str, CaseType], case_type: str) -> None:
    """Nothing, unless another agent decides this case type (`scorer: external`).

    Raises:
        UserError: it does; the message names the way a boundary reaches it.
    """
    if scored_elsewhere(case_types, case_type):
        raise UserError(
            f"{case_type} is decided by another agent (scorer: external), whose score is not here, so "
            f"nothing was decided. `ratchet export-policy {case_type}` prints what that agent must do; "
            "deliver what it decided through a source of decisions."
        )


def clock(now: datetime | None) -> datetime:
    """The given moment of a simulated clock, or this one."""
    return datetime.now(UTC) if now is None else now


def _sound(
    case_types: Mapping[str, CaseType], case_type: str, cases: pd.DataFrame, now: datetime
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, dict[str, int]]:
    """The sound cases, which of them have a cell that cannot be read, and the others with counts."""
    if cases.empty:
        return cases, np.zeros(0, dtype=bool), cases.assign(**{BROKEN_RULES: ""}), {}
    kind = case_types[case_type]
    read = read_cells(cases.reset_index(drop=True), kind.features)
    _refuse_unreadable_columns(read, case_type)
    judged = admit(read.cases, CASES, AdmissionContext(now=now, case_types={case_type: kind}))
    if judged.failed:
        raise UserError("\n".join(judged.failed))
    whole = np.ones(len(cases), dtype=bool)
    whole[judged.rejected.index] = False
    return judged.rows, read.unreadable[whole], judged.rejected, dict(judged.rejections)


def _refuse_unreadable_columns(read: ReadCases, case_type: str) -> None:
    """A column of which nothing can be read is a mistake of its table, not of its cases."""
    lost = [
        name
        for name, (unreadable, given) in read.columns.items()
        if unreadable == given >= CELLS_OF_A_COLUMN
    ]
    if lost:
        raise UserError(
            f"Not one cell of {', '.join(map(repr, lost))} can be read as {case_type} needs it "
            "(numbers like 1234.5, true or false). Convert at the source; nothing was decided on "
            "these cases."
        )


def quarantine_cases(
    store: EvidenceStore, rejected: pd.DataFrame, source: str, now: datetime | None
) -> dict[str, int]:
    """Put cases aside; `rejected` says in `broken_rules` why each of them.

    A source is read again and again: what was put aside before, by the same rules, is not put aside
    a second time.

    Returns:
        How many new ones broke each rule; a row counts once a rule.
    """
    if rejected.empty:
        return {}
    rows = rejected.reset_index(drop=True)
    marks = pd.DataFrame(
        {"row": [f"{one:016x}" for one in row_digests(rows).tolist()], "source": source}
    )
    told = store.holds(PUT_ASIDE, marks[["row"]]) | marks["row"].duplicated().to_numpy()
    if told.all():
        return {}
    new, nothing = rows[~told], pd.DataFrame({"case_id": pd.Series(dtype="str")})
    store.append("cases", nothing, new, key=("case_id",), source=source, received_at=now)
    # After the rows: a run that was killed in between puts them aside again, and loses none.
    store.append(
        PUT_ASIDE,
        marks[~told].reset_index(drop=True),
        pd.DataFrame({BROKEN_RULES: pd.Series(dtype="str")}),
        key=("row",),
        source=source,
        received_at=now,
        once=True,
    )
    return dict(Counter("; ".join(new[BROKEN_RULES].tolist()).split("; ")))


def _decide_new(
    services: DecisionServices,
    case_type: str,
    new: pd.DataFrame,
    unreadable: np.ndarray,
    now: datetime | None,
    source: str,
) -> tuple[pd.DataFrame, int]:
    """The decisions on new cases, and how many of them another process did not store first.

    Where the ledger moved on meanwhile (a halt, a promotion), they are decided again: what is stored
    was live at the moment it is stamped with.
    """
    if new.empty:
        return new, 0
    for _ in range(LOST_RACES):
        head = services.ledger.head()
        moment = _moment(services.ledger, case_type, clock(now))
        opened = new["opened_at"]
        at = opened.where(opened > pd.Timestamp(moment), pd.Timestamp(moment))
        decided = decide_cases(
            services,
            case_type,
            new.assign(decided_at=at),
            moment,
            unreadable=unreadable,
            live=now is None,
        )
        judged = judge_batch(services, "decisions", decided, moment, ours=True)
        if services.ledger.head() == head:
            break
    if judged.failed or judged.quarantined:
        raise AssertionError(
            f"decisions on {len(new)} cases broke their contract: {judged.failed or judged.rejections}"
        )
    receipt = services.store.append(
        "decisions",
        judged.rows,
        judged.rejected,
        key=KEYS["decisions"],
        source=source,
        received_at=now,
        once=True,
        decided_here=True,
    )
    return decided, receipt.admitted - receipt.already_stored


def _moment(ledger: Ledger, case_type: str, now: datetime) -> datetime:
    """When cases are decided: not before the ledger's last word on their type, whoever's clock wrote
    it, so that a decision is never stamped before its policy was promoted."""
    try:
        entries = ledger.history(case_type)
    except GateRefused:
        return now  # nothing is decided by such a ledger: every case goes to people (FAULTS 47)
    last = max((entry.at for entry in entries), default=now)
    if last > now + CLOCKS_APART:
        raise GateRefused(
            f"the ledger's last entry of {case_type} is stamped {last.isoformat()}, and it is "
            f"{now.isoformat()} here: the clocks of two machines disagree. Nothing was decided; set "
            "them right (NTP), then run this again."
        )
    return max(now, last)


def standing_decisions(
    store: EvidenceStore, cases: pd.DataFrame, decided: pd.DataFrame | None
) -> pd.DataFrame:
    """The stored decisions in the cases' order; those just stored need no reading."""
    if decided is not None:
        return decided[list(COLUMNS)] if len(decided) else pd.DataFrame(columns=list(COLUMNS))
    held = store.columns("decisions")
    names = [name for name in COLUMNS if name in held]
    ids = cases["case_id"].tolist()
    stored = store.read("decisions", columns=names, filters={"case_id": ids})
    first = stored[~stored["case_id"].duplicated()].set_index("case_id")
    told = first.loc[cases["case_id"]].reset_index()
    return told.reindex(columns=list(COLUMNS))


def _counted(words: pd.Series) -> dict[str, int]:
    named = words[words.notna() & (words != "")]
    return dict(Counter(named.astype("str").tolist()).most_common())
