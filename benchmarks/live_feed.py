"""Forty-five nights on a live feed made from the cards: was a night lost, a row, or the guard?

Usage: python -m benchmarks.live_feed [--table] [--check]

The cards were simulated by their authors, and this feed is *simulated* from them: a model fitted on
April is the other agent; everything it does not decide, and 5 % of what it does, is reviewed by ten
people of whom 1 % of the words are wrong and most of those are corrected days later; what nobody
found comes back as a chargeback. May and June are dealt out over twice as many days (an even and an
odd half a day), so that 45 nights run and ten outages of 1 to 10 nights fit between them. The
commands are those of a live home: `night --as-of`, `retrain`, `proposals`, `approve`, `promote`,
`decide`, `release`, at the feed's own clock.

Raw results: results/live_feed/nights.jsonl, a line a night, and accounts.json, the rows of every
table; `--table` prints the tables from them, `--check` runs the first nights again and compares.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb

from benchmarks.commands import Home
from benchmarks.feed import TABLES, Agent, Feed, Habits, write_config
from configs.places import ratchet_data

RESULTS = Path(__file__).parent / "results" / "live_feed"
CASE_TYPE = "card_transaction"
FEATURES = (
    "TX_AMOUNT", "TX_DURING_WEEKEND", "TX_DURING_NIGHT",
    *(f"CUSTOMER_ID_{what}_{days}DAY_WINDOW" for days in (1, 7, 30) for what in ("NB_TX", "AVG_AMOUNT")),
    *(f"TERMINAL_ID_{what}_{days}DAY_WINDOW" for days in (1, 7, 30) for what in ("NB_TX", "RISK")),
)  # fmt: skip
START = datetime(2018, 5, 1, tzinfo=UTC)
NIGHTS, SLICE = 45, 12
SHARE = 0.4  # of the cards; in the wave, of the good ones: all the bad ones are 2.5 times as many
WAVE_DAYS = (54, 64)
OUTAGES = {4: 2, 7: 1, 10: 5, 13: 4, 17: 10, 22: 8, 27: 3, 32: 9, 37: 6, 42: 7}
"""Nights that did not run before the night of this number: each of 1 to 10 once."""
EMPTY_OUTCOMES = (15, 16, 29)
DOUBLED = {9: ("decisions", "reviews"), 20: ("decisions", "reviews", "outcomes")}
RETRAIN_AFTER, PILOT_SHARE = 13, 0.5
SECRET = "5f1a" * 16


@dataclass(frozen=True)
class Plan:
    """When nights run and what goes wrong before each: by night, the day of the feed it closes."""

    days: tuple[int, ...]
    outages: tuple[int, ...]

    @classmethod
    def of(cls, nights: int) -> Plan:
        missed = tuple(OUTAGES.get(night, 0) for night in range(1, nights + 1))
        return cls(tuple(np.cumsum([1 + each for each in missed]).tolist()), missed)

    def moment(self, night: int) -> datetime:
        return START + timedelta(days=self.days[night - 1], hours=2)


def cards() -> tuple[pd.DataFrame, pd.DataFrame]:
    """April to learn from, and the feed: two days of it for each day of May and June."""
    table = pd.read_parquet(ratchet_data() / "handbook_transactions.parquet")
    table = table.sort_values("TX_DATETIME", kind="stable", ignore_index=True)
    later = (table["TX_DATETIME"] >= START.replace(tzinfo=None)).to_numpy()
    april, rows = table[~later], table[later].reset_index(drop=True)
    half = np.random.default_rng([1, 1]).integers(0, 2, len(rows))
    opened = rows["TX_DATETIME"].astype("datetime64[us]").dt.tz_localize("UTC")
    day = (opened - pd.Timestamp(START)).dt.days.to_numpy()
    rows["opened_at"] = opened + pd.Series((day + half) * 86_400_000_000).astype("timedelta64[us]")
    feed_day = 2 * day + half
    wave = (feed_day >= WAVE_DAYS[0]) & (feed_day < WAVE_DAYS[1])
    share = np.where(wave & rows["TX_FRAUD"].eq(1).to_numpy(), 1.0, SHARE)
    kept = rows[np.random.default_rng([1, 2]).random(len(rows)) < share]
    return april, kept.sort_values("opened_at", kind="stable", ignore_index=True)


def another_agent(april: pd.DataFrame, rows: pd.DataFrame) -> tuple[Agent, npt.NDArray[np.float64]]:
    """A model fitted on most of April, its thresholds picked on the rest, and its scores of the feed."""
    cut = int(len(april) * 0.8)
    names = list(FEATURES)
    told = {"objective": "binary:logistic", "max_depth": 4, "eta": 0.1, "nthread": 1, "seed": 1}
    booster = xgb.train(
        told, xgb.DMatrix(april[names].iloc[:cut], april["TX_FRAUD"].iloc[:cut]), 80
    )
    kept, bad = april.iloc[cut:], april["TX_FRAUD"].iloc[cut:].to_numpy()
    score = booster.predict(xgb.DMatrix(kept[names]))
    low = float(np.quantile(score, 0.3))
    high = float(np.quantile(score[bad == 1], 0.7))
    agent = Agent("another-agents-policy-7", "april-2018", low, high)
    return agent, booster.predict(xgb.DMatrix(rows[names])).astype(np.float64)


def card_feed() -> Feed:
    """The whole upstream; every other card is ours once a policy of ours is live."""
    april, rows = cards()
    agent, score = another_agent(april, rows)
    cases = pd.DataFrame(
        {
            "case_id": "card-" + rows["TRANSACTION_ID"].astype("str"),
            "case_type": CASE_TYPE,
            "opened_at": rows["opened_at"],
            "priority": 0,
            "amount_usd": rows["TX_AMOUNT"].astype("float64"),
            "score": score,
            "bad": rows["TX_FRAUD"].eq(1),
            **{name: rows[name].astype("float64") for name in FEATURES},
        }
    ).astype({"case_id": "str", "case_type": "str"})
    plan = Plan.of(NIGHTS)
    pilot = START + timedelta(days=plan.days[RETRAIN_AFTER - 1] + 1)
    later = (cases["opened_at"] >= pd.Timestamp(pilot)).to_numpy()
    ours = later & (np.random.default_rng([1, 3]).random(len(cases)) < PILOT_SHARE)
    return Feed(cases, agent, seed=1, habits=Habits(), ours=ours)


CASE_TYPE_FILE: dict[str, Any] = {
    "name": CASE_TYPE,
    "description": "Card transactions simulated by the authors of the Fraud Detection Handbook (2022).",
    "features": [{"name": name} for name in FEATURES],
    "targets": {"precision": 0.9, "false_omission_rate": 0.006},
    "maturity_days": 7,
    "audit_rate": 0.05,
    "costs": {"review_usd": 2.0, "false_positive_usd": 15.0, "false_negative_usd": 120.0},
    "certificate_days": 90,
}


@dataclass
class Run:
    """The feed, the home, and what each night said."""

    feed: Feed
    plan: Plan
    folder: Path
    home: Home
    nights: list[dict[str, Any]] = field(default_factory=list)
    decided_until: datetime = START
    decided: Counter[str] = field(default_factory=Counter)

    @classmethod
    def start(cls, folder: Path, nights: int = NIGHTS) -> Run:
        """An empty home with two approvers and an operator, and the feed's sources behind it."""
        settings = write_config(folder / "config", CASE_TYPE_FILE, folder / "tables")
        settings |= {"RATCHET_AUDIT_KEY": SECRET, "RATCHET_TRIAGE__EVERY_DAYS": "14"}
        home = Home(folder / "home", settings)
        (folder / "tables").mkdir()
        for name, role, by in (("ana", "approver", ""), ("ben", "approver", "ana"), ("ola", "operator", "ana")):  # fmt: skip
            home.enrol(name, role, START, by)
        return cls(card_feed(), Plan.of(nights), folder, home)

    def night(self, number: int) -> dict[str, Any]:
        """One night, with what was delivered for it and what people did after it."""
        at = self.plan.moment(number)
        began = time.perf_counter()
        self._decide_ours(at)
        empty = ("outcomes",) if number in EMPTY_OUTCOMES else ()
        doubled = DOUBLED.get(number, ())
        delivered = self.feed.write(
            self.folder / "tables", pd.Timestamp(at), empty=empty, doubled=doubled
        )
        said = self.home.ask("night", "--as-of", at.isoformat(), "--json", at=at)
        dossier = json.loads(said.out) if said.out.strip().startswith("{") else None
        line = {
            "simulated": True,
            "night": number,
            "as_of": at.isoformat(),
            "missed_before": self.plan.outages[number - 1],
            "delivered": delivered,
            "empty": list(empty),
            "doubled": list(doubled),
            "exit": said.code,
            "error": said.err.strip()[-400:],
        }
        if dossier is not None:
            line |= _of_dossier(dossier)
            asked = [one["case_id"] for one in dossier["second_reviews"]]
            self.feed.second_reviews(asked, pd.Timestamp(at))
        line["people"] = self._people(number, at)
        line["seconds"] = round(time.perf_counter() - began, 1)
        self.nights.append(line)
        return line

    def _decide_ours(self, at: datetime) -> None:
        """Our half of the cards, a day at a time, by `ratchet decide` at the end of each day."""
        while self.decided_until + timedelta(days=1) <= at:
            since, until = self.decided_until, self.decided_until + timedelta(days=1)
            cases = self.feed.to_decide(pd.Timestamp(since), pd.Timestamp(until))
            self.decided_until = until
            if cases.empty:
                continue
            file, out = self.folder / "cases.parquet", self.folder / "decided.parquet"
            cases.to_parquet(file, index=False)
            said = self.home.ask(
                "decide", str(file), "--case-type", CASE_TYPE, "--to", str(out), "--json", at=until
            )
            if said.code:
                raise RuntimeError(f"decide ended with {said.code}: {said.err}")
            told = json.loads(said.out)
            self.decided.update({k: told[k] for k in ("rows_in", "decided", "already_decided", "refused")})
            self.decided.update(told["actions"])
            self.feed.decided_here(pd.read_parquet(out))

    def _people(self, number: int, at: datetime) -> list[str]:
        """What people do the morning after: retrain once, approve and promote what waits."""
        done = []
        morning = at + timedelta(hours=6)
        if number == RETRAIN_AFTER:
            said = self.home.ask("retrain", CASE_TYPE, "--as-of", at.isoformat(), at=morning)
            done.append(f"retrain: {said.code}")
        waiting = json.loads(self.home.ask("proposals", "--json", at=morning).out or "[]")
        for one in waiting:
            agreed = self.home.ask("approve", one["policy_id"], "--yes", at=morning, by="ana")
            live = self.home.ask("promote", one["policy_id"], at=morning, by="ben")
            done.append(f"approve: {agreed.code}, promote: {live.code}")
        return done


def _of_dossier(dossier: dict[str, Any]) -> dict[str, Any]:
    return {k: dossier[k] for k in dossier if k not in ("second_reviews", "marks", "reviews", "tickets")} | {"second_reviews": len(dossier["second_reviews"])}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        t = time.perf_counter()
        run = Run.start(Path(place))
        print("start", time.perf_counter() - t, len(run.feed.cases), run.feed.agent)
        for n in range(1, int(sys.argv[1]) + 1):
            one = run.night(n)
            print({k: v for k, v in one.items() if k in ("night", "delivered", "exit", "error", "rows_admitted", "rows_quarantined", "stopped", "reasons", "people", "seconds", "second_reviews")})
            print([ (c["verdict"], c["reasons"], c["rows"], c["labelled"], c["bad"]) for c in one.get("certificates", [])])
            print(one.get("batches"))
