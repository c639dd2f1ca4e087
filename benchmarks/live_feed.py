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
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
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
SHARE, WAVE_TIMES = 0.25, 2.5  # of the cards; in the wave so many times as many bad ones
WAVE_DAYS = (54, 64)
OUTAGES = {4: 2, 7: 1, 10: 5, 13: 4, 17: 10, 22: 8, 27: 3, 32: 9, 37: 6, 42: 7}
"""Nights that did not run before the night of this number: each of 1 to 10 once."""
EMPTY = {15: ("outcomes",), 16: ("outcomes",), 29: ("outcomes",), 34: ("decisions",)}
DOUBLED = {9: ("decisions", "reviews"), 20: ("decisions", "reviews", "outcomes")}
RETRAIN_AFTER, FORCED_AFTER, PILOT_SHARE = 13, 16, 0.5
FORCED = (0.002, 0.5)
"""No boundary can be certified within 45 nights: the few audits of the other agent count twenty times
each among our evidence (part 5b gives its score a certificate of its own). So a person proposes this
one, and two approvers force it, which the ledger marks for ever."""
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
    share = np.where(wave & rows["TX_FRAUD"].eq(1).to_numpy(), SHARE * WAVE_TIMES, SHARE)
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
    low = float(np.quantile(score, 0.75))
    high = float(np.quantile(score[bad == 1], 0.7))
    agent = Agent("another-agents-policy-7", "april-2018", low, high)
    return agent, booster.predict(xgb.DMatrix(rows[names])).astype(np.float64)


def card_cases() -> tuple[pd.DataFrame, Agent]:
    """The cards of May on, with the other agent's score of each."""
    april, rows = cards()
    agent, score = another_agent(april, rows)
    frame = pd.DataFrame(
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
    )
    return frame.astype({"case_id": "str", "case_type": "str"}), agent


def card_feed() -> Feed:
    """The whole upstream; every other card is ours once a policy of ours is live."""
    cases, agent = card_cases()
    plan = Plan.of(NIGHTS)
    pilot = START + timedelta(days=plan.days[RETRAIN_AFTER - 1] + 1)
    later = (cases["opened_at"] >= pd.Timestamp(pilot)).to_numpy()
    ours = later & (np.random.default_rng([1, 3]).random(len(cases)) < PILOT_SHARE)
    return Feed(cases, agent, seed=1, habits=Habits(), ours=ours)


CASE_TYPE_FILE: dict[str, Any] = {
    "name": CASE_TYPE,
    "description": "Card transactions simulated by the authors of the Fraud Detection Handbook (2022).",
    "features": [{"name": name} for name in FEATURES],
    "targets": {"precision": 0.9, "false_omission_rate": 0.01},
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
        """An empty home with two approvers and a proposer, and the feed's sources behind it."""
        settings = write_config(folder / "config", CASE_TYPE_FILE, folder / "tables")
        settings |= {"RATCHET_AUDIT_KEY": SECRET, "RATCHET_TRIAGE__EVERY_DAYS": "14"}
        home = Home(folder / "home", settings)
        (folder / "tables").mkdir()
        for name, role, by in (("ana", "approver", ""), ("ben", "approver", "ana"), ("pia", "proposer", "ana")):  # fmt: skip
            home.enrol(name, role, START, by)
        return cls(card_feed(), Plan.of(nights), folder, home)

    def night(self, number: int) -> dict[str, Any]:
        """One night, with what was delivered for it and what people did after it."""
        at = self.plan.moment(number)
        began, used = time.perf_counter(), time.process_time()
        self._decide_ours(at)
        empty, doubled = EMPTY.get(number, ()), DOUBLED.get(number, ())
        delivered = self.feed.write(
            self.folder / "tables", pd.Timestamp(at), empty=empty, doubled=doubled
        )
        live = self._live()
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
            "live": live,
            "exit": said.code,
            "said": "" if said.out.strip().startswith("{") else said.err.strip(),
            "results": {},
        }
        if dossier is not None:
            line |= _of_dossier(dossier)
            asked = [one["case_id"] for one in dossier["second_reviews"]]
            self.feed.second_reviews(asked, pd.Timestamp(at))
        line["people"] = self._people(number, at, (dossier or {}).get("holds", []))
        line["seconds"] = round(time.perf_counter() - began, 1)
        line["processor_seconds"] = round(time.process_time() - used, 1)
        self.nights.append(line)
        return line

    def _decide_ours(self, at: datetime) -> None:
        """Our half of the cards by `ratchet decide`, at the end of each day; during an outage it runs
        every third day only."""
        while self.decided_until + timedelta(days=1) <= at:
            since = self.decided_until
            until = min(since + timedelta(days=3), since + timedelta(days=(at - since).days))
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
            self.decided.update(
                {k: told[k] for k in ("rows_in", "decided", "already_decided", "refused")}
            )
            self.decided.update(told["actions"])
            self.feed.decided_here(pd.read_parquet(out))

    def _propose(self, at: datetime) -> str:
        """A proposer's boundary for the model under test, given to the ledger: the id of its policy.

        There is no command for it; only the night proposes by one.
        """
        from flows.verbs import live
        from flows.verbs.certify.generation import current_generation, last_version
        from flows.verbs.govern.proposed_policy import advised_policy
        from models.hub import Entry, Propose
        from models.vocabulary import Boundary

        with self.home.environment():
            services = live.open_services()
            generation = current_generation(services.ledger, services.case_types, CASE_TYPE)
            if generation is None:
                raise RuntimeError("the retrain brought no model, so there is nothing to propose")
            said = services.ledger.submit(
                Propose(
                    case_type=CASE_TYPE,
                    policy=advised_policy(
                        services.registry, services.case_types, generation, Boundary(*FORCED)
                    ),
                    actor="pia",
                    base_version=last_version(services.ledger, CASE_TYPE),
                    evidence_digest=generation.digest,
                    evidence_since=generation.evidence_since,
                    evidence_until=at,
                    dossier={"reasons": ["A person's proposal; nothing is proven for it."]},
                ),
                at,
            )
        if not isinstance(said, Entry):
            raise RuntimeError(f"the ledger refused the proposal: {said.reason}")
        return str(said.policy_id)

    def _live(self) -> dict[str, float | None] | None:
        """The two cuts of the live boundary; None: everything is reviewed."""
        from flows.verbs import live

        with self.home.environment():
            policy = live.open_services().ledger.live_policy(CASE_TYPE)
        if policy is None or policy.boundary.automates_nothing:
            return None
        return {
            "pass": policy.boundary.pass_at_or_below,
            "block": policy.boundary.block_at_or_above,
        }

    def _people(self, number: int, at: datetime, holds: Sequence[dict[str, Any]]) -> list[str]:
        """What people do the morning after: retrain once, approve and promote what waits, and let go
        what is still on hold a week after the wave (a hold before then ends by itself)."""
        done = []
        morning = at + timedelta(hours=6)
        if number == RETRAIN_AFTER:
            said = self.home.ask("retrain", CASE_TYPE, "--as-of", at.isoformat(), at=morning)
            done.append(f"retrain {said.code}")
        if number == FORCED_AFTER:
            policy_id = self._propose(morning)
            for person in ("ana", "ben"):
                said = self.home.ask(
                    "promote", policy_id, "--force", "--reason", "The guard shall have what to judge.",
                    at=morning, by=person,
                )  # fmt: skip
                done.append(f"forced by {person} {said.code}")
        waiting = json.loads(self.home.ask("proposals", "--json", at=morning).out or "[]")
        for one in waiting:
            if one["proposer"] == "pia":
                continue
            agreed = self.home.ask("approve", one["policy_id"], "--yes", at=morning, by="ana")
            live = self.home.ask("promote", one["policy_id"], at=morning, by="ben")
            done.append(f"approve {agreed.code}, promote {live.code}")
        for hold in holds:
            wave_is_over = at >= START + timedelta(days=WAVE_DAYS[1] + 7)
            if hold["state"] == "bounded" or wave_is_over:
                reason = "The wave is over: reviews and chargebacks are at the level before it."
                freed = self.home.ask(
                    "release", hold["hold_id"], "--reason", reason, at=morning, by="ana"
                )
                done.append(f"release {hold['hold_id']} {freed.code}")
        return done


def _of_dossier(dossier: dict[str, Any]) -> dict[str, Any]:
    """What a line keeps of a night: how each table and case type went, and what was counted."""
    kept = (
        "rows_in",
        "admitted",
        "already_stored",
        "quarantined",
        "waiting",
        "rejections",
        "held",
        "failed",
    )
    return {
        "results": dossier.get("results", {}),
        "reasons": dossier.get("reasons", []),
        "stopped": dossier.get("stopped", False),
        "batches": [
            {"table": one["table"], **{name: one[name] for name in kept if one.get(name)}}
            for one in dossier["batches"]
        ],
        "certificates": [
            {name: one[name] for name in ("verdict", "rows", "labelled", "bad", "model_version", "automation_rate")}
            for one in dossier["certificates"]
        ],
        "entries": [one["kind"] for one in dossier["entries"]],
        "second_reviews": len(dossier["second_reviews"]),
    }  # fmt: skip


KEYS = {
    "decisions": ["case_id"],
    "reviews": ["review_id", "revision"],
    "outcomes": ["case_id", "source", "observed_at"],
}


def accounts(run: Run) -> dict[str, Any]:
    """Every row that was ever in a table of the feed: stored, quarantined by rule, or waiting.

    Counted from the tables and the store themselves, by key, and not from what the nights say.
    """
    from flows.verbs import live

    last = run.plan.moment(run.nights[-1]["night"])
    with run.home.environment():
        services = live.open_services()
        told = {}
        for table in TABLES:
            keys = KEYS[table]
            delivered = run.feed.there(table, pd.Timestamp(last))[keys]
            stored = (
                services.store.read(table, columns=keys)
                if services.store.counts(table)[0]
                else delivered[:0]
            )
            rejected = services.store.rejects(table)
            inside = _in(delivered, stored, keys)
            aside = ~inside & _in(delivered, rejected, keys)
            rules = Counter(rejected["broken_rules"]) if len(rejected) else Counter()
            told[table] = {
                "delivered": len(delivered),
                "stored": int(inside.sum()),
                "quarantined": int(aside.sum()),
                "waiting_or_lost": int((~inside & ~aside).sum()),
                "waiting": sum(
                    one.get("waiting", 0) for one in run.nights[-1].get("batches", []) if one["table"] == table
                ),
                "stored_twice": int(stored.duplicated(keys).sum()),
                "put_aside_in_all": {str(rule): count for rule, count in sorted(rules.items())},
            }  # fmt: skip
        late = run.feed.late_chargebacks(pd.Timestamp(last))
        held = services.store.read("outcomes", columns=KEYS["outcomes"])
        told["late_chargebacks"] = {
            "came": len(late),
            "stored": int(_in(late, held, KEYS["outcomes"]).sum()),
        }
        told["decided_here"] = dict(run.decided)
        entries = services.ledger.history(CASE_TYPE)
        told["ledger"] = [
            {"kind": one.kind.value, "at": one.at.isoformat(), "actor": one.actor}
            for one in entries
        ]
        told["holds"] = _told_holds(entries)
        told["alerts"] = dict(Counter(one["kind"] for one in services.alerts.recent(10_000)))
    return {"simulated": True, **told}


def _told_holds(entries: Sequence[Any]) -> list[dict[str, Any]]:
    """Each hold, why it was placed, and who ended it and when."""
    from models.hub import holds_of

    return [
        {
            "hold_id": one.hold_id,
            "table": one.table,
            "rule": one.rule,
            "reason": one.reason,
            "placed": one.placed_at.isoformat(),
            "since": one.since.isoformat(),
            "until": None if one.until is None else one.until.isoformat(),
            "state": one.state.value,
            "ended": None if one.ended_at is None else one.ended_at.isoformat(),
            "ended_by": one.ended_by,
        }
        for one in holds_of(entries, CASE_TYPE)
    ]


def _in(rows: pd.DataFrame, others: pd.DataFrame, keys: list[str]) -> npt.NDArray[np.bool_]:
    if others.empty:
        return np.zeros(len(rows), dtype=np.bool_)
    mine, theirs = (pd.MultiIndex.from_frame(each[keys].astype("str")) for each in (rows, others))
    return np.asarray(mine.isin(theirs), dtype=np.bool_)


def run_all(
    nights: int = NIGHTS, file: Path | None = None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The first nights in a home of their own: a line a night (kept in `file` as they come), and the
    accounts at the end."""
    with tempfile.TemporaryDirectory() as folder, (file or Path(os.devnull)).open("w") as out:
        run = Run.start(Path(folder), nights)
        for number in range(1, nights + 1):
            line = run.night(number)
            out.write(json.dumps(line) + "\n")
            out.flush()
            told = (
                f"night {number}: exit {line['exit']}, {line['seconds']} s. {' '.join(_why(line))}"
            )
            print(told, file=sys.stderr, flush=True)
        return run.nights, accounts(run)


def table(nights: list[dict[str, Any]], told: dict[str, Any]) -> str:
    """What was checked, the rows of each table, what was on hold, and the nights that were not all done."""
    return "\n".join(
        ["Simulated from the cards.\n", *_checks(nights, told), "", *_rows(told), "", *_holds(told), "",
         *_not_done(nights)]
    )  # fmt: skip


def _checks(nights: list[dict[str, Any]], told: dict[str, Any]) -> Iterator[str]:
    codes = Counter(one["exit"] for one in nights)
    live = [one for one in nights if one["live"]]
    words = Counter(_guard(one) for one in live)
    judged = sum(words[word] for word in GUARDED)
    loud = [one for one in nights if _states(one) - {"done"}]
    missed = [one["missed_before"] for one in nights if one["missed_before"]]
    waits = {
        one["night"]: one
        for one in nights
        if any(each.get("waiting") for each in one.get("batches", []))
    }
    late = told["late_chargebacks"]
    lost = sum(told[name]["waiting_or_lost"] - told[name]["waiting"] for name in TABLES)
    first = min((one["night"] for one in live), default=None)
    yield "| asked | found |"
    yield "|---|---|"
    yield f"| nights run, each with a dossier | {sum(bool(one.get('results')) for one in nights)} of {len(nights)} |"
    yield f"| outages before them: nights that never ran, caught up in one | {', '.join(map(str, missed))} |"
    yield f"| exit codes | {', '.join(f'{code}: {count} nights' for code, count in sorted(codes.items()))} |"
    yield (
        f"| nights that held or failed at something, and of them with exit code 3 and a sentence | "
        f"{len(loud)}, {sum(one['exit'] == 3 and bool(_why(one)) for one in loud)} |"
    )
    yield f"| rows neither stored, nor quarantined by a rule, nor waiting | {lost} |"
    yield f"| rows stored twice | {sum(told[name]['stored_twice'] for name in TABLES)} |"
    yield f"| chargebacks that came behind the overlap, and of them stored | {late['came']}, {late['stored']} |"
    yield f"| nights that began with a live boundary (from night {first}), and the guard's word | {len(live)}: {_counted(words)} |"
    yield f"| of them judged, or with no mature case to judge | {judged} of {len(live)} |"
    for night, one in waits.items():
        rows = sum(each.get("waiting", 0) for each in one["batches"])
        yield f"| night {night}, without its decisions: rows that waited for them | {rows:,} |"
    used, clock = (sum(one[name] for one in nights) for name in ("processor_seconds", "seconds"))
    yield f"| processor seconds (clock, on a shared machine) | {used:,.0f} ({clock:,.0f}) |"
    road = [f"night {one['night']}: {said}" for one in nights for said in one["people"]]
    yield f"| what people did | {'; '.join(road)} |"
    moves = [one for one in told["ledger"] if one["kind"] in MOVES]
    yield f"| what the boundary did | {'; '.join(one['kind'].replace('_', ' ') + ' ' + one['at'][:10] for one in moves)} |"


GUARDED = ("holds", "tripped", "no mature case yet")
MOVES = (
    "proposed",
    "promoted",
    "narrowed",
    "rolled_back",
    "guardrail_tripped",
    "evidence_restarted",
)


def _rows(told: dict[str, Any]) -> Iterator[str]:
    yield "| table | delivered | stored | quarantined | waiting | lost | put aside in all, by rule |"
    yield "|---|---|---|---|---|---|---|"
    for name in TABLES:
        one = told[name]
        lost = one["waiting_or_lost"] - one["waiting"]
        yield (
            f"| {name} | {one['delivered']:,} | {one['stored']:,} | {one['quarantined']:,} | "
            f"{one['waiting']:,} | {lost:,} | {_counted(one['put_aside_in_all'])} |"
        )
    ours = told["decided_here"]
    if ours:
        yield (
            f"| decided here | {ours['rows_in']:,} | {ours['decided']:,} | {ours['refused']:,} | 0 | 0 | "
            f"{ours.get('auto_pass', 0):,} passed, {ours.get('auto_block', 0):,} blocked by themselves |"
        )


def _holds(told: dict[str, Any]) -> Iterator[str]:
    yield "| hold | placed | on, by rule | why | ended | by |"
    yield "|---|---|---|---|---|---|"
    for one in told["holds"]:
        yield (
            f"| {one['hold_id']} | {one['placed'][:10]} | {one['table']}, {one['rule']} | {one['reason']} | "
            f"{one['state']} {(one['ended'] or '')[:10]} | {one['ended_by'] or '-'} |"
        )


def _not_done(nights: list[dict[str, Any]]) -> Iterator[str]:
    yield "| night | day | missed before | decisions | reviews | outcomes | cards | guard | exit |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for one in nights:
        tables = one["results"].get("tables", {})
        states = [tables.get(name, {}).get("state", "-") for name in TABLES]
        kind = one["results"].get("case_types", {}).get(CASE_TYPE, {}).get("state", "-")
        yield (
            f"| {one['night']} | {one['as_of'][:10]} | {one['missed_before'] or ''} | {' | '.join(states)} | "
            f"{kind} | {_guard(one)} | {one['exit']} |"
        )


def _guard(one: dict[str, Any]) -> str:
    """The guard's word; an alarm on what was stored comes before the night's sources are read, and
    what is left then is judged again."""
    if "guardrail_tripped" in one.get("entries", []):
        return "tripped"
    said = one["results"].get("case_types", {}).get(CASE_TYPE, {}).get("guard")
    return str(said or "-")


def _states(one: dict[str, Any]) -> set[str]:
    return {each["state"] for group in one["results"].values() for each in group.values()}


def _why(one: dict[str, Any]) -> list[str]:
    return [
        why for group in one["results"].values() for each in group.values() for why in each["why"]
    ]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items()) or "-"


_UNTIMED = {"seconds": 0, "processor_seconds": 0}


def check() -> int:
    """Run the first nights again; what they said must be what is committed, to the digit."""
    again, _ = run_all(SLICE)
    committed = _read(RESULTS / "nights.jsonl")[:SLICE]
    differ = [
        one["night"]
        for one, other in zip(json.loads(json.dumps(again)), committed, strict=True)
        if {**one, **_UNTIMED} != {**other, **_UNTIMED}
    ]
    print(
        f"live feed: {SLICE} nights run again, {'DIFFERENT: ' + str(differ) if differ else 'identical'}."
    )
    return 1 if differ else 0


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--table", action="store_true", help="print the tables from the raw results"
    )
    parser.add_argument(
        "--check", action="store_true", help="run the first nights again and compare"
    )
    parser.add_argument("--nights", type=int, default=NIGHTS, help="only so many")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    logging.getLogger("ratchet").setLevel(logging.ERROR)
    if asked.check:
        return check()
    if not asked.table:
        asked.results.mkdir(parents=True, exist_ok=True)
        _, told = run_all(asked.nights, asked.results / "nights.jsonl")
        (asked.results / "accounts.json").write_text(
            json.dumps(told, indent=1) + "\n", encoding="utf-8"
        )
    told = json.loads((asked.results / "accounts.json").read_text(encoding="utf-8"))
    print(table(_read(asked.results / "nights.jsonl"), told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
