"""How soon does the nightly guard find a boundary that turned bad, and how often does it cry wolf?

Usage: python -m benchmarks.guardrail [--runs N] [--nights N] [--table] [--check]

Simulated. A night brings Poisson numbers of the drawn cases that a promise counts; after each one the
guard is asked. Two guards see the same nights: one bet over all the evidence (METHODS 1.4's stakes),
and the bets of `models/boundary/live/restarted_bets.py`. Raw results: results/guardrail/*.jsonl, a line a
cell; `--table` prints the tables from them, `--check` recomputes the capital of some runs from single
rows by the guard's own functions, and the first cell of each result (exit 1 when one differs).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta as beta_distribution

from models.boundary import Evidence
from models.boundary.live import restarted_bets
from models.boundary.live.restarted_bets import DAYS_A_START, FIRST_SHARE, TIMES_THE_LIMIT
from models.boundary.proof import betting

RESULTS = Path(__file__).parent / "results" / "guardrail"
RECALL, PRECISION = 0.99, 0.95
BAD_SHARE, PASSED_SHARE, BLOCKED_SHARE = 0.05, 0.68, 0.04
SOUND = (0.3, 0.98)  # misses as a multiple of the limit, precision
AT_THE_PROMISE = (1.0, PRECISION)
SHARES = {"recall": 0.7, "precision": 0.3}  # of delta; see certificate.delta_shares
TRAFFIC, AUDITS = (300, 1_000, 5_000, 20_000), (0.05, 0.10)
CHANGES = (30, 180)
BROKEN = {"recall": (2.0, 4.0, 10.0), "precision": (0.90, 0.80, 0.60)}
DELTAS = (0.05, 0.01)  # one case type; five of them
FOUND_AT = 0.01
GUARDS = ("one bet", "restarted")

Counts = dict[str, npt.NDArray[np.int64]]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Nights:
    """What one cell's nights are like: cases a night, audit rate, and what is true of each night."""

    traffic: int
    audit: float
    misses: FloatArray
    precision: FloatArray

    def draw(self, runs: int, rng: np.random.Generator) -> Counts:
        """Drawn cases by kind, shape (runs, nights)."""
        bad, blocked = self.traffic * BAD_SHARE, self.traffic * BLOCKED_SHARE
        missed = bad * self.misses * (1.0 - RECALL)
        stopped = blocked * self.precision
        size = (runs, len(self.misses))
        return {
            "missed": rng.poisson(missed * self.audit, size),
            "escalated": rng.poisson(bad - missed - stopped, size),
            "blocked_bad": rng.poisson(stopped * self.audit, size),
            "blocked_good": rng.poisson((blocked - stopped) * self.audit, size),
        }


def main(runs: int, nights: int) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    _write(RESULTS / "false_alarms.jsonl", _false_alarms(runs, nights))
    _write(RESULTS / "found.jsonl", _found(runs))


def _false_alarms(runs: int, nights: int) -> Iterator[dict[str, Any]]:
    """The highest capital of each run, relative to what a delta of 1 would ask for."""
    situations = {"at the promise": AT_THE_PROMISE, "sound": SOUND}
    for (place, (name, true)), traffic, audit in product(
        enumerate(situations.items()), TRAFFIC, AUDITS
    ):
        cell = Nights(traffic, audit, np.full(nights, true[0]), np.full(nights, true[1]))
        counts = cell.draw(runs, np.random.default_rng([1, place, traffic, int(audit * 100)]))
        alarms = {}
        for guard in GUARDS:
            highest = np.max(
                [_log_capital(guard, side, counts, audit).max(axis=1) + np.log(share)
                 for side, share in SHARES.items()], axis=0,
            )  # fmt: skip
            alarms[guard] = {str(d): int((highest >= np.log(1.0 / d)).sum()) for d in DELTAS}
        yield {
            "boundary": name, "traffic": traffic, "audit": audit, "nights": nights, "runs": runs,
            "alarms": alarms,
        }  # fmt: skip


def _found(runs: int) -> Iterator[dict[str, Any]]:
    """The number of nights from the change to the alarm in each run; null: not within the horizon."""
    for change, traffic, audit, (side, levels) in product(CHANGES, TRAFFIC, AUDITS, BROKEN.items()):
        horizon = 1_095 if traffic <= 1_000 else 365
        before = np.arange(change + horizon) < change
        for level in levels:
            broken = (level, SOUND[1]) if side == "recall" else (SOUND[0], level)
            misses, precision = (
                np.where(before, sound, bad) for sound, bad in zip(SOUND, broken, strict=True)
            )
            cell = Nights(traffic, audit, misses, precision)
            seed = [2, change, traffic, int(audit * 100), int(level * 100)]
            counts = cell.draw(runs, np.random.default_rng(seed))
            nights = {
                guard: _nights_to_alarm(_log_capital(guard, side, counts, audit), side, change)
                for guard in GUARDS
            }
            yield {
                "side": side, "level": level, "change": change, "traffic": traffic, "audit": audit,
                "horizon": horizon, "nights": nights,
            }  # fmt: skip


def _nights_to_alarm(log_capital: FloatArray, side: str, change: int) -> list[int | None]:
    """An alarm before the change is a false one, and told as 0 nights or fewer."""
    alarm = log_capital >= np.log(1.0 / (SHARES[side] * FOUND_AT))
    first = np.argmax(alarm, axis=1) + 1 - change
    return [int(n) if any_ else None for n, any_ in zip(first, alarm.any(axis=1), strict=True)]


def _log_capital(guard: str, side: str, counts: Counts, audit: float) -> FloatArray:
    """Log capital after each night, shape (runs, nights); by night's numbers instead of rows."""
    gains = _gains(guard, side, counts, audit)
    stakes = gains.shape[2]
    if guard == "one bet":
        return _log_mean(np.cumsum(gains, axis=1))
    log_staked = np.full((gains.shape[0], stakes), np.log(FIRST_SHARE))
    shares = restarted_bets.start_shares(gains.shape[1] // DAYS_A_START + 2)
    told = np.empty(gains.shape[:2])
    in_cash = 1.0 - FIRST_SHARE
    for night in range(gains.shape[1]):
        if night and night % DAYS_A_START == 0:
            share = shares[night // DAYS_A_START]
            log_staked = np.logaddexp(log_staked, np.log(share))
            in_cash -= share
        log_staked = log_staked + gains[:, night]
        told[:, night] = np.logaddexp(_log_mean(log_staked), np.log(in_cash))
    return told


def _gains(guard: str, side: str, counts: Counts, audit: float) -> FloatArray:
    """Log gains of each stake in each night, shape (runs, nights, stakes)."""
    limit = 1.0 - (RECALL if side == "recall" else PRECISION)
    heaviest = 1.0 / audit
    if guard == "one bet":
        loses = max(limit, 1.0 - limit) if side == "recall" else limit
        stakes = betting.WAGERS / (loses * heaviest)
    else:
        stakes = np.minimum(
            (TIMES_THE_LIMIT - 1.0) / ((1.0 - limit) * heaviest), 0.97 / (limit * heaviest)
        )
    error = np.log1p(stakes * (1.0 - limit) * heaviest)
    kept_audited, kept_seen = np.log1p(-stakes * limit * heaviest), np.log1p(-stakes * limit)
    kinds = {"missed": error, "escalated": kept_seen, "blocked_bad": kept_audited}
    if side == "precision":
        kinds = {"blocked_good": error, "blocked_bad": kept_audited}
    gains: FloatArray = sum(counts[kind][..., None] * gain for kind, gain in kinds.items())  # type: ignore[assignment]
    return gains


def _log_mean(log_by_stake: FloatArray) -> FloatArray:
    highest = log_by_stake.max(axis=-1)
    mean: FloatArray = highest + np.log(np.exp(log_by_stake - highest[..., None]).mean(axis=-1))
    return mean


def check(runs: int = 5, nights: int = 60) -> int:
    """The same capital from single rows by the functions that the guards call; and the first cell of
    each committed result, recomputed."""
    differ = 0
    for traffic, audit in ((300, 0.05), (1_000, 0.10)):
        misses = np.where(np.arange(nights) < 30, 0.3, 4.0)
        cell = Nights(traffic, audit, misses, np.where(np.arange(nights) < 30, 0.98, 0.8))
        counts = cell.draw(runs, np.random.default_rng([3, traffic]))
        for run in range(runs):
            evidence = Evidence.from_frame(rows_of(counts, run, audit))
            differ += sum(
                not np.isclose(np.log(by_rows), by_nights, rtol=1e-9, atol=1e-9)
                for by_rows, by_nights in _both_roads(evidence, counts, run, audit)
            )
    print(f"{differ} of {runs * 2 * 4} capitals differ between rows and nights.")
    for name, cells in (("false_alarms", _false_alarms(1_000, 365)), ("found", _found(1_000))):
        again = json.loads(json.dumps({"simulated": True, **next(cells)}))
        same = again == _read(RESULTS / f"{name}.jsonl")[0]
        print(f"{name}: the first cell recomputed, {'identical' if same else 'DIFFERENT'}.")
        differ += not same
    return 1 if differ else 0


def _both_roads(
    evidence: Evidence, counts: Counts, run: int, audit: float
) -> Iterator[tuple[float, float]]:
    one = {name: column[run : run + 1] for name, column in counts.items()}
    roads: dict[tuple[str, str], Callable[[Evidence, float, float], float]] = {
        ("one bet", "recall"): betting.recall_refuted,
        ("one bet", "precision"): betting.block_refuted,
        ("restarted", "recall"): restarted_bets.recall_refuted,
        ("restarted", "precision"): restarted_bets.block_refuted,
    }
    for (guard, side), refuted in roads.items():
        target, cut = (RECALL, 0.1) if side == "recall" else (PRECISION, 0.9)
        yield (
            refuted(evidence, target, cut),
            float(_log_capital(guard, side, one, audit)[0, -1]),
        )


def rows_of(counts: Counts, run: int, audit: float) -> pd.DataFrame:
    """The drawn cases of one run as an EVIDENCE table, from a Thursday on: 1970 began with one, and
    weeks are counted from there."""
    kinds = {
        "missed": (0.05, True, audit),
        "escalated": (0.5, True, 1.0),
        "blocked_bad": (0.95, True, audit),
        "blocked_good": (0.95, False, audit),
    }
    parts = []
    for kind, (score, bad, propensity) in kinds.items():
        number = counts[kind][run]
        night = np.repeat(np.arange(len(number)), number)
        parts.append(
            pd.DataFrame({"night": night, "score": score, "bad": bad, "propensity": propensity})
        )
    # A case that nobody drew: it says that the evidence begins in the first week.
    first = pd.DataFrame({"night": [0], "score": [0.05], "bad": [np.nan], "propensity": [audit]})
    rows = pd.concat([first, *parts], ignore_index=True)
    opened = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rows["night"], unit="D")
    return rows.assign(
        opened_at=opened, drawn=rows["bad"].notna(), bad=rows["bad"].astype("float64")
    ).sort_values("opened_at", kind="stable", ignore_index=True)


def table() -> None:
    """Both tables in Markdown, from the raw results."""
    alarms, found = (_read(RESULTS / f"{name}.jsonl") for name in ("false_alarms", "found"))
    print("False alarms (simulated):\n")
    print("| boundary | cases a night | audits | runs | " + " | ".join(
        f"{guard}, delta {delta}" for delta in DELTAS for guard in GUARDS) + " |")  # fmt: skip
    print("|" + "---|" * (4 + len(DELTAS) * len(GUARDS)))
    for one in alarms:
        cells = [
            _share(one["alarms"][guard][str(delta)], one["runs"])
            for delta in DELTAS for guard in GUARDS
        ]  # fmt: skip
        print(f"| {one['boundary']} | {one['traffic']:,} | {one['audit']:.0%} | {one['runs']:,} | "
              + " | ".join(cells) + " |")  # fmt: skip
    print("\nNights until the alarm (simulated):\n")
    print("| what broke | night | cases a night | audits | one bet: nights | restarted: nights | "
          "restarted: cases | restarted: audit labels |")  # fmt: skip
    print("|" + "---|" * 8)
    for one in found:
        broken = (
            f"misses x {one['level']:g}" if one["side"] == "recall"
            else f"precision {one['level']:.2f}"
        )  # fmt: skip
        nights = {guard: _quantiles(one["nights"][guard]) for guard in GUARDS}
        a_night = one["traffic"]
        labels = a_night * (PASSED_SHARE + BLOCKED_SHARE) * one["audit"]
        print(
            f"| {broken} | {one['change']} | {a_night:,} | {one['audit']:.0%} | "
            + " | ".join(
                [_pair(nights[guard], 1.0, one["horizon"]) for guard in GUARDS]
                + [_pair(nights["restarted"], each, one["horizon"]) for each in (a_night, labels)]
            )
            + " |"
        )


def _share(alarms: int, runs: int) -> str:
    upper = beta_distribution.ppf(0.99, alarms + 1, runs - alarms)
    return f"{alarms / runs:.4f} (at most {upper:.4f})"


def _quantiles(nights: list[int | None]) -> list[float]:
    known = [np.inf if each is None else max(each, 0) for each in nights]
    return np.quantile(known, [0.5, 0.9], method="inverted_cdf").tolist()


def _pair(quantiles: list[float], times: float, horizon: int) -> str:
    told = [
        f"{each * times:,.0f}" if np.isfinite(each) else f"> {horizon * times:,.0f}"
        for each in quantiles
    ]
    return " / ".join(told)


def _write(file: Path, lines: Iterator[dict[str, Any]]) -> None:
    with file.open("w", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps({"simulated": True, **line}) + "\n")
            print(
                f"{file.stem}: { {k: v for k, v in line.items() if k not in ('nights', 'alarms')} }"
            )


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--table", action="store_true", help="print the tables only")
    parser.add_argument(
        "--check", action="store_true", help="compare with single rows, and with the results"
    )
    options = parser.parse_args()
    if options.check:
        sys.exit(check())
    if not options.table:
        main(options.runs, options.nights)
    table()
