"""Does an A/B test on cases as they come promote a sound boundary, and stop one that is not?

A small simulated history with known truth: a model learns from its first days, a narrow boundary goes
live, a wider one is tried on the days after. Truth is shown for drawn cases alone, once they mature.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.verbs.ab.validate_ab import validate_ab
from flows.verbs.certify.generation import current_generation, last_version
from flows.verbs.decide.decide import decide_cases
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.history import history_of
from flows.verbs.govern.promote import approve_and_promote
from flows.verbs.govern.proposed_policy import advised_policy
from flows.verbs.intake.admit import admit_batch
from flows.verbs.intake.deliveries import Delivery, admit_deliveries
from flows.verbs.learn.train import retrain_all
from flows.verbs.record.explain import explain
from flows.verbs.services import Services
from models.hub import Entry, EntryKind, Policy, Propose
from models.simulation import RevealedHistory
from models.vocabulary import AbPlan, Boundary, CaseType, Targets
from tests.builders import small_case_type, small_history, small_settings

NAME = "small_case"
DAYS_LEARNED, DAYS_A_LOOK, HORIZON = 12, 5, 25.0
TARGETS = Targets(precision=0.7, recall=0.9, delta=0.05)


@dataclass
class Exchange:
    """A desk after its first model, and the world that shows it cases and truth."""

    services: Services
    upstream: RevealedHistory
    truth: pd.Series
    step: int = 0

    @property
    def now(self) -> datetime:
        return self.upstream.start + self.step * self.upstream.step

    def days(self, count: int) -> None:
        """Cases come, are decided, and what is due of their truth comes back."""
        for _ in range(count):
            for cases in self.upstream.arrivals(self.step):
                decided = decide_cases(self.services, NAME, cases, self.now)
                self.upstream.note(decided)
                admit_batch(
                    self.services, "decisions", decided, self.now + timedelta(days=1), source="day"
                )
            self.step += 1
        due = self.upstream.deliveries(self.now)
        admit_deliveries(self.services, [Delivery("outcomes", due["outcomes"], "truth")], self.now)
        self.upstream.received(due)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose ledger has a first model, learned from the first days."""
    home = tmp_path_factory.mktemp("ab") / "home"
    _exchange(home, learn=True)
    return home


@pytest.fixture
def exchange(learned: Path, tmp_path: Path) -> Exchange:
    shutil.copytree(learned, tmp_path / "home")
    opened = _exchange(tmp_path / "home", learn=False)
    return replace(opened, services=replace(opened.services, registry=_desk(learned).registry))


def test_a_sound_wider_boundary_is_proven_and_promoted_at_once(exchange: Exchange) -> None:
    """All its claims are proven before the horizon; `validate_ab` concludes, promotes what a person
    approved, and a treated case can be explained to the person who approved it."""
    _live(exchange, _cuts(exchange, recall=0.995, precision=0.9))
    trial = _live(exchange, _cuts(exchange, recall=0.97, precision=0.9), plan=_plan())
    assert trial.kind is EntryKind.AB_STARTED
    began = exchange.now
    verdicts = []
    while exchange.now < began + timedelta(days=HORIZON) and verdicts[-1:] != ["promote"]:
        exchange.days(DAYS_A_LOOK)
        (told,) = validate_ab(exchange.services, exchange.now)
        verdicts.append(told["verdict"])
    assert verdicts[-1] == "promote", told
    assert all(one["proven"] for one in told["proofs"] if one["tested"])
    assert exchange.services.ledger.live_policy(NAME).policy_id == trial.policy_id
    kinds = [entry.kind.value for entry in exchange.services.ledger.history(NAME)][-2:]
    assert kinds == ["ab_concluded", "promoted"]
    assert validate_ab(exchange.services, exchange.now) == []
    _a_treated_case_is_explained(exchange, trial)
    then = history_of(
        exchange.services.ledger, exchange.services.case_types, NAME, began, exchange.now
    )["live"][0]
    assert (then["policy_id"], then["trying"]) == (trial.dossier["control"], trial.policy_id)


def test_a_boundary_that_misses_too_much_is_stopped_and_its_approval_spent(
    exchange: Exchange,
) -> None:
    """Recall .75 against a promise of .9: refuted, told, and never live."""
    control = _live(exchange, _cuts(exchange, recall=0.995, precision=0.9))
    _live(exchange, _cuts(exchange, recall=0.75, precision=0.9), plan=_plan())
    told = {"verdict": "continue"}
    for _ in range(int(HORIZON / DAYS_A_LOOK)):
        exchange.days(DAYS_A_LOOK)
        (told,) = validate_ab(exchange.services, exchange.now)
        if told["verdict"] != "continue":
            break
    assert told["verdict"] == "stop"
    assert "recall" in " ".join(told["reasons"])
    assert exchange.services.ledger.live_policy(NAME).policy_id == control.policy_id
    (alert,) = exchange.services.alerts.recent(1)
    assert alert["kind"] == "ab_concluded"


def _a_treated_case_is_explained(exchange: Exchange, trial: Entry) -> None:
    rows = exchange.services.store.read(
        "decisions", columns=["case_id", "arm", "policy_id"], filters={"arm": ["treatment"]}
    )
    assert set(rows["policy_id"]) == {trial.policy_id}
    told = explain(exchange.services, str(rows["case_id"].iloc[0]))
    assert told["policy"]["approved_by"] == ["lead"]
    assert told["policy"]["made_live"] is None  # it was on trial then
    assert told["policy"]["tried_since"] == trial.at.isoformat()
    assert told["again"]["agrees_in_all"], told["again"]


def _plan() -> AbPlan:
    return AbPlan(targets=TARGETS, horizon_days=HORIZON, precision_margin=0.2)


def _live(exchange: Exchange, boundary: Boundary, plan: AbPlan | None = None) -> Entry:
    services, now = exchange.services, exchange.now
    generation = current_generation(services.ledger, services.case_types, NAME)
    policy: Policy = replace(
        advised_policy(services.registry, services.case_types, generation, boundary), ab_plan=plan
    )
    proposed = services.ledger.submit(
        Propose(
            case_type=NAME, policy=policy, actor="night", base_version=last_version(services.ledger, NAME),
            evidence_digest="e" * 64, evidence_since=now, evidence_until=now,
        ),
        now,
    )  # fmt: skip
    assert isinstance(proposed, Entry), proposed
    return approve_and_promote(services, NAME, policy.policy_id, "lead", now)


def _cuts(exchange: Exchange, recall: float, precision: float) -> Boundary:
    """The widest boundary with this recall and this precision on all later cases, by their truth."""
    later = exchange.upstream.cases(NAME, exchange.upstream.start)
    later = later[later["priority"] < 75].reset_index(drop=True)
    model = current_generation(exchange.services.ledger, exchange.services.case_types, NAME).load(
        exchange.services.registry
    )
    score = model.score(later)[0]
    bad = exchange.truth.reindex(later["case_id"]).to_numpy(dtype=bool)
    low = float(np.quantile(score[bad], 1.0 - recall))
    order = np.argsort(-score)
    kept = np.cumsum(bad[order]) / np.arange(1, len(order) + 1)
    high = float(score[order][np.flatnonzero(kept >= precision)[-1]])
    return Boundary(low, max(high, np.nextafter(low, 1.0)))


def _exchange(home: Path, learn: bool) -> Exchange:
    history = small_history(days=DAYS_LEARNED + 30, per_day=300, seed=5)
    kinds = {NAME: _kind()}
    upstream = RevealedHistory(history, kinds, DAYS_LEARNED, step_days=1)
    services = _desk(home)
    if learn:
        for cases in upstream.warm_up():
            decided = decide_cases(services, NAME, cases, upstream.start)
            upstream.note(decided)
            admit_batch(services, "decisions", decided, upstream.start, source="warm-up")
        due = upstream.deliveries(upstream.start)
        admit_deliveries(services, [Delivery("outcomes", due["outcomes"], "truth")], upstream.start)
        retrain_all(services, load_snapshot(services, upstream.start), [NAME])
    truth = history.set_index("case_id")["bad"]
    return Exchange(services, upstream, truth)


def _kind() -> CaseType:
    return replace(small_case_type(audit_rate=0.25), targets=TARGETS, maturity_days=2.0)


def _desk(home: Path) -> Services:
    return Services.at(home, small_settings(), {NAME: _kind()}, seed=3)
