"""Simulated cases reviewed by a team in which one person may be careless."""

from __future__ import annotations

import numpy as np

from models.boundary import Evidence
from tests.models.boundary.worlds import cut_where, true_recall, world

TEAM = np.array([f"r{number}" for number in range(8)], dtype=object)


def services(
    generator: np.random.Generator, cases: int, *, flip: float = 0.0, hide: float = 0.0
) -> tuple[Evidence, np.ndarray]:
    """Simulated cases, all reviewed by a team of eight at random.

    r3 is careless near the true boundary (a tenth of the cases to either side): flips this share
    of all labels there, or calls this share of the bad cases there and below good.
    """
    frame = world(generator, cases)
    reviewer = TEAM[generator.integers(len(TEAM), size=cases)]
    score, bad = frame["score"].to_numpy(), frame["bad"].to_numpy().copy()
    rank = (score <= cut_where(true_recall, 0.99)).mean()
    low, high = np.quantile(score, [rank - 0.1, rank + 0.1])
    theirs = (reviewer == "r3") & (score <= high)
    flipped = theirs & (score >= low) & (generator.random(cases) < flip)
    hidden = theirs & (bad == 1.0) & (generator.random(cases) < hide)
    bad[flipped] = 1.0 - bad[flipped]
    bad[hidden] = 0.0
    return Evidence.from_frame(frame.assign(bad=bad)), reviewer
