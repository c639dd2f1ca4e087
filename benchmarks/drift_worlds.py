"""When the cases move, how much evidence is thrown away, and does the promise hold?

Simulated. 36,000 cases of eight weeks are held back, fully reviewed, and prove a first pass cut for
recall .99 at delta .035; a year follows at 5,000 cases a day, of which 10 % are audited. In week 13
the world moves (METHODS 1.2, "Drift"):

- `nothing`: it does not.
- `goods`: good cases score higher by .3 standard deviations.
- `season`: a feature turns with the year (amplitude .8 standard deviations); no score moves.
- `bads_slowly`: bad cases come .4 standard deviations closer to the good ones, over 26 weeks.
- `bads_at_once`: the same in one week.
- `base_rate`: the share of bad cases doubles, and each is as hard to tell as before.

Two rules say when the evidence starts again: `certified` watches what is certified, here the scores
of the cohort's bad cases, and starts again where evidence is older than a year (`certified_laws`,
`first_change`); `former`, kept here alone, is the one it replaced: scores, features and the risk in
each zone of a boundary, with a new alpha after each restart, on the cohort with every truth (the loop
had one more feature to alarm for each one it reads; here is one). Labels come at once. Either way the next sequence
begins with the window that moved and spends `delta_of_sequence`. A cut is promoted from two points
more automation on. A live cut goes back to people when the guard refutes it (its bets on all bad
cases that were seen, those passed at weight 10, asked at each week's end); only another
sequence than the one that proved it brings a cut back.

Counted are restarts in the year, whether any promoted cut's misses, over its whole life, exceeded
1 % of the bad cases of that time, the weeks in which the live cut truly missed more, the nights
from the first such week to the guard's word, and the automation at the end as a share of the oracle's
of that time. A run's cases depend on its world and number alone, so both rules see the same ones. Raw
results: results/drift_worlds/WORLD-RULE.jsonl, a line a run; an interrupted one goes on.

Usage: python -m benchmarks.drift_worlds [--world NAME ...] [--rule NAME ...] [--runs N]
       [--table | --check]
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from models.boundary import CertificationSequence, delta_of_sequence
from models.boundary.live.restarted_bets import TIMES_THE_LIMIT, start_shares
from models.drift import (
    CohortWindows,
    Sample,
    certified_laws,
    first_change,
    windows_to_pool,
)
from models.vocabulary import Boundary, Targets

WORLDS = ("nothing", "goods", "season", "bads_slowly", "bads_at_once", "base_rate")
RULES = ("certified", "former")
RECALL, DELTA, NOTCH = 0.99, 0.035, 0.02
DISTANCE, BASE_RATE = 3.2, 0.05
HELD_BACK_WEEKS, YEAR, MOVES_IN = 8, 52, 8 + 13
HELD_BACK_A_WEEK, TRAFFIC_A_WEEK, RATE = 4_500, 35_000, 0.1
GOODS_UP, BADS_CLOSER, SLOWLY, SEASON = 0.3, 0.4, 26, 0.8
EVIDENCE_WEEKS = 365 / 7
RUNS, CHECKED = 200, 2
SEED = 20_261_130
RESULTS = Path(__file__).parent / "results" / "drift_worlds"
WEEKS = HELD_BACK_WEEKS + YEAR

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    if asked.check:
        return check()
    if not asked.table:
        RESULTS.mkdir(parents=True, exist_ok=True)
        for name in asked.world or WORLDS:
            for rule in asked.rule or RULES:
                kept = stored(name, rule)
                with _file(name, rule).open("a", encoding="utf-8") as file:
                    for number in range(asked.runs):
                        if number not in kept:
                            file.write(json.dumps(run(name, rule, number)) + "\n")
                            file.flush()
    print(f"Simulated figures.\n\n{table()}")
    return 0


# ---- a world and its cases


@dataclass(frozen=True)
class World:
    """By week, held-back ones included: how far good cases are up, bad ones closer, the feature
    turned, and the share of bad cases; shape (weeks,) each."""

    up: FloatArray
    closer: FloatArray
    turned: FloatArray
    share: FloatArray

    @classmethod
    def named(cls, name: str) -> World:
        week = np.arange(WEEKS)
        moved = (week >= MOVES_IN).astype(np.float64)
        slowly = np.clip((week - MOVES_IN + 1) / SLOWLY, 0.0, 1.0)
        still = np.zeros(WEEKS)
        closer = {"bads_at_once": moved, "bads_slowly": slowly}.get(name, still)
        return cls(
            up=GOODS_UP * moved if name == "goods" else still,
            closer=BADS_CLOSER * closer,
            turned=SEASON * np.sin(2.0 * np.pi * week / YEAR) if name == "season" else still,
            share=BASE_RATE * (1.0 + moved * (name == "base_rate")),
        )

    def miss_share(self, cut: float, week: int) -> float:
        """Of the bad cases of that week, those with x at or below a cut."""
        return float(norm.cdf(cut - DISTANCE + self.closer[week]))

    def passed(self, cut: float, week: int) -> float:
        good = float(norm.cdf(cut - self.up[week]))
        share = float(self.share[week])
        return (1.0 - share) * good + share * self.miss_share(cut, week)

    def oracle(self, week: int) -> float:
        cut = DISTANCE - float(self.closer[week]) + float(norm.ppf(1.0 - RECALL))
        return self.passed(cut, week)


@dataclass(frozen=True, eq=False)
class Cases:
    """The cohort of one life in order of entry, and the bad cases beside it that people see as they
    are escalated; x is the score on the scale of the model's log odds."""

    week: IntArray
    x: FloatArray
    bad: BoolArray
    feature: FloatArray
    seen_week: IntArray
    seen_x: FloatArray

    @classmethod
    def drawn(cls, world: World, rng: np.random.Generator) -> Cases:
        held_back = np.repeat(np.arange(HELD_BACK_WEEKS), HELD_BACK_A_WEEK)
        later = np.repeat(np.arange(HELD_BACK_WEEKS, WEEKS), int(TRAFFIC_A_WEEK * RATE))
        week = np.concatenate([held_back, later])
        bad = rng.random(len(week)) < world.share[week]
        middle = np.where(bad, DISTANCE - world.closer[week], world.up[week])
        others = rng.binomial(int(TRAFFIC_A_WEEK * (1.0 - RATE)), world.share)
        seen_week = np.repeat(np.arange(WEEKS), others)
        seen_week = seen_week[seen_week >= HELD_BACK_WEEKS]
        return cls(
            week=week,
            x=rng.normal(size=len(week)) + middle,
            bad=bad,
            feature=rng.normal(size=len(week)) + world.turned[week],
            seen_week=seen_week,
            seen_x=rng.normal(size=len(seen_week)) + DISTANCE - world.closer[seen_week],
        )

    @cached_property
    def score(self) -> FloatArray:
        return score_of(self.x)

    def since(self, first: int) -> Cases:
        kept = self.week >= first
        return Cases(
            self.week[kept], self.x[kept], self.bad[kept], self.feature[kept],
            self.seen_week, self.seen_x,
        )  # fmt: skip


def score_of(x: FloatArray) -> FloatArray:
    """P(bad) as the model learned it before anything moved."""
    prior = np.log(BASE_RATE / (1.0 - BASE_RATE))
    found: FloatArray = expit(prior + DISTANCE * np.asarray(x) - DISTANCE**2 / 2.0)
    return found


def x_of(score: float) -> float:
    """The inverse, for a cut."""
    prior = np.log(BASE_RATE / (1.0 - BASE_RATE))
    return float((np.log(score / (1.0 - score)) - prior + DISTANCE**2 / 2.0) / DISTANCE)


# ---- when the evidence starts again


@dataclass(frozen=True, slots=True)
class Restart:
    """Found with the end of week `found`, the evidence begins with week `begins`."""

    found: int
    begins: int
    why: str


def restarts_of_the_certified(cases: Cases, hoped: float) -> list[Restart]:
    """The rule in force. hoped: the score that labels give hope to pass."""
    found: list[Restart] = []
    first, asked_from, made = 0, 0, 0
    while True:
        rows = cases.since(first)
        every = np.ones(len(rows.week), dtype=np.bool_)
        windows = CohortWindows(
            rows.score, rows.bad, every, every, every, rows.week - first, WEEKS - first
        )
        laws = certified_laws(windows, ["recall"], hoped, None)
        moved, after = first_change(laws, windows.sizes, made=made)
        aged = max(int(np.ceil(first + EVIDENCE_WEEKS)), asked_from)
        # What shows in weeks that a new sequence took over is found on its first night.
        shown = WEEKS if moved is None else max(first + moved.found, asked_from)
        if moved is not None and shown <= aged:
            found.append(Restart(shown, first + moved.window, "moved"))
            made = after
        elif aged < WEEKS:
            found.append(Restart(aged, int(aged - EVIDENCE_WEEKS / 2.0), "aged"))
            made += aged - first
        else:
            return found
        asked_from, first = found[-1].found, found[-1].begins


def restarts_of_the_former(cases: Cases, hoped: float) -> list[Restart]:
    """The rule that was replaced."""
    ends = np.searchsorted(cases.week, np.arange(WEEKS + 1))
    samples = [
        Sample(
            cases.score[begins:beyond],
            pd.DataFrame({"feature": cases.feature[begins:beyond]}),
            cases.bad[begins:beyond].astype(np.float64),
            np.ones(beyond - begins),
            Boundary(hoped, None),
        )
        for begins, beyond in pairwise(ends.tolist())
    ]
    return [Restart(one.found, one.window, "moved") for one in windows_to_pool(samples).restarts]


# ---- a life


@dataclass(frozen=True, eq=False)
class _Proven:
    """The looks of a sequence that proved a cut: how many bad cases each used, its cut; and the week
    of every bad case."""

    rows: IntArray
    cuts: FloatArray
    weeks: IntArray

    def by(self, week: int) -> float | None:
        """The widest cut proven at the beginning of a week."""
        taken = self.cuts[self.rows <= int(np.searchsorted(self.weeks, week, side="left"))]
        return float(taken.max()) if len(taken) else None


@dataclass
class Life:
    """One year under one rule."""

    world: World
    cases: Cases
    restarts: list[Restart]
    lives: list[list[tuple[int, float]]] = field(default_factory=list)
    above: list[int] = field(default_factory=list)
    first_above: int | None = None
    tripped: int | None = None

    def lived(self) -> dict[str, Any]:
        live, promoted_in, proved_by, back_from = None, 0, -1, -1
        number, proven = 0, self._sequence(0, 0, HELD_BACK_WEEKS)
        for week in range(HELD_BACK_WEEKS, WEEKS):
            begun = [one for one in self.restarts if one.found < week]
            if number != len(begun):
                number = len(begun)
                proven = self._sequence(number, begun[-1].begins if begun else 0, week)
            cut = proven.by(week)
            wider = cut is not None and self._passed(cut, week) >= NOTCH + self._passed(live, week)
            if wider and number > back_from:
                live, promoted_in, proved_by = cut, week, number
                self.lives.append([])
            if live is None:
                continue
            missed = self.world.miss_share(x_of(live), week)
            self.lives[-1].append((week, missed))
            if missed <= 1.0 - RECALL:
                continue
            self.above.append(week)
            self.first_above = week if self.first_above is None else self.first_above
            if self._refuted(x_of(live), promoted_in, week):
                self.tripped = week if self.tripped is None else self.tripped
                live, back_from = None, proved_by
        return self._told(live)

    def _sequence(self, number: int, begins: int, week: int) -> _Proven:
        """All looks of the sequence that starts with a week. A look uses exactly its bad cases
        whenever it is taken, so all later ones are taken here at once; the good cases are left out,
        as no look for recall uses them."""
        kept = self.cases.bad & (self.cases.week >= begins)
        weeks = self.cases.week[kept]
        frame = pd.DataFrame({"score": self.cases.score[kept], "bad": 1.0})
        targets = Targets(recall=RECALL, delta=delta_of_sequence(DELTA, number))
        sequence = CertificationSequence.start(targets, frame[weeks < week]).extend(frame)
        passed = [look for look in sequence.looks if look.cut is not None]
        rows = np.array([look.rows for look in passed], dtype=np.int64)
        return _Proven(rows, np.array([look.cut for look in passed]), weeks)

    def _passed(self, cut: float | None, week: int) -> float:
        return 0.0 if cut is None else self.world.passed(x_of(cut), week)

    def _refuted(self, cut: float, since: int, week: int) -> bool:
        cases, size = self.cases, week - since + 1
        lately = cases.bad & (cases.week >= since) & (cases.week <= week)
        beside = (cases.seen_week >= since) & (cases.seen_week <= week) & (cases.seen_x > cut)
        missed = cases.x <= cut
        caught = np.bincount(cases.week[lately & ~missed] - since, minlength=size)
        return (
            capital_against_recall(
                np.bincount(cases.week[lately & missed] - since, minlength=size),
                caught + np.bincount(cases.seen_week[beside] - since, minlength=size),
            )
            >= 1.0 / DELTA
        )

    def _told(self, live: float | None) -> dict[str, Any]:
        broken = [
            one for one in self.lives if np.mean([missed for _, missed in one]) > 1.0 - RECALL
        ]
        # Weeks count alike: where a promise breaks, as many bad cases come in each.
        end = WEEKS - 1
        nights = None
        if self.first_above is not None and self.tripped is not None:
            nights = 7 * (self.tripped - self.first_above + 1)
        return {
            "moved": sum(one.why == "moved" for one in self.restarts),
            "aged": sum(one.why == "aged" for one in self.restarts),
            "before": sum(one.why == "moved" and one.found < MOVES_IN for one in self.restarts),
            "promoted": len(self.lives),
            "broken": len(broken),
            "weeks_above": len(self.above),
            "weeks_live": sum(len(one) for one in self.lives),
            "nights": nights,
            "ever_above": self.first_above is not None,
            "automation": self._passed(live, end) / self.world.oracle(end),
        }


def capital_against_recall(missed: IntArray, caught: IntArray) -> float:
    """What the guard's bets have won (`restarted_bets.refuting_capital`), from the bad cases that were
    seen in each week, shape (weeks,): every missed one weighs 1 / RATE and every caught one 1."""
    limit, weight = 1.0 - RECALL, 1.0 / RATE
    stakes = (TIMES_THE_LIMIT - 1.0) / ((1.0 - limit) * weight)
    won = np.outer(np.log1p(stakes * (1.0 - limit) * weight), missed)
    won += np.outer(np.log1p(-stakes * limit), caught)
    since = np.cumsum(won[:, ::-1], axis=1)[:, ::-1]
    shares = start_shares(len(missed))
    return float((np.exp(since) @ shares).mean() + 1.0 - shares.sum())


def run(name: str, rule: str, number: int) -> dict[str, Any]:
    """One life of one world under one rule."""
    world = World.named(name)
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode()), number])
    cases = Cases.drawn(world, rng)
    held_back = cases.bad & (cases.week < HELD_BACK_WEEKS)
    hoped = float(np.quantile(cases.score[held_back], 1.0 - RECALL))
    rules = {"certified": restarts_of_the_certified, "former": restarts_of_the_former}
    life = Life(world, cases, rules[rule](cases, hoped))
    return {"world": name, "rule": rule, "number": number, **life.lived()}


# ---- results


def stored(name: str, rule: str) -> dict[int, dict[str, Any]]:
    """Finished runs by number."""
    file = _file(name, rule)
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line["number"]: line for line in lines}


def table() -> str:
    """The figures of every world and rule there is a result of."""
    rows = [
        "| world | rule | runs | restarts a year: moved / too old | before anything moved | runs with "
        "a broken promise | weeks above the limit | the guard saw it, of the runs above | nights until "
        "then, median / 80th percentile | of the oracle at the end |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [_row(name, rule) for name in WORLDS for rule in RULES if stored(name, rule)]
    return "\n".join(rows)


def _row(name: str, rule: str) -> str:
    runs = pd.DataFrame(list(stored(name, rule).values()))
    broken = float((runs["broken"] > 0).mean())
    error = float(np.sqrt(broken * (1.0 - broken) / len(runs)))
    nights = runs["nights"].dropna().to_numpy(dtype=np.float64)
    above = int(runs["ever_above"].sum())
    waited = f"{np.median(nights):.0f} / {np.quantile(nights, 0.8):.0f}" if len(nights) else ""
    return (
        f"| {name} | {rule} | {len(runs)} | {runs['moved'].mean():.2f} / {runs['aged'].mean():.2f} "
        f"| {runs['before'].mean():.3f} | {broken:.3f} ± {error:.3f} "
        f"| {runs['weeks_above'].sum() / max(runs['weeks_live'].sum(), 1):.3f} "
        f"| {len(nights)} of {above} | {waited} | {runs['automation'].mean():.3f} |"
    )


def check() -> int:
    """Compute the first runs of each result again; 1 where one differs."""
    wrong = list(_differing())
    for told in wrong:
        print(told)
    if not wrong:
        print(f"The first {CHECKED} runs of every world and rule are as stored (simulated).")
    return 1 if wrong else 0


def _differing() -> Iterator[str]:
    for name in WORLDS:
        for rule in RULES:
            kept = stored(name, rule)
            for number in range(CHECKED):
                if number not in kept or run(name, rule, number) != kept[number]:
                    yield f"{name}, {rule}: run {number} is not as stored."


def _file(name: str, rule: str) -> Path:
    return RESULTS / f"{name}-{rule}.jsonl"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--world", nargs="+", choices=WORLDS)
    parser.add_argument("--rule", nargs="+", choices=RULES)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--table", action="store_true", help="only print what there is")
    parser.add_argument("--check", action="store_true", help="recompute the first runs of each")
    return parser


if __name__ == "__main__":
    sys.exit(main())
