"""Which cases are a sample of the traffic, whatever was decided about them? (METHODS 1.2)"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.proof.evidence import (
    BoolArray,
    Evidence,
    FloatArray,
    read_days,
    read_flags,
    read_numbers,
    refuse_rows,
)

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cohort:
    """One case type's cases in the order of their entry, scored by one model; arrays of shape (cases,).

    Attributes:
        score: by the model under test, in [0, 1].
        bad: truth where it is in, False elsewhere.
        waiting: the truth is not in yet and will come.
        given_up: the truth never comes; counted as the worst case.
        automatable: False for cases that a person decides whatever the score.
        member: of the cohort: below the audit's rate by the case's own keyed uniform.
        block_member: of the block cohort, which may have a rate of its own.
        counted: a bad label that may count among the bad cases: confirmed, or kept by the keyed
            draw that leaves out as many as may be false.
        credence: see `Evidence`.
        day: when it was opened, in days; 0 where that is not told.
        case_id: names rows in messages and tells whether two cohorts begin alike; None: unknown.
    """

    score: FloatArray
    bad: BoolArray
    waiting: BoolArray
    given_up: BoolArray
    automatable: BoolArray
    member: BoolArray
    block_member: BoolArray
    counted: BoolArray
    credence: FloatArray
    day: FloatArray
    case_id: npt.NDArray[np.object_] | None = None

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Cohort:
        """Read a table in order of entry: a case's opening; for one drawn later from the store, or
        delivered later, that moment. Never the order of the labels.

        Columns: `score`, `bad` (true, false, null = not in yet); optional `automatable`;
        `in_cohort` (default true) and `in_block_cohort` (default: as `in_cohort`), both drawn by
        the case's keyed uniform, never made from labels; `given_up` (no label will ever come);
        `credence` with `credence_uniform` (see below); `opened_at`; `case_id`.

        How far labels may be believed (METHODS 1.6) is said by `credence`, as EVIDENCE tables have
        it (`models.truth.credence`): 1 for a confirmed bad label, 0 for a contradiction that nobody
        confirmed, else 1 minus the limit of false bad labels. A bad label counts among the bad
        cases where `credence_uniform`, a keyed uniform of the case, is below it. As a miss every
        bad label counts in full. A frame whose `bad` is already made of believed labels alone comes
        without these two columns.

        Raises:
            ValueError: a column is missing, a value is out of range, or there is more than one
                case type.
        """
        missing = [name for name in ("score", "bad") if name not in frame]
        if missing:
            raise ValueError(
                f"the cohort has no column {', '.join(map(repr, missing))}; it has "
                f"{', '.join(map(repr, frame.columns))}"
            )
        if "case_type" in frame and len(frame["case_type"].unique()) > 1:
            raise ValueError("a cohort is of one case type; split the table by case_type")
        every = np.ones(len(frame), dtype=np.bool_)
        score, truth = read_numbers(frame, "score"), read_numbers(frame, "bad")
        refuse_rows(~((score >= 0.0) & (score <= 1.0)), "score", "a probability in [0, 1]")
        open_ = np.isnan(truth)
        refuse_rows(~(open_ | (truth == 0.0) | (truth == 1.0)), "bad", "true, false or null")
        given_up = read_flags(frame, "given_up", ~every) & open_
        member = read_flags(frame, "in_cohort", every)
        credence, counted = _credence(frame)
        return cls(
            score=score,
            bad=truth == 1.0,
            waiting=open_ & ~given_up,
            given_up=given_up,
            automatable=read_flags(frame, "automatable", every),
            member=member,
            block_member=read_flags(frame, "in_block_cohort", member),
            counted=counted,
            credence=credence,
            day=read_days(frame),
            case_id=frame["case_id"].to_numpy(dtype=object) if "case_id" in frame else None,
        )

    def __len__(self) -> int:
        return len(self.score)

    @property
    def first_waiting(self) -> int:
        """The place of the first member whose truth is not in; the cohort's length where all are."""
        waiting = np.flatnonzero(self.member & self.waiting)
        return int(waiting[0]) if len(waiting) else len(self)

    @property
    def bad_places(self) -> IntArray:
        """Places of the bad cases that count, before the first case whose truth is not in: to go on
        without it would choose by what came in first."""
        counted: BoolArray = (self.member & self.bad & self.counted)[: self.first_waiting]
        return np.flatnonzero(counted)

    def until(self, rows: int) -> Cohort:
        """Its first rows."""
        kept: dict[str, Any] = {
            item.name: None if (column := getattr(self, item.name)) is None else column[:rows]
            for item in fields(self)
        }
        return Cohort(**kept)

    def evidence(self, blocks: bool = False) -> Evidence:
        """The cohort (or the block cohort) as evidence in which every case is to be observed."""
        members = self.block_member if blocks else self.member
        kept = slice(None) if members.all() else members  # a view where all of them are in
        every = np.ones(int(members.sum()), dtype=np.bool_)
        return Evidence(
            score=self.score[kept],
            bad=self.bad[kept],
            labelled=~(self.waiting | self.given_up)[kept],
            drawn=every,
            propensity=np.ones(len(every)),
            automatable=self.automatable[kept],
            credence=self.credence[kept],
            surfaced=~every,
            day=self.day[kept],
        )

    def refuse_unless_continued_by(self, longer: Cohort) -> None:
        """Raises ValueError where `longer` does not begin with this cohort's cases, in this order.

        Truth may change (a label comes, or is corrected); a case, its score and its draw may not.
        """
        if len(longer) < len(self):
            raise ValueError(
                f"a cohort only grows: it had {len(self):,} cases and now has {len(longer):,}; "
                "give the earlier cases too, in their order of entry"
            )
        begins = longer.until(len(self))
        fixed: list[tuple[str, Any, Any]] = [
            (name, getattr(self, name), getattr(begins, name))
            for name in ("score", "automatable", "member", "block_member")
        ]
        if self.case_id is not None and begins.case_id is not None:
            fixed.insert(0, ("case_id", self.case_id, begins.case_id))
        for name, before, now in fixed:
            changed = np.flatnonzero(before != now)
            if len(changed):
                row = int(changed[0])
                case = "" if self.case_id is None else f" (case {self.case_id[row]!r})"
                raise ValueError(
                    f"row {row}{case} of the cohort had {name} {before[row]} and now has "
                    f"{now[row]}; cases that entered keep their place, score and draw: append new "
                    "ones at the end, and begin a new sequence for a new model"
                )

    def digest(self) -> str:
        """SHA-256 of what may never change: scores, draws and order. No truth is in it."""
        content = hashlib.sha256(np.ascontiguousarray(self.score, dtype="<f8").tobytes())
        for flags in (self.automatable, self.member, self.block_member):
            content.update(np.packbits(flags).tobytes())
        return content.hexdigest()


def _credence(frame: pd.DataFrame) -> tuple[FloatArray, BoolArray]:
    """(credence, whether a bad label of the case counts among the bad cases)."""
    if "credence" not in frame:
        return np.ones(len(frame)), np.ones(len(frame), dtype=np.bool_)
    if "credence_uniform" not in frame:
        raise ValueError(
            "the cohort has a column 'credence' and no 'credence_uniform', the keyed uniform that "
            "decides which unconfirmed bad labels are counted; add it, or leave out both"
        )
    credence, uniform = read_numbers(frame, "credence"), read_numbers(frame, "credence_uniform")
    refuse_rows(~((credence >= 0.0) & (credence <= 1.0)), "credence", "a share in [0, 1]")
    refuse_rows(~((uniform >= 0.0) & (uniform < 1.0)), "credence_uniform", "a uniform in [0, 1)")
    return credence, uniform < credence
