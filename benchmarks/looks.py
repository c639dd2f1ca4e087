"""Over sixty nights of looks, how often is any promoted boundary in truth too wide?

Simulated worlds without drift (`benchmarks.worlds`, Gaussian). Every night a day's cases are decided
under the live boundary and its audit; certificates are taken as the loop takes them: a look when
the effective sample has grown by a quarter, each with its share of delta, evidence afresh after
each promotion and after each retrain (a new model scores with noise of its own; its first boundary
stands on shadow scores). Several case types share one delta (METHODS 1, notation).

Usage: python -m benchmarks.looks [--worlds N] [--types N] [--nights N] [--retrain NIGHT] [--jobs N]
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np
import pandas as pd

from benchmarks.worlds import FloatArray, GaussianWorld
from models.boundary import (
    Evidence,
    certify,
    delta_of_look,
    effective_sample,
    exact_look_is_due,
    sample_for_first_look,
    sequential,
)
from models.vocabulary import Boundary, CertificateVerdict, Targets

TARGETS = Targets(precision=0.95, recall=0.99, delta=0.05)
AUDIT = 0.1
SEED = 20_260_211
NOTHING = Boundary.everything_reviewed()


@dataclass
class Generation:
    """One model of one case type: its evidence, its looks, and what was promoted on it."""

    noise: float
    boundary: Boundary = NOTHING
    evidence: list[pd.DataFrame] = field(default_factory=list)
    looks: int = 0
    last_effective: float | None = None
    stream_delta: float | None = None


@dataclass(frozen=True)
class Tally:
    """What one world came to: boundaries promoted, and whether any of them breaks a promise."""

    promoted: int
    violated: bool
    automation: float


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    run = partial(
        one_world, types=asked.types, nights=asked.nights, cases=asked.cases, retrain=asked.retrain
    )
    with ProcessPoolExecutor(asked.jobs) as pool:
        tallies = list(pool.map(run, range(asked.worlds), chunksize=4))
    violated = sum(tally.violated for tally in tallies)
    rate = violated / len(tallies)
    allowed = TARGETS.delta + 2.0 * math.sqrt(TARGETS.delta * (1 - TARGETS.delta) / len(tallies))
    print(
        "| worlds | case types | nights | promoted a world | any violated | allowed | automation |"
    )
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {len(tallies)} | {asked.types} | {asked.nights} "
        f"| {np.mean([tally.promoted for tally in tallies]):.2f} | {rate:.3f} | {allowed:.3f} "
        f"| {np.mean([tally.automation for tally in tallies]):.3f} |"
    )
    return int(rate > allowed)


def one_world(
    number: int, types: int, nights: int, cases: int, retrain: int | None = None
) -> Tally:
    """All case types of one simulated world, night by night; `cases` arrive a night and type."""
    told = [
        _one_type(np.random.default_rng([SEED, number, kind]), types, nights, cases, retrain)
        for kind in range(types)
    ]
    return Tally(
        promoted=sum(one.promoted for one in told),
        violated=any(one.violated for one in told),
        automation=float(np.mean([one.automation for one in told])),
    )


def _one_type(
    rng: np.random.Generator, types: int, nights: int, cases: int, retrain: int | None
) -> Tally:
    world = GaussianWorld()
    live = newest = Generation(noise=0.0)
    promoted, violated = 0, False
    for night in range(nights):
        if retrain is not None and night and night % retrain == 0:
            newest = Generation(noise=0.15)
        if _look(newest, types):
            live = newest
            promoted += 1
            violated |= _breaks(world, live)
        _decide(world, rng, cases, live, newest)
    return Tally(promoted, violated, _automation(world, live))


def _look(generation: Generation, types: int) -> bool:
    """One night's certificate; whether it ended in a promotion."""
    if not generation.evidence:
        return False
    evidence = Evidence.from_frame(pd.concat(generation.evidence, ignore_index=True))
    incumbent = None if generation.boundary.automates_nothing else generation.boundary
    stream = sequential(evidence, incumbent)
    delta = generation.stream_delta if stream else None
    if delta is None:
        delta = delta_of_look(TARGETS.delta, types, generation.looks + 1)
    targets = replace(TARGETS, delta=delta)
    effective = effective_sample(evidence, TARGETS)
    if stream and generation.stream_delta is None:
        generation.stream_delta = delta
        generation.looks += 1
    elif not stream:
        first = sample_for_first_look(TARGETS, delta) if evidence.fully_reviewed else 1_000.0
        if not exact_look_is_due(effective, generation.last_effective, first):
            return False
        generation.last_effective = effective
        generation.looks += 1
    found = certify(evidence, targets, incumbent, _grid() if stream else None)
    if found.verdict is not CertificateVerdict.CERTIFIED:
        return False
    generation.boundary = found.boundary
    generation.evidence = []
    generation.last_effective = generation.stream_delta = None
    return True


def _decide(
    world: GaussianWorld,
    rng: np.random.Generator,
    cases: int,
    live: Generation,
    newest: Generation,
) -> None:
    score, bad = world.draw(rng, cases)
    shift = rng.standard_normal(cases)
    decided = _scored(score, shift, live.noise)
    low, high = live.boundary.pass_at_or_below, live.boundary.block_at_or_above
    automatic = np.zeros(cases, dtype=np.bool_)
    if low is not None:
        automatic |= decided <= low
    if high is not None:
        automatic |= decided >= high
    propensity = np.where(automatic, AUDIT, 1.0)
    drawn = rng.random(cases) < propensity
    newest.evidence.append(
        pd.DataFrame(
            {
                "score": _scored(score, shift, newest.noise),
                "bad": np.where(drawn, bad, np.nan),
                "propensity": propensity,
                "drawn": drawn,
            }
        )
    )


def _scored(score: FloatArray, shift: FloatArray, noise: float) -> FloatArray:
    """A model that sees the same case a little differently: noise on the log-odds."""
    if noise == 0.0:
        return score
    odds = np.log(score) - np.log1p(-score) + noise * shift
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))


@cache
def _grid() -> FloatArray:
    """Scores of an earlier day, on which a stream's candidate cuts are laid out once."""
    return GaussianWorld().draw(np.random.default_rng(SEED), 20_000)[0]


_POPULATION = 4_000_000


@cache
def _truth(noise: float) -> tuple[FloatArray, FloatArray]:
    """A large sample of the population as one model sees it: scores, and truth."""
    rng = np.random.default_rng([SEED, 7])
    score, bad = GaussianWorld().draw(rng, _POPULATION)
    return _scored(score, rng.standard_normal(len(score)), noise), bad


def _breaks(world: GaussianWorld, generation: Generation) -> bool:
    low, high = generation.boundary.pass_at_or_below, generation.boundary.block_at_or_above
    if generation.noise == 0.0:
        return world.breaks(generation.boundary, TARGETS)
    score, bad = _truth(generation.noise)
    missed = 0.0 if low is None else float(bad[score <= low].sum() / bad.sum())
    wrong = 0.0 if high is None else float(1.0 - bad[score >= high].mean())
    return missed > 0.01 or wrong > 0.05


def _automation(world: GaussianWorld, generation: Generation) -> float:
    return world.automation(generation.boundary) / world.automation(world.oracle(TARGETS))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looks")
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--types", type=int, default=1)
    parser.add_argument("--nights", type=int, default=60)
    parser.add_argument("--cases", type=int, default=2_000, help="a night and case type")
    parser.add_argument("--retrain", type=int, help="a new model every so many nights")
    parser.add_argument("--jobs", type=int, default=2)
    return parser


if __name__ == "__main__":
    sys.exit(main())
