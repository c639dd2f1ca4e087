"""A live home in which a first model advises on simulated cases that people all review."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from flows.verbs.decide.decide import decide_cases
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.intake.admit import admit_batch
from flows.verbs.learn.train import retrain
from flows.verbs.services import Services
from models.risk import RiskModel
from models.simulation import Exchange, RevealedHistory
from tests.builders import START, small_settings, with_mlflow

CASE_TYPE = "ato"
WARM_UP_DAYS, DAYS = 36, 40


@dataclass(frozen=True)
class Advised:
    """`past` cases taught the model; `decided` came after it, with all columns of a decision."""

    home: Path
    services: Services
    model: RiskModel
    past: pd.DataFrame
    cases: pd.DataFrame
    decided: pd.DataFrame
    now: datetime


def advised_desk(home: Path) -> Advised:
    """One retrain after `WARM_UP_DAYS`; the cases since are decided once, and admitted."""
    settings = small_settings()
    kinds = {CASE_TYPE: settings.load_case_types()[CASE_TYPE]}
    exchange = Exchange(11, cases_per_day={CASE_TYPE: 150}, start=START, burst=None)
    cases = exchange.cases(CASE_TYPE, 0, DAYS).drop(columns=["true_logit", "matures_at"])
    services = Services.at(with_mlflow(home / "live"), settings, kinds, seed=3)
    upstream = RevealedHistory(cases, kinds, WARM_UP_DAYS, step_days=1)
    now = upstream.start
    (past,) = upstream.warm_up()
    taught = decide_cases(services, CASE_TYPE, past, now)
    upstream.note(taught)
    admit_batch(services, "decisions", taught, now, source="walk decisions")
    outcomes = upstream.deliveries(now)["outcomes"]
    admit_batch(services, "outcomes", outcomes, now, source="walk outcomes")
    challenger = retrain(services, load_snapshot(services, now), CASE_TYPE)
    assert challenger.version is not None, challenger.note
    model = services.registry.load(CASE_TYPE, challenger.version, str(challenger.digest))
    new = pd.concat([part for step in range(upstream.steps) for part in upstream.arrivals(step)])
    new = new.reset_index(drop=True)
    later = now + timedelta(days=DAYS - WARM_UP_DAYS)
    decided = decide_cases(services, CASE_TYPE, new, later)
    admit_batch(services, "decisions", decided, later, source="walk decisions")
    return Advised(home, services, model, past, new, decided, later)
