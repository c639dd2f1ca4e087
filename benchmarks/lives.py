"""How often does one table of looks, over its whole life, pass a cut that misses exactly too much?

Simulated. The cut under test truly misses beta = 1 % of the bad cases (for a larger share the table
passes less often), and the table is `look_table(first, .01, .035)` with 60 looks. A life counts as
passed when any of its looks passes; of all lives at most .035 may (METHODS 1.2, "Traps").

- `plain`: each look's bad cases come in by themselves.

In the other designs bad cases come in order of time, in stretches of as many as the first look has,
each with its own keyed uniform u, and somebody who is free to lie in wait sees the truth of every
member so far. Before each stretch that person chooses its rate (u < rate joins) and may draw the store:
every case since the last draw of the store with old rate <= u < new rate joins now, in the order of
opening (`thinning.in_cohort`, `thinning.from_store`).

- `rusher`: audits 3 %; when close to passing draws all of the store and audits everything.
- `waiter`: audits everything; when close to passing audits 3 %, and draws the store by small steps, up
  to .1, .5 and 1, as long as the last step brought fewer misses than are expected of it.
- `hunter`: with few enough misses for the next look takes the rate that brings that look about in the
  next stretch, else 3 %; draws half of the store after each stretch with fewer misses than expected
  that leaves it within twelve misses of passing.

Two deliberate mistakes show that the benchmark would see a broken promise:

- `skips_surfaced`: as the rusher, but the draw of the store leaves out bad cases that had come to light
  by themselves, here half of the missed ones.
- `peeks`: the live cut misses .6 % of the bad cases, so that of those which the tested cut misses beside
  these, and of those it catches, the truth is in though they are no members: they were escalated. A
  stretch whose escalated cases show three quarters of the misses expected there or fewer is drawn whole
  from the store, any other one up to .1 and never again.

A chunk's random numbers depend on its design, first look and number alone. Raw results:
results/lives/DESIGN-FIRST.jsonl, a line a chunk; an interrupted run goes on.

Usage: python -m benchmarks.lives [--design NAME ...] [--chunks N] [--table | --check]
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta as beta_law

from models.boundary.sequence.look_table import LookTable, look_table
from models.boundary.sequence.thinning import in_cohort

BETA, DELTA, LOOKS = 0.01, 0.035, 60
FIRSTS = (1_000, 3_600)
CHUNKS, CHUNKS_UNDISTURBED, CHUNKS_OF_A_MISTAKE, LIVES = 40, 400, 10, 500
CHECKED = 1
MOST_STRETCHES = 100
"""After which a life under an adversary ends, whatever looks are left."""

TRICKLE, RATES = 0.03, (0.03, 0.1, 0.5, 1.0)
CLOSE, FAR = 3, 12
"""Misses beyond what the next look allows: close to passing, and so many that nobody hunts."""

SURFACED, LIVE_MISSES = 0.5, 0.6
"""Of the missed cases, those that come to light by themselves; and those that the live cut misses too."""

LOOKS_GOOD = 0.75
"""Of the escalated misses that are expected of a stretch: so few make one draw it whole."""

SEED = 20_261_201
RESULTS = Path(__file__).parent / "results" / "lives"

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    if asked.check:
        return check()
    if not asked.table:
        RESULTS.mkdir(parents=True, exist_ok=True)
        for design in asked.design or DESIGNS:
            for first in FIRSTS:
                kept = stored(design, first)
                with _file(design, first).open("a", encoding="utf-8") as file:
                    for number in range(asked.chunks or _wanted(design)):
                        if number not in kept:
                            file.write(json.dumps(chunk(design, first, number)) + "\n")
                            file.flush()
    print(f"Simulated figures.\n\n{table()}")
    return 0


def chunk(design: str, first: int, number: int) -> dict[str, Any]:
    """How many lives of one chunk ever passed, and at the first look already."""
    rng = np.random.default_rng([SEED, zlib.crc32(design.encode()), first, number])
    looks = table_of(first)
    if design == "plain":
        passed_at = passing_looks(rng, looks, LIVES)
    else:
        lives = (adversarial_life(design, looks, rng) for _ in range(LIVES))
        passed_at = np.array([life.passed_at for life in lives])
    return {
        "design": design,
        "first": first,
        "chunk": number,
        "lives": LIVES,
        "passed": int((passed_at > 0).sum()),
        "at_first_look": int((passed_at == 1).sum()),
    }


def table_of(first: int) -> LookTable:
    """The 60 looks of one life."""
    return look_table(first, BETA, DELTA, looks=LOOKS)


# ---- lives in which nobody interferes


def passing_looks(rng: np.random.Generator, looks: LookTable, lives: int) -> npt.NDArray[np.int64]:
    """The first look (1, 2, ...) that each life passes, 0 where none; shape (lives,)."""
    more = np.diff(looks.sizes, prepend=0)
    return first_passed(rng.binomial(more, BETA, (lives, len(more))), looks)


def first_passed(more: npt.NDArray[np.int64], looks: LookTable) -> npt.NDArray[np.int64]:
    """The first look passed, 0 where none, given the new misses of each look, shape (lives, looks)."""
    passes = np.cumsum(more, axis=1) <= np.array(looks.allowed)
    return np.where(passes.any(axis=1), passes.argmax(axis=1) + 1, 0)


# ---- lives under an adversary


@dataclass(eq=False)
class Stretch:
    """Bad cases of one stretch of time in order of opening, shape (cases,) each, and how far they were
    drawn. `miss`: the tested cut passes it; `live`: the live cut does, too; `surfaced`: it came to
    light by itself."""

    u: FloatArray
    miss: BoolArray
    live: BoolArray
    surfaced: BoolArray
    rate: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, cases: int, rate: float) -> Stretch:
        """Bad cases of which the tested cut misses the promised share exactly, independently."""
        place = rng.random(cases)  # among the bad cases by score: the lowest are missed
        miss = place < BETA
        surfaced = miss.copy()
        surfaced[miss] = rng.random(int(miss.sum())) < SURFACED
        return cls(rng.random(cases), miss, place < LIVE_MISSES * BETA, surfaced, rate)

    def joins(self, rate: float) -> BoolArray:
        """Who joins when the store is drawn up to a rate: `from_store`, without its table."""
        return np.asarray((self.u >= self.rate) & (self.u < rate))


@dataclass(frozen=True, eq=False)
class Entry:
    """Rows that were stored together: who of them is a member, and whom the tested cut misses."""

    member: BoolArray
    miss: BoolArray


@dataclass(eq=False)
class Life:
    """The members' misses in order of entry, and the looks that were due.

    Attributes:
        passed_at: the look that passed, counted from 1; 0: none so far.
        places: at which members the misses stand.
        store: stretches since the last draw of the store.
        entries: all that was stored, for a second road (the certification sequence).
    """

    looks: LookTable
    joined: int = 0
    taken: int = 0
    passed_at: int = 0
    places: list[int] = field(default_factory=list)
    store: list[Stretch] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    last_joined: int = 0
    last_missed: int = 0

    @property
    def over(self) -> bool:
        return self.passed_at > 0 or self.taken == len(self.looks.sizes)

    @property
    def short(self) -> int:
        """Misses in hand beyond what the next look allows."""
        return len(self.places) - self.looks.allowed[self.taken]

    @property
    def lucky(self) -> bool:
        """What joined last brought fewer misses than are expected of it."""
        return self.last_missed < BETA * self.last_joined

    def enter(self, member: BoolArray, miss: BoolArray) -> None:
        """Members join in this order; each look that is due uses exactly its first bad cases."""
        self.entries.append(Entry(member, miss))
        missed = np.flatnonzero(miss[member])
        self.places.extend((missed + self.joined).tolist())
        self.last_joined, self.last_missed = int(member.sum()), len(missed)
        self.joined += self.last_joined
        while not self.over and self.looks.sizes[self.taken] <= self.joined:
            misses = bisect_left(self.places, self.looks.sizes[self.taken])
            self.taken += 1
            if misses <= self.looks.allowed[self.taken - 1]:
                self.passed_at = self.taken

    def draw(self, rate: float, skips_surfaced: bool = False) -> None:
        """Draw the store up to a rate; the next draw's window begins now."""
        if not self.store:
            return
        joining = [one.joins(rate) for one in self.store]
        if skips_surfaced:
            joining = [now & ~one.surfaced for one, now in zip(self.store, joining, strict=True)]
        miss = np.concatenate([one.miss[now] for one, now in zip(self.store, joining, strict=True)])
        self.enter(np.ones(len(miss), dtype=np.bool_), miss)


def adversarial_life(design: str, looks: LookTable, rng: np.random.Generator) -> Life:
    """One life until it passes, its looks are used up, or `MOST_STRETCHES` are over."""
    chooses = ADVERSARIES[design]
    life = Life(looks)
    size = looks.sizes[0]
    life.enter(np.ones(size, dtype=np.bool_), rng.random(size) < BETA)
    for _ in range(MOST_STRETCHES):
        if life.over:
            break
        rate = chooses(life)
        if life.over:  # by its draw of the store
            break
        life.store.append(Stretch.drawn(rng, size, rate))
        life.enter(in_cohort(life.store[-1].u, rate), life.store[-1].miss)
    return life


def _rusher(life: Life, skips_surfaced: bool = False) -> float:
    if life.short > CLOSE:
        return TRICKLE
    _draw_all(life, skips_surfaced)
    return 1.0


def _draw_all(life: Life, skips_surfaced: bool = False) -> None:
    life.draw(1.0, skips_surfaced)
    life.store.clear()


def _waiter(life: Life) -> float:
    if life.short > CLOSE:
        return 1.0
    for rate in RATES[1:]:  # the window stays open from step to step, and is done with afterwards
        life.draw(rate)
        for stretch in life.store:
            stretch.rate = max(stretch.rate, rate)
        if life.over or not life.lucky:
            break
    life.store.clear()
    return TRICKLE


def _hunter(life: Life) -> float:
    if life.lucky and life.short <= FAR:
        life.draw(0.5)
        life.store.clear()
        if life.over:
            return TRICKLE
    if life.short > 0:
        return TRICKLE
    missing = life.looks.sizes[life.taken] - life.joined
    reaching = [rate for rate in RATES if rate * life.looks.sizes[0] >= missing]
    return reaching[0] if reaching else 1.0


def _peeker(life: Life) -> float:
    """Reads the labels of the last stretch's escalated cases that are no members."""
    if life.store:
        (last,) = life.store
        out = last.u >= last.rate
        seen = int((last.miss & ~last.live & out).sum())
        good = seen <= LOOKS_GOOD * (1.0 - LIVE_MISSES) * BETA * int(out.sum())
        life.draw(1.0 if good else RATES[1])  # and is never asked for again
        life.store.clear()
    return TRICKLE


ADVERSARIES: dict[str, Callable[[Life], float]] = {
    "rusher": _rusher,
    "waiter": _waiter,
    "hunter": _hunter,
    "skips_surfaced": partial(_rusher, skips_surfaced=True),
    "peeks": _peeker,
}
DESIGNS = ("plain", *ADVERSARIES)
MISTAKES = ("skips_surfaced", "peeks")


# ---- results


def stored(design: str, first: int) -> dict[int, dict[str, Any]]:
    """Finished chunks by number."""
    file = _file(design, first)
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line["chunk"]: line for line in lines}


def table() -> str:
    """The share of lives that ever passed, by design and first look."""
    rows = [
        "| lives | first look | lives simulated | ever passed (95 % limits) | of these at the first look "
        "| by the table's own sum | at most |",
        "|---|---|---|---|---|---|---|",
    ]
    rows += [_row(design, first) for design, first in _cells() if stored(design, first)]
    return "\n".join(rows)


def _row(design: str, first: int) -> str:
    chunks = list(stored(design, first).values())
    lives, passed, at_first = (
        sum(one[name] for one in chunks) for name in ("lives", "passed", "at_first_look")
    )
    low, high = limits(passed, lives)
    mistake = design in MISTAKES
    return (
        f"| {design}{' (a mistake)' if mistake else ''} | {first:,} | {lives:,} "
        f"| {passed / lives:.4f} ({low:.4f} to {high:.4f}) | {at_first / lives:.4f} "
        f"| {'-' if mistake else f'{table_of(first).spent:.4f}'} | {DELTA} |"
    )


def limits(passed: int, lives: int) -> tuple[float, float]:
    """Two-sided 95 % limits of a share (Clopper and Pearson 1934)."""
    low = float(beta_law.ppf(0.025, passed, lives - passed + 1)) if passed else 0.0
    high = float(beta_law.ppf(0.975, passed + 1, lives - passed)) if passed < lives else 1.0
    return low, high


def check() -> int:
    """Recompute the first chunk of each design; 1 when one differs from what is stored."""
    wrong = 0
    for design, first in _cells():
        if design != "plain" and first != FIRSTS[0]:
            continue  # the same code on three times the cases
        before = stored(design, first)
        for number in range(CHECKED):
            now = chunk(design, first, number)
            if now != before[number]:
                wrong += 1
                print(f"{design} {first} {number}: stored {before[number]}, now {now}")
    print(f"{wrong} of the recomputed chunks differ.")
    return int(wrong > 0)


def _wanted(design: str) -> int:
    if design == "plain":
        return CHUNKS_UNDISTURBED
    return CHUNKS_OF_A_MISTAKE if design in MISTAKES else CHUNKS


def _cells() -> Iterator[tuple[str, int]]:
    return ((design, first) for design in DESIGNS for first in FIRSTS)


def _file(design: str, first: int) -> Path:
    return RESULTS / f"{design}-{first}.jsonl"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lives")
    parser.add_argument("--design", action="append", choices=DESIGNS)
    parser.add_argument("--chunks", type=int)
    parser.add_argument("--table", action="store_true", help="print the table and compute nothing")
    parser.add_argument("--check", action="store_true", help="recompute a slice and compare")
    return parser


if __name__ == "__main__":
    sys.exit(main())
