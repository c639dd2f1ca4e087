"""How fast are all candidate boundaries of a large log compared, against one pass over its memory?

Every method is asked for the same: the loss (METHODS 1.5) of the cheapest of all boundaries, over
simulated calibrated scores with known truth. What is exact must agree to the cent, else the exit code
is 1. Each method at each size runs in a process of its own, so that its peak memory is its own.

Usage: python -m benchmarks.sweep [--sizes 1e6,1e7,1e8] [--method NAME ...] [--save]
       python -m benchmarks.sweep --table     # from the committed raw results
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.replay.cheapest_boundary import cheapest_boundary
from models.replay.replay import replay_all
from models.vocabulary import Costs

RESULTS = Path(__file__).parent / "results" / "sweep" / "sweep.jsonl"
SEED = 20_261_121
BASE_RATE, GAP = 0.02, 3.0
COSTS = Costs(review_usd=4.0, false_positive_usd=40.0, false_negative_usd=400.0)
MOST_BYTES = 12 * 2**30
PIECE = 1_000_000
MOST_ROUNDS, ENOUGH_SECONDS = 7, 20.0

Scores = npt.NDArray[np.float32]
Truth = npt.NDArray[np.bool_]


def simulated_log(cases: int) -> tuple[Scores, Truth]:
    """Calibrated scores of a normal mixture, and which case is bad; shapes (cases,)."""
    scores, bad = np.empty(cases, dtype=np.float32), np.empty(cases, dtype=np.bool_)
    prior = np.float32(np.log(BASE_RATE / (1.0 - BASE_RATE)) - GAP**2 / 2.0)
    for number, start in enumerate(range(0, cases, PIECE)):
        generator = np.random.default_rng([SEED, number])
        here = slice(start, min(start + PIECE, cases))
        bad[here] = generator.random(here.stop - start, dtype=np.float32) < BASE_RATE
        z = generator.standard_normal(here.stop - start, dtype=np.float32)
        z += np.float32(GAP) * bad[here]
        scores[here] = 1.0 / (1.0 + np.exp(-(prior + np.float32(GAP) * z)))
    return scores, bad


def one_pass(scores: Scores, bad: Truth) -> None:
    """Read every byte of the log once."""
    scores.max()
    bad.view(np.uint8).max()


def ours(scores: Scores, bad: Truth) -> float:
    """A 16-bit histogram, opened where the optimum may hide: exact."""
    return cheapest_boundary(scores, bad, COSTS).loss_usd


def bincount(scores: Scores, bad: Truth) -> float:
    """`np.bincount` of 16-bit scores, whole columns at once; cuts at bin edges only."""
    place = np.minimum(scores * np.float32(65_536), np.float32(65_535)).astype(np.uint16)
    cases = np.bincount(place, minlength=65_536)
    return _least(cases, np.bincount(place, weights=bad, minlength=65_536), scores.size)


def sort_and_cumsum(scores: Scores, bad: Truth) -> float:
    """Sort everything, add up, and compare the ends of all ties: exact."""
    order = np.argsort(scores)
    ordered = scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    del ordered
    misses = np.diff(np.cumsum(bad[order], dtype=np.int64)[ends], prepend=0)
    del order
    return _least(np.diff(ends + 1, prepend=0), misses, scores.size)


def packed_sort(scores: Scores, bad: Truth) -> float:
    """The quickest full sort known here: score and truth in one number, sorted in place: exact.

    The bits of a float that is not negative are in its order. It has no room for weights.
    """
    packed = scores.view(np.uint32).astype(np.uint64)
    packed <<= np.uint64(1)
    packed |= bad
    packed.sort()
    ordered = packed >> np.uint64(1)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    del ordered
    packed &= np.uint64(1)
    misses = np.diff(np.cumsum(packed, dtype=np.int64)[ends], prepend=0)
    del packed
    return _least(np.diff(ends + 1, prepend=0), misses, scores.size)


def precision_recall_curve(scores: Scores, bad: Truth) -> float:
    """scikit-learn's curve over every distinct score, read as counts: exact up to rounding."""
    from sklearn.metrics import precision_recall_curve as curve

    precision, recall, cuts = curve(bad, scores)
    caught = np.rint(recall[:-1] * np.count_nonzero(bad))
    blocked = np.rint(caught / np.maximum(precision[:-1], 1e-300))
    # Where nothing bad is caught, precision is 0 and says nothing of how many are blocked.
    blocked = np.where(caught > 0, blocked, np.arange(cuts.size, 0, -1))
    return _least(-np.diff(blocked, append=0), -np.diff(caught, append=0), scores.size)


def roc_curve(scores: Scores, bad: Truth) -> float:
    """scikit-learn's ROC curve with every distinct score kept, read as counts."""
    from sklearn.metrics import roc_curve as curve

    false_rate, true_rate, _ = curve(bad, scores, drop_intermediate=False)
    positives = int(np.count_nonzero(bad))
    caught = np.rint(true_rate * positives)[::-1]
    blocked = caught + np.rint(false_rate * (scores.size - positives))[::-1]
    return _least(-np.diff(blocked), -np.diff(caught), scores.size)


def replay_512(scores: Scores, bad: Truth) -> None:
    """`replay_all`, which `ratchet whatif` draws its curves with: sorted, 512 candidates a side."""
    ones = np.ones(scores.size)
    free = np.ones(scores.size, dtype=np.bool_)
    for side in ("pass", "block"):
        replay_all(scores.astype(np.float64), bad.astype(np.float64), ones, free, side=side)


METHODS: dict[str, Callable[[Scores, Truth], float | None]] = {
    "one_pass": one_pass,
    "ours": ours,
    "bincount": bincount,
    "packed_sort": packed_sort,
    "sort_and_cumsum": sort_and_cumsum,
    "precision_recall_curve": precision_recall_curve,
    "roc_curve": roc_curve,
    "replay_512": replay_512,
}
EXACT = ("ours", "packed_sort", "sort_and_cumsum", "precision_recall_curve", "roc_curve")


def _least(cases: npt.ArrayLike, misses: npt.ArrayLike, everything: int) -> float:
    """The least loss over all pairs of cuts between groups in order of score."""
    grouped, missed = np.asarray(cases, dtype=np.float64), np.asarray(misses, dtype=np.float64)
    low = np.cumsum(COSTS.false_negative_usd * missed - COSTS.review_usd * grouped)
    best_low = np.minimum.accumulate(np.append(0.0, low))
    del low
    blocked = COSTS.false_positive_usd * (grouped - missed) - COSTS.review_usd * grouped
    best_low[:-1] += np.cumsum(blocked[::-1])[::-1]
    return float(best_low.min() + COSTS.review_usd * everything)


def measure(method: str, cases: int) -> dict[str, Any]:
    """One method at one size, in this process: its best time and the peak of memory it added."""
    scores, bad = simulated_log(cases)
    log_bytes = scores.nbytes + bad.nbytes
    work = METHODS[method]
    work(scores[:1_000].copy(), bad[:1_000].copy())  # what is imported late is no part of it
    before, loss = _peak_bytes(), None
    took: list[float] = []
    read: list[float] = []
    while len(took) < MOST_ROUNDS and sum(took) < ENOUGH_SECONDS:
        # In turns, so that a busy moment of the machine falls on both.
        read.append(min(_timed(one_pass, scores, bad)[0] for _ in range(3)))
        seconds, loss = _timed(work, scores, bad)
        took.append(seconds)
    return {
        "method": method,
        "cases": cases,
        "seconds": min(took),
        "pass_seconds": min(read),
        "passes": min(took) / min(read),
        "peak_gib": _peak_bytes() / 2**30,
        "added_gib": (_peak_bytes() - before) / 2**30,
        "log_gib": log_bytes / 2**30,
        "loss_usd": loss,
    }


def measured_apart(method: str, cases: int) -> dict[str, Any]:
    """The same in a process of its own, which may not take more than twelve GiB."""
    command = [sys.executable, "-m", "benchmarks.sweep", "--measure", method, str(cases)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return dict(json.loads(done.stdout))
    if "MemoryError" in done.stderr:
        return {"method": method, "cases": cases, "seconds": None, "note": "more than 12 GiB"}
    raise SystemExit(f"{method} at {cases:,} cases failed:\n{done.stderr}")


def main(sizes: list[int], methods: list[str], save: bool) -> int:
    """Measure, print as it comes, and say whether what is exact agrees."""
    rows = []
    for cases in sizes:
        for method in methods:
            row = measured_apart(method, cases)
            rows.append(row)
            print(_line(row), flush=True)
    if save:
        _save(rows)
    return 0 if _agree(rows) else 1


def _save(rows: list[dict[str, Any]]) -> None:
    """Put what was measured in the place of what was known of the same methods and sizes."""
    known = {(row["cases"], row["method"]): row for row in [*_saved(), *rows]}
    places = list(METHODS)
    ordered = sorted(known.values(), key=lambda row: (row["cases"], places.index(row["method"])))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text("".join(json.dumps(row) + "\n" for row in ordered), encoding="utf-8")


def _saved() -> list[dict[str, Any]]:
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]


def table(rows: list[dict[str, Any]]) -> str:
    """The raw results as one markdown table, a row a method and size."""
    head = "| cases | method | times one pass | seconds | memory added | loss against exact |"
    lines = [head, "|---:|---|---:|---:|---:|---|"]
    exact = {row["cases"]: row["loss_usd"] for row in rows if row["method"] == "sort_and_cumsum"}
    for row in rows:
        if row["seconds"] is None:
            lines.append(f"| {row['cases']:,} | {row['method']} | - | - | {row['note']} | - |")
            continue
        lines.append(
            f"| {row['cases']:,} | {row['method']} | {row['passes']:,.0f} | {row['seconds']:.3g} | "
            f"{row['added_gib']:.2f} GiB | {_against(row['loss_usd'], exact.get(row['cases']))} |"
        )
    return "\n".join(lines)


def _against(loss: float | None, exact: float | None) -> str:
    if loss is None or exact is None:
        return "-"
    return "the same" if loss == exact else f"{loss / exact - 1.0:+.1e}"


def _agree(rows: list[dict[str, Any]]) -> bool:
    """Ours to the cent; what is read off shares only up to their rounding."""
    exact = {row["cases"]: row["loss_usd"] for row in rows if row["method"] == "sort_and_cumsum"}
    judged = [row for row in rows if row.get("loss_usd") is not None and row["cases"] in exact]
    return all(
        row["loss_usd"] == exact[row["cases"]]
        if row["method"] == "ours"
        else abs(row["loss_usd"] / exact[row["cases"]] - 1.0) < 1e-9
        for row in judged
        if row["method"] in EXACT
    )


def _line(row: dict[str, Any]) -> str:
    if row["seconds"] is None:
        return f"{row['cases']:>12,} {row['method']:24} {row['note']}"
    return (
        f"{row['cases']:>12,} {row['method']:24} {row['passes']:8.0f} passes {row['seconds']:9.4f} s "
        f"+{row['added_gib']:.2f} GiB  loss {row['loss_usd']}"
    )


def _timed(
    work: Callable[[Scores, Truth], float | None], scores: Scores, bad: Truth
) -> tuple[float, float | None]:
    begun = time.perf_counter()
    result = work(scores, bad)
    return time.perf_counter() - begun, result


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1e6,1e7")
    parser.add_argument("--method", action="append", choices=list(METHODS))
    parser.add_argument("--save", action="store_true", help="Update the committed raw results.")
    parser.add_argument("--table", action="store_true", help="Print the committed results.")
    parser.add_argument("--measure", nargs=2, metavar=("METHOD", "CASES"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
        print(json.dumps(measure(asked.measure[0], int(asked.measure[1]))))
        sys.exit(0)
    if asked.table:
        print(table(_saved()))
        sys.exit(0)
    wanted = [int(float(size)) for size in asked.sizes.split(",")]
    sys.exit(main(wanted, asked.method or list(METHODS), asked.save))
