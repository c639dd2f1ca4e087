"""How often is a certified boundary in truth too wide, and how much of the oracle's work does it do?

Simulated worlds whose truth is known (`benchmarks.worlds`): family x number of cases x labels. Each
repetition draws a world, lets `certify` and, in some cells, today's usual methods
(`benchmarks.peers`) choose a boundary, and judges it by the population, not by a sample
(METHODS 1.7). A repetition's random numbers are a function of its cell and number alone, so any
slice can be recomputed by itself.

Usage: python -m benchmarks.certificate [--cell NAME ...] [--method NAME ...] [--repetitions N]
       [--jobs N] [--results FOLDER] [--cache FOLDER] [--table | --check]
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peers import PEERS, Labelled
from benchmarks.worlds import FAMILIES, BoolArray, FloatArray, World, family, without_crossing
from configs.errors import UserError
from models.boundary import certify
from models.boundary.proof.bounds import share_is_above, upper_limit
from models.vocabulary import Boundary, CertificateVerdict, Targets

TARGETS = Targets(precision=0.95, recall=0.99, delta=0.05)
INCUMBENT_FRACTION = 0.8
"""In audited cells today's boundary automates this much of what the oracle does, on each side."""

SIZES = (20_000, 100_000, 500_000)
AUDITS = (None, 0.10, 0.02)
PEER_CELLS = tuple(
    f"{name}-{row}"
    for name in ("gaussian", "gaussian_near")
    for row in ("20k-full", "100k-full", "500k-full", "100k-audit10", "500k-audit10", "500k-audit2")
)
CHECKED_CELL = "gaussian-20k-full"
CHECKED_REPETITIONS = 10

OURS = "certify"
REPETITIONS = 300
PEER_REPETITIONS = 60
CHUNK = 20
"""Repetitions that are computed and stored together; an interrupted run loses no more than these."""

SEED = 20_260_107
CONFIDENCE = 0.99
"""Of the limits on violation rates, for all cells together."""

TOLERANCE = 1e-12
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Cell:
    """One family at one number of cases, labelled in full (audit None) or under an incumbent.

    In an audited cell the incumbent decides by itself outside its cuts; those cases are observed
    with the probability `audit`, which is logged, and all others are observed.
    """

    family: str
    cases: int
    audit: float | None

    @property
    def labels(self) -> str:
        return "full" if self.audit is None else f"audit{self.audit * 100:.0f}"

    @property
    def name(self) -> str:
        return f"{self.family}-{self.cases // 1000}k-{self.labels}"

    @property
    def methods(self) -> tuple[str, ...]:
        return (OURS, *PEERS) if self.name in PEER_CELLS else (OURS,)


CELLS = {cell.name: cell for cell in (Cell(*parts) for parts in product(FAMILIES, SIZES, AUDITS))}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method did in one repetition; one line of the raw results.

    promoted: it widened at least one side (for `certify`: its verdict is `certified`). violated: it
    did, and the boundary then in force truly misses more than 1 % of the bad cases or blocks with a
    precision below 95 %. automation: of that boundary, relative to the oracle's. miss_share,
    false_share: its truth. seconds: wall time of choosing, without drawing. world: the population.
    """

    cell: str
    method: str
    repetition: int
    promoted: bool
    violated: bool
    automation: float
    miss_share: float
    false_share: float
    pass_at_or_below: float | None
    block_at_or_above: float | None
    verdict: str
    seconds: float
    world: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a repetition shows to the methods; arrays of shape (cases,).

    incumbent: the boundary under which the labels were collected; None: everything was reviewed.
    """

    score: FloatArray
    bad: BoolArray
    drawn: BoolArray
    propensity: FloatArray
    incumbent: Boundary | None

    def table(self) -> pd.DataFrame:
        """As `certify` reads it: truth is missing where a case was not drawn."""
        shown = np.where(self.drawn, self.bad, np.nan)
        return pd.DataFrame({"score": self.score, "bad": shown, "propensity": self.propensity})

    def labelled(self) -> Labelled:
        """As the peers read it: the drawn cases alone."""
        kept = self.drawn
        return Labelled(self.score[kept], self.bad[kept], 1.0 / self.propensity[kept])


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        if asked.table:
            print(markdown(_all_outcomes(asked.results)))
            return 0
        if asked.check:
            return check(asked.results, asked.cache)
        run(_cells(asked.cell), _methods(asked.method), asked)
    except UserError as refused:
        print(refused, file=sys.stderr)
        return 2
    return 0


def run(cells: Sequence[Cell], methods: Sequence[str], asked: argparse.Namespace) -> None:
    """Compute what is missing in the raw results, chunk by chunk, and store each chunk at once."""
    work = [
        chunk
        for cell in cells
        for chunk in _missing(cell, methods, asked.repetitions, asked.results)
    ]
    if not work:
        print("Nothing to do: every repetition asked for is in the raw results.")
        return
    for name in {cell.family for cell, _ in work}:
        _refuse_other_worlds(asked.results, name, _world(name, asked.cache).recipe)
    total, done, began = sum(len(todo) for _, todo in work), 0, time.perf_counter()
    for cell, outcomes in _computed(work, asked.cache, asked.jobs):
        _append(asked.results, cell, outcomes)
        done += len({outcome.repetition for outcome in outcomes})
        print(
            f"{cell.name}: {len(outcomes)} more; {done} of {total} repetitions after "
            f"{time.perf_counter() - began:,.0f} s",
            flush=True,
        )


def repeat(cell: Cell, repetition: int, methods: Iterable[str], world: World) -> list[Outcome]:
    """One repetition of a cell by some of its methods; the same whenever it is computed."""
    evidence = _drawn(cell, repetition, world)
    outcomes = []
    for method in methods:
        began = time.perf_counter()
        boundary, promoted, verdict = _chosen(method, evidence)
        seconds = time.perf_counter() - began
        outcomes.append(
            Outcome(
                cell=cell.name,
                method=method,
                repetition=repetition,
                promoted=promoted,
                violated=promoted and world.breaks(boundary, TARGETS),
                automation=world.automation(boundary) / _oracle_automation(world),
                miss_share=world.miss_share(boundary),
                false_share=world.false_share(boundary),
                pass_at_or_below=boundary.pass_at_or_below,
                block_at_or_above=boundary.block_at_or_above,
                verdict=verdict,
                seconds=round(seconds, 4),
                world=world.recipe,
            )
        )
    return outcomes


def check(results: Path, cache_folder: Path) -> int:
    """Recompute a small slice and compare with the raw results; 1 when a figure differs."""
    cell = CELLS[CHECKED_CELL]
    stored = {(outcome.method, outcome.repetition): outcome for outcome in _outcomes(results, cell)}
    world = _world(cell.family, cache_folder)
    differing, compared = [], 0
    for repetition in range(CHECKED_REPETITIONS):
        for again in repeat(cell, repetition, cell.methods, world):
            before = stored.get((again.method, repetition))
            if before is None:
                differing.append(f"{again.method}, repetition {repetition}: not in the raw results")
                continue
            compared += 1
            differing += [
                f"{again.method}, repetition {repetition}: {what}"
                for what in _differences(asdict(before), asdict(again))
            ]
    print(
        f"{cell.name}: {compared} outcomes of the first {CHECKED_REPETITIONS} repetitions recomputed, "
        f"{'all identical' if not differing else f'{len(differing)} differences'}"
    )
    print("\n".join(differing), end="\n" if differing else "")
    return 1 if differing else 0


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The results for people: `certify` in every cell, then all methods side by side.

    Raises:
        UserError: there are no results.
    """
    if not outcomes:
        raise UserError(
            "There are no raw results to make a table of. Run the benchmark first: "
            "python -m benchmarks.certificate"
        )
    by_cell_and_method: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_cell_and_method[outcome.cell, outcome.method].append(outcome)
    ours = {
        name: by_cell_and_method[name, OURS] for name in CELLS if (name, OURS) in by_cell_and_method
    }
    parts = [_own_table(ours)] if ours else []
    side_by_side = [
        name for name in PEER_CELLS if any((name, method) in by_cell_and_method for method in PEERS)
    ]
    if side_by_side:
        parts.append(_peer_table(side_by_side, by_cell_and_method))
    return "\n\n".join(parts)


def cell_confidence(cells: int) -> float:
    """Error probability of one cell's limit so that all cells' limits hold together (Sidak 1967).

    The cells' random numbers are independent, so the product of their confidences is exact.
    """
    return 1.0 - math.pow(CONFIDENCE, 1.0 / cells)


def _own_table(ours: dict[str, list[Outcome]]) -> str:
    delta = cell_confidence(len(ours))
    lines = [
        f"| family | cases | labels | repetitions | certified | violated | at most ({CONFIDENCE:.0%}, "
        "all cells) | automation | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    highest, above = 0.0, []
    for name, outcomes in ours.items():
        violations, count = sum(o.violated for o in outcomes), len(outcomes)
        limit = upper_limit(violations, count, delta)
        highest = max(highest, limit if limit is not None else 1.0)
        if share_is_above(violations, count, TARGETS.delta) <= delta:
            above.append(name)
        lines.append(
            f"| {CELLS[name].family} | {CELLS[name].cases:,} | {_labels(CELLS[name])} | {count} "
            f"| {np.mean([o.promoted for o in outcomes]):.2f} | {_share(outcomes)} "
            f"| {limit:.3f} | {_automation(outcomes)} | {_seconds(outcomes)} |"
        )
    everything = [outcome for outcomes in ours.values() for outcome in outcomes]
    lines += [
        "",
        f"Over all {len(ours)} cells together {_share(everything)} of {len(everything):,} repetitions "
        f"were violated. The highest of the simultaneous {CONFIDENCE:.0%} upper limits is "
        f"{highest:.3f}. Cells whose violation rate is shown to exceed {TARGETS.delta}: "
        f"{', '.join(above) or 'none'}.",
    ]
    return "\n".join(lines)


def _peer_table(
    names: Sequence[str], by_cell_and_method: dict[tuple[str, str], list[Outcome]]
) -> str:
    methods = [*PEERS, OURS]
    lines = [
        "Violation / automation / seconds:",
        "",
        "| family | labels | cases | " + " | ".join(methods) + " |",
        "|---|---|---|" + "---|" * len(methods),
    ]
    for name in names:
        entries = [by_cell_and_method.get((name, method), []) for method in methods]
        told = [
            f"{_share(o)} / {_automation(o)} / {_seconds(o)} ({len(o)})" if o else ""
            for o in entries
        ]
        lines.append(
            f"| {CELLS[name].family} | {_labels(CELLS[name])} | {CELLS[name].cases:,} | "
            + " | ".join(told)
            + " |"
        )
    lines += ["", "Behind each: standard errors, and in brackets the number of repetitions."]
    return "\n".join(lines)


def _labels(cell: Cell) -> str:
    return "all" if cell.audit is None else f"audit {cell.audit:.0%}"


def _share(outcomes: Sequence[Outcome]) -> str:
    rate = float(np.mean([outcome.violated for outcome in outcomes]))
    return f"{rate:.3f} ± {math.sqrt(rate * (1.0 - rate) / len(outcomes)):.3f}"


def _automation(outcomes: Sequence[Outcome]) -> str:
    values = np.array([outcome.automation for outcome in outcomes])
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{values.mean():.3f} ± {error:.3f}"


def _seconds(outcomes: Sequence[Outcome]) -> str:
    return f"{np.mean([outcome.seconds for outcome in outcomes]):.3f}"


def _drawn(cell: Cell, repetition: int, world: World) -> Evidence:
    # A checksum of the cell's name, because Python's own hash of a text differs between runs.
    key = (zlib.crc32(cell.name.encode()), repetition)
    rng = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=key))
    score, bad = world.draw(rng, cell.cases)
    if cell.audit is None:
        everyone = np.ones(cell.cases, dtype=np.bool_)
        return Evidence(score, bad, everyone, np.ones(cell.cases), None)
    incumbent = world.incumbent(TARGETS, INCUMBENT_FRACTION)
    automatic = np.zeros(cell.cases, dtype=np.bool_)
    if incumbent.pass_at_or_below is not None:
        automatic |= score <= incumbent.pass_at_or_below
    if incumbent.block_at_or_above is not None:
        automatic |= score >= incumbent.block_at_or_above
    propensity = np.where(automatic, cell.audit, 1.0)
    return Evidence(score, bad, rng.random(cell.cases) < propensity, propensity, incumbent)


def _chosen(method: str, evidence: Evidence) -> tuple[Boundary, bool, str]:
    """(the boundary in force after a method had its say, whether it widened a side, its verdict)."""
    if method == OURS:
        certificate = certify(evidence.table(), TARGETS, evidence.incumbent)
        certified = certificate.verdict is CertificateVerdict.CERTIFIED
        return certificate.boundary, certified, str(certificate.verdict)
    today = evidence.incumbent or Boundary.everything_reviewed()
    boundary, widened = widened_by(PEERS[method](evidence.labelled(), TARGETS), today)
    return boundary, widened, "wider" if widened else "hold"


def widened_by(proposed: Boundary, today: Boundary) -> tuple[Boundary, bool]:
    """(today's boundary with each side that was proposed wider, whether there is one).

    A side that is proposed narrower, or not at all, stays as it is, as `certify` leaves a side that
    it cannot prove wider: a method is not charged for want of power with work done already.
    """
    low, high = proposed.pass_at_or_below, proposed.block_at_or_above
    old_low, old_high = today.pass_at_or_below, today.block_at_or_above
    wider_low = low is not None and (old_low is None or low > old_low)
    wider_high = high is not None and (old_high is None or high < old_high)
    boundary = without_crossing(low if wider_low else old_low, high if wider_high else old_high)
    return boundary, wider_low or wider_high


Work = tuple[Cell, dict[int, tuple[str, ...]]]
"""A cell, and by repetition the methods that are missing."""


def _missing(cell: Cell, methods: Sequence[str], asked: int, results: Path) -> Iterator[Work]:
    finished = {(outcome.method, outcome.repetition) for outcome in _outcomes(results, cell)}
    todo: dict[int, tuple[str, ...]] = {}
    for repetition in range(asked):
        wanted = tuple(
            method
            for method in cell.methods
            if method in methods
            and (method == OURS or repetition < PEER_REPETITIONS)
            and (method, repetition) not in finished
        )
        if wanted:
            todo[repetition] = wanted
    repetitions = list(todo)
    for start in range(0, len(repetitions), CHUNK):
        yield cell, {number: todo[number] for number in repetitions[start : start + CHUNK]}


def _computed(
    work: Sequence[Work], cache_folder: Path, jobs: int
) -> Iterator[tuple[Cell, list[Outcome]]]:
    """Chunks as they finish; in this process when there is one job."""
    if jobs == 1:
        for cell, todo in work:
            yield cell, _chunk(cell, todo, cache_folder)
        return
    # Fresh processes: a fork would copy the locks of threads that libraries have started.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        running = {pool.submit(_chunk, cell, todo, cache_folder): cell for cell, todo in work}
        for finished in as_completed(running):
            yield running[finished], finished.result()


def _chunk(cell: Cell, todo: dict[int, tuple[str, ...]], cache_folder: Path) -> list[Outcome]:
    world = _world(cell.family, cache_folder)
    return [
        outcome
        for repetition, methods in todo.items()
        for outcome in repeat(cell, repetition, methods, world)
    ]


@cache
def _world(name: str, cache_folder: Path) -> World:
    return family(name, cache_folder)


@cache
def _oracle_automation(world: World) -> float:
    return world.automation(world.oracle(TARGETS))


def _file(results: Path, cell: Cell) -> Path:
    return results / f"{cell.name}.jsonl"


def _append(results: Path, cell: Cell, outcomes: Sequence[Outcome]) -> None:
    results.mkdir(parents=True, exist_ok=True)
    path = _file(results, cell)
    whole = _whole_lines(path)
    if path.exists() and len(whole) < path.stat().st_size:
        path.write_bytes(whole)  # an interrupted write left half a line
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes))


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _outcomes(results: Path, cell: Cell) -> list[Outcome]:
    """A cell's raw results in order of repetition; none where it has not been run."""
    lines = _whole_lines(_file(results, cell)).decode().splitlines()
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    return sorted(outcomes, key=lambda outcome: (outcome.repetition, outcome.method))


def _all_outcomes(results: Path) -> list[Outcome]:
    return [outcome for cell in CELLS.values() for outcome in _outcomes(results, cell)]


def _refuse_other_worlds(results: Path, name: str, recipe: str) -> None:
    """Results of two populations in one file would average over nothing that exists."""
    others = {
        outcome.world
        for cell in CELLS.values()
        if cell.family == name
        for outcome in _outcomes(results, cell)
    } - {recipe}
    if others:
        raise UserError(
            f"The raw results below {results} come from another population: {', '.join(sorted(others))}; "
            f"this run would add {recipe}. Name another folder with --results, or remove the old files."
        )


def _differences(before: dict[str, Any], again: dict[str, Any]) -> list[str]:
    """What differs beyond rounding, apart from the time it took."""
    found = []
    for name, old in before.items():
        new = again[name]
        numbers = isinstance(old, float) and isinstance(new, float)
        same = abs(old - new) <= TOLERANCE if numbers else old == new
        if name != "seconds" and not same:
            found.append(f"{name} was {old!r} and is {new!r}")
    return found


def _cells(names: Sequence[str] | None) -> list[Cell]:
    unknown = sorted(set(names or ()) - set(CELLS))
    if unknown:
        raise UserError(f"There is no cell {', '.join(unknown)}; there are: {', '.join(CELLS)}")
    return [CELLS[name] for name in (names or CELLS)]


def _methods(names: Sequence[str] | None) -> tuple[str, ...]:
    known = (OURS, *PEERS)
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise UserError(f"There is no method {', '.join(unknown)}; there are: {', '.join(known)}")
    return tuple(names or known)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.certificate", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--cell", action="append", help="only this cell (may be repeated)")
    parser.add_argument("--method", action="append", help="only this method (may be repeated)")
    parser.add_argument(
        "--repetitions",
        type=_at_least_one,
        default=REPETITIONS,
        help=f"of certify; peers stop at {PEER_REPETITIONS} (default {REPETITIONS})",
    )
    parser.add_argument("--jobs", type=_at_least_one, default=2, help="processes (default 2)")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "certificate")
    parser.add_argument("--cache", type=Path, default=HERE / ".cache")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--table", action="store_true", help="print the table of the raw results")
    instead.add_argument(
        "--check",
        action="store_true",
        help="recompute a small slice and compare; exit 1 if it differs",
    )
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
