"""Small simulated worlds with a scoring model whose every weight is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from models.triage import TriageEvidence

WEIGHTS = {"age": 1.2, "speed": 0.9, "reuse": 0.8, "degree": 0.7, "noise": 0.0}


def scored(
    seed: int, size: int, *, wrong: dict[str, float] | None = None, ring: str | None = None
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, pd.DataFrame, np.ndarray]:
    """Contributions, margin, truth, raw values and a slice label of simulated cases.

    `wrong` multiplies a feature's weight in the score (in one `ring` only, when given); the truth
    keeps the right one.
    """
    rng = np.random.default_rng(seed)
    raw = pd.DataFrame({name: rng.standard_normal(size) for name in WEIGHTS})
    rings = np.array(["north", "south", "west"], dtype=object)[rng.integers(0, 3, size)]
    phi = raw * np.array(list(WEIGHTS.values()))
    bad = rng.random(size) < expit(-2.0 + phi.sum(axis=1).to_numpy())
    for name, factor in (wrong or {}).items():
        here = np.ones(size, dtype=bool) if ring is None else rings == ring
        phi[name] = np.where(here, factor * phi[name], phi[name])
    margin = -2.0 + phi.sum(axis=1).to_numpy()
    return phi, margin, bad, raw, rings


def evidence(
    seed: int, size: int, *, wrong: dict[str, float] | None = None, ring: str | None = None
) -> TriageEvidence:
    """The same as triage evidence, with the rings as a segment and a raw column."""
    phi, margin, bad, raw, rings = scored(seed, size, wrong=wrong, ring=ring)
    return TriageEvidence(margin, bad, phi, raw.assign(ring=rings), {"ring": rings})
