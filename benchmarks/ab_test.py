"""Does an A/B test that is looked at daily prove what is untrue, and how soon what is true?

Simulated. 28 daily looks, 4,000 runs a cell. `claims`: the three tests of METHODS 5 on whole policies
with audited labels, by the code of `models.boundary` on counts of cases; in each null world one claim
is only just untrue and all others are true. `arms`: `SequentialComparison` on plain outcomes of two
arms. `split`: the sample-ratio check. A peeked z-test is computed here for contrast alone.
A cell's random numbers depend on its name alone.

Usage: python -m benchmarks.ab_test [claims|arms|split ...] [--runs N] [--only TEXT] [--table]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from models.boundary import AbVerdict, SequentialComparison, sample_ratio_p_value
from models.boundary.ab.ab_claims import LargestWeights
from models.boundary.ab.ab_evidence import (
    log_capitals,
    look_days,
    refuting_log_capitals,
    scores_at_looks,
)
from models.boundary.ab.ab_rows import CaseKinds
from models.boundary.ab.group_sequential import obrien_fleming_constant, obrien_fleming_limits
from models.boundary.decision.arms import SPLIT_BROKEN_BELOW
from models.vocabulary import AbPlan, Targets

RESULTS = Path(__file__).parent / "results" / "ab_test"
PARTS = ("claims", "arms", "split")
DAYS, LOOKS, DELTA, RUNS = 28, 5, 0.05, 4_000
BATCH = 250
PASS, BLOCK, REVIEW = "pass", "block", "review"
Record = dict[str, Any]


@dataclass(frozen=True)
class Zone:
    """Cases that get one pair of answers: their share of all cases, and how many of them are bad."""

    control: str
    treatment: str
    share: float
    bad: float


@dataclass(frozen=True)
class World:
    """A population by zones, and the A/B run on it."""

    zones: tuple[Zone, ...]
    plan: AbPlan
    audit: float = 0.1
    moved_rate: float = 1.0


def world(
    *,
    missed: tuple[float, float] = (0.0001, 0.00005),
    precise: tuple[float, float] = (0.975, 0.965),
    base_rate: float = 0.05,
    audit: float = 0.1,
    **registered: Any,
) -> World:
    """A pass side of 60 % widened by 8 %, a block side of 3.5 % widened by 1 %.

    missed: bad cases among all cases that the old and the moved pass band hold (recall .99 at a base
    rate of 5 % allows .0005). precise: bad share of the old and the moved block band.
    """
    blocked = 0.035 * precise[0] + 0.01 * precise[1]
    rest = base_rate - blocked - sum(missed)
    zones = (
        Zone(PASS, PASS, 0.60, missed[0] / 0.60),
        Zone(REVIEW, PASS, 0.08, missed[1] / 0.08),
        Zone(REVIEW, REVIEW, 0.275, rest / 0.275),
        Zone(REVIEW, BLOCK, 0.01, precise[1]),
        Zone(BLOCK, BLOCK, 0.035, precise[0]),
    )
    said = {
        "targets": Targets(precision=0.95, recall=0.99, delta=DELTA),
        "horizon_days": float(DAYS),
        "automation_margin": 0.05,
        "precision_margin": 0.01,
        **registered,
    }
    return World(zones, AbPlan(**said), audit)


def exchanged() -> World:
    """As many cases leave the pass side as join it: with no margin, a tie in automation."""
    tied = world(automation_margin=0.0, precise=(0.975, 0.965))
    zones = list(tied.zones)
    zones[0] = replace(zones[0], share=0.51)
    zones.insert(1, Zone(PASS, REVIEW, 0.09, 0.0002))
    return replace(tied, zones=tuple(zones))


FALSE_OMISSION = Targets(precision=0.95, false_omission_rate=0.001, delta=DELTA)

NULLS: dict[str, tuple[World, str]] = {
    "automation: gains its margin": (world(automation_margin=0.09), "automation"),
    "automation: a tie by exchange": (exchanged(), "automation"),
    "precision: exactly .95": (world(precise=(0.955, 0.9325)), "precision"),
    "margin: lower by exactly .01": (world(precise=(0.985, 0.94)), "precision_margin"),
    "misses: exactly 1 %, moved band": (world(missed=(0.0001, 0.0004)), "recall"),
    "misses: exactly 1 %, both bands": (world(missed=(0.00044, 0.00006)), "recall"),
    "misses: false omission exactly .001": (
        world(missed=(0.0001, 0.00058), targets=FALSE_OMISSION),
        "false_omission_rate",
    ),
}
TRUE: dict[str, World] = {
    "recall .99": world(),
    "recall .99, audit 5 %": world(audit=0.05),
    "recall .99, control reviews passes": world(),
    "false omission .001": world(missed=(0.00015, 0.00009), targets=FALSE_OMISSION),
}
BROKEN = {
    "misses at 2 %": world(missed=(0.0001, 0.0009)),
    "precision .90": world(precise=(0.92, 0.83)),
}


def counts_of(
    told: World, cases: int, scheme: str, rng: np.random.Generator, runs: int
) -> tuple[CaseKinds, np.ndarray, LargestWeights]:
    """Poisson counts of each kind of case, shape (runs, days, kinds).

    scheme: whose truth counts. "both": either arm where the policies agree, the treated where they
    differ (what `tally` does). "treated": the treated alone. "pooled": either arm everywhere.
    """
    share = told.plan.treatment_share
    kinds: list[tuple[Zone, bool, float]] = []
    rates: list[float] = []
    for zone in told.zones:
        agreed = zone.control == zone.treatment
        own = told.audit if agreed else told.moved_rate
        rate = own if zone.treatment != REVIEW else 1.0
        if scheme == "pooled" and not agreed:
            seen, weight = share * rate + 1.0 - share, 1.0 / (share * rate + 1.0 - share)
        else:
            part = share if scheme == "treated" or not agreed else 1.0
            seen, weight = part * rate, 1.0 / (part * rate)
        truths = ((True, zone.bad), (False, 1.0 - zone.bad))
        kinds += [(zone, bad, weight) for bad, _ in truths] + [(zone, False, 0.0)]
        rates += [zone.share * seen * chance for _, chance in truths] + [zone.share * (1.0 - seen)]
    drawn = rng.poisson(cases * np.array(rates), (runs, DAYS, len(rates))).astype(np.float64)
    half = share if scheme == "treated" else 1.0
    largest = LargestWeights(
        pass_agreed=_largest(told, PASS, half),
        block_agreed=_largest(told, BLOCK, half),
        moved=1.0 if scheme == "pooled" else 1.0 / (share * told.moved_rate),
    )
    return _kinds(kinds), drawn, largest


def _largest(told: World, action: str, half: float) -> float:
    agreed = any(zone.control == zone.treatment == action for zone in told.zones)
    return 1.0 / (half * told.audit) if agreed else 1.0


def _kinds(kinds: list[tuple[Zone, bool, float]]) -> CaseKinds:
    return CaseKinds(
        control_passes=np.array([zone.control == PASS for zone, _, _ in kinds]),
        control_blocks=np.array([zone.control == BLOCK for zone, _, _ in kinds]),
        treatment_passes=np.array([zone.treatment == PASS for zone, _, _ in kinds]),
        treatment_blocks=np.array([zone.treatment == BLOCK for zone, _, _ in kinds]),
        bad=np.array([bad for _, bad, _ in kinds]),
        missing=np.zeros(len(kinds), dtype=np.bool_),
        weight=np.array([weight for _, _, weight in kinds]),
    )


def proven_days(told: World, cases: int, scheme: str, name: str, runs: int) -> Record:
    """By method and claim, the day it was proven in each run (DAYS + 1: never), and refutations."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    fixed = replace(told.plan, method="obrien_fleming", looks=LOOKS)
    daily = replace(told.plan, method="obrien_fleming", looks=DAYS)
    constant = obrien_fleming_constant(LOOKS, DELTA)
    found: dict[str, dict[str, list[np.ndarray]]] = {"betting": {}, "looks": {}, "peeked": {}}
    refuted: list[np.ndarray] = []
    for start in range(0, runs, BATCH):
        size = min(BATCH, runs - start)
        kinds, counts, largest = counts_of(told, cases, scheme, rng, size)
        for claim, path in log_capitals(told.plan, kinds, counts, largest).items():
            _note(found["betting"], claim, path >= -np.log(DELTA), np.arange(1, DAYS + 1))
        for claim, path in scores_at_looks(fixed, kinds, counts, largest).items():
            _note(found["looks"], claim, path >= constant, np.array(look_days(fixed)))
        share = np.sqrt(np.arange(1, DAYS + 1) / DAYS)
        for claim, path in scores_at_looks(daily, kinds, counts, largest).items():
            peeked = path / share >= stats.norm.isf(DELTA)
            _note(found["peeked"], claim, peeked, np.arange(1, DAYS + 1))
        against = refuting_log_capitals(told.plan, kinds, counts, largest).values()
        limit = np.log(len(told.plan.targets.named()) / DELTA)
        refuted.append(np.any([path >= limit for path in against], axis=0).any(axis=-1))
    return {
        "proven": {
            method: {claim: np.concatenate(parts) for claim, parts in claims.items()}
            for method, claims in found.items()
        },
        "refuted": np.concatenate(refuted),
    }


def _note(
    into: dict[str, list[np.ndarray]], claim: str, proven: np.ndarray, days: np.ndarray
) -> None:
    first = np.where(proven.any(axis=-1), days[proven.argmax(axis=-1)], DAYS + 1)
    into.setdefault(claim, []).append(first)


def claims_cells() -> Iterator[tuple[str, World, int, str, str]]:
    """(name, world, cases a day, scheme, the claim that is untrue or '')."""
    for (name, (told, untrue)), cases in product(NULLS.items(), (10_000, 40_000)):
        yield f"null | {name} | {cases} | both", told, cases, "both", untrue
    for (name, told), cases, scheme in product(
        TRUE.items(), (10_000, 40_000), ("both", "treated", "pooled")
    ):
        seen = told
        if "reviews passes" in name:
            zones = tuple(
                replace(zone, control=REVIEW) if zone.control == PASS else zone
                for zone in told.zones
            )
            seen = replace(told, zones=zones)
        yield f"true | {name} | {cases} | {scheme}", seen, cases, scheme, ""
    for name, told in BROKEN.items():
        yield f"broken | {name} | 10000 | both", told, 10_000, "both", ""


def claims_once(name: str, runs: int) -> Record:
    told, cases, scheme, untrue = next(cell[1:] for cell in claims_cells() if cell[0] == name)
    days = proven_days(told, cases, scheme, name, runs)
    record: Record = {"cases_a_day": cases, "scheme": scheme, "untrue": untrue}
    for method, claims in days["proven"].items():
        last = np.max(list(claims.values()), axis=0)
        record[method] = {
            "proven": {claim: float((first <= DAYS).mean()) for claim, first in claims.items()},
            "promoted": float((last <= DAYS).mean()),
            "median_day": float(np.median(last)),
            "median_day_by_claim": {
                claim: float(np.median(first)) for claim, first in claims.items()
            },
        }
    return {**record, "refuted": float(days["refuted"].mean())}


ARMS = {
    "null | superiority: .10 and .10": (0.10, 0.10, 0.0),
    "null | non-inferiority .02: .10 and .08": (0.10, 0.08, -0.02),
    "null | superiority: .50 and .50": (0.50, 0.50, 0.0),
    "true | superiority: .10 and .12": (0.10, 0.12, 0.0),
    "true | superiority: .10 and .13": (0.10, 0.13, 0.0),
    "true | non-inferiority .02: .10 and .10": (0.10, 0.10, -0.02),
    "true | superiority: .50 and .54": (0.50, 0.54, 0.0),
}
ARM_CASES = 200


def arms_once(name: str, runs: int) -> Record:
    """`SequentialComparison` itself, beside z-tests on the same cases: share proven, median day."""
    control, treatment, margin = ARMS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    first: dict[str, list[int]] = {"betting": [], "looks": [], "peeked": []}
    stopped = 0
    looks = np.array([DAYS * look // LOOKS for look in range(1, LOOKS + 1)])
    limits = obrien_fleming_limits(LOOKS, DELTA)
    for _ in range(runs):
        left = rng.random((DAYS, ARM_CASES)) < control
        right = rng.random((DAYS, ARM_CASES)) < treatment
        comparison = SequentialComparison(margin, DELTA)
        day = DAYS + 1
        for at in range(DAYS):
            verdict = comparison.observe(left[at], right[at]).verdict
            if verdict is not AbVerdict.CONTINUE:
                day = at + 1 if verdict is AbVerdict.PROMOTE else DAYS + 1
                stopped += verdict is AbVerdict.STOP
                break
        first["betting"].append(day)
        z = _two_sample_z(left, right, margin)
        first["looks"].append(_first_day(z[looks - 1] >= limits, looks))
        first["peeked"].append(_first_day(z >= stats.norm.isf(DELTA), np.arange(1, DAYS + 1)))
    return {
        "cases_a_day": 2 * ARM_CASES,
        "stopped": stopped / runs,
        **{
            method: {
                "promoted": float(np.mean(np.array(days) <= DAYS)),
                "median_day": float(np.median(days)),
            }
            for method, days in first.items()
        },
    }


def _two_sample_z(left: np.ndarray, right: np.ndarray, margin: float) -> np.ndarray:
    cases = ARM_CASES * np.arange(1, DAYS + 1)
    low, high = left.sum(axis=1).cumsum() / cases, right.sum(axis=1).cumsum() / cases
    variance = (low * (1 - low) + high * (1 - high)) / cases
    return (high - low - margin) / np.sqrt(np.maximum(variance, 1e-12))


def _first_day(proven: np.ndarray, days: np.ndarray) -> int:
    return int(days[proven.argmax()]) if proven.any() else DAYS + 1


SPLITS = {
    "as designed .50": (0.50, 0.50),
    "as designed .20": (0.20, 0.20),
    ".49 for .50": (0.49, 0.50),
    ".48 for .50": (0.48, 0.50),
}
SPLIT_CASES = 1_000


def split_once(name: str, runs: int) -> Record:
    """Share of runs stopped by the sample-ratio check at any of 28 daily looks."""
    truth, designed = SPLITS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    treated = rng.binomial(SPLIT_CASES, truth, (runs, DAYS)).cumsum(axis=1)
    cases = SPLIT_CASES * np.arange(1, DAYS + 1)
    p_value = np.vectorize(lambda n, t: sample_ratio_p_value(int(n - t), int(t), designed))
    broken = p_value(np.broadcast_to(cases, treated.shape), treated) < SPLIT_BROKEN_BELOW
    first = np.where(broken.any(axis=1), broken.argmax(axis=1) + 1, DAYS + 1)
    return {
        "cases_a_day": SPLIT_CASES,
        "stopped": float((first <= DAYS).mean()),
        "median_day": float(np.median(first)),
    }


def run(part: str, runs: int, only: str) -> None:
    """Measure a part's cells and write them; cells left out by `only` keep what is stored."""
    cells = {
        "claims": (claims_once, [cell[0] for cell in claims_cells()]),
        "arms": (arms_once, list(ARMS)),
        "split": (split_once, list(SPLITS)),
    }
    once, names = cells[part]
    stored = {row["cell"]: row for row in _read(part)}
    for name in names:
        if only in name:
            started = time.perf_counter()
            # Whose truth counts is a comparison beside the point, and takes a quarter of the runs.
            size = runs if not name.endswith(("treated", "pooled")) else max(runs // 4, 1)
            figures = once(name, size)
            seconds = round(time.perf_counter() - started, 1)
            stored[name] = {"cell": name, "runs": size, "seconds": seconds, **figures}
            print(f"{part}: {name} ({seconds} s)", file=sys.stderr)
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(stored[name]) + "\n" for name in names if name in stored)
    (RESULTS / f"{part}.jsonl").write_text(text, encoding="utf-8")


def _read(part: str) -> list[Record]:
    file = RESULTS / f"{part}.jsonl"
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def table(part: str) -> None:
    """Print the stored results; every figure is simulated."""
    {"claims": _claims_tables, "arms": _arms_table, "split": _split_table}[part](_read(part))


def _claims_tables(rows: list[Record]) -> None:
    print("\n## Type I error: the untrue claim proven at any of 28 daily looks (simulated)\n")
    print(
        "| untrue by a hair | cases a day | runs | betting | promoted by betting | O'Brien-Fleming, 5 looks | z-test peeked at daily |"
    )
    print("|---|---|---|---|---|---|---|")
    for row in [row for row in rows if row["untrue"]]:
        shares = [row[method]["proven"][row["untrue"]] for method in ("betting", "looks", "peeked")]
        told = [_share(share, row["runs"]) for share in shares]
        print(
            f"| {row['cell'].split(' | ')[1]} | {row['cases_a_day']:,} | {row['runs']:,} | {told[0]} | "
            f"{row['betting']['promoted']:.4f} | {told[1]} | {told[2]} |"
        )
    print("\n## Power within 28 days, everything claimed is true (simulated)\n")
    print(
        "| world | cases a day | whose truth counts | method | promoted | median day | automation | precision | margin | misses | called refuted |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for row in [row for row in rows if row["cell"].startswith("true")]:
        for method in ("betting", "looks"):
            if method == "looks" and row["scheme"] != "both":
                continue
            proven = row[method]["proven"]
            days = row[method]["median_day_by_claim"]
            misses = next(name for name in ("recall", "false_omission_rate") if name in proven)
            claims = ("automation", "precision", "precision_margin", misses)
            parts = " | ".join(f"{proven[claim]:.2f} ({_day(days[claim])})" for claim in claims)
            print(
                f"| {row['cell'].split(' | ')[1]} | {row['cases_a_day']:,} | {row['scheme']} | {method} | "
                f"{_share(row[method]['promoted'], row['runs'])} | {_day(row[method]['median_day'])} | "
                f"{parts} | {row['refuted']:.4f} |"
            )
    print("\n## A promise that is broken (simulated)\n")
    print("| world | cases a day | called refuted within 28 days | promoted |\n|---|---|---|---|")
    for row in [row for row in rows if row["cell"].startswith("broken")]:
        print(
            f"| {row['cell'].split(' | ')[1]} | {row['cases_a_day']:,} | {row['refuted']:.3f} | "
            f"{row['betting']['promoted']:.4f} |"
        )


def _arms_table(rows: list[Record]) -> None:
    print(f"\n## Two arms of {ARM_CASES} cases a day each, 28 daily looks (simulated)\n")
    print(
        "| control and treatment | betting: promoted (median day) | stopped | O'Brien-Fleming, 5 looks | z-test peeked at daily |"
    )
    print("|---|---|---|---|---|")
    for row in rows:
        told = [
            f"{_share(row[method]['promoted'], row['runs'])} ({_day(row[method]['median_day'])})"
            for method in ("betting", "looks", "peeked")
        ]
        name = row["cell"].replace(" | ", ": ")
        print(f"| {name} | {told[0]} | {row['stopped']:.3f} | {told[1]} | {told[2]} |")


def _split_table(rows: list[Record]) -> None:
    print(f"\n## The split, {SPLIT_CASES:,} cases a day, 28 daily looks at p < .001 (simulated)\n")
    print("| true and designed share | stopped | median day |\n|---|---|---|")
    for row in rows:
        told = _share(row["stopped"], row["runs"])
        print(f"| {row['cell']} | {told} | {_day(row['median_day'])} |")


def _share(share: float, runs: int) -> str:
    return f"{share:.4f} ± {np.sqrt(share * (1 - share) / runs):.4f}"


def _day(day: float) -> str:
    return f"{day:g}" if day <= DAYS else "-"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--only", default="", help="cells whose name contains this")
    parser.add_argument(
        "--table", action="store_true", help="print the stored results, run nothing"
    )
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for part in asked.parts:
        if not asked.table:
            run(part, asked.runs, asked.only)
        table(part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
