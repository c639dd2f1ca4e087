"""What does triage need to know about the labelled cases of one case type?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]

NOTES = ("feedback_path", "root_cause", "sop_clause", "annotation", "language")


@dataclass(frozen=True, eq=False)
class TriageEvidence:
    """Labelled cases of one case type, in order of time, that the scoring model did not learn from.

    Attributes:
        margin: the score's log-odds. bad: truth. Both have shape (cases,).
        contributions: one column a feature, in logits, or None: Type A is not estimable.
        raw: the features' raw values (they also tell slices of cases apart); may have no column.
        segments: by configured column, a label a case.
        notes: what reviewers wrote: any of `NOTES`, one row a case.

    Raises:
        ValueError: a shape disagrees, or a margin is not finite.
    """

    margin: FloatArray
    bad: npt.NDArray[np.bool_]
    contributions: pd.DataFrame | None = None
    raw: pd.DataFrame = field(default_factory=pd.DataFrame)
    segments: Mapping[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    notes: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        size = len(self.margin)
        tables = {"bad": self.bad, "contributions": self.contributions, **self.segments}
        tables |= {name: table for name, table in self._tables().items() if table.shape[1]}
        for name, table in tables.items():
            if table is not None and len(table) != size:
                raise ValueError(f"{name} must hold one row a case ({size}), got {len(table)}")
        if not np.isfinite(self.margin).all():
            raise ValueError(
                "a margin is missing or infinite; leave out cases that were not scored"
            )

    def _tables(self) -> dict[str, pd.DataFrame]:
        return {"raw": self.raw, "notes": self.notes}

    def rows(self, mask: npt.NDArray[np.bool_]) -> TriageEvidence:
        """Only some of the cases."""
        return TriageEvidence(
            self.margin[mask],
            self.bad[mask],
            None if self.contributions is None else self.contributions[mask],
            self.raw[mask] if self.raw.shape[1] else self.raw,
            {name: labels[mask] for name, labels in self.segments.items()},
            self.notes[mask] if self.notes.shape[1] else self.notes,
        )
