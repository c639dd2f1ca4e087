"""Thirty nights with a random kill in each: do they end where thirty quiet ones end?

Usage: python -m benchmarks.random_kills [--nights N] [--seed S] [--cards] [--table]

A *simulated* live feed (invented cases, or with --cards those of `benchmarks.live_feed`) is walked
twice, by the commands of a live home (decide, night, retrain, approve, promote) at the feed's own clock: once quietly, noting which kill points each command of a night passed, and once
with one of these drawn at random each night: a fork of the process gives the command and is ended
there by SIGKILL, and then the command is given again. Compared are every entry of the ledger with its
hash, the refusals, the digest of every table of evidence, every decision row by row, and which policy is live.

Raw results: results/random_kills.jsonl, a line a night (where it was killed) and one that compares.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.commands import Home, Said
from benchmarks.feed import TABLES, Agent, Feed, Habits, write_config
from benchmarks.live_feed import CASE_TYPE, CASE_TYPE_FILE, FEATURES, SECRET, START, Plan, Run
from flows.adapters.files import kill_points

RESULTS = Path(__file__).parent / "results" / "random_kills.jsonl"
NIGHTS, SEED = 30, 13
_PATIENCE_SECONDS = 600.0

Point = tuple[int, str, int]
"""The place of a command among those of a night, a kill point, and the how-manieth passing of it."""


@dataclass
class Noting(Home):
    """A home that notes which kill points each command of the present night passed."""

    passed: list[Counter[str]] = field(default_factory=list)

    def ask(self, *arguments: str, at: datetime, by: str = "") -> Said:
        kill_points._PASSED.clear()
        quiet = Home(
            self.folder, {**self.settings, kill_points.VARIABLE: "none of them"}, self.tokens
        )
        said = quiet.ask(*arguments, at=at, by=by)
        self.passed.append(Counter(kill_points._PASSED))
        return said

    def points(self) -> list[Point]:
        """Every place at which the commands since the last call could have been killed."""
        found = [
            (place, name, nth)
            for place, counts in enumerate(self.passed)
            for name, count in sorted(counts.items())
            for nth in range(1, count + 1)
        ]
        self.passed = []
        return found


@dataclass
class Killed(Home):
    """A home in which one command of the night is killed, and given again."""

    at: Point | None = None
    place: int = 0
    ended_by: int = 0

    def ask(self, *arguments: str, at: datetime, by: str = "") -> Said:
        if self.at is not None and self.at[0] == self.place:
            point = f"{self.at[1]}:{self.at[2]}"
            doomed = Home(self.folder, {**self.settings, kill_points.VARIABLE: point}, self.tokens)
            self.ended_by = _in_a_fork(lambda: doomed.ask(*arguments, at=at, by=by))
        self.place += 1
        return super().ask(*arguments, at=at, by=by)

    def next_night(self, at: Point) -> None:
        self.at, self.place, self.ended_by = at, 0, 0


def compare(
    start: Callable[[Path, type[Home]], Run], folder: Path, nights: int, seed: int
) -> list[dict[str, Any]]:
    """A line a night of the killed walk, and a last one that compares it with the quiet one."""
    quiet = start(folder / "quiet", Noting)
    killed = start(folder / "killed", Killed)
    # The same people with the same tokens, and the same salted check of the audit secret: the ledger
    # keeps their hashes.
    with quiet.home.environment():
        from flows.verbs import live

        live.open_services().secrets.record(START + timedelta(hours=2))
    shutil.rmtree(killed.home.folder)
    shutil.copytree(quiet.home.folder, killed.home.folder)
    killed.home.tokens = quiet.home.tokens
    lines, points = [], []
    _noting(quiet).passed = []
    for number in range(1, nights + 1):
        quiet.night(number)
        print(f"quiet night {number} of {nights}", file=sys.stderr, flush=True)
        points.append(_noting(quiet).points())
    draw = np.random.default_rng(seed)
    for number in range(1, nights + 1):
        point = points[number - 1][int(draw.integers(len(points[number - 1])))]
        home = killed.home
        assert isinstance(home, Killed)
        home.next_night(point)
        began = time.perf_counter()
        killed.night(number)
        print(f"killed night {number} of {nights} at {point}", file=sys.stderr, flush=True)
        lines.append(
            {
                "simulated": True, "night": number, "command": point[0], "killed_at": point[1],
                "passing": point[2], "signal": home.ended_by,
                "of_points": len(points[number - 1]), "seconds": round(time.perf_counter() - began, 1),
            }
        )  # fmt: skip
    one, other = state_of(quiet), state_of(killed)
    same = {name: one[name] == other[name] for name in one}
    differ = {name: _first_difference(one[name], other[name]) for name in one if not same[name]}
    counts = {
        "entries": len(one["ledger"]),
        "refusals": len(one["refusals"]),
        **{f"rows_of_{table}": one["rows"][table] for table in TABLES},
    }
    verdict = {
        "simulated": True, "seed": seed, "nights": nights,
        "killed": sum(line["signal"] == signal.SIGKILL for line in lines),
        "kill_points": len({line["killed_at"] for line in lines}),
        "equal": all(same.values()), "same": same, "differ": differ, **counts,
    }  # fmt: skip
    return [*lines, verdict]


def state_of(run: Run) -> dict[str, Any]:
    """What a walk ended with: ledger, refusals, evidence, decisions and live policy."""
    from flows.verbs import live

    with run.home.environment():
        services = live.open_services()
        ledger = [
            [one.seq, one.kind.value, one.actor, one.at.isoformat(), one.policy_id, one.evidence_digest, one.own_hash]
            for one in services.ledger.history()
        ]  # fmt: skip
        policy = services.ledger.live_policy(CASE_TYPE)
        decisions = services.store.read("decisions").sort_values("case_id", ignore_index=True)
        return {
            "ledger": ledger,
            "verifies": services.ledger.verify().ok,
            "refusals": [
                [one.case_type, one.rule.value, one.actor, one.at.isoformat()]
                for one in services.ledger.refusals()
            ],
            "evidence": {table: services.store.digest(table) for table in TABLES},
            # Stored rows: a delivery that is read again after a kill is counted again as delivered.
            "rows": {table: len(services.store.read(table)) for table in TABLES},
            "decisions": _digest(decisions),
            "live": None if policy is None else policy.policy_id,
        }


def _digest(rows: pd.DataFrame) -> str:
    ordered = rows[sorted(rows.columns)]
    return hashlib.sha256(
        pd.util.hash_pandas_object(ordered, index=False).to_numpy().tobytes()
    ).hexdigest()


def _first_difference(one: Any, other: Any) -> Any:
    if isinstance(one, list) and isinstance(other, list):
        for place, (left, right) in enumerate(zip(one, other, strict=False)):
            if left != right:
                return {"place": place, "quiet": left, "killed": right}
        return {"quiet": len(one), "killed": len(other)}
    return {"quiet": one, "killed": other}


def _noting(run: Run) -> Noting:
    assert isinstance(run.home, Noting)
    return run.home


def _in_a_fork(act: Callable[[], object]) -> int:
    """The signal that ended a fork of this process which did `act()`; 0: it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.WTERMSIG(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGABRT)  # it hangs: no kill, and told as what it is
        time.sleep(0.05)


def on_cards(folder: Path, home: type[Home]) -> Run:
    """The cards' feed, in a home of this kind."""
    folder.mkdir(parents=True)
    run = Run.start(folder, 45)
    run.home = home(run.home.folder, run.home.settings, run.home.tokens)
    return run


def invented(folder: Path, home: type[Home], nights: int = NIGHTS, a_day: int = 200) -> Run:
    """Invented cases whose truth follows one feature; a third of them are ours."""
    folder.mkdir(parents=True)
    plan = Plan(tuple(range(1, nights + 1)), (0,) * nights)
    draw = np.random.default_rng(3)
    count = a_day * (nights + 1)
    opened = pd.Timestamp(START) + pd.to_timedelta(np.arange(count) * (86_400 // a_day), unit="s")
    score = draw.random(count)
    features = {name: draw.normal(size=count) for name in FEATURES}
    cases = pd.DataFrame(
        {
            "case_id": [f"card-{number:05d}" for number in range(count)],
            "case_type": CASE_TYPE,
            "opened_at": opened.astype("datetime64[us, UTC]"),
            "priority": 0,
            "amount_usd": draw.uniform(1, 100, count),
            "score": score,
            "bad": draw.random(count) < score * 0.3,
            **features,
            FEATURES[0]: score * 4 + features[FEATURES[0]],
        }
    ).astype({"case_id": "str", "case_type": "str"})
    agent = Agent("another-agents-policy-7", "april-2018", 0.2, 0.95)
    ours = draw.random(count) < 1 / 3
    feed = Feed(cases, agent, seed=1, habits=Habits(late_chargebacks=2), ours=ours)
    settings = write_config(folder / "config", CASE_TYPE_FILE, folder / "tables")
    settings |= {"RATCHET_AUDIT_KEY": SECRET, "RATCHET_TRIAGE__EVERY_DAYS": "14"}
    (folder / "tables").mkdir()
    first = Home(folder / "home", settings)
    for name, role, by in (("ana", "approver", ""), ("ben", "approver", "ana"), ("pia", "proposer", "ana")):  # fmt: skip
        first.enrol(name, role, START + timedelta(hours=1), by)
    return Run(feed, plan, folder, home(first.folder, first.settings, first.tokens))


def in_words(lines: list[dict[str, Any]]) -> str:
    """The table of the README."""
    *nights, verdict = lines
    where = Counter(line["killed_at"] for line in nights)
    told = [f"| {name} | {count} |" for name, count in sorted(where.items())]
    return "\n".join(
        [
            f"{verdict['nights']} nights (simulated), {verdict['killed']} of them killed: "
            + ("equal" if verdict["equal"] else f"NOT equal in {', '.join(verdict['differ'])}")
            + f" to as many quiet ones: {verdict['entries']} ledger entries by hash, "
            f"{verdict['rows_of_decisions']:,} decisions, {verdict['rows_of_reviews']:,} reviews.",
            "", "| killed at | nights |", "|---|---|", *told,
        ]
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=NIGHTS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cards", action="store_true", help="the cards' feed; needs RATCHET_DATA")
    parser.add_argument("--table", action="store_true", help="print the committed results")
    given = parser.parse_args()
    if given.table:
        print(in_words([json.loads(line) for line in RESULTS.read_text().splitlines()]))
        return 0
    if os.environ.get("OMP_NUM_THREADS") != "1":
        # OpenMP reads it when it is loaded, and its threads do not survive a fork: the child would hang.
        os.environ["OMP_NUM_THREADS"] = "1"
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.random_kills", *sys.argv[1:]])
    with tempfile.TemporaryDirectory() as folder:
        start = on_cards if given.cards else invented
        lines = compare(start, Path(folder), given.nights, given.seed)
    if (given.nights, given.seed, given.cards) == (NIGHTS, SEED, False):
        RESULTS.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    print(in_words(lines))
    if not lines[-1]["equal"]:
        print(json.dumps(lines[-1]["differ"], indent=1))
    return 0 if lines[-1]["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
