"""Which shares are promises about, and how many errors did each window bring?

What is certified decides what is watched. A proof pools cases over time, so it is about today's
traffic only while the share under test has not become worse: for recall the share of the bad cases
that score low, for false omission the bad share of the cases that score low, for precision the good
share of those that score high (METHODS 1.2, "Drift"). Nothing else makes a proof too wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.drift.check import FEWEST_ROWS
from models.drift.sample import BoolArray, FloatArray, IntArray

LOW_SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)
"""Shares of the traffic below the cuts at which recall and false omission are watched."""

HIGH_SHARES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
"""Shares of the traffic above the cuts at which precision is watched."""


@dataclass(frozen=True, eq=False)
class CohortWindows:
    """A fully reviewed sample of the traffic in consecutive windows; arrays of shape (cases,).

    Attributes:
        score: by the model under test, in [0, 1].
        bad: the truth, which is in for every case.
        automatable: False for cases that a person decides whatever the score.
        member: of the cohort; block_member: of the block cohort.
        window: of each case, 0 for the oldest.
        windows: how many there are.
    """

    score: FloatArray
    bad: BoolArray
    automatable: BoolArray
    member: BoolArray
    block_member: BoolArray
    window: IntArray
    windows: int

    def __post_init__(self) -> None:
        if len(self.window) and not 0 <= self.window.min() <= self.window.max() < self.windows:
            raise ValueError(
                f"windows are numbered from 0 to {self.windows - 1}, got {self.window.min()} to "
                f"{self.window.max()}"
            )

    @property
    def sizes(self) -> IntArray:
        """Cohort cases in each window, shape (windows,)."""
        return np.bincount(self.window[self.member], minlength=self.windows)


@dataclass(frozen=True, eq=False)
class Law:
    """Errors and what they are counted among, by window.

    Attributes:
        name: "recall", "false_omission_rate" or "precision"; also "bad_share", or "volume", whose
            trials are days.
        cuts: one a column, shape (cuts,).
        trials, errors: shape (windows, cuts).
        tested: which columns can show a change, shape (cuts,). All of them pay for the number of
            tests, so which ones these are may follow from labels.
    """

    name: str
    cuts: FloatArray
    trials: FloatArray
    errors: FloatArray
    tested: BoolArray


def certified_laws(
    cases: CohortWindows,
    risks: Iterable[str],
    low_reach: float | None,
    high_reach: float | None,
) -> list[Law]:
    """The shares that each promise's proof is about, at cuts that no truth has chosen.

    The cuts are quantiles of the scores of the first windows that together have `FEWEST_ROWS`
    cohort cases. In the zones a change shows at the cuts up to the first one beyond the reach of
    what may be certified; what moves further out is not under test. For recall it shows at every cut:
    the few bad cases that a cut misses tell little, and all of them move together as a rule.

    Args:
        risks: names of the promises; others than recall, false_omission_rate and precision have no
            law here.
        low_reach, high_reach: the widest pass and block cut that labels give hope for; None: only
            the narrowest cut is watched.
    """
    base = cases.window < _first_group_ends(cases.sizes)
    scores = np.sort(cases.score[base & cases.member & cases.automatable])
    if not len(scores):
        return []
    found = []
    for name in risks:
        if name == "precision":
            cuts = _quantiles(scores, [1.0 - share for share in HIGH_SHARES])[::-1]
            tested = _up_to_the_first_beyond(-cuts, None if high_reach is None else -high_reach)
        elif name in ("recall", "false_omission_rate"):
            cuts = _quantiles(scores, LOW_SHARES)
            tested = _up_to_the_first_beyond(cuts, low_reach)
            tested |= name == "recall"
        else:
            continue
        found.append(_counted(name, cases, cuts, tested))
    return found


def bad_share(cases: CohortWindows) -> Law:
    """The cohort's share of bad cases."""
    return Law(
        "bad_share",
        np.ones(1),
        cases.sizes[:, None].astype(np.float64),
        _a_window(cases, cases.member & cases.bad)[:, None],
        np.ones(1, dtype=np.bool_),
    )


def volume(cases_a_window: IntArray, days: float) -> Law:
    """Cases a day, by window of so many days."""
    count = np.asarray(cases_a_window, dtype=np.float64)[:, None]
    return Law("volume", np.ones(1), np.full_like(count, days), count, np.ones(1, dtype=np.bool_))


def judged_together(sizes: IntArray, first: int = 0) -> list[range]:
    """Consecutive windows that have enough cases together; a rest that has not is left out."""
    found, begins, cases = [], first, 0
    for window in range(first, len(sizes)):
        cases += int(sizes[window])
        if cases >= FEWEST_ROWS:
            found.append(range(begins, window + 1))
            begins, cases = window + 1, 0
    return found


def _first_group_ends(sizes: IntArray) -> int:
    groups = judged_together(sizes)
    return groups[0][-1] + 1 if groups else len(sizes)


def _quantiles(scores: FloatArray, shares: Sequence[float]) -> FloatArray:
    return np.unique(np.quantile(scores, shares, method="inverted_cdf"))


def _up_to_the_first_beyond(outward: FloatArray, reach: float | None) -> BoolArray:
    """Which of some rising cuts are within reach, and the first one that is not."""
    within = 0 if reach is None else int(np.searchsorted(outward, reach, side="left"))
    return np.arange(len(outward)) <= within


def _counted(name: str, cases: CohortWindows, cuts: FloatArray, tested: BoolArray) -> Law:
    trials, errors = np.empty((cases.windows, len(cuts))), np.empty((cases.windows, len(cuts)))
    for column, cut in enumerate(cuts):
        if name == "precision":
            among = cases.block_member & cases.automatable & (cases.score >= cut)
            wrong = among & ~cases.bad
        else:
            low = cases.member & cases.automatable & (cases.score <= cut)
            wrong = low & cases.bad
            among = low if name == "false_omission_rate" else cases.member & cases.bad
        trials[:, column], errors[:, column] = _a_window(cases, among), _a_window(cases, wrong)
    return Law(name, cuts, trials, errors, tested)


def _a_window(cases: CohortWindows, kept: BoolArray) -> FloatArray:
    return np.bincount(cases.window[kept], minlength=cases.windows).astype(np.float64)
