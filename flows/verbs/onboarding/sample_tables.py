"""Sample tables of a *simulated* live source, as somebody else's systems would deliver them.

Withdrawals of the simulated exchange whose truth is known to it alone. With our own model: past cases
whose truth is known, and today's new ones. With another agent: its scores, what people said of the
cases, and what came to light by itself. That agent only advises, as one should before its first proof:
people see every case, so each label counts in full. The columns are not called as ours are,
and some of them should not be read by any model, as in real tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from configs.errors import UserError
from flows.adapters.files.private_home import modes_for
from models.simulation import Exchange
from models.simulation.exchange import HIDDEN_COLUMNS
from models.simulation.keyed_draws import KeyedDraws
from models.simulation.reviewers import ReviewerPool

CASE_TYPE = "withdrawal_anomaly"
AGENT_MODEL = "agent-2026.1"
AGENT_POLICY = "agent-policy-7"
_THEIR_NAMES = {
    "case_id": "withdrawal_id",
    "opened_at": "requested_at",
    "amount_usd": "amount",
    "priority": "customer_priority",
}


@dataclass(frozen=True)
class Sample:
    """How much is drawn: `per_day` cases on each of `days` days until `until` (midnight, UTC)."""

    until: datetime
    days: int
    per_day: int
    seed: int = 7
    external: bool = False


def sample_tables(sample: Sample) -> dict[str, pd.DataFrame]:
    """The tables by name.

    With our own model `history` (withdrawal_id, requested_at, amount, customer_priority, fraud, the
    features, and columns that no model should read) and `cases` (the same without the truth, of the last day); else `decisions`, `reviews` and `outcomes` by contract.
    """
    exchange = Exchange(
        sample.seed, cases_per_day={CASE_TYPE: sample.per_day}, start=sample.until, burst=None
    )
    past = exchange.cases(CASE_TYPE, -sample.days, sample.days)
    if sample.external:
        return _of_another_agent(exchange, past, pd.Timestamp(sample.until))
    today = exchange.cases(CASE_TYPE, -1, 1)
    known = past["matures_at"] <= pd.Timestamp(sample.until)
    settled = past[known & ~past["case_id"].isin(today["case_id"])].reset_index(drop=True)
    return {
        "history": _history(settled, sample.seed),
        "cases": _new(today, sample.seed),
    }


def write_sample(sample: Sample, folder: Path) -> dict[str, int]:
    """Write the tables as Parquet into a folder; how many rows each has.

    Raises:
        UserError: one of the files is there already; nothing is written.
    """
    tables = sample_tables(sample)
    there = [f"{name}.parquet" for name in tables if (folder / f"{name}.parquet").exists()]
    if there:
        raise UserError(
            f"{folder} has {', '.join(there)} already, and nothing is written over; name another folder."
        )
    with modes_for(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in tables.items():
            rows.to_parquet(folder / f"{name}.parquet", index=False)
    return {name: len(rows) for name, rows in tables.items()}


def _history(cases: pd.DataFrame, seed: int) -> pd.DataFrame:
    bad = cases["bad"].to_numpy(dtype=np.bool_)
    told = _new(cases, seed)
    told.insert(2, "fraud", np.where(bad, "yes", "no"))
    # Filled in by whoever closed the case: it repeats the label.
    told["closed_as"] = np.where(bad, "loss", "fine")
    return told


def _new(cases: pd.DataFrame, seed: int) -> pd.DataFrame:
    """New cases under their own names, with a few columns that say nothing of other cases."""
    draws = KeyedDraws(seed, cases["case_id"])
    customer = (draws.uniform("customer") * 50_000).astype(np.int64)
    shown = cases.drop(columns=[*HIDDEN_COLUMNS, "case_type"]).rename(columns=_THEIR_NAMES)
    shown["customer_id"] = pd.Series(customer, index=cases.index).map("C{:06d}".format)
    shown["currency"] = "USD"
    return shown


def _of_another_agent(
    exchange: Exchange, cases: pd.DataFrame, until: pd.Timestamp
) -> dict[str, pd.DataFrame]:
    said = exchange.agent(cases)
    score = said["score"].to_numpy(dtype=np.float64)
    decisions = cases.drop(columns=[*HIDDEN_COLUMNS, "case_type"]).assign(
        decided_at=cases["opened_at"] + timedelta(seconds=2),
        score=score,
        recommendation=said["recommendation"],
        action="escalate",
        propensity=1.0,
        audited=False,
        arm="control",
        policy_id=AGENT_POLICY,
        model_version=AGENT_MODEL,
    )
    minutes = 10.0 + 220.0 * KeyedDraws(exchange.seed, cases["case_id"]).uniform("waited")
    queued = cases["opened_at"] + timedelta(seconds=2)
    pool = ReviewerPool(exchange.seed, [CASE_TYPE])
    first = pool.review(
        cases,
        recommendation=said["recommendation"].to_numpy(dtype=object),
        score=score,
        kind=np.full(len(cases), "escalation", dtype=object),
        queued_at=queued,
        resolved_at=queued + pd.Series((minutes * 60e6).astype(np.int64)).astype("timedelta64[us]"),
    )
    # A second person looks at every block, of either: of these labels a promise of recall counts, and
    # one that nobody confirmed counts for less (METHODS 1.6).
    advice = said["recommendation"].to_numpy(dtype=object)
    blocked = (first["verdict"] != "pass").to_numpy(dtype=np.bool_) | (advice == "block")
    again = pool.second_review(cases, first, recommendation=advice, score=score, asked=blocked)
    reviews = pd.concat([first, again], ignore_index=True)
    verdicts = reviews.groupby("case_id")["verdict"].last().reindex(cases["case_id"])
    closed = verdicts.where(verdicts.isin(["pass", "block"])).to_numpy(dtype=object)
    action = np.full(len(cases), "escalate", dtype=object)
    outcomes = exchange.outcomes(cases, action, pd.Series(closed))
    tables = {"decisions": decisions, "reviews": reviews, "outcomes": outcomes}
    marks = {"decisions": "decided_at", "reviews": "resolved_at", "outcomes": "observed_at"}
    return {
        name: rows[rows[marks[name]] < until].reset_index(drop=True)
        for name, rows in tables.items()
    }
