"""How much faster than simpy is our queue, on the same cases and with the same waits?

Usage: python -m benchmarks.reviewer_queue [--cases N] [--rounds N]

Prints one row a desk and load; exits 1 when a wait differs by 1e-9 h or a ratio is below 15.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from models.replay.reviewer_queue import review_times
from models.vocabulary import Shift, Staffing
from tests.models.replay.test_queue_against_simpy import SimpyDesk

LEAST_RATIO = 15.0
MINUTES = 12.0
KEY_USERS = 0.1
DESKS = {
    "handing over": (Shift(0, 8, 5), Shift(8, 16, 9), Shift(16, 24, 7)),
    "overlapping": (Shift(0, 24, 2), Shift(6, 14, 7), Shift(12, 20, 6), Shift(22, 7, 4)),
}
LOADS = (0.7, 0.9, 0.98)


def main(cases: int, rounds: int) -> int:
    print(f"{cases:,} cases, {KEY_USERS:.0%} key users, best of {rounds} rounds of processor time")
    print(f"{'desk':14} {'load':>5} {'ours':>8} {'simpy':>8} {'ratio':>6}  largest difference")
    passed = True
    for name, shifts in DESKS.items():
        for load in LOADS:
            ours, simpys, difference = _compare(shifts, load, cases, rounds)
            ratio = simpys / ours
            passed &= ratio >= LEAST_RATIO and difference < 1e-9
            print(
                f"{name:14} {load:5.2f} {ours:6.3f} s {simpys:6.2f} s {ratio:5.1f}x  {difference:.0e} h"
            )
    return 0 if passed else 1


def _compare(
    shifts: tuple[Shift, ...], load: float, cases: int, rounds: int
) -> tuple[float, float, float]:
    """Best seconds of ours and of simpy, and the largest difference of a wait in hours."""
    arrivals, minutes, key = _cases(shifts, load, cases)
    staffing = Staffing(shifts, MINUTES)
    hours, classes = (minutes / 60.0).tolist(), key.astype(int).tolist()
    best = {"ours": np.inf, "simpy": np.inf}
    starts: dict[str, Any] = {}
    # In turns, so that a busy moment of the machine falls on both.
    for _ in range(rounds):
        for _ in range(3):
            took, outcome = _timed(lambda: review_times(arrivals, staffing, minutes, priority=key))
            best["ours"] = min(best["ours"], took)
        services = SimpyDesk(arrivals.tolist(), hours, classes, shifts)
        took, starts["simpy"] = _timed(services.run)
        best["simpy"] = min(best["simpy"], took)
    difference = float(np.abs(outcome.started - starts["simpy"]).max())
    return best["ours"], best["simpy"], difference


def _cases(
    shifts: tuple[Shift, ...], load: float, cases: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulated arrivals with a day/night swing of 60 %, exponential work, and who is a key user."""
    generator = np.random.default_rng(7)
    person_hours = sum(
        shift.reviewers * ((shift.end_hour - shift.start_hour) % 24 or 24) for shift in shifts
    )
    days = cases * MINUTES / 60.0 / (person_hours * load)
    drawn = 24.0 * days * generator.random(4 * cases)
    kept = 1.6 * generator.random(4 * cases) < 1 + 0.6 * np.sin(2 * np.pi * drawn / 24)
    arrivals = np.sort(drawn[kept][:cases])
    return arrivals, generator.exponential(MINUTES, cases), generator.random(cases) < KEY_USERS


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=4)
    asked = parser.parse_args()
    sys.exit(main(asked.cases, asked.rounds))
