"""How often is a truly better model certified wider than today's on the day it is filed?

Simulated. One case type of the simulated exchange (ato), a challenger trained on all features and a
champion that does not know the type of network (its d' is .14 lower). A life begins with 36,000 cases
held back, which prove the champion's first pass cut (recall .99, delta .035); then all cases are audited
at 10 % for 60 days of 5,000 cases, and the champion's sequence goes on. Then the challenger is filed, and
certified on the held-back slice and every cohort case in the reserve (v < .5), scored anew, with a table
and a delta of its own (METHODS 1.2, "The reserve"). Without a reserve there would be nothing to certify
it on that day: every earlier case may have been learned from.

Counted are the lives in which it is certified at all, those in which its cut passes two points more
than what the champion has proven by that day, and those in which a proven cut truly misses more than
1 %. A life's random numbers depend on its number alone. Raw results: results/retrain.jsonl, a line a
life; an interrupted run goes on.

Usage: python -m benchmarks.retrain [--lives N] [--jobs N] [--cache FOLDER] [--table | --check]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta

from benchmarks.worlds import BoolArray, ExchangePlan, FloatArray, PoolWorld, exchange_world
from models.boundary import CertificationSequence
from models.vocabulary import Targets

DELTA, LIMIT = 0.035, 0.01
TARGETS = Targets(recall=1.0 - LIMIT, delta=DELTA)
HELD_BACK, DAYS, CASES_A_DAY, RATE, RESERVE, NOTCH = 36_000, 60, 5_000, 0.10, 0.5, 0.02
LIVES, CHECKED = 1_000, 3
SEED = 20_260_930
HERE = Path(__file__).parent
RESULTS = HERE / "results" / "retrain.jsonl"
CHALLENGER = ExchangePlan(case_type="ato")
CHAMPION = replace(CHALLENGER, blind_to="network_type")


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    if asked.table:
        print(f"Simulated figures.\n\n{table()}")
        return 0
    models(asked.cache)  # both pools are made once, before the workers ask
    if asked.check:
        return check(asked.cache)
    kept = stored()
    missing = [number for number in range(asked.lives) if number not in kept]
    with ProcessPoolExecutor(asked.jobs) as pool, RESULTS.open("a", encoding="utf-8") as file:
        for found in pool.map(partial(life, cache_folder=asked.cache), missing, chunksize=10):
            file.write(json.dumps(found) + "\n")
            file.flush()
    print(f"Simulated figures.\n\n{table()}")
    return 0


def life(number: int, cache_folder: Path) -> dict[str, Any]:
    """One champion's two months, and the challenger's certificate on the day it is filed."""
    champion, challenger, bad = models(cache_folder)
    rng = np.random.default_rng([SEED, number])
    drawn = rng.integers(0, len(bad), HELD_BACK + round(DAYS * CASES_A_DAY * RATE))
    since = np.arange(len(drawn)) >= HELD_BACK
    reserve = ~since | (rng.random(len(drawn)) < RESERVE)

    def cohort(scores: FloatArray, rows: npt.NDArray[np.int64]) -> pd.DataFrame:
        return pd.DataFrame({"score": scores[rows], "bad": bad[rows].astype(np.float64)})

    first = CertificationSequence.start(TARGETS, cohort(champion.by_case, drawn[:HELD_BACK]))
    today = first.extend(cohort(champion.by_case, drawn))
    filed = CertificationSequence.start(TARGETS, cohort(challenger.by_case, drawn[reserve]))
    live, cut = today.proven_by_recall, filed.proven_by_recall
    passes_today = champion.world.share_passed(live) if live is not None else 0.0
    return {
        "number": number,
        "passes_today": passes_today,
        "passes_filed": None if cut is None else challenger.world.share_passed(cut),
        "misses_filed": None if cut is None else challenger.world.true_miss_share(cut),
        "misses_today": None if live is None else champion.world.true_miss_share(live),
        "bad_in_reserve": len(filed.bad_places),
    }


class Scored:
    """The pool's cases scored by one model: case by case, and as a world whose shares are exact."""

    def __init__(self, world: PoolWorld, by_case: FloatArray) -> None:
        self.world = world
        self.by_case = by_case


@cache
def models(cache_folder: Path) -> tuple[Scored, Scored, BoolArray]:
    """(champion, challenger, truth), over the same cases in the same order."""
    pools = []
    for plan in (CHAMPION, CHALLENGER):
        world = exchange_world(cache_folder, plan)
        with np.load(cache_folder / plan.file_name, allow_pickle=False) as pool:
            pools.append((Scored(world, pool["scores"]), pool["bad"]))
    (champion, bad), (challenger, same) = pools
    if not np.array_equal(bad, same):
        raise ValueError("the two models did not score the same cases of the simulated exchange")
    return champion, challenger, bad


def stored() -> dict[int, dict[str, Any]]:
    """Finished lives by number."""
    if not RESULTS.exists():
        return {}
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    return {line["number"]: line for line in lines}


def table() -> str:
    lives = list(stored().values())
    filed = [one for one in lives if one["passes_filed"] is not None]
    wider = [one for one in filed if one["passes_filed"] >= one["passes_today"] + NOTCH]
    gained = [one["passes_filed"] - one["passes_today"] for one in filed]
    broken = sum(one["misses_filed"] > LIMIT + 1e-9 for one in filed)
    today = sum((one["misses_today"] or 0.0) > LIMIT + 1e-9 for one in lives)
    upper = float(beta.ppf(0.95, broken + 1, len(lives) - broken))
    rows = [
        "| lives | certified at filing | two points wider than today's | points wider, median (10th to 90th "
        "percentile) | violated (95 % limit) | today's violated | nominal |",
        "|---|---|---|---|---|---|---|",
        f"| {len(lives)} | {len(filed) / len(lives):.3f} | {len(wider) / len(lives):.3f} "
        f"| {100 * np.median(gained):.1f} ({100 * np.quantile(gained, 0.1):.1f} to "
        f"{100 * np.quantile(gained, 0.9):.1f}) | {broken / len(lives):.3f} ({upper:.3f}) "
        f"| {today / len(lives):.3f} | {DELTA} |",
    ]
    return "\n".join(rows)


def check(cache_folder: Path) -> int:
    """Recompute some lives; 1 when one differs from what is stored."""
    before = stored()
    now = {number: json.loads(json.dumps(life(number, cache_folder))) for number in range(CHECKED)}
    wrong = {number: found for number, found in now.items() if found != before[number]}
    for number, found in wrong.items():
        print(f"life {number}: stored {before[number]}, now {found}")
    print(f"{len(wrong)} of the recomputed lives differ.")
    return int(bool(wrong))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrain")
    parser.add_argument("--lives", type=int, default=LIVES)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=HERE / ".cache")
    parser.add_argument("--table", action="store_true", help="print the table and compute nothing")
    parser.add_argument("--check", action="store_true", help="recompute a slice and compare")
    return parser


if __name__ == "__main__":
    sys.exit(main())
