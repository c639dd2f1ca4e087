"""Which windows of a model's cohort are whole, so that they can be compared?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from flows.verbs.certify.generation import Generation
from flows.verbs.evidence.cohort_rows import cohort_for
from flows.verbs.evidence.label_trust import hoped_boundary
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import EvidenceServices
from models.drift import CohortWindows
from models.drift.sample import BoolArray, IntArray
from models.vocabulary import Boundary


@dataclass(frozen=True, eq=False)
class WholeWindows:
    """The cohort of one sequence in windows counted from its first case, so that the first one is
    whole too (half a week is not like a week); what still fills is left out.

    Attributes:
        rows: the cohort's rows in these windows; `window` numbers them from 0. The truth of each is
            in, or was given up for good.
        begins: the instant at which window 0 begins; number: of windows.
        oldest: when the first case of the cohort was opened, in a whole window or not.
        hoped: how far the boundary in force or the labels reach.
    """

    services: EvidenceServices
    rows: pd.DataFrame
    begins: pd.Timestamp
    number: int
    oldest: datetime
    hoped: Boundary

    def start_of(self, window: int) -> datetime:
        return (self.begins + window * self.services.drift_window).to_pydatetime()

    def numbers_of(self, opened_at: pd.Series) -> IntArray:
        """The window of each instant; below 0 or from `number` on: in none of them."""
        numbers = (opened_at - self.begins) // self.services.drift_window
        return np.asarray(numbers, dtype=np.int64)

    @property
    def cases(self) -> CohortWindows:
        """A case that was given up is left out: nobody knows what it was."""
        rows = self.rows[self.rows["bad"].notna().to_numpy(dtype=np.bool_)]

        def flags(name: str) -> BoolArray:
            return rows[name].to_numpy(dtype=np.bool_)

        return CohortWindows(
            score=rows["score"].to_numpy(dtype=np.float64),
            bad=rows["bad"].to_numpy(dtype=np.float64) == 1.0,
            automatable=flags("automatable"),
            member=flags("in_cohort"),
            block_member=flags("in_block_cohort"),
            window=rows["window"].to_numpy(dtype=np.int64),
            windows=self.number,
        )


def whole_windows(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str, generation: Generation
) -> WholeWindows | None:
    """The windows that ended before the first case whose truth may still come; None: no case yet.

    Judged sooner, a window would be compared once for what came in first and once more when it is
    whole; so drift waits for what a look waits for.
    """
    hoped = hoped_boundary(services, snapshot, case_type, generation)
    frame = cohort_for(services, snapshot, case_type, generation, hoped)
    if frame.empty:
        return None
    opened = frame["opened_at"]
    until = pd.Timestamp(
        snapshot.mature_until(services.case_types, services.second_review_takes, case_type)
    )
    # Of the block cohort's cases that passed, nobody was ever to say anything.
    due = frame["in_cohort"].astype("bool") | frame["drawn"].astype("bool")
    waits = due & frame["bad"].isna() & ~frame["given_up"].astype("bool")
    if waits.any():
        until = min(until, opened[waits].min())
    begins = max(pd.Timestamp(generation.cohort_from), opened.min())
    number = max(int((until - begins) // services.drift_window), 0)
    found = WholeWindows(services, frame, begins, number, opened.min().to_pydatetime(), hoped)
    window = found.numbers_of(opened)
    inside = (window >= 0) & (window < number)
    rows = frame.assign(window=window)[inside]
    rows = rows.sort_values("window", kind="stable", ignore_index=True)
    return WholeWindows(services, rows, begins, number, found.oldest, hoped)
