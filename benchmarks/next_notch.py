"""How many audit labels does the next notch cost, and how far is a boundary after half a year?

Simulated. 36,000 cases are held back and prove a first pass cut; from then on the automatic passes
are audited at 10 %. Three methods see the same worlds (METHODS 1.2, "Must reach"):

- `cohort`: the certification sequence; a wider cut is promoted from two points of automation on.
- `noisy`: the same where 1 % of the first words are wrong, contradictions are confirmed by a second
  review, labels count from 30 days on and none comes in for 14 days in the middle of the half year
  (`benchmarks.noisy_labels`).
- `restart`: the Poisson worst-case test of an incumbent's audits (1.2b), which starts anew at each
  promotion; looks split by 6/(pi^2 i^2), the first at an effective sample of 1,000, then at every
  quarter more.
- `limit`: no method, but how few labels any could need: a sequential probability ratio test of the
  cut two points further, which knows its true miss share, on the cohort's bad cases (Wald 1945).

Counted are the audit labels in the pass zone from the first promotion to a cut with two points more
automation, then the share of the oracle's automation after 180 days at 5,000 cases a day, whether any
promoted cut is truly too wide, and whether the price named at the first promotion was enough.
The labels are those of lives in which the oracle itself has two points more than the first cut, up to
the last case that the look used which gave them; median and 80th percentile are shown both over all
these lives (one that never gets there counts as more than any) and over those that got there within
the cap, the mean over the latter. A repetition's random numbers depend on its world
and number alone. Raw results:
results/next_notch/WORLD-METHOD.jsonl, a line a repetition; an interrupted run goes on.

Usage: python -m benchmarks.next_notch [--world NAME ...] [--method NAME ...] [--repetitions N]
       [--jobs N] [--cache FOLDER] [--table | --check]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.noisy_labels import NoisyLabels
from benchmarks.worlds import (
    BoolArray,
    ExchangePlan,
    FloatArray,
    GaussianWorld,
    StealthWorld,
    World,
    exchange_world,
)
from models.boundary import CertificationSequence, certify, delta_of_look
from models.boundary.price.notch_price import HORIZON
from models.boundary.proof.candidates import just_below
from models.boundary.sequence.look_table import LookTable, look_table, looks_within
from models.vocabulary import Boundary, CertificateVerdict, Targets

WORLDS = ("d2.5-10%", "d3.2-5%-stealth", "d3-5%-stealth", "d3.5-2%-stealth", "ato", "withdrawal")
METHODS = ("cohort", "noisy", "restart", "limit")
RECALL, DELTA = 0.99, 0.035
TARGETS = Targets(recall=RECALL, delta=DELTA)
ORACLE = Targets(precision=0.95, recall=RECALL)
HELD_BACK, RATE, NOTCH = 36_000, 0.10, 0.02
DAYS, CASES_A_DAY = 180, 5_000
NIGHTS_APART, LATER_APART = 5, 20
"""Days between the nights of `noisy` that are looked at; after the half year a twentieth of the life.
While a held-back case waits for a second word no look can come, and the next night is looked at."""

MOST_COHORT, MOST_TRAFFIC = 600_000, 2_500_000
"""Cohort cases and traffic after which a repetition ends without its notch."""

REPETITIONS = {"cohort": 400, "noisy": 80, "limit": 200, "restart": 12}
CHECKED = 2
SEED = 20_260_211
HERE = Path(__file__).parent
RESULTS = HERE / "results" / "next_notch"


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    if asked.table:
        print(f"Simulated figures.\n\n{table()}")
        return 0
    if asked.check:
        return check(asked.cache)
    RESULTS.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(asked.jobs) as pool:
        for name in asked.world or WORLDS:
            world_of(name, asked.cache)  # the exchange's pool is made once, before the workers ask
            for method in asked.method or METHODS:
                kept = stored(name, method)
                wanted = asked.repetitions or REPETITIONS[method]
                missing = [number for number in range(wanted) if number not in kept]
                run = partial(repetition, name, method, cache_folder=asked.cache)
                with _file(name, method).open("a", encoding="utf-8") as file:
                    for found in pool.map(run, missing):
                        file.write(json.dumps(found) + "\n")
                        file.flush()
    print(f"Simulated figures.\n\n{table()}")
    return 0


def repetition(name: str, method: str, number: int, cache_folder: Path) -> dict[str, Any]:
    """One life of one world under one method."""
    world = world_of(name, cache_folder)
    seed = [SEED, zlib.crc32(name.encode()), number]
    stream = _Stream(world, np.random.default_rng(seed), np.random.default_rng([*seed, 1]))
    lives = {"cohort": _cohort, "noisy": _noisy, "restart": _restart, "limit": _limit}
    life = lives[method](world, stream)
    first = life["first"]
    begun = world.share_passed(first) if first is not None else 0.0
    possible = begun + NOTCH <= _oracle(world)  # else no cut that keeps the promise is a notch
    return {
        "world": name, "recipe": world.recipe, "method": method, "number": number,
        "begun": begun, "possible": possible, **life,
    }  # fmt: skip


# ---- the methods


def _cohort(world: World, stream: _Stream) -> dict[str, Any]:
    sequence = CertificationSequence.start(TARGETS, stream.cohort(HELD_BACK))
    looks = _Looks.of(sequence, stream)
    first = live = looks.proven
    begun = world.share_passed(first) if first is not None else 0.0
    price = sequence.price(NOTCH, CASES_A_DAY, rate=RATE)["pass"]
    priced_at = None if price.cut is None else world.share_passed(price.cut)
    labels: int | None = None
    price_kept: bool | None = None
    oracle_share = proven_share = None
    widest = begun
    end = HELD_BACK
    horizon = int(DAYS * CASES_A_DAY * RATE)
    while oracle_share is None or (labels is None and end - HELD_BACK < MOST_COHORT):
        end = min(
            int(end * 1.05) + 1, HELD_BACK + (horizon if oracle_share is None else MOST_COHORT)
        )
        looks.take(end)
        cut = looks.proven
        passed = world.share_passed(cut) if cut is not None else 0.0
        if labels is None and passed >= begun + NOTCH:
            rows = looks.rows_at(lambda one: world.share_passed(one) >= begun + NOTCH)
            below = stream.score[HELD_BACK:rows]
            labels = int((below <= (-1.0 if first is None else first)).sum())
        if price.cases is not None and price_kept is None and priced_at is not None:
            if passed >= priced_at - 1e-9:
                price_kept = True
            elif end - HELD_BACK >= price.cases * 1.05:
                price_kept = False
        if passed >= widest + NOTCH:
            live, widest = cut, passed
        if oracle_share is None and end - HELD_BACK >= horizon:
            oracle_share, proven_share = widest / _oracle(world), passed / _oracle(world)
    broken = live is not None and world.true_miss_share(live) > 1.0 - RECALL + 1e-9
    return {
        "labels": labels,
        "oracle_share": oracle_share,
        "proven_share": proven_share,
        "violated": bool(broken),
        "price_kept": price_kept,
        "first": first,
        "price_labels": price.labels,
    }


@dataclass
class _Looks:
    """A sequence's looks, one by one, where every truth is in at once: nothing of the earlier cases is
    read again. `tests/benchmarks/test_next_notch.py` takes them with the sequence itself, too.

    Attributes:
        table: of the whole life.
        proven: the widest cut of all looks so far.
        widened: each look that brought a wider one: cases up to the last bad one it used, and the cut.
    """

    stream: _Stream
    table: LookTable
    taken: int = 0
    proven: float | None = None
    widened: list[tuple[int, float]] = field(default_factory=list)

    @classmethod
    def of(cls, begun: CertificationSequence, stream: _Stream) -> _Looks:
        """The looks of a sequence that has just begun on the held-back cases."""
        most = looks_within(begun.first, HORIZON * begun.first)
        table = look_table(begun.first, 1.0 - RECALL, DELTA, phi=begun.phi, looks=most)
        looks = cls(stream, table)
        looks.take(HELD_BACK)
        return looks

    def take(self, cases: int) -> None:
        """Every look that is due with the first cases."""
        self.stream.grow(cases)
        score, places = self.stream.score, np.flatnonzero(self.stream.bad[:cases])
        while self.table.sizes[self.taken] <= len(places):
            size, allowed = self.table.sizes[self.taken], self.table.allowed[self.taken]
            self.taken += 1
            rows = int(places[size - 1]) + 1
            if allowed < 0:
                continue
            cut = just_below(float(np.partition(score[places[:size]], allowed)[allowed]))
            if cut is None or float(score[:rows].min()) > cut:
                continue
            if self.proven is None or cut > self.proven:
                self.proven = cut
                self.widened.append((rows, cut))

    def rows_at(self, far_enough: Callable[[float], bool]) -> int:
        """The cases that the first look used whose cut is far enough."""
        return next(rows for rows, cut in self.widened if far_enough(cut))


def _noisy(world: World, stream: _Stream) -> dict[str, Any]:
    a_day = CASES_A_DAY * RATE
    labels_in = NoisyLabels(TARGETS, HELD_BACK, a_day, stream.words)
    stream.grow(HELD_BACK)
    labels_in.grow(stream.score, stream.bad)
    targets = replace(TARGETS, delta=DELTA - labels_in.set_aside)
    sequence = CertificationSequence.start(targets, labels_in.before_the_first_night())
    first = live = sequence.proven_by_recall
    begun = world.share_passed(first) if first is not None else 0.0
    price = sequence.price(NOTCH, CASES_A_DAY, rate=RATE)["pass"]
    priced_at = None if price.cut is None else world.share_passed(price.cut)
    labels: int | None = None
    price_kept: bool | None = None
    days: int | None = None
    oracle_share = proven_share = None
    widest = begun
    night, settled = 0, HELD_BACK
    while oracle_share is None or (labels is None and night * a_day < MOST_COHORT):
        step = NIGHTS_APART if oracle_share is None else max(NIGHTS_APART, night // LATER_APART)
        step = step if settled >= HELD_BACK else 1
        night = min(night + step, DAYS if oracle_share is None else int(MOST_COHORT / a_day))
        cases = HELD_BACK + int(night * a_day)
        stream.grow(cases)
        labels_in.grow(stream.score[len(labels_in.score) :], stream.bad[len(labels_in.score) :])
        known = labels_in.night(night, live)
        settled = int(known["bad"].isna().to_numpy().argmax())  # the newest cases always wait
        sequence = sequence.extend(known)
        cut = sequence.proven_by_recall
        passed = world.share_passed(cut) if cut is not None else 0.0
        if labels is None and passed >= begun + NOTCH:
            days = night
            rows = _rows_at(sequence, lambda one: world.share_passed(one) >= begun + NOTCH)
            below = stream.score[HELD_BACK:rows]
            labels = int((below <= (-1.0 if first is None else first)).sum())
        if price.cases is not None and price_kept is None and priced_at is not None:
            used = (sequence.looks[-1].rows if sequence.looks else 0) - HELD_BACK
            if passed >= priced_at - 1e-9:
                price_kept = True
            elif used >= price.cases * 1.05:
                price_kept = False
        if passed >= widest + NOTCH:
            live, widest = cut, passed
        if oracle_share is None and night >= DAYS:
            oracle_share, proven_share = widest / _oracle(world), passed / _oracle(world)
    broken = live is not None and world.true_miss_share(live) > 1.0 - RECALL + 1e-9
    return {
        "labels": labels,
        "oracle_share": oracle_share,
        "proven_share": proven_share,
        "violated": bool(broken),
        "price_kept": price_kept,
        "first": first,
        "price_labels": price.labels,
        "days": days,
    }


def _rows_at(sequence: CertificationSequence, far_enough: Callable[[float], bool]) -> int:
    """The cases that the first look used whose cut is far enough."""
    return next(
        look.rows for look in sequence.looks if look.cut is not None and far_enough(look.cut)
    )


def _restart(world: World, stream: _Stream) -> dict[str, Any]:
    held_back = stream.cohort(HELD_BACK).assign(propensity=1.0)
    first = certify(
        held_back, Targets(recall=RECALL, delta=delta_of_look(DELTA, 1, 1))
    ).boundary.pass_at_or_below
    live = -1.0 if first is None else first
    begun = widest = world.share_passed(live) if first is not None else 0.0
    labels: int | None = None
    oracle_share: float | None = None
    evidence, last, looks, cases = _Traffic(), None, 1, 0
    audited = 0
    block = 20_000
    while cases < MOST_TRAFFIC and (labels is None or oracle_share is None):
        rows = stream.traffic(block, live)
        cases += block
        audited += int((rows["drawn"] & (rows["propensity"] < 1.0)).sum())
        evidence.add(rows)
        effective = evidence.effective()
        if cases >= DAYS * CASES_A_DAY and oracle_share is None:
            oracle_share = widest / _oracle(world)
        if effective < (1_000.0 if last is None else 1.25 * last):
            continue
        last, looks = effective, looks + 1
        found = certify(
            evidence.frame(),
            Targets(recall=RECALL, delta=delta_of_look(DELTA, 1, looks)),
            Boundary(live, None) if live >= 0.0 else None,
        )
        cut = found.boundary.pass_at_or_below
        if found.verdict is not CertificateVerdict.CERTIFIED or cut is None:
            continue
        if world.share_passed(cut) >= widest + NOTCH:
            live, widest = cut, world.share_passed(cut)
            evidence, last = _Traffic(), None
            if labels is None and widest >= begun + NOTCH:
                labels = audited
    return {
        "labels": labels,
        "oracle_share": oracle_share,
        "violated": bool(world.true_miss_share(live) > 1.0 - RECALL + 1e-9) if live >= 0 else False,
        "price_kept": None,
        "first": first,
    }


def _limit(world: World, stream: _Stream) -> dict[str, Any]:
    frame = stream.cohort(HELD_BACK)
    first = CertificationSequence.start(TARGETS, frame).proven_by_recall
    begun = world.share_passed(first) if first is not None else 0.0
    labels: int | None = None
    if begun + NOTCH < _oracle(world):
        cut = world.score_at_share(begun + NOTCH)
        true = max(world.true_miss_share(cut), 1e-9)
        beta = 1.0 - RECALL
        end = HELD_BACK
        while labels is None and true < beta and end - HELD_BACK < MOST_COHORT:
            end = min(2 * end, HELD_BACK + MOST_COHORT)
            frame = stream.cohort(end)
            bad, score = frame["bad"].to_numpy() == 1.0, frame["score"].to_numpy()
            gains = np.where(
                score <= cut, math.log(true / beta), math.log((1.0 - true) / (1.0 - beta))
            )
            capital = np.cumsum(np.where(bad, gains, 0.0))
            reached = np.flatnonzero(capital[HELD_BACK - 1 :] >= math.log(1.0 / DELTA))
            if len(reached):
                seen = score[HELD_BACK : HELD_BACK + int(reached[0])]
                labels = int((seen <= (-1.0 if first is None else first)).sum())
    return {
        "labels": labels, "oracle_share": None, "violated": False, "price_kept": None,
        "first": first,
    }  # fmt: skip


class _Stream:
    """The cases of one life: a cohort that grows, or traffic under a cut; `words` draws what is said
    about them, where that may be wrong."""

    def __init__(self, world: World, rng: np.random.Generator, words: np.random.Generator) -> None:
        self.world = world
        self.rng = rng
        self.words = words
        self.score: FloatArray = np.empty(0)
        self.bad: BoolArray = np.empty(0, dtype=np.bool_)

    def grow(self, cases: int) -> None:
        """Have so many cases; drawn in fixed portions, so that all methods see the same ones."""
        while len(self.score) < cases:
            score, bad = self.world.draw(self.rng, HELD_BACK)
            self.score = np.concatenate([self.score, score])
            self.bad = np.concatenate([self.bad, bad])

    def cohort(self, cases: int) -> pd.DataFrame:
        """The first cases."""
        self.grow(cases)
        return pd.DataFrame({"score": self.score[:cases], "bad": self.bad[:cases].astype(float)})

    def traffic(self, cases: int, live: float) -> pd.DataFrame:
        score, bad = self.world.draw(self.rng, cases)
        propensity = np.where(score <= live, RATE, 1.0)
        drawn = self.rng.random(cases) < propensity
        return pd.DataFrame(
            {
                "score": score,
                "bad": np.where(drawn, bad, np.nan),
                "propensity": propensity,
                "drawn": drawn,
            }
        )


class _Traffic:
    """Evidence since the last promotion."""

    def __init__(self) -> None:
        self.parts: list[pd.DataFrame] = []
        self.bad = 0.0

    def add(self, rows: pd.DataFrame) -> None:
        self.parts.append(rows)
        self.bad += float((rows["bad"] == 1.0).sum())

    def effective(self) -> float:
        return self.bad * RATE  # as `effective_sample`, which needs the whole table

    def frame(self) -> pd.DataFrame:
        return pd.concat(self.parts, ignore_index=True)


# ---- worlds, results, tables


@cache
def world_of(name: str, cache_folder: Path) -> World:
    simulated = {"ato": "ato", "withdrawal": "withdrawal_anomaly"}
    if name in simulated:
        return exchange_world(cache_folder, ExchangePlan(case_type=simulated[name]))
    return {
        "d2.5-10%": GaussianWorld("d2.5-10%", 2.5, 0.10),
        "d3.2-5%-stealth": StealthWorld("d3.2-5%-stealth", 3.2, 0.05, 0.002),
        "d3-5%-stealth": StealthWorld("d3-5%-stealth", 3.0, 0.05, 0.005),
        "d3.5-2%-stealth": StealthWorld("d3.5-2%-stealth", 3.5, 0.02, 0.003),
    }[name]


@cache
def _oracle(world: World) -> float:
    """What the oracle passes: recall alone binds it."""
    if isinstance(world, GaussianWorld):
        return world.share_passed(world.bad_score_at_share(1.0 - RECALL))
    low = world.oracle(ORACLE).pass_at_or_below
    return world.share_passed(low) if low is not None else 0.0


def stored(name: str, method: str) -> dict[int, dict[str, Any]]:
    """Finished repetitions by number."""
    file = _file(name, method)
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line["number"]: line for line in lines}


def table() -> str:
    """The figures of every world and method there is a result of."""
    rows = [
        "| world | method | repetitions | labels to +2 points, median / 80th percentile | got there, of the "
        "lives with two points to gain | of those that got there: median / 80th percentile | mean | of the oracle after 180 days, promoted | proven "
        "| violated | price kept |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [_row(name, method) for name in WORLDS for method in METHODS if stored(name, method)]
    return "\n".join(rows)


def _row(name: str, method: str) -> str:
    lives = list(stored(name, method).values())
    labels = np.array(
        [math.inf if one["labels"] is None else one["labels"] for one in lives if one["possible"]]
    )
    counted = labels[np.isfinite(labels)]
    shares = [one["oracle_share"] for one in lives if one["oracle_share"] is not None]
    proven = [one["proven_share"] for one in lives if one.get("proven_share") is not None]
    kept = [one["price_kept"] for one in lives if one["price_kept"] is not None]
    return (
        f"| {name} | {method} | {len(lives)} | {_quantiles(labels)} | {len(counted)} of {len(labels)} "
        f"| {_quantiles(counted)} | {_thousands(float(counted.mean())) if len(counted) else '-'} "
        f"| {_mean(shares)} | {_mean(proven)} "
        f"| {np.mean([one['violated'] for one in lives]):.3f} "
        f"| {_mean(kept)}{f' of {len(kept)}' if kept else ''} |"
    )


def _quantiles(labels: FloatArray) -> str:
    """Median and 80th percentile."""
    if not len(labels):
        return "-"
    middle, high = (float(np.quantile(labels, q, method="higher")) for q in (0.5, 0.8))
    return f"{_thousands(middle)} / {_thousands(high)}"


def _thousands(count: float) -> str:
    return f"{count / 1000:.1f}k" if math.isfinite(count) else "beyond the cap"


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}" if values else "-"


def check(cache_folder: Path) -> int:
    """Recompute some repetitions; 1 when one differs from what is stored."""
    wrong = 0
    for name, method in _checked():
        for number in range(CHECKED):
            now, before = (
                repetition(name, method, number, cache_folder),
                stored(name, method)[number],
            )
            if json.loads(json.dumps(now)) != before:
                wrong += 1
                print(f"{name} {method} {number}: stored {before}, now {now}")
    print(f"{wrong} of the recomputed repetitions differ.")
    return int(wrong > 0)


def _checked() -> Iterator[tuple[str, str]]:
    """Worlds that need no pool of cases to be built first."""
    yield from (("d3.5-2%-stealth", method) for method in ("cohort", "noisy", "limit"))
    yield ("d2.5-10%", "limit")


def _file(name: str, method: str) -> Path:
    return RESULTS / f"{name.replace('%', 'pct')}-{method}.jsonl"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.next_notch")
    parser.add_argument("--world", action="append", choices=WORLDS)
    parser.add_argument("--method", action="append", choices=METHODS)
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=HERE / ".cache")
    parser.add_argument("--table", action="store_true", help="print the tables and compute nothing")
    parser.add_argument("--check", action="store_true", help="recompute a slice and compare")
    return parser


if __name__ == "__main__":
    sys.exit(main())
