"""What does a loop know of its cohort on a night, when labels err, mature, and at times do not come at all?

Simulated, on the cases of any life. The first word about a case is wrong with probability `WRONG`,
whatever its truth and score; it counts from `MATURITY` days after the case was opened. In a backlog of
`BACKLOG_DAYS` days no word comes in at all; what was due comes on its last day. Second words are true. They are
given, `SECOND_TAKES` days after they were asked for, about a `SECOND_SHARE` of the bad first words, drawn
by design, and about every contradiction: a bad first word at or below the cut hoped for that nobody has
confirmed (METHODS 1.6). Until then such a case waits. The cut hoped for is the live one or the one that
the labels of the night suggest, whichever is wider. The table of a night is that of the loop
(`flows.verbs.evidence.cohort_rows`, `flows.verbs.certify.inputs`): null where the truth waits, `credence` and
`credence_uniform` for the bad labels that nobody confirmed. All words about the held-back cases are in
before the first night, second ones included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.truth import credence
from models.vocabulary import Boundary, Targets

WRONG = 0.01
MATURITY, SECOND_TAKES, SECOND_SHARE = 30.0, 1.0, 0.1
BACKLOG_BEGINS, BACKLOG_DAYS = 83.0, 14.0
"""In days since the audits began: the middle of the half year that is counted."""

MOST_NIGHTS = 7
"""Of the nights since the last one that was looked at, those on which it is asked."""

CREDENCE_SHARE = 0.05
"""Of delta, for the limit on false bad labels, as in `flows.verbs.evidence.label_trust`."""

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(eq=False)
class NoisyLabels:
    """The words about a life's cases in order of entry, as they come in.

    Attributes:
        targets: the promise; its delta is shared by the sequence and the limit on false bad labels.
        held_back: so many cases came before the first night; cases_a_day: of the cohort since.
        rng: of the words alone, so that the cases are those of a life without noise.
    """

    targets: Targets
    held_back: int
    cases_a_day: float
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.score: FloatArray = np.empty(0)
        self.truth: BoolArray = np.empty(0, dtype=np.bool_)
        self.first_bad: BoolArray = np.empty(0, dtype=np.bool_)
        self.second_drawn: BoolArray = np.empty(0, dtype=np.bool_)
        self.uniform: FloatArray = np.empty(0)
        self.first_at: FloatArray = np.empty(0)
        self.second_at: FloatArray = np.empty(0)
        self.asked_on = 0.0

    @property
    def set_aside(self) -> float:
        """Delta of the limit on false bad labels."""
        return CREDENCE_SHARE * self.targets.delta

    def grow(self, score: FloatArray, truth: BoolArray) -> None:
        """More cases, in order of entry, with the words that will be said about them."""
        place = np.arange(len(self.score), len(self.score) + len(score))
        wrong, second, uniform = self.rng.random((3, len(score)))
        first_bad = truth ^ (wrong < WRONG)
        drawn = first_bad & (second < SECOND_SHARE)
        opened = np.where(
            place < self.held_back, -np.inf, (place - self.held_back) / self.cases_a_day
        )
        first_at = after_backlog(opened + MATURITY)
        second_at = np.where(drawn, after_backlog(first_at + SECOND_TAKES), np.inf)
        for name, more in (
            ("score", score), ("truth", truth), ("first_bad", first_bad), ("second_drawn", drawn),
            ("uniform", uniform), ("first_at", first_at), ("second_at", second_at),
        ):  # fmt: skip
            setattr(self, name, np.concatenate([getattr(self, name), more]))

    def before_the_first_night(self) -> pd.DataFrame:
        """The held-back cases, once nothing is left to be asked a second time."""
        asked = True
        while asked:
            hoped = self._hoped(self.held_back, -1.0, None)
            asking = self._contradicts(self.held_back, -1.0, hoped)
            self.second_at[: self.held_back][asking] = -np.inf
            asked = bool(asking.any())
        return self._frame(self.held_back, -1.0, hoped)

    def night(self, day: float, live: float | None) -> pd.DataFrame:
        """The cohort as it is known on a night, whole days after the last one. A loop asks about what
        contradicts the cut hoped for every night, so it has been asked on the nights between, too."""
        for night in range(max(int(self.asked_on), int(day) - MOST_NIGHTS) + 1, int(day)):
            self._ask(float(night), live)
        cases, hoped = self._ask(day, live)
        return self._frame(cases, day, hoped)

    def _ask(self, day: float, live: float | None) -> tuple[int, float | None]:
        """(cases that have entered, the cut hoped for)."""
        cases = self.held_back + int(day * self.cases_a_day)
        hoped = self._hoped(cases, day, live)
        asking = self._contradicts(cases, day, hoped) & (self.second_at[:cases] == np.inf)
        comes = float(after_backlog(np.array([day + SECOND_TAKES]))[0])
        self.second_at[:cases][asking] = comes
        self.asked_on = day
        return cases, hoped

    def _hoped(self, cases: int, day: float, live: float | None) -> float | None:
        """The live cut or that of `plug_in_boundary` on the words of the day, made without sorting them."""
        known = self.first_at[:cases] <= day
        score, bad = self.score[:cases][known], self._settled(cases, day)[known]
        recall = self.targets.recall
        assert recall is not None
        allowed = int((1.0 - recall) * bad.sum() + 1e-9)
        missed = np.partition(score[bad], allowed)[allowed]
        low = float(score[score < missed].max(initial=-1.0))
        return max((cut for cut in (low, live) if cut is not None and cut >= 0.0), default=None)

    def _settled(self, cases: int, day: float) -> BoolArray:
        """The last word about each case that has one."""
        confirmed = self.second_at[:cases] <= day
        return np.where(confirmed, self.truth[:cases], self.first_bad[:cases])

    def _contradicts(self, cases: int, day: float, hoped: float | None) -> BoolArray:
        """A bad word at or below the cut hoped for that nobody has confirmed."""
        below = self.score[:cases] <= (-np.inf if hoped is None else hoped)
        unconfirmed = (self.first_at[:cases] <= day) & (self.second_at[:cases] > day)
        return np.asarray(below & unconfirmed & self.first_bad[:cases])

    def _frame(self, cases: int, day: float, hoped: float | None) -> pd.DataFrame:
        waits = (self.first_at[:cases] > day) | self._contradicts(cases, day, hoped)
        frame = pd.DataFrame(
            {
                "score": self.score[:cases],
                "bad": np.where(waits, np.nan, self._settled(cases, day)),
                "first_bad": self.first_bad[:cases] & (self.first_at[:cases] <= day),
                "confirmed": self.second_at[:cases] <= day,
                "second_drawn": self.second_drawn[:cases],
                "credence_uniform": self.uniform[:cases],
            }
        )
        believed = credence(frame, Boundary(hoped, None), self.set_aside)
        return frame.assign(credence=believed)


def after_backlog(day: FloatArray) -> FloatArray:
    """When a word comes in that is due on a day."""
    late = (day >= BACKLOG_BEGINS) & (day < BACKLOG_BEGINS + BACKLOG_DAYS)
    return np.where(late, BACKLOG_BEGINS + BACKLOG_DAYS, day)
