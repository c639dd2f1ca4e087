"""Which cases can speak for or against a boundary, and how much does each one weigh?"""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    score: FloatArray
    bad: BoolArray
    labelled: BoolArray
    drawn: BoolArray
    propensity: FloatArray
    automatable: BoolArray

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Evidence:
        """Read an EVIDENCE table (DESIGN 7): `score`, `bad` (true, false, null = not observed),
        `propensity`, and optionally `drawn` and `automatable`.

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
        score = frame["score"].to_numpy(dtype=np.float64, na_value=np.nan)
        propensity = frame["propensity"].to_numpy(dtype=np.float64, na_value=np.nan)
        _refuse(~((score >= 0.0) & (score <= 1.0)), "score", "a probability in [0, 1]")
        _refuse(
            ~((propensity > 0.0) & (propensity <= 1.0)), "propensity", "a probability in (0, 1]"
        )
        truth = _truth(frame["bad"])
        seen = ~np.isnan(truth)
        drawn = _flags(frame, "drawn", seen) | (propensity == 1.0)
        return cls(
            score=score,
            bad=drawn & (truth == 1.0),
            labelled=drawn & seen,
            drawn=drawn,
            propensity=propensity,
            automatable=_flags(frame, "automatable", np.ones(len(frame), dtype=np.bool_)),
        )

    def __len__(self) -> int:
        return len(self.score)

    @property
    def missing(self) -> BoolArray:
        """Drawn, but without a label: counted as the worst case for the claim under test."""
        return self.drawn & ~self.labelled

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


def _truth(bad: pd.Series) -> FloatArray:
    values = bad.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(~(np.isnan(values) | (values == 0.0) | (values == 1.0)), "bad", "true, false or null")
    return values


def _flags(frame: pd.DataFrame, name: str, default: BoolArray) -> BoolArray:
    if name not in frame:
        return default
    if frame[name].isna().any():
        raise ValueError(
            f"{int(frame[name].isna().sum())} rows have no value in {name!r}; it must be true or false"
        )
    return frame[name].to_numpy(dtype=np.bool_)


def _refuse(wrong: BoolArray, column: str, what: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{int(wrong.sum())} rows have no valid {column!r} (first at row {row}); it must be {what}"
        )
