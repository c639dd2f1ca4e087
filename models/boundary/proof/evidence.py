"""Which cases can speak for or against a boundary, and how much does each one weigh?"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.vocabulary import Boundary

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Mature cases of one case type in order of time; every array has shape (cases,).

    Attributes:
        score: calibrated score by the model under test.
        bad: truth where `labelled`, False elsewhere.
        labelled: the truth is in, *and* the case was designed to be observed.
        drawn: designed to be observed: escalated, or drawn for audit.
        propensity: the designed probability of being drawn, in (0, 1]; known for every case,
            drawn or not.
        automatable: False for cases that a person decides whatever the score.
        credence: how far a bad label may be believed where it *helps* a claim, in [0, 1]: 1 where
            it is confirmed, 0 for a contradiction that nobody has confirmed, else 1 minus an upper
            limit on false bad labels (METHODS 1.6). Where a bad label hurts it counts in full.
        surfaced: not drawn, and bad by an outcome that came by itself. Seen only because it was
            bad, so it enters no estimate; it can only refute (METHODS 1).
        day: when it was opened, in days since a fixed moment (UTC); 0 where that is not told.
    """

    score: FloatArray
    bad: BoolArray
    labelled: BoolArray
    drawn: BoolArray
    propensity: FloatArray
    automatable: BoolArray
    credence: FloatArray
    surfaced: BoolArray
    day: FloatArray

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Evidence:
        """Read an EVIDENCE table (DESIGN 7): `score`, `bad` (true, false, null = not observed),
        `propensity`, and optionally `drawn`, `automatable`, `credence`, `surfaced` and `opened_at`
        (stamps; text is not read, and a missing stamp counts as the first).

        Truth enters only where a case was drawn: an outcome that arrived by itself was seen
        *because* it was bad. Without a `drawn` column a case counts as drawn where its truth is
        present. A propensity of 1 means drawn, whatever the column says: else a case that must be
        observed could drop out of the proof for want of a label.

        Raises:
            ValueError: a column is missing, a score or propensity is out of range or missing, or
                more than one case type is in the table.
        """
        missing = [name for name in ("score", "bad", "propensity") if name not in frame]
        if missing:
            raise ValueError(
                f"the evidence has no column {', '.join(map(repr, missing))}; it has "
                f"{', '.join(map(repr, frame.columns))}"
            )
        if "case_type" in frame and len(frame["case_type"].unique()) > 1:
            raise ValueError(
                "evidence is judged one case type at a time; split the table by case_type"
            )
        score, propensity = read_numbers(frame, "score"), read_numbers(frame, "propensity")
        refuse_rows(~((score >= 0.0) & (score <= 1.0)), "score", "a probability in [0, 1]")
        refuse_rows(
            ~((propensity > 0.0) & (propensity <= 1.0)), "propensity", "a probability in (0, 1]"
        )
        truth = read_numbers(frame, "bad")
        refuse_rows(
            ~(np.isnan(truth) | (truth == 0.0) | (truth == 1.0)), "bad", "true, false or null"
        )
        seen = ~np.isnan(truth)
        drawn = read_flags(frame, "drawn", seen) | (propensity == 1.0)
        credence = np.ones(len(frame))
        if "credence" in frame:
            credence = read_numbers(frame, "credence")
            refuse_rows(~((credence >= 0.0) & (credence <= 1.0)), "credence", "a share in [0, 1]")
        surfaced = read_flags(frame, "surfaced", np.zeros(len(frame), dtype=np.bool_))
        return cls(
            score=score,
            bad=drawn & (truth == 1.0),
            labelled=drawn & seen,
            drawn=drawn,
            propensity=propensity,
            automatable=read_flags(frame, "automatable", np.ones(len(frame), dtype=np.bool_)),
            credence=credence,
            surfaced=~drawn & ((truth == 1.0) | surfaced),
            day=read_days(frame),
        )

    @classmethod
    def none(cls) -> Evidence:
        """No case at all."""
        columns = {name: np.empty(0) for name in ("score", "bad", "propensity")}
        return cls.from_frame(pd.DataFrame(columns))

    def only(self, kept: BoolArray) -> Evidence:
        """The same evidence without some of its cases; `kept` has shape (cases,)."""
        return Evidence(**{item.name: getattr(self, item.name)[kept] for item in fields(self)})

    def __len__(self) -> int:
        return len(self.score)

    @property
    def missing(self) -> BoolArray:
        """Drawn, but without a label: counted as the worst case for the claim under test."""
        return self.drawn & ~self.labelled

    @property
    def credible_bad(self) -> FloatArray:
        """What each case counts for as a bad case that was caught: its credence, or 0."""
        return np.where(self.bad, self.credence, 0.0)

    @property
    def fully_reviewed(self) -> bool:
        """Every case was designed to be observed. A matter of design, never of what was seen:
        an audit that happened to see everything is still an audit (METHODS 1.2, trap)."""
        return bool((self.propensity == 1.0).all())

    @property
    def largest_weight(self) -> float:
        return float(1.0 / self.propensity.min()) if len(self) else 1.0

    def automation_rate(self, boundary: Boundary) -> float:
        """Share of all cases that a boundary would decide by itself."""
        if not len(self):
            return 0.0
        decided = np.zeros(len(self), dtype=np.bool_)
        if boundary.pass_at_or_below is not None:
            decided |= self.score <= boundary.pass_at_or_below
        if boundary.block_at_or_above is not None:
            decided |= self.score >= boundary.block_at_or_above
        return float((decided & self.automatable).mean())


def read_numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    try:
        return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        # The library's own message would quote a value of somebody's row.
        raise ValueError(
            f"the column {name!r} holds text that is no number; give numbers or true and false"
        ) from None


def read_days(frame: pd.DataFrame) -> FloatArray:
    days = np.zeros(len(frame))
    if "opened_at" in frame and pd.api.types.is_datetime64_any_dtype(frame["opened_at"].dtype):
        stamps = pd.DatetimeIndex(frame["opened_at"]).as_unit("us")
        known = np.asarray(stamps.notna(), dtype=np.bool_)
        days[known] = stamps.asi8[known] / 86_400e6
        if known.any():
            days[~known] = days[known].min()
    return days


def read_flags(frame: pd.DataFrame, name: str, default: BoolArray) -> BoolArray:
    if name not in frame:
        return default
    if frame[name].isna().any():
        raise ValueError(
            f"{int(frame[name].isna().sum())} rows have no value in {name!r}; it must be true or false"
        )
    kind = pd.api.types.infer_dtype(frame[name])
    if kind not in ("boolean", "integer", "floating", "empty"):
        # To Python every word is true, "no" and "false" as well.
        raise ValueError(f"the column {name!r} holds words or mixed cells; give true and false")
    return frame[name].to_numpy(dtype=np.bool_)


def refuse_rows(wrong: BoolArray, column: str, what: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{int(wrong.sum())} rows have no valid {column!r} (first at row {row}); it must be {what}"
        )
