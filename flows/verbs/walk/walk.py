"""Walk a history or a simulated exchange night by night: the loop as it would have run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import pandas as pd

from flows.verbs.certify.generation import current_generation
from flows.verbs.decide.decide import decide_cases
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.promote import approve_and_promote
from flows.verbs.govern.propose import waiting
from flows.verbs.intake.deliveries import Delivery
from flows.verbs.intake.holds import release_hold
from flows.verbs.intake.population_watch import holds_that_wait
from flows.verbs.learn.challenger import Challenger
from flows.verbs.learn.train import retrain_all
from flows.verbs.night import run_night
from flows.verbs.ports import TrainingServices
from flows.verbs.record.night_results import State, not_done
from flows.verbs.services import Services
from flows.verbs.walk.stand_ins import StandIns
from flows.verbs.walk.story import Planted
from models.hub import HoldState
from models.vocabulary import Action, CaseType

APPROVER = "backtest"
"""Who approves in a demo or backtest; such approvals exist in their own ledgers only (DESIGN 6)."""


STAND_IN = (
    "In a walk nobody can be asked; the level came and went, and the labels are the history's."
)
"""Why a walk releases what a person would have to."""

LOOKS_BEFORE_RETRAIN = 3
LARGEST_JOINT_BATCH = 50_000


class Upstream(Protocol):
    """Where a walk's cases come from and who answers its decisions."""

    case_types: Mapping[str, CaseType]
    start: datetime
    step: timedelta
    steps: int

    def warm_up(self) -> Iterator[pd.DataFrame]: ...
    def arrivals(self, step: int) -> Iterator[pd.DataFrame]: ...
    def note(self, decisions: pd.DataFrame) -> None: ...
    def deliveries(self, as_of: datetime) -> dict[str, pd.DataFrame]: ...
    def received(self, deliveries: Mapping[str, pd.DataFrame]) -> None: ...
    def asked(self, case_ids: pd.Series, as_of: datetime) -> None: ...
    def truth(self) -> pd.DataFrame: ...
    def cases(self, case_type: str, since: datetime) -> pd.DataFrame: ...


@dataclass
class Walk:
    """One walk in progress: the desk, the upstream, and what has happened so far.

    observed: every truth the loop was shown, and when (case_id, observed_at). decisions: narrow
    columns of all decisions after the warm-up. nights: the dossier of each night. fits: every
    try to fit a model, when, and what came of it. people: who does more than to approve; None:
    nobody. planted: what a simulation was made to do, for who reads the story.
    """

    services: Services
    upstream: Upstream
    retrain_days: float
    people: StandIns | None = None
    planted: tuple[Planted, ...] = ()
    observed: list[pd.DataFrame] = field(default_factory=list)
    decisions: list[pd.DataFrame] = field(default_factory=list)
    nights: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    fits: list[tuple[datetime, Challenger]] = field(default_factory=list)
    warm_up_cases: int = 0
    _undelivered: list[pd.DataFrame] = field(default_factory=list)
    _tried: dict[str, datetime] = field(default_factory=dict)

    def warm_up(self) -> None:
        """Decide (that is: review) everything before the first step."""
        for cases in self.upstream.warm_up():
            case_type = str(cases["case_type"].iloc[0])
            decided = decide_cases(self.services, case_type, cases, self.upstream.start)
            self.upstream.note(decided)
            self._undelivered.append(decided)
            self.warm_up_cases += len(decided)

    def night_and_day(self, step: int) -> list[dict[str, Any]]:
        """One night (admit, retrain when due, certify, propose, approve) and the day after it."""
        with self.services.ledger.one_reader(), self.services.store.one_reader():
            return self._night_and_day(step)

    def _night_and_day(self, step: int) -> list[dict[str, Any]]:
        as_of = self.upstream.start + step * self.upstream.step
        labels = self._night(as_of)
        promoted = self._approve(as_of)
        if self.people is not None:
            self.people.after(self.services, self.nights[-1], step, as_of)
        rows = [self._day(step, as_of, case_type) for case_type in self.services.case_types]
        arrived = {str(c["case_type"].iloc[0]): c for c in self.upstream.arrivals(step)}
        for row in rows:
            case_type = row["case_type"]
            row["labels"] = labels.get(case_type, 0)
            row["promoted"] = case_type in promoted
            if case_type in arrived:
                self._decide(row, arrived[case_type], as_of)
        self.steps += rows
        return rows

    def last_night(self) -> None:
        """Admit the last day's decisions, so that the store holds the whole walk."""
        as_of = self.upstream.start + self.upstream.steps * self.upstream.step
        self._night(as_of)

    def _night(self, as_of: datetime) -> dict[str, int]:
        delivered = self.upstream.deliveries(as_of)
        batches = [Delivery("decisions", rows, "walk decisions") for rows in self._pending()]
        batches += [
            Delivery(table, rows, f"walk {table}") for table, rows in delivered.items() if len(rows)
        ]
        night = run_night(
            self.services,
            batches,
            as_of,
            before_judging=lambda on: self._retrain_when_due(on, as_of),
        ).plain()
        self.nights.append(night)
        tables = night["results"]["tables"]
        failed = {name for name, told in tables.items() if told["state"] == State.FAILED.value}
        if "decisions" not in failed:
            self._undelivered = []
        delivered = {name: rows for name, rows in delivered.items() if name not in failed}
        self.upstream.received(delivered)  # the rest is delivered again
        self._ask(night, as_of)
        return self._note_observed(delivered, night)

    def _ask(self, night: dict[str, Any], as_of: datetime) -> None:
        """Names of cases are for the desk; the night's dossier keeps how many there were, by why."""
        asked = pd.DataFrame(night["second_reviews"], columns=["case_id", "case_type", "why"])
        self.upstream.asked(asked["case_id"].astype("str"), as_of)
        night["second_reviews"] = asked["why"].value_counts().to_dict()

    def _pending(self) -> list[pd.DataFrame]:
        """Decisions not yet delivered: a day's in one batch, a warm-up's by case type (a table of
        every case type's columns is mostly empty, which a day can afford)."""
        if sum(map(len, self._undelivered)) > LARGEST_JOINT_BATCH or len(self._undelivered) < 2:
            return self._undelivered
        # Nullable, or a column that only some case types have would lose its type in the union.
        return [pd.concat([_nullable(rows) for rows in self._undelivered], ignore_index=True)]

    def _note_observed(
        self, delivered: Mapping[str, pd.DataFrame], night: dict[str, Any]
    ) -> dict[str, int]:
        """Whose truth the loop has now been shown: a number of labels by case type."""
        columns = ["case_id", "case_type", "observed_at"]
        outcomes, reviews = delivered.get("outcomes"), delivered.get("reviews")
        shown = [outcomes[columns]] if outcomes is not None and len(outcomes) else []
        if reviews is not None and len(reviews):
            settled = reviews[reviews["verdict"].isin(["pass", "block"])]
            shown.append(settled.rename(columns={"resolved_at": "observed_at"})[columns])
        if not shown:
            return {}
        new = pd.concat(shown, ignore_index=True)
        self.observed.append(new.drop(columns="case_type"))
        night["labels_seen"] = len(new)
        return {str(name): int(count) for name, count in new["case_type"].value_counts().items()}

    def _retrain_when_due(self, services: TrainingServices, as_of: datetime) -> bool:
        """Whether anything was due; the book must be read again then."""
        asked = self.people.retrains(services, as_of) if self.people is not None else []
        self.fits += [(as_of, one) for one in asked]
        self._tried |= {one.case_type: as_of for one in asked}
        due = [name for name in services.case_types if self._retrain_is_due(name, as_of)]
        if due:
            fits = retrain_all(services, load_snapshot(services, as_of), due)
            self.fits += [(as_of, one) for one in fits]
            self._tried |= dict.fromkeys(due, as_of)
        return bool(due or asked)

    def _retrain_is_due(self, case_type: str, as_of: datetime) -> bool:
        """A new model starts its evidence afresh, so while nothing is automated yet the first one
        is given three looks, or three intervals, before it is replaced. A challenger that the gate
        turned down is not tried again the next night."""
        generation = current_generation(self.services.ledger, self.services.case_types, case_type)
        if generation is None:
            return True
        last = max(generation.started_at, self._tried.get(case_type, generation.started_at))
        age = (as_of - last) / timedelta(days=self.retrain_days)
        nothing_automated = self.services.ledger.live_policy(case_type) is None
        if nothing_automated and generation.looks < LOOKS_BEFORE_RETRAIN:
            return age >= LOOKS_BEFORE_RETRAIN
        return age >= 1.0

    def _approve(self, as_of: datetime) -> set[str]:
        """The walk's stand-in for people: promotes what is proposed, and lets labels count whose
        level came and went (that of what came after has lasted by then)."""
        promoted = set()
        for case_type in self.services.case_types:
            for hold in holds_that_wait(self.services.ledger, case_type):
                if hold.state is HoldState.BOUNDED:
                    release_hold(
                        self.services.ledger,
                        self.services.case_types,
                        hold.hold_id,
                        APPROVER,
                        STAND_IN,
                        as_of,
                    )
            for proposal in waiting(self.services.ledger, case_type):
                if self.people and not self.people.would_approve(self.services, proposal, as_of):
                    continue
                approve_and_promote(self.services, case_type, proposal.policy_id, APPROVER, as_of)
                promoted.add(case_type)
        return promoted

    def _day(self, step: int, as_of: datetime, case_type: str) -> dict[str, Any]:
        judged = next(
            (one for one in self.nights[-1]["certificates"] if one["case_type"] == case_type), None
        )
        return {
            "step": step,
            "date": as_of.date().isoformat(),
            "case_type": case_type,
            "policy_id": None,
            "model_version": None,
            "verdict": judged["verdict"] if judged else "hold",
            "promoted": False,
            "reasons": judged["reasons"] if judged else not_done(self.nights[-1]["results"]),
            "pass_at_or_below": None,
            "block_at_or_above": None,
            "cases": 0,
            "bad": 0,
            "auto_passed": 0,
            "auto_blocked": 0,
            "escalated": 0,
            "audited": 0,
            "labels": 0,
            "true_precision": None,
            "true_recall": None,
            "true_false_omission": None,
        }

    def _decide(self, row: dict[str, Any], cases: pd.DataFrame, as_of: datetime) -> None:
        case_type = row["case_type"]
        decided = decide_cases(self.services, case_type, cases, as_of)
        self.upstream.note(decided)
        self._undelivered.append(decided)
        narrow = ["case_id", "case_type", "opened_at", "score", "action", "propensity", "audited"]
        narrow += ["policy_id", "model_version", "priority"]
        self.decisions.append(decided[narrow])
        policy = self.services.ledger.policy(str(decided["policy_id"].iloc[0]))
        actions = decided["action"].value_counts()
        row |= {
            "policy_id": policy.policy_id,
            "model_version": policy.model_version,
            "pass_at_or_below": policy.boundary.pass_at_or_below,
            "block_at_or_above": policy.boundary.block_at_or_above,
            "cases": len(decided),
            "auto_passed": int(actions.get(Action.AUTO_PASS.value, 0)),
            "auto_blocked": int(actions.get(Action.AUTO_BLOCK.value, 0)),
            "escalated": int(actions.get(Action.ESCALATE.value, 0)),
            "audited": int(decided["audited"].sum()),
        }


def _nullable(rows: pd.DataFrame) -> pd.DataFrame:
    kinds = {"b": "boolean", "i": "Int64"}
    named = {name: kinds[kind.kind] for name, kind in rows.dtypes.items() if kind.kind in kinds}
    return rows.astype(named)
