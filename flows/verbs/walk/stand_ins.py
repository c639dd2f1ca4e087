"""What do the people of a demo do? They ask for a sprint, answer a ticket, look back after a fall.

Each does what a person can do by a command, and nothing else: whatever they bring about stands in the
ledger, or comes as reviews.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from configs.errors import GateRefused, UserError
from flows.verbs.causes.tickets import due_patterns, to_answer
from flows.verbs.evidence.store_draws import store_drawn
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.learn.challenger import Challenger
from flows.verbs.learn.train import retrain
from flows.verbs.more_labels.extend_audit import ask_or_agree, draw_asked
from flows.verbs.more_labels.look_back import LookBack, look_backs, waiting_cases
from flows.verbs.ports import TrainingServices
from models.hub import Entry
from models.hub.record.falls import falls_of

OPS, SECOND = "ana", "ben"
"""Who asks for a draw from the store, and who agrees to it."""

_FOR_A_REVIEW = ["case_id", "case_type", "action", "recommendation", "score"]


@dataclass(frozen=True)
class Draw:
    """A draw from the store that is planned: for which night (from 0), up to which rate, and over how
    many days its audits are done."""

    case_type: str
    night: int
    rate: float
    days: float


@dataclass(frozen=True)
class Handed:
    """Cases that were handed out for reviews beside the services: when, why, how many, reviewer hours."""

    at: datetime
    case_type: str
    why: str
    cases: int
    hours: float


@dataclass(frozen=True)
class Refused:
    """A draw from the store that was asked for and refused: when, and why."""

    at: datetime
    case_type: str
    why: str


@dataclass
class StandIns:
    """The people of a demo, and what they still want.

    Attributes:
        hand_out: gives stored decisions to reviewers beside the services's queue, from a moment on, over so
            many days (`SimulatedUpstream.looked_at_later`).
        draws: what is planned.
        look_back_days: over so many days the look-back's cases are reviewed.
        retrain_after: so many nights after a boundary fell somebody retrains its model, and again as many
            later where the gate turned that model down.
        handed, refused: what was handed out so far, and which draws were refused.
    """

    hand_out: Callable[[pd.DataFrame, datetime, float], None]
    draws: tuple[Draw, ...] = ()
    look_back_days: float = 3.0
    retrain_after: int = 3
    handed: list[Handed] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    _fallen: dict[str, datetime] = field(default_factory=dict)
    _tickets: dict[str, str] = field(default_factory=dict)
    _read: set[tuple[str, str]] = field(default_factory=set)

    def retrains(self, services: TrainingServices, as_of: datetime) -> list[Challenger]:
        """What somebody trains this night: an answer to the ticket of the night before, or a model that
        has seen what made a boundary fall."""
        wanted: dict[str, tuple[list[str], list[str]]] = {}
        for pattern_id, case_type in self._tickets.items():
            due = to_answer(services, case_type, pattern_id)
            if due:
                wanted[case_type] = due_patterns(services.case_types, case_type, due, (), ())
        self._tickets = {}
        learns = timedelta(days=self.retrain_after)
        after_fall = [name for name, at in self._fallen.items() if at + learns <= as_of]
        for case_type in after_fall:
            wanted.setdefault(case_type, ([], []))
        if not wanted:
            return []
        snapshot = load_snapshot(services, as_of)
        fitted = [retrain(services, snapshot, name, *asked) for name, asked in wanted.items()]
        for one in fitted:
            if one.case_type in after_fall:
                del self._fallen[one.case_type]
                if not one.filed:
                    self._fallen[one.case_type] = as_of
        return fitted

    def would_approve(self, services: TrainingServices, proposal: Entry, as_of: datetime) -> bool:
        """Whether the approver agrees. What rests on a model whose boundary fell waits for a model that
        has learned since: the proof is about an average, and the fall is about today."""
        policy = services.ledger.policy(str(proposal.policy_id))
        fallen = falls_of(services.ledger.history(), proposal.case_type)
        return not any(
            services.ledger.policy(one.fallen).model_digest == policy.model_digest for one in fallen
        )

    def after(
        self, services: TrainingServices, night: Mapping[str, Any], step: int, as_of: datetime
    ) -> None:
        """The day after a night: tickets are read, a fall is looked back at, a planned draw is asked for
        and agreed to."""
        # A ticket is read once a night that found its pattern: an answer that the gate turned down is
        # not tried again before the pattern is found again.
        asking = [one for one in night["tickets"] if one["fires"] and one["status"] == "open"]
        new = {(str(one["pattern_id"]), str(one["last_seen"])): one for one in asking}
        self._tickets = {
            pattern_id: str(one["case_type"])
            for (pattern_id, seen), one in new.items()
            if (pattern_id, seen) not in self._read
        }
        self._read |= set(new)
        for case_type in self._fell_tonight(services, as_of):
            self._look_back(services, case_type, as_of)
        for draw in self.draws:
            if draw.night == step:
                self._draw(services, draw, as_of)

    def _fell_tonight(self, services: TrainingServices, as_of: datetime) -> list[str]:
        fell = [
            name
            for name in services.case_types
            if any(one.at >= as_of for one in falls_of(services.ledger.history(), name))
        ]
        for case_type in fell:
            self._fallen[case_type] = as_of
        return fell

    def _look_back(self, services: TrainingServices, case_type: str, as_of: datetime) -> None:
        found: list[LookBack] = look_backs(services, case_type, as_of)
        ids = waiting_cases(found)["case_id"]
        self._hand(services, case_type, "look_back", ids, as_of, self.look_back_days)

    def _draw(self, services: TrainingServices, draw: Draw, as_of: datetime) -> None:
        before = set(store_drawn(services, draw.case_type, as_of)["case_id"])
        try:
            asked = draw_asked(services, draw.case_type, "this_model", as_of, rate=draw.rate)
            ask_or_agree(services.ledger, asked, OPS, as_of)
            ask_or_agree(services.ledger, asked, SECOND, as_of)
        except (UserError, GateRefused) as no:
            # A person hears why, and the loop goes on.
            self.refused.append(Refused(as_of, draw.case_type, str(no)))
            return
        ids = store_drawn(services, draw.case_type, as_of)["case_id"]
        self._hand(services, draw.case_type, "sprint", ids[~ids.isin(before)], as_of, draw.days)

    def _hand(
        self,
        services: TrainingServices,
        case_type: str,
        why: str,
        ids: pd.Series,
        as_of: datetime,
        days: float,
    ) -> None:
        minutes = services.case_types[case_type].staffing.handling_minutes
        self.handed.append(Handed(as_of, case_type, why, len(ids), len(ids) * minutes / 60.0))
        if len(ids):
            self.hand_out(_stored(services, ids, as_of), as_of, days)


def _stored(services: TrainingServices, ids: pd.Series, as_of: datetime) -> pd.DataFrame:
    """What a blind review of stored decisions is made from."""
    rows: pd.DataFrame = services.store.read(
        "decisions",
        columns=_FOR_A_REVIEW,
        filters={"case_id": ids.astype("str").tolist()},
        as_of=as_of,
    )
    return rows.drop_duplicates("case_id")
