"""From nothing to a guarded boundary in a live home: with another agent's score, and with a model of ours.

Usage: python -m benchmarks.live_road [--road as_it_is|by_document|own_model] [--table]

All figures are *simulated*: the feed of `benchmarks.live_feed` is made from cards that were simulated
by their authors. Three roads, each by the commands of a live home at the feed's own clock:

as_it_is: the feed's agent with its own thresholds and 5 % audits, `scorer: external`. Is there a price
on the first night with enough evidence? After a `retrain`, has our model scored every decision?
by_document: the same agent escalates everything until its boundary is proven, approved and promoted;
from then on it decides by what `export-policy` prints and by nothing else. Does the guard judge it, is
a day on which it ignores a halt told, and does a new version of it start anew?
own_model: `import-history` of April; is there a proposal the first night? Approved and promoted, the
cards of May are decided by it and guarded.

Raw results: results/live_road/nights.jsonl, a line a night; `--table` prints the tables from them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from benchmarks.commands import Home, Said
from benchmarks.feed import Feed, Habits, write_config
from benchmarks.live_feed import (
    CASE_TYPE,
    CASE_TYPE_FILE,
    SECRET,
    START,
    card_cases,
    cards,
)

RESULTS = Path(__file__).parent / "results" / "live_road"
ROADS = ("as_it_is", "by_document", "own_model")
TARGETS = {"precision": 0.9, "false_omission_rate": 0.003}
HABITS = Habits(wrong=0.002)
RETRAIN_DAY, HALTED_DAY, NEW_VERSION_DAY, LAST_DAY = 24, 34, 38, 44
_COLUMNS = (
    "road", "day", "exit", "decisions", "labels", "verdict", "pass <=", "block >=", "guard", "shadow",
    "beyond", "model", "people",
)  # fmt: skip


@dataclass
class Road:
    """One home, the feed behind it, and a line a night."""

    name: str
    home: Home
    feed: Feed
    folder: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(cls, name: str, folder: Path, feed: Feed, **case_type: Any) -> Road:
        """An empty home with two approvers, and the feed's sources behind it."""
        told = {**CASE_TYPE_FILE, "targets": TARGETS, **case_type}
        settings = write_config(folder / "config", told, folder / "tables")
        settings |= {"RATCHET_AUDIT_KEY": SECRET, "RATCHET_TRIAGE__EVERY_DAYS": "14"}
        (folder / "tables").mkdir()
        home = Home(folder / "home", settings)
        for person, by in (("ana", ""), ("ben", "ana")):
            home.enrol(person, "approver", START - timedelta(days=1), by)
        return cls(name, home, feed, folder)

    def night(self, day: int, *, people: Sequence[str] = ()) -> dict[str, Any]:
        """One night after so many days of the feed, and the approvals of the morning after it."""
        at = START + timedelta(days=day, hours=2)
        self.feed.write(self.folder / "tables", pd.Timestamp(at))
        began = time.perf_counter()
        said = self.home.ask("night", "--as-of", at.isoformat(), "--json", at=at)
        if not said.out.startswith("{"):
            raise RuntimeError(f"the night of day {day} ended with {said.code}: {said.err}")
        dossier = json.loads(said.out)
        asked = [one["case_id"] for one in dossier["second_reviews"]]
        self.feed.second_reviews(asked, pd.Timestamp(at))
        line = _line(self.name, day, said, dossier)
        line["people"] = [*people, *self.approve(at + timedelta(hours=6))]
        line["seconds"] = round(time.perf_counter() - began, 1)
        self.lines.append(line)
        return line

    def approve(self, at: datetime) -> list[str]:
        """Ana approves what waits and Ben promotes it."""
        waiting = json.loads(self.home.ask("proposals", "--json", at=at).out or "[]")
        done = []
        for one in waiting:
            agreed = self.home.ask("approve", one["policy_id"], "--yes", at=at, by="ana")
            live = self.home.ask("promote", one["policy_id"], at=at, by="ben")
            done.append(f"approve {agreed.code}, promote {live.code}")
        return done

    def policy(self, at: datetime) -> dict[str, Any]:
        """What `export-policy` prints."""
        said = self.home.ask("export-policy", CASE_TYPE, at=at)
        if said.code:
            raise RuntimeError(f"export-policy ended with {said.code}: {said.err}")
        told: dict[str, Any] = json.loads(said.out)
        return told


def as_it_is(folder: Path, days: Sequence[int] = (8, 10, 12, RETRAIN_DAY, 26, 28)) -> Road:
    """The feed's agent by its own thresholds; our challenger is fitted on its labels."""
    cases, agent = card_cases()
    road = Road.start("as_it_is", folder, Feed(cases, agent, seed=1), scorer="external")
    for day in days:
        road.night(day)
        if day == RETRAIN_DAY:
            at = START + timedelta(days=day, hours=8)
            said = road.home.ask("retrain", CASE_TYPE, "--as-of", at.isoformat(), at=at)
            road.lines[-1]["people"].append(f"retrain {said.code}")
    return road


def by_document(folder: Path, last: int = LAST_DAY) -> Road:
    """The agent escalates everything, until there is a document with a boundary; then it obeys it."""
    cases, agent = card_cases()
    everything = np.ones(len(cases), dtype=np.bool_)
    feed = Feed(cases, agent, seed=1, habits=HABITS, ours=everything)
    road = Road.start("by_document", folder, feed, scorer="external")
    day_of = (cases["opened_at"] - pd.Timestamp(START)) // pd.Timedelta(days=1)
    rng = np.random.default_rng([1, 14])
    document: dict[str, Any] = {"boundary": None}
    for day in range(last):
        at = START + timedelta(days=day)
        people = []
        if day == HALTED_DAY:
            halted = road.home.ask("halt", CASE_TYPE, "--reason", "An attack.", at=at, by="ana")
            people.append(f"halt {halted.code}; the agent goes on for a day")
        else:
            document = road.policy(at)
        mine = cases[(day_of == day).to_numpy()]
        version = agent.model_version if day < NEW_VERSION_DAY else "june-2018"
        feed.decided_by_agent(obeying(document, mine, version, rng.random(len(mine))))
        if day >= 7 and (day % 2 == 0 or day in (HALTED_DAY, NEW_VERSION_DAY)):
            road.night(day + 1, people=people)
    return road


def own_model(folder: Path, first: int = 9, last: int = 20) -> Road:
    """April is imported; from the first promotion on our policy decides the cards of each day."""
    april, _ = cards()
    cases, agent = card_cases()
    everything = np.ones(len(cases), dtype=np.bool_)
    feed = Feed(cases, agent, seed=1, habits=HABITS, ours=everything)
    road = Road.start("own_model", folder, feed, targets=CASE_TYPE_FILE["targets"])
    april.to_parquet(folder / "april.parquet", index=False)
    columns = {"case_id": "TRANSACTION_ID", "opened_at": "TX_DATETIME", "bad": "TX_FRAUD", "amount_usd": "TX_AMOUNT"}  # fmt: skip
    source = {"name": "april", "kind": "history", "path": "april.parquet", "case_type": CASE_TYPE, "columns": columns}  # fmt: skip
    (folder / "april.yaml").write_text(yaml.safe_dump(source), encoding="utf-8")
    at, began = START + timedelta(days=first), time.perf_counter()
    said = road.home.ask("import-history", str(folder / "april.yaml"), "--json", at=at)
    if not said.out.startswith("{"):
        raise RuntimeError(f"import-history ended with {said.code}: {said.err}")
    line = _line(road.name, first, said, json.loads(said.out)["night"])
    again = road.home.ask("import-history", str(folder / "april.yaml"), "--json", at=at)
    changed = json.loads(again.out)["changed"]
    line["people"] = [f"imported again: {'changed' if changed else 'no change'}"]
    line["people"] += road.approve(at + timedelta(hours=6))
    line["seconds"] = round(time.perf_counter() - began, 1)
    road.lines.append(line)
    for day in range(first + 1, last):
        at = START + timedelta(days=day + 1)
        mine = feed.to_decide(pd.Timestamp(at - timedelta(days=1)), pd.Timestamp(at))
        file, out = folder / "cases.parquet", folder / "decided.parquet"
        mine.to_parquet(file, index=False)
        told = ("--case-type", CASE_TYPE, "--to", str(out))
        said = road.home.ask("decide", str(file), *told, at=at)
        if said.code:
            raise RuntimeError(f"decide ended with {said.code}: {said.err}")
        decided = pd.read_parquet(out)
        feed.decided_here(decided)
        automatic = int((decided["action"] != "escalate").sum())
        road.night(day + 1, people=[f"decided {len(decided):,}, {automatic:,} automatically"])
    return road


def obeying(
    document: dict[str, Any], cases: pd.DataFrame, version: str, uniform: npt.NDArray[np.float64]
) -> pd.DataFrame:
    """Decisions of an agent that knows nothing but an exported document; see its `how_to_decide`."""
    score = cases["score"].to_numpy(dtype=np.float64)
    boundary = document["boundary"]
    action = np.full(len(cases), "escalate", dtype=object)
    rate = np.ones(len(cases))
    if boundary is not None and document["model_version"] == version:
        free = (cases["priority"] < document["overrides"]["key_user_priority"]).to_numpy()
        low, high = boundary["pass_at_or_below"], boundary["block_at_or_above"]
        if high is not None:
            action[free & (score >= high)] = "auto_block"
        if low is not None:
            limit = document["overrides"]["never_auto_pass_above_usd"]
            small = (cases["amount_usd"] <= (np.inf if limit is None else limit)).to_numpy()
            action[free & small & (score <= low)] = "auto_pass"
        audit = document["audit"]
        rate[action != "escalate"] = audit["rate"]
        for up_to, step in reversed(audit["steps"]):
            rate[(action != "escalate") & (score <= up_to)] = step
        if audit["block_rate"] is not None:
            rate[action == "auto_block"] = audit["block_rate"]
    automatic = action != "escalate"
    return cases.drop(columns=["bad"]).assign(
        decided_at=cases["opened_at"] + pd.Timedelta(seconds=2),
        recommendation=np.where(score >= 0.5, "block", "pass"),
        action=action,
        propensity=np.where(automatic, rate, 1.0),
        audited=automatic & (uniform < rate),
        arm="control",
        policy_id="another-agents-policy-8",
        model_version=version,
    )


def _line(road: str, day: int, said: Said, dossier: dict[str, Any]) -> dict[str, Any]:
    one = next(each for each in dossier["certificates"][::-1] if each["case_type"] == CASE_TYPE)
    results = dossier["results"]["case_types"].get(CASE_TYPE, {})
    return {
        "simulated": True,
        "road": road,
        "day": day,
        "exit": said.code,
        "rows_new": dossier["rows_new"],
        "decisions": one["rows"],
        "labels": one["labelled"],
        "verdict": one["verdict"],
        "reasons": one["reasons"],
        "labels_needed": one["labels_needed"],
        "pass": one["pass_at_or_below"],
        "block": one["block_at_or_above"],
        "model": one["model_version"],
        "guard": results.get("guard"),
        "why": results.get("why", []),
        "shadow": dossier["shadow"],
        "agents": dossier["agents"],
        "entries": [each["kind"] for each in dossier["entries"]],
    }


def _rows(lines: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    for line in lines:
        shadow = ", ".join(f"{one['scored']:,}/{one['decisions']:,}" for one in line["shadow"])
        beyond = ", ".join(f"{one['beyond']:,}/{one['automatic']:,}" for one in line["agents"])
        verdict = line["verdict"]
        if line["labels_needed"]:
            verdict += ": " + ", ".join(
                f"{n:,} {zone}" for zone, n in line["labels_needed"].items()
            )
        cuts = ["-" if line[side] is None else f"{line[side]:.5f}" for side in ("pass", "block")]
        yield [
            line["road"], str(line["day"]), str(line["exit"]), f"{line['decisions']:,}",
            f"{line['labels']:,}", verdict, *cuts, str(line["guard"]), shadow or "-", beyond or "-",
            str(line["model"]), "; ".join(line["people"]) or "-",
        ]  # fmt: skip


def print_tables(lines: Sequence[dict[str, Any]]) -> None:
    """A row a night; every figure is simulated."""
    print("Simulated figures (cards simulated by their authors).\n")
    print("| " + " | ".join(_COLUMNS) + " |")
    print("|" + " --- |" * len(_COLUMNS))
    for row in _rows(lines):
        print("| " + " | ".join(row) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--road", choices=ROADS, action="append", help="only this one")
    parser.add_argument("--table", action="store_true", help="print the stored results")
    asked = parser.parse_args()
    results = RESULTS / "nights.jsonl"
    if asked.table:
        stored = results.read_text(encoding="utf-8").splitlines()
        print_tables([json.loads(line) for line in stored])
        return
    roads = {"as_it_is": as_it_is, "by_document": by_document, "own_model": own_model}
    lines = []
    for name in asked.road or ROADS:
        with tempfile.TemporaryDirectory() as folder:
            lines += roads[name](Path(folder)).lines
            print(f"{name}: {len(lines)} nights so far", flush=True)
    print_tables(lines)
    if not asked.road:
        RESULTS.mkdir(parents=True, exist_ok=True)
        results.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
