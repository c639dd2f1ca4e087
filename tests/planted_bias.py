"""A desk whose model learned from labels that blamed one feature too much (simulated).

Until the model was fitted, labels followed an agent that doubles the weight of `FEATURE`; from then
on they follow the truth. So a trained model, and not an edited one, carries a planted bias.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from flows.verbs.decide.decide import decide_cases
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.learn.train import retrain
from flows.verbs.services import Services
from models.simulation import Exchange
from models.simulation.faults import WeightFault

CASE_TYPE, FEATURE, FACTOR = "ato", "failed_2fa_count", 2.0
PAST_DAYS, LIVE_DAYS, PER_DAY = 30, 24, 900


def with_a_model(services: Services, now: datetime, *, biased: bool, seed: int = 31) -> datetime:
    """Fill a desk with a labelled past, a model of it, and the days it has scored since.

    Returns the moment by which everything is mature.
    """
    maturity = timedelta(days=services.case_types[CASE_TYPE].maturity_days + 2)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - maturity - timedelta(days=PAST_DAYS + LIVE_DAYS)
    faults = [WeightFault(CASE_TYPE, FEATURE, FACTOR)]
    exchange = Exchange(
        seed,
        cases_per_day=dict.fromkeys(Exchange(0).cases_per_day, 1) | {CASE_TYPE: PER_DAY},
        faults=faults,
        start=start.astimezone(UTC),
        burst=None,
    )
    past = exchange.cases(CASE_TYPE, 0, PAST_DAYS)
    blamed = exchange.agent(past)["score"].to_numpy()
    draws = np.random.default_rng(seed).random(len(past))
    _lived(services, past, (draws < blamed) if biased else past["bad"].to_numpy(), start)
    trained_at = start + timedelta(days=PAST_DAYS) + maturity
    retrain(services, load_snapshot(services, trained_at), CASE_TYPE)
    live = exchange.cases(CASE_TYPE, PAST_DAYS, LIVE_DAYS)
    _lived(services, live, live["bad"].to_numpy(), trained_at)
    return midnight


def _lived(services: Services, cases: pd.DataFrame, bad: np.ndarray, now: datetime) -> None:
    """Cases decided and, as outcomes, verified; stored without admission, tested elsewhere."""
    shown = cases.drop(columns=["bad", "true_logit", "matures_at"])
    decided = decide_cases(services, CASE_TYPE, shown, now)
    outcomes = pd.DataFrame(
        {
            "case_id": cases["case_id"],
            "case_type": CASE_TYPE,
            "observed_at": cases["opened_at"] + pd.Timedelta(days=1),
            "bad": bad.astype(bool),
            "source": "reverification",
        }
    )
    for table, rows, key in (
        ("decisions", decided, ["case_id"]),
        ("outcomes", outcomes, ["case_id", "observed_at"]),
    ):
        nothing = rows.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
        services.store.append(table, rows, nothing, key=key, source="past", received_at=now)
