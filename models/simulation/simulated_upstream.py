"""How do a simulated exchange's people and customers answer the agent's decisions, night by night?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.decision.decide import SENIOR
from models.replay.reviewer_queue import review_times
from models.simulation.exchange import HIDDEN_COLUMNS, Exchange
from models.simulation.faults import WeightFault
from models.simulation.keyed_draws import KeyedDraws
from models.simulation.reviewers import ReviewerPool
from models.vocabulary import Action, CaseType

_NIGHTS_ON_FILE = 35

SLIP_SHARE = 0.004
"""Share of simulated reviews first delivered with a slip of the pen, and mended the next night."""


class SimulatedUpstream:
    """Everything outside the loop: arriving cases, the review desk, customers who complain.

    Before `start` lies a fully reviewed past whose truth shows itself as the cases mature. From
    then on a drawn case queues for its case type's reviewers (the senior's queue first, then first
    come, first served, by shift); contradictions get a second review, what a reviewer escalates is
    settled by a senior; passed bad cases surface and wrongly blocked customers appeal later on. All of it is simulated, and a function of the seed.

    Args:
        blamed: until `blamed_days` days of the past were over, its labels followed somebody who gave
            this feature another weight than it has; None: all labels of the past are the truth.
        blamed_days: counted from the past's first day.

    Raises:
        ValueError: the fault is about a case type that is not among `case_types`.
    """

    def __init__(
        self,
        exchange: Exchange,
        case_types: Mapping[str, CaseType],
        start: datetime,
        nights: int,
        history_days: int,
        *,
        blamed: WeightFault | None = None,
        blamed_days: int = 0,
    ) -> None:
        if blamed is not None and blamed.case_type not in case_types:
            raise ValueError(
                f"the past's labels of {blamed.case_type} cannot be biased: the walk's case types are "
                f"{', '.join(case_types)}"
            )
        self.case_types = case_types
        self.start = start.astimezone(UTC)
        self.step = timedelta(days=1)
        self.steps = nights
        self._exchange = exchange
        self._people = ReviewerPool(exchange.seed, list(case_types), faults=exchange.faults)
        self._history_days = history_days
        self._blamed = blamed
        self._blamed_until = self.start - timedelta(days=history_days - blamed_days)
        self._past: list[pd.DataFrame] = []
        self._seen: dict[str, list[pd.DataFrame]] = {name: [] for name in case_types}
        self._queues = {name: _Desk(kind, start) for name, kind in case_types.items()}
        self._reviews = pd.DataFrame()
        self._outcomes = pd.DataFrame()
        self._told_until = start
        self._first: list[_FirstReviews] = []
        self._called_in: list[_CalledIn] = []

    def warm_up(self) -> Iterator[pd.DataFrame]:
        for name in self.case_types:
            cases = self._exchange.cases(name, -self._history_days, self._history_days)
            self._seen[name].append(cases)
            shown = pd.DataFrame(
                {
                    "case_id": cases["case_id"],
                    "case_type": name,
                    "observed_at": cases["matures_at"],
                    "bad": self._labels_of_the_past(name, cases),
                    "source": "reverification",
                }
            )
            self._outcomes = _joined(self._outcomes, shown)
            yield cases.drop(columns=list(HIDDEN_COLUMNS))

    def arrivals(self, step: int) -> Iterator[pd.DataFrame]:
        for name in self.case_types:
            cases = self._exchange.cases(name, step, 1)
            self._seen[name].append(cases)
            if len(cases):
                yield cases.drop(columns=list(HIDDEN_COLUMNS))

    def note(self, decisions: pd.DataFrame) -> None:
        """Be told what was decided; the warm-up needs no desk, its truth is history."""
        for name, mine in decisions.groupby("case_type", observed=True):
            if mine["opened_at"].min() < pd.Timestamp(self.start):
                continue
            cases = self._seen[str(name)][-1]
            mine = mine.set_index("case_id").loc[cases["case_id"]].reset_index()
            drawn = ((mine["action"] == Action.ESCALATE.value) | mine["audited"]).to_numpy()
            automatic = (mine["action"] != Action.ESCALATE.value).to_numpy()
            late = self._exchange.outcomes(
                cases[automatic], mine["action"][automatic].to_numpy(dtype=object)
            )
            self._outcomes = _joined(self._outcomes, late.assign(case_type=name))
            self._queues[str(name)].join(cases[drawn], mine[drawn])

    def deliveries(self, as_of: datetime) -> dict[str, pd.DataFrame]:
        """Reviews resolved and outcomes observed by `as_of` that were not taken in before."""
        self._told_until = as_of
        due = [queue.resolved_by(as_of) for queue in self._queues.values()]
        due += [one.resolved_by(as_of) for one in self._called_in]
        due = [one for one in due if len(one[0])]
        if due:
            # All case types in one go: a review's draws belong to its case, not to the call.
            resolved = pd.concat([pd.Series(one[2]) for one in due], ignore_index=True)
            self._review(
                pd.concat([one[0] for one in due], ignore_index=True),
                pd.concat([one[1] for one in due], ignore_index=True),
                pd.DatetimeIndex(resolved),
            )
        return {
            "outcomes": _due(self._outcomes, "observed_at", as_of),
            "reviews": self._with_slips(_due(self._reviews, "delivered_at", as_of)),
        }

    def received(self, deliveries: Mapping[str, pd.DataFrame]) -> None:
        """Be told that a delivery was taken in. Reviews with a slip come back mended."""
        outcomes, reviews = deliveries["outcomes"], deliveries["reviews"]
        if len(outcomes):
            later = self._outcomes["observed_at"] > pd.Timestamp(self._told_until)
            self._outcomes = self._outcomes[later].reset_index(drop=True)
        if len(reviews):
            delivered = self._reviews["review_id"].isin(reviews["review_id"])
            slipped = delivered & self._reviews["slips"]
            self._reviews.loc[slipped, "slips"] = False
            self._reviews = self._reviews[~delivered | slipped].reset_index(drop=True)

    def asked(self, case_ids: pd.Series, as_of: datetime) -> None:
        """Be asked for second reviews; they and a senior's word follow within the night. A case
        that a second person has seen is not seen again."""
        self._first = self._first[-_NIGHTS_ON_FILE:]
        left = len(case_ids)
        for held in reversed(self._first):
            if not left:
                break  # mostly last night's reviews are asked about
            named = held.cases["case_id"].isin(case_ids).to_numpy()
            left -= int(named.sum())
            wanted = named & ~held.seen_again
            if not wanted.any():
                continue
            held.seen_again = held.seen_again | wanted
            later = self._people.second_review(
                held.cases[wanted],
                held.reviews[wanted],
                recommendation=held.recommendation[wanted],
                score=held.score[wanted],
                asked=np.ones(int(wanted.sum()), dtype=np.bool_),
                asked_at=pd.Timestamp(as_of),
            )
            types = held.cases[wanted].set_index("case_id")["case_type"]
            self._file(later, types)

    def looked_at_later(self, decisions: pd.DataFrame, as_of: datetime, days: float) -> None:
        """Be handed cases that were decided automatically, for blind reviews of kind `audit`: drawn from
        the store, or to look back at what a fallen boundary passed.

        People called in for it do them beside the desk's own queue, evenly over `days`, oldest first.

        Args:
            decisions: case_id, case_type, action, recommendation and score, as they were stored.

        Raises:
            ValueError: a case is not one of this exchange's, or `days` is not positive.
        """
        if days <= 0.0:
            raise ValueError(f"reviews take some time: days must be positive, got {days!r}")
        for name, mine in decisions.groupby("case_type", observed=True):
            seen = pd.concat(self._seen[str(name)], ignore_index=True)
            cases = seen[seen["case_id"].isin(mine["case_id"])].reset_index(drop=True)
            if len(cases) != len(mine):
                raise ValueError(
                    f"{len(mine) - len(cases)} of {len(mine)} cases of {name} are none of this exchange"
                )
            rows = mine.set_index("case_id").loc[cases["case_id"]].reset_index()
            rows["decided_at"] = pd.Series(pd.Timestamp(as_of), index=rows.index).astype(
                cases["opened_at"].dtype
            )
            step = pd.Timedelta(days=days) / len(cases)
            resolved = pd.Timestamp(as_of) + step * np.arange(1, len(cases) + 1)
            self._called_in.append(_CalledIn(cases, rows, pd.DatetimeIndex(resolved).as_unit("us")))

    def truth(self) -> pd.DataFrame:
        """case_id and bad of every case so far, for reports; nothing that decides may read it."""
        seen = [frame for frames in self._seen.values() for frame in frames]
        return pd.concat(seen, ignore_index=True)[["case_id", "case_type", "opened_at", "bad"]]

    def cases(self, case_type: str, since: datetime) -> pd.DataFrame:
        rows = pd.concat(self._seen[case_type], ignore_index=True)
        return rows[rows["opened_at"] >= since].drop(columns=list(HIDDEN_COLUMNS))

    def _labels_of_the_past(self, case_type: str, cases: pd.DataFrame) -> pd.Series:
        """What the past says of its cases: the truth, or what a biased eye saw until it was corrected."""
        blamed = self._blamed
        if blamed is None or blamed.case_type != case_type:
            return cases["bad"]
        biased = Exchange(self._exchange.seed, faults=[blamed], start=self.start, burst=None).agent(
            cases
        )["score"]
        draws = KeyedDraws(self._exchange.seed, cases["case_id"]).uniform("blamed")
        early = (cases["opened_at"] < pd.Timestamp(self._blamed_until)).to_numpy(dtype=np.bool_)
        seen: pd.Series = cases["bad"].where(~early, draws < biased.to_numpy(dtype=np.float64))
        return seen.astype(bool)

    def _review(
        self, cases: pd.DataFrame, decisions: pd.DataFrame, resolved: pd.DatetimeIndex
    ) -> None:
        """First reviews, second ones of contradictions, and what customers do about the result."""
        escalated = (decisions["action"] == Action.ESCALATE.value).to_numpy()
        said: dict[str, Any] = {
            "recommendation": decisions["recommendation"].to_numpy(dtype=object),
            "score": decisions["score"].to_numpy(dtype=np.float64, na_value=np.nan),
        }
        first = self._people.review(
            cases,
            kind=np.where(escalated, "escalation", "audit").astype(object),
            queued_at=decisions["decided_at"],
            resolved_at=resolved,
            **said,
        )
        later = self._people.second_review(
            cases,
            first,
            **said,
        )
        again = cases["case_id"].isin(later["case_id"]).to_numpy()
        handed_on = (first["verdict"] == "escalate").to_numpy(dtype=np.bool_) & ~again
        settled = self._by_a_senior(cases, first, said, handed_on)
        self._first.append(
            _FirstReviews(cases, first, said["recommendation"], said["score"], again | handed_on)
        )
        reviews = pd.concat([first, later, settled], ignore_index=True)
        types = cases.set_index("case_id")["case_type"]
        self._file(reviews, types)
        final = reviews.drop_duplicates("case_id", keep="last").set_index("case_id")["verdict"]
        ended = final.loc[cases["case_id"]].to_numpy(dtype=object)
        closed = escalated & (ended != "escalate")
        if closed.any():
            actions = np.full(int(closed.sum()), Action.ESCALATE.value, dtype=object)
            late = self._exchange.outcomes(cases[closed], actions, ended[closed])
            late = late.assign(case_type=late["case_id"].map(types))
            self._outcomes = _joined(self._outcomes, late)

    def _by_a_senior(
        self,
        cases: pd.DataFrame,
        first: pd.DataFrame,
        said: Mapping[str, Any],
        which: npt.NDArray[np.bool_],
    ) -> pd.DataFrame:
        """Who escalates hands the case to a senior, who settles it within some hours: else it would
        stay open for ever, and a proof wait for it."""
        if not which.any():
            return first.iloc[:0]
        hours = 1.0 + 4.0 * KeyedDraws(self._exchange.seed, cases["case_id"][which]).uniform(
            "senior"
        )
        queued = first["resolved_at"][which].reset_index(drop=True)
        settled = self._people.review(
            cases[which],
            kind="senior",
            recommendation=said["recommendation"][which],
            score=said["score"][which],
            queued_at=queued,
            resolved_at=(queued + pd.to_timedelta(hours, unit="h")).astype(queued.dtype),
        )
        return settled

    def _file(self, reviews: pd.DataFrame, types: pd.Series) -> None:
        slips = KeyedDraws(self._exchange.seed, reviews["review_id"]).uniform("slip") < SLIP_SHARE
        reviews = reviews.assign(
            case_type=reviews["case_id"].map(types),
            slips=slips,
            delivered_at=reviews["resolved_at"],
        )
        self._reviews = _joined(self._reviews, reviews)

    def _with_slips(self, reviews: pd.DataFrame) -> pd.DataFrame:
        """What people get wrong when they file a review: one of three slips, by the review's id."""
        if reviews.empty:
            return reviews
        slips = reviews["slips"].to_numpy()
        kind = KeyedDraws(self._exchange.seed, reviews["review_id"]).choice(3, "slip_kind")
        delivered = reviews.drop(columns=["slips", "delivered_at"])
        wordy = slips & (kind == 0)
        delivered["annotation"] = delivered["annotation"].mask(
            wordy, delivered["annotation"] + " Checked twice. Looked at the history. Closed it."
        )
        backwards = slips & (kind == 1)
        delivered["resolved_at"] = delivered["resolved_at"].mask(
            backwards, delivered["queued_at"] - pd.Timedelta(minutes=1)
        )
        delivered["verdict"] = delivered["verdict"].mask(slips & (kind == 2), "unclear")
        return delivered


@dataclass(eq=False)
class _FirstReviews:
    """A night's first reviews and what was known at them; row i of everything belongs to case i.
    seen_again: a second person has judged the case."""

    cases: pd.DataFrame
    reviews: pd.DataFrame
    recommendation: npt.NDArray[np.object_]
    score: npt.NDArray[np.float64]
    seen_again: npt.NDArray[np.bool_]


@dataclass(eq=False)
class _CalledIn:
    """Cases that people beside the desk look at; row i of everything belongs to case i, by the time
    of its review."""

    cases: pd.DataFrame
    decisions: pd.DataFrame
    resolved: pd.DatetimeIndex
    told: int = 0

    def resolved_by(self, as_of: datetime) -> tuple[pd.DataFrame, pd.DataFrame, pd.DatetimeIndex]:
        """Cases resolved by `as_of` and not told before, their decisions and when."""
        first, self.told = self.told, int(self.resolved.searchsorted(pd.Timestamp(as_of), "right"))
        due = slice(first, self.told)
        return self.cases.iloc[due], self.decisions.iloc[due], self.resolved[due]


class _Desk:
    """One case type's queue: key users and high-risk patterns first (METHODS 3), then first come,
    first served. Nobody is interrupted, so who comes later changes nothing that has begun."""

    def __init__(self, kind: CaseType, start: datetime) -> None:
        self._kind = kind
        self._midnight = start
        self._cases = pd.DataFrame()
        self._decisions = pd.DataFrame()
        self._told = np.zeros(0, dtype=np.bool_)

    def join(self, cases: pd.DataFrame, decisions: pd.DataFrame) -> None:
        self._cases = _joined(self._cases, cases)
        self._decisions = _joined(self._decisions, decisions)
        self._told = np.concatenate([self._told, np.zeros(len(cases), dtype=np.bool_)])

    def resolved_by(self, as_of: datetime) -> tuple[pd.DataFrame, pd.DataFrame, pd.DatetimeIndex]:
        """Cases resolved by `as_of` and not told before, their decisions and when."""
        if self._cases.empty:
            return self._cases, self._decisions, pd.DatetimeIndex([], tz="UTC")
        queued = self._decisions["decided_at"]
        since = queued - pd.Timestamp(self._midnight)
        arrivals = np.asarray(since / pd.Timedelta(hours=1), dtype=np.float64)
        draws = KeyedDraws(0, self._cases["case_id"]).uniform("handling")
        # Exponential handling times: the simplest spread that has a long tail.
        minutes = -np.log(draws) * self._kind.staffing.handling_minutes
        seniors = (self._decisions["queue"] == SENIOR).to_numpy(dtype=np.bool_)
        outcome = review_times(arrivals, self._kind.staffing, minutes, priority=seniors)
        finished = pd.Timestamp(self._midnight) + pd.to_timedelta(outcome.finished, unit="h")
        stamps = pd.DatetimeIndex(finished).as_unit("us")
        due = (stamps <= pd.Timestamp(as_of)) & ~self._told
        told = (self._cases[due], self._decisions[due], stamps[due])
        self._told = self._told | due
        self._forget(arrivals, outcome.finished)
        return told

    def _forget(self, arrivals: np.ndarray, finished: np.ndarray) -> None:
        """Drop what can no longer matter: everything before the queue was last empty."""
        latest = np.maximum.accumulate(np.nan_to_num(finished, nan=np.inf))
        emptied = np.flatnonzero((latest[:-1] <= arrivals[1:]) & self._told[1:])
        keep = (
            int(emptied[-1]) + 1 if len(emptied) and self._told[: int(emptied[-1]) + 1].all() else 0
        )
        self._cases = self._cases.iloc[keep:].reset_index(drop=True)
        self._decisions = self._decisions.iloc[keep:].reset_index(drop=True)
        self._told = self._told[keep:]


def _due(rows: pd.DataFrame, stamp: str, as_of: datetime) -> pd.DataFrame:
    if rows.empty:
        return rows
    return rows[rows[stamp] <= pd.Timestamp(as_of)].reset_index(drop=True)


def _joined(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([part for part in (old, new) if len(part)] or [old], ignore_index=True)
