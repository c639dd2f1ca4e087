"""Does triage find a planted cause, and stay silent where there is none?

Worlds of `benchmarks.triage_worlds` with known plants. `power`: Type A by kind of plant, number of
labelled cases and model, beside a t-test of SHAP means, a permutation test and a slice finder
(METHODS 4.1). `confusion`: planted A, B, C, mixed and none against the verdict (4.4). `cards`: a bias
planted into a model trained on public card transactions. A repetition's random numbers are a function
of its cell and number alone.

Usage: python -m benchmarks.triage [power|confusion|cards ...] [--repetitions N] [--table | --check]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, ttest_ind

from benchmarks.triage_worlds import (
    World,
    additive,
    cards,
    exchange,
    miscalibrated,
    misread,
    misweighed,
)
from configs.places import ratchet_data
from models.triage import TriageEvidence, assess_feature_bias, diagnose
from models.triage.procedure.error_slices import find_error_slices

RESULTS = Path(__file__).parent / "results" / "triage"
MARGIN = 0.1
SIZES = (5_000, 20_000, 100_000)
SEED = 2027
POWER_WORLDS = ("additive", "reset_2fa", "poa_review")
CONFUSION_WORLDS = ("additive", "reset_2fa", "poa_review", "withdrawal_anomaly")
PLANTS = ("none", "over", "under", "zeroed", "inverted", "weak")
FACTORS = {"over": 1.5, "under": 0.5, "zeroed": 0.0, "inverted": -1.0, "weak": 1.5, "none": 1.0}
CAUSES = ("none", "A", "B", "C", "mixed")
PEERS = ("shap_t_test", "permutation", "slice_finder")
PEER_SIZE = 20_000
PEER_REPETITIONS = 10
REPETITIONS = {"power": {5_000: 100, 20_000: 50, 100_000: 20}, "confusion": 20, "cards": 20}
CONFUSION_SIZE = 20_000

Record = dict[str, Any]


@cache
def world(name: str, model: str) -> World:
    """A pool of cases that no model learned from."""
    if name == "cards":
        return cards(str(ratchet_data() / "handbook_transactions.parquet"), SEED)
    return additive(model, SEED) if name == "additive" else exchange(name, model, SEED)


@cache
def really_off(name: str, model: str) -> frozenset[str]:
    """Features whose weight the *unplanted* model itself gets wrong by more than the margin of
    interest, measured on the whole pool: telling of them is no false discovery."""
    pool = world(name, model)
    report = assess_feature_bias(pool.contributions, pool.margin, pool.bad, pool.raw)
    return frozenset(one.feature for one in report.cells if abs(one.delta) > MARGIN)


def rng_of(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("|".join(map(str, parts)).encode()))


def planted(pool: World, plant: str, feature: str, value: str) -> World:
    where = None
    if plant == "inverted":
        where = (pool.raw[pool.slices].astype("str") == value).to_numpy()
    if plant == "none":
        return pool
    return misweighed(pool, feature, FACTORS[plant], where)


def power_once(name: str, model: str, size: int, plant: str, repetition: int) -> Record:
    """One sample, one plant: was it found, what else was told, does the interval cover?"""
    pool = world(name, model)
    feature = pool.weak if plant == "weak" else pool.strong[repetition % len(pool.strong)]
    drawn = pool.sample(rng_of("power", name, model, size, plant, repetition), size)
    value = str(pool.raw[pool.slices].astype("str").value_counts().index[1])
    cases = planted(drawn, plant, feature, value)
    slices = cases.raw[cases.slices].astype("str").to_numpy() if plant == "inverted" else None
    where = value if plant == "inverted" else "all"
    started = time.perf_counter()
    report = assess_feature_bias(
        cases.contributions, cases.margin, cases.bad, cases.raw, slices, 0.05, MARGIN
    )
    seconds = time.perf_counter() - started
    told = [(one.feature, one.slice) for one in report.findings]
    others = [one for one in told if plant == "none" or one != (feature, where)]
    wrong = [one for one in others if one[0] not in really_off(name, model) - {feature}]
    cell = next(
        (c for c in report.cells if c.feature == feature and c.slice in (where, "all")), None
    )
    covers = None
    if cell is not None and plant in ("over", "under", "weak", "none") and model == "perfect":
        truth = 1.0 / FACTORS[plant] - 1.0
        covers = bool(cell.low <= truth <= cell.high)
    return {
        "feature": feature,
        "found": (feature, where) in told,
        "told": len(told),
        "not_planted": len(others),
        "false": len(wrong),
        "covers": covers,
        "noise": len(report.noise),
        "seconds": round(seconds, 3),
    }


def peers_once(name: str, model: str, plant: str, repetition: int) -> Record:
    """What the usual methods say of the same sample: features found, and whether the planted one is."""
    pool = world(name, model)
    feature = pool.weak if plant == "weak" else pool.strong[repetition % len(pool.strong)]
    drawn = pool.sample(rng_of("power", name, model, PEER_SIZE, plant, repetition), PEER_SIZE)
    cases = planted(drawn, plant, feature, "")
    record: Record = {}
    for peer in PEERS:
        told = _PEER[peer](cases, rng_of("peer", peer, name, model, plant, repetition))
        others = [one for one in told if plant == "none" or one != feature]
        record[peer] = {
            "found": plant != "none" and feature in told,
            "told": len(told),
            "not_planted": len(others),
            "false": len([one for one in others if one not in really_off(name, model)]),
        }
    return record


def shap_t_test(cases: World, rng: np.random.Generator) -> list[str]:
    """Mean contribution of false positives against true negatives, Benjamini-Hochberg."""
    del rng
    says_block = cases.margin >= 0.0
    false_positive, true_negative = says_block & ~cases.bad, ~says_block & ~cases.bad
    tested = ttest_ind(
        cases.contributions[false_positive], cases.contributions[true_negative], equal_var=False
    )
    p = np.nan_to_num(np.asarray(tested.pvalue), nan=1.0)
    return [
        name
        for name, adjusted in zip(cases.contributions, false_discovery_control(p), strict=True)
        if adjusted <= 0.05
    ]


def permutation(cases: World, rng: np.random.Generator, draws: int = 500) -> list[str]:
    """Residual times contribution, against residuals permuted among cases: one feature at a time."""
    residual = cases.bad - 1.0 / (1.0 + np.exp(-cases.margin))
    phi = cases.contributions.to_numpy()
    centred = (phi - phi.mean(axis=0)) / np.maximum(phi.std(axis=0), 1e-9)
    seen = np.abs(residual @ centred)
    beyond = np.zeros(len(seen))
    for _ in range(draws):
        beyond += np.abs(rng.permutation(residual) @ centred) >= seen
    p = (beyond + 1.0) / (draws + 1.0)
    return [
        name
        for name, adjusted in zip(cases.contributions, false_discovery_control(p), strict=True)
        if adjusted <= 0.05
    ]


def slice_finder(cases: World, rng: np.random.Generator) -> list[str]:
    """Features by which slices with too many errors are told apart."""
    del rng
    chance = 1.0 / (1.0 + np.exp(-cases.margin))
    says_block = cases.margin >= 0.0
    told: set[str] = set()
    for side, wrong, expected in (
        (says_block, ~cases.bad, 1.0 - chance),
        (~says_block, cases.bad, chance),
    ):
        report = find_error_slices(
            cases.raw[side].reset_index(drop=True), wrong[side], expected[side], q=0.025,
            least_ratio=1.0,
        )  # fmt: skip
        told |= {column for one in report.findings for column in one.columns}
    return sorted(told)


_PEER: dict[str, Callable[[World, np.random.Generator], list[str]]] = {
    "shap_t_test": shap_t_test,
    "permutation": permutation,
    "slice_finder": slice_finder,
}


def confusion_once(name: str, model: str, cause: str, repetition: int) -> Record:
    """One planted cause among 20,000 labelled cases, and the verdict."""
    pool = world(name, model)
    rng = rng_of("confusion", name, model, cause, repetition)
    cases = pool.sample(rng, CONFUSION_SIZE)
    mixed = [("A", "B"), ("A", "C"), ("B", "C")][repetition % 3] if cause == "mixed" else (cause,)
    if "A" in mixed:
        feature = pool.strong[repetition % len(pool.strong)]
        cases = misweighed(cases, feature, (1.75, 0.5, 2.0, 0.4)[repetition % 4])
    if "B" in mixed:
        cases = miscalibrated(
            cases, *((0.6, 1.0), (0.0, 0.65), (-0.7, 1.0), (0.3, 1.5))[repetition % 4]
        )
    if "C" in mixed:
        column, value = pool.patterns[repetition % len(pool.patterns)]
        share = (0.2, 0.3, 0.4, 0.5)[repetition % 4]
        cases = misread(cases, column, value, share, seed=int(rng.integers(2**31)))
    evidence = TriageEvidence(
        cases.margin, cases.bad, cases.contributions, cases.raw,
        {cases.slices: cases.raw[cases.slices].astype("str").to_numpy(dtype=object)},
    )  # fmt: skip
    started = time.perf_counter()
    found = diagnose(evidence)
    return {
        "verdict": found.cause.value,
        "weights": [f"{one.found.feature} {one.slice}" for one in found.weights.findings],
        "gaps": [one.told for one in found.gaps],
        "findings": len(found.weights.findings)
        + len(found.gaps)
        + bool(found.calibration and found.calibration.found),
        "really_off": bool(really_off(name, model)),
        "seconds": round(time.perf_counter() - started, 2),
    }


def cells(part: str) -> Iterator[tuple[str, Callable[[int], Record], int]]:
    """Every cell of a part: its name, what makes a repetition, and how many."""
    if part == "power":
        for name in POWER_WORLDS:
            for model in ("perfect", "xgboost"):
                for size in SIZES:
                    for plant in PLANTS:
                        key = f"{name}-{model}-{size // 1000}k-{plant}"
                        yield (
                            key,
                            _bound(power_once, name, model, size, plant),
                            REPETITIONS["power"][size],
                        )  # type: ignore[index]
                for plant in ("none", "over", "under"):
                    yield (
                        f"{name}-{model}-peers-{plant}",
                        _bound(peers_once, name, model, plant),
                        PEER_REPETITIONS,
                    )
    elif part == "confusion":
        for name in CONFUSION_WORLDS:
            for model in ("perfect", "xgboost"):
                for cause in CAUSES:
                    yield (
                        f"{name}-{model}-{cause}",
                        _bound(confusion_once, name, model, cause),
                        REPETITIONS["confusion"],  # type: ignore[misc]
                    )
    else:
        for size in (20_000, 100_000):
            for plant in ("none", "over", "under", "zeroed"):
                key = f"cards-{size // 1000}k-{plant}"
                yield key, _bound(power_once, "cards", "xgboost", size, plant), REPETITIONS["cards"]  # type: ignore[misc]


def _bound(once: Callable[..., Record], *told: object) -> Callable[[int], Record]:
    return lambda repetition: once(*told, repetition)


def run(part: str, most: int | None, only: str) -> None:
    """Compute what is not in the results yet; a cell's file is rewritten after each repetition."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{part}.jsonl"
    known = {(one["cell"], one["repetition"]) for one in _read(part)}
    for key, once, repetitions in cells(part):
        if only not in key:
            continue
        started = time.perf_counter()
        for repetition in range(min(repetitions, most or repetitions)):
            if (key, repetition) in known:
                continue
            record = {"cell": key, "repetition": repetition, **once(repetition)}
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(record) + "\n")
        print(f"{key}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def _read(part: str) -> list[Record]:
    file = RESULTS / f"{part}.jsonl"
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _grouped(part: str) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for one in _read(part):
        found[one["cell"]].append(one)
    return found


def _mean(values: list[float]) -> str:
    if not values:
        return "-"
    mean = float(np.mean(values))
    return f"{mean:.3f} ± {float(np.sqrt(mean * (1 - mean) / len(values))) if 0 <= mean <= 1 else float(np.std(values) / np.sqrt(len(values))):.3f}"


def power_table(part: str = "power") -> None:
    """Power, false discovery (share of what was told), and coverage of the 95 % interval."""
    print(f"\n## {part}: margin of interest {MARGIN}, q = .05\n")
    print(
        "| cell | repetitions | found | false discovery | told, not planted | interval covers | s |"
    )
    print("|---|---|---|---|---|---|---|")
    for key, rows in _grouped(part).items():
        if "peers" in key:
            continue
        covers = [float(row["covers"]) for row in rows if row["covers"] is not None]
        print(
            f"| {key} | {len(rows)} | {_mean([float(r['found']) for r in rows]) if 'none' not in key else '-'} "
            f"| {_mean([r['false'] / max(r['told'], 1) for r in rows])} "
            f"| {_mean([r['not_planted'] / max(r['told'], 1) for r in rows])} "
            f"| {_mean(covers)} | {float(np.median([r['seconds'] for r in rows])):.2f} |"
        )
    peers = {key: rows for key, rows in _grouped(part).items() if "peers" in key}
    if not peers:
        return
    print(f"\nThe usual methods on the same samples of {PEER_SIZE:,} (found / false discovery):\n")
    print("| cell | repetitions | " + " | ".join(PEERS) + " |")
    print("|---|---|" + "---|" * len(PEERS))
    for key, rows in peers.items():
        told = [
            f"{_mean([float(r[p]['found']) for r in rows]) if 'none' not in key else '-'} / "
            f"{_mean([r[p]['false'] / max(r[p]['told'], 1) for r in rows])}"
            for p in PEERS
        ]
        print(f"| {key} | {len(rows)} | " + " | ".join(told) + " |")


def confusion_table() -> None:
    """Rows: planted; columns: verdict."""
    verdicts = ("none", "A", "B", "C", "mixed", "unknown")
    print(f"\n## confusion: {CONFUSION_SIZE:,} labelled cases\n")
    print("| world | planted | repetitions | " + " | ".join(verdicts) + " | findings a night |")
    print("|---|---|---|" + "---|" * (len(verdicts) + 1))
    total: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for key, rows in _grouped("confusion").items():
        name, model, cause = key.rsplit("-", 2)
        total[model, cause] += rows
        _confusion_row(f"{name} {model}", cause, rows, verdicts)
    for (model, cause), rows in total.items():
        _confusion_row(f"**all {model}**", cause, rows, verdicts)


def _confusion_row(name: str, cause: str, rows: list[Record], verdicts: tuple[str, ...]) -> None:
    shares = [np.mean([row["verdict"] == verdict for row in rows]) for verdict in verdicts]
    nightly = np.mean([row["findings"] for row in rows])
    print(
        f"| {name} | {cause} | {len(rows)} | "
        + " | ".join(f"{share:.2f}" if share else "0" for share in shares)
        + f" | {nightly:.2f} |"
    )


def check() -> int:
    """Recompute a slice and compare it with the committed results."""
    wanted = ["additive-perfect-5k-over", "additive-xgboost-5k-none"]
    committed = {(one["cell"], one["repetition"]): one for one in _read("power")}
    differing = 0
    for key, once, _ in cells("power"):
        if key not in wanted:
            continue
        for repetition in range(5):
            now = {"cell": key, "repetition": repetition, **once(repetition)}
            before = dict(committed[key, repetition])
            for one in (now, before):
                one.pop("seconds")
            differing += now != before
    print(f"triage: 10 repetitions recomputed, {differing} differ from the committed results")
    return int(differing > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("parts", nargs="*", default=["power", "confusion", "cards"])
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--only", default="", help="cells whose name contains this")
    parser.add_argument("--table", action="store_true", help="print the committed results")
    parser.add_argument("--check", action="store_true", help="recompute a slice of them")
    told = parser.parse_args()
    warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
    if told.check:
        return check()
    for part in told.parts:
        if not told.table:
            run(part, told.repetitions, told.only)
        if part == "confusion":
            confusion_table()
        else:
            power_table(part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
