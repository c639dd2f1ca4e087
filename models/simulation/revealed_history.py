"""What would a loop that walked this history have been shown, and when?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from models.vocabulary import Action, CaseType


class RevealedHistory:
    """Past cases handed out in order of time; truth only for decided cases that were drawn.

    The truth of an undrawn case leaves this object through `truth()` alone, which is for reports.

    Args:
        cases: by contract `history`: case_id, case_type, opened_at, bad (null = never known),
            amount_usd, priority and features; any order.
        case_types: what is walked; `maturity_days` is the delay after which truth is shown.
        warm_up_days: everything before `start` is reviewed.
        step_days: cases are handed out in steps of this length.

    Raises:
        ValueError: the history is too short to hold the warm-up and one step.
    """

    def __init__(
        self,
        cases: pd.DataFrame,
        case_types: Mapping[str, CaseType],
        warm_up_days: float,
        step_days: float,
    ) -> None:
        self.case_types = case_types
        self._cases = cases.sort_values(["opened_at", "case_id"], kind="stable", ignore_index=True)
        opened = self._cases["opened_at"]
        first = opened.iloc[0].to_pydatetime().replace(hour=0, minute=0, second=0, microsecond=0)
        self.step = timedelta(days=step_days)
        self.start: datetime = first + timedelta(days=warm_up_days)
        last = opened.iloc[-1].to_pydatetime()
        if last < self.start:
            raise ValueError(
                f"the history ends after {(last - first).days} days, within the warm-up of "
                f"{warm_up_days:g} days; lower `warm_up_days` or bring more history"
            )
        self.steps = int((last - self.start) / self.step) + 1
        delay = self._cases["case_type"].map(
            {name: pd.Timedelta(days=kind.maturity_days) for name, kind in case_types.items()}
        )
        self._shown_at = opened + delay
        self._drawn = np.zeros(len(cases), dtype=np.bool_)
        self._shown = np.zeros(len(cases), dtype=np.bool_)
        self._place = pd.Series(np.arange(len(cases)), index=self._cases["case_id"])

    def warm_up(self) -> Iterator[pd.DataFrame]:
        """The cases before `start`, one frame per case type, without their truth."""
        yield from self._between(None, self.start)

    def arrivals(self, step: int) -> Iterator[pd.DataFrame]:
        """The cases of step 0, 1, ..., one frame per case type, without their truth."""
        since = self.start + step * self.step
        yield from self._between(since, since + self.step)

    def note(self, decisions: pd.DataFrame) -> None:
        """Be told what was decided: only escalated and audited cases will be shown."""
        drawn = (decisions["action"] == Action.ESCALATE.value) | decisions["audited"]
        self._drawn[self._place[decisions["case_id"][drawn]].to_numpy()] = True

    def deliveries(self, as_of: datetime) -> dict[str, pd.DataFrame]:
        """Outcomes (contract `outcomes`) that became known and were not delivered before."""
        due = self._drawn & ~self._shown & (self._shown_at <= as_of).to_numpy()
        known = due & self._cases["bad"].notna().to_numpy()
        rows = self._cases.loc[known]
        return {
            "outcomes": pd.DataFrame(
                {
                    "case_id": rows["case_id"],
                    "case_type": rows["case_type"],
                    "observed_at": self._shown_at[known],
                    "bad": rows["bad"].astype(np.bool_),
                    "source": "reverification",
                }
            ).reset_index(drop=True)
        }

    def received(self, deliveries: Mapping[str, pd.DataFrame]) -> None:
        """Be told that a delivery was taken in; what was refused is delivered again."""
        self._shown[self._place[deliveries["outcomes"]["case_id"]].to_numpy()] = True

    def asked(self, case_ids: pd.Series, as_of: datetime) -> None:
        """A history's labels are outcomes: nobody reviewed them, so nobody is asked again.

        Raises:
            AssertionError: somebody asks all the same.
        """
        if len(case_ids):
            raise AssertionError(f"second reviews of {len(case_ids)} outcomes were asked for")

    def truth(self) -> pd.DataFrame:
        """case_id and bad of every case, for reports; nothing that decides may read it."""
        return self._cases[["case_id", "case_type", "opened_at", "bad"]]

    def cases(self, case_type: str, since: datetime) -> pd.DataFrame:
        """Cases of a type opened since an instant, without their truth."""
        rows = self._cases
        chosen = (rows["case_type"] == case_type) & (rows["opened_at"] >= since)
        return rows[chosen].drop(columns="bad").reset_index(drop=True)

    def _between(self, since: datetime | None, until: datetime) -> Iterator[pd.DataFrame]:
        opened = self._cases["opened_at"]
        low = 0 if since is None else int(opened.searchsorted(pd.Timestamp(since), side="left"))
        high = int(opened.searchsorted(pd.Timestamp(until), side="left"))
        rows = self._cases.iloc[low:high].drop(columns="bad")
        for case_type in self.case_types:
            mine = rows[rows["case_type"] == case_type]
            if len(mine):
                yield mine.reset_index(drop=True)
