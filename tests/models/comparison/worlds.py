"""Simulated later cases of two models whose true quality is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit

from models.comparison import Comparison, ScoredRows, compare
from models.vocabulary import Boundary, Costs

LIVE = Boundary(0.01, 0.9)
COSTS = Costs(review_usd=4.0, false_positive_usd=40.0, false_negative_usd=400.0)


def later_cases(
    cases: int,
    seed: int,
    *,
    challenger_sees: float = 0.0,
    base: float = -3.0,
    audit: float | None = None,
) -> ScoredRows:
    """Both models see one half of the risk and one clue of their own; both are calibrated.

    Args:
        cases: opened; with an audit fewer are labelled.
        challenger_sees: share of the champion's clue that the challenger sees as well; 0: both are
            equally good.
        base: the risk's logit in the middle (-3: some 13 % are bad).
        audit: probability that a case which the champion decides at `LIVE` is labelled; None: all.
    """
    generator = np.random.default_rng(seed)
    common = base + 2.0 * generator.normal(size=cases)
    clues = 0.7 * generator.normal(size=(3, cases))
    shared, hidden = np.sqrt(challenger_sees), np.sqrt(1.0 - challenger_sees)
    # The champion's clue has a part that the challenger sees too.
    first = shared * clues[0] + hidden * clues[1]
    bad = generator.random(cases) < expit(common + first + clues[2])
    champion = _calibrated(common + first, 0.7)
    challenger = _calibrated(common + clues[2] + shared * clues[0], 0.7 * hidden)
    chance = np.ones(cases)
    if audit is not None:
        decided = (champion <= LIVE.pass_at_or_below) | (champion >= LIVE.block_at_or_above)
        chance[decided] = audit
    seen = generator.random(cases) < chance
    return ScoredRows(champion, challenger, bad, 1.0 / chance, np.ones(cases, np.bool_)).only(seen)


def forgetful(cases: int, seed: int, share: float = 0.1) -> tuple[ScoredRows, np.ndarray]:
    """A challenger that sees everything but on a share of the cases, where noise spoils its score;
    and which cases those are."""
    rows = later_cases(cases, seed, challenger_sees=1.0)
    generator = np.random.default_rng(seed + 1)
    new = generator.random(cases) < share
    odds = rows.challenger / (1.0 - rows.challenger) * np.exp(1.5 * generator.normal(size=cases))
    return replace(rows, challenger=np.where(new, odds / (1.0 + odds), rows.challenger)), new


def judged(rows: ScoredRows, **changes: object) -> Comparison:
    """`compare` with plain settings and few draws."""
    asked: dict = {
        "champion_boundary": LIVE,
        "champion_certified": LIVE,
        "challenger_certified": None,
        "costs": COSTS,
        "draws": 150,
    }
    return compare(rows, **(asked | changes))


def _calibrated(known: np.ndarray, unknown: float) -> np.ndarray:
    """P(bad) given part of the logit, the rest being normal: Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite.hermgauss(12)
    spread = np.sqrt(2.0) * unknown * nodes
    return expit(known[:, None] + spread) @ (weights / np.sqrt(np.pi))
