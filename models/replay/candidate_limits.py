"""What would each candidate cut automate, and which risk is proven for it?

Automation is counted and risks are estimated for every candidate at once (`replay.replay_all`). The
limits are the certificate's own: of the test that judges this design, at the delta of one look. Each
holds for its cut alone. For recall, which is monotone, the widest cut whose limit keeps the target
is the one that a look certifies; precision and false omission are certified outward step by step,
so a cut beyond the certified one is not proven by its limit (METHODS 1.1 and 1.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betaincinv

from models.boundary import Evidence
from models.boundary.proof.certificate import delta_shares
from models.boundary.proof.side_tests import SideTests, block_tests, pass_tests
from models.replay.replay import replay_all
from models.vocabulary import Boundary, Targets

FloatArray = npt.NDArray[np.float64]
Side = Literal["pass", "block"]

REACH = 8.0
"""Candidates whose estimated error share exceeds this multiple of the target's are left out: no limit
there can come near the target, and the stratified test's price grows with the errors."""

BETTING_POINTS = 24
"""The betting test goes through its cases anew for every candidate, so it is asked less often."""

_FINE = 4_096
"""Candidates that are estimated before the `points` in reach are chosen among them."""

_ROUNDING = 1e-9
"""As in `models.boundary.proof.exact`: a sum of credences that is a whole number may fall short of it."""


@dataclass(frozen=True, eq=False)
class RiskCurve:
    """One promise over the candidates of its side.

    Attributes:
        risk: "recall", "precision" or "false_omission_rate".
        side: which side of the boundary the candidates move.
        target: the promise; test: the name of the test behind the limits.
        candidates: one row a candidate, outward, with `cut`, `automated` (cases), `automation`
            (share of all cases that this side decides), `estimate` (design-weighted, NaN where no
            label supports it) and `limit` (lower for recall and precision, upper for false
            omission; NaN: not estimable).
    """

    risk: str
    side: Side
    target: float
    test: str
    candidates: pd.DataFrame


def candidate_limits(
    evidence: Evidence, targets: Targets, incumbent: Boundary | None = None, points: int = 48
) -> tuple[RiskCurve, ...]:
    """One curve a promise that has a certificate, in the order of `Targets.named`.

    Fully reviewed evidence gets all its limits from one sort and one vectorised quantile; the
    stratified and the betting test are asked at each of the `points` candidates.

    Args:
        evidence: mature cases, shape (n,), scored by the model under test.
        targets: the promises; `targets.delta` is what one look may spend.
        incumbent: the boundary in force for this model; None: everything is reviewed.
        points: the largest number of candidates a promise (`BETTING_POINTS` for betting), evenly spread over the cases up to where
            the estimated error share is `REACH` times the target's.

    Raises:
        ValueError: fewer than one point.
    """
    today = incumbent or Boundary.everything_reviewed()
    tests: dict[Side, SideTests] = {
        "pass": pass_tests(evidence, today),
        "block": block_tests(evidence, today),
    }
    if points < 1:
        raise ValueError(f"points must be 1 or more, got {points!r}")
    found = []
    for risk, delta in delta_shares(targets, targets.delta).items():
        side: Side = "block" if risk == "precision" else "pass"
        asked = min(points, BETTING_POINTS) if tests[side].name == "betting" else points
        rows = _in_reach(_candidates(evidence, side, risk), risk, targets.named()[risk], asked)
        cuts = rows["cut"].to_numpy(np.float64)
        rows["limit"] = _limits(evidence, tests[side], risk, delta, cuts)
        found.append(RiskCurve(risk, side, targets.named()[risk], tests[side].name, rows))
    return tuple(found)


def limits_at(
    evidence: Evidence, targets: Targets, incumbent: Boundary | None, boundary: Boundary
) -> dict[str, float | None]:
    """By promise: the limit proven for one boundary, None where it is not estimable or that side
    is not automated."""
    today = incumbent or Boundary.everything_reviewed()
    told: dict[str, float | None] = {}
    for risk, delta in delta_shares(targets, targets.delta).items():
        blocks = risk == "precision"
        cut = boundary.block_at_or_above if blocks else boundary.pass_at_or_below
        tests = block_tests(evidence, today) if blocks else pass_tests(evidence, today)
        told[risk] = None if cut is None or not len(evidence) else tests.bound(risk, delta, cut)
    return told


def _in_reach(rows: pd.DataFrame, risk: str, target: float, points: int) -> pd.DataFrame:
    """Up to the widest candidate in reach of the target, thinned; with what no label supports at the
    safe end, and never without the widest."""
    upper = risk == "false_omission_rate"
    errors, allowed = (rows["estimate"], target) if upper else (1 - rows["estimate"], 1 - target)
    near = np.flatnonzero((errors <= REACH * allowed).to_numpy())
    last = int(near[-1]) if near.size else min(points, len(rows)) - 1
    kept = np.unique(np.linspace(0, last, min(points, last + 1)).round().astype(np.intp))
    thinned: pd.DataFrame = rows.iloc[kept].reset_index(drop=True)
    return thinned


def _candidates(evidence: Evidence, side: Side, risk: str) -> pd.DataFrame:
    truth = np.where(evidence.labelled, evidence.bad.astype(np.float64), np.nan)
    rows = replay_all(
        evidence.score, truth, evidence.propensity, evidence.automatable, _FINE, side=side
    )
    automated = rows["auto_blocked" if side == "block" else "auto_passed"]
    if risk == "false_omission_rate":
        estimate = rows["estimated_misses"] / automated
    else:
        estimate = rows[f"estimated_{risk}"]
    cut = rows["block_at_or_above" if side == "block" else "pass_at_or_below"]
    return pd.DataFrame(
        {
            "cut": cut,
            "automated": automated,
            "automation": rows["automation"],
            "estimate": estimate,
        }
    )


def _limits(
    evidence: Evidence, tests: SideTests, risk: str, delta: float, cuts: FloatArray
) -> FloatArray:
    if tests.name == "exact":
        share = _exact_upper_limits(*_exact_errors(evidence, risk, cuts), delta)
        return share if risk == "false_omission_rate" else 1.0 - share
    if tests.name == "betting":
        tests = _betting_on_what_counts(evidence, risk, cuts)
    found = [tests.bound(risk, delta, cut) for cut in cuts.tolist()]
    return np.array([np.nan if one is None else one for one in found], dtype=np.float64)


def _betting_on_what_counts(evidence: Evidence, risk: str, cuts: FloatArray) -> SideTests:
    """The betting test on the cases that move its capital at any of the cuts: the same bounds sooner.

    A case that was not drawn, or lies in no zone of these cuts, is no wager; for recall only bad cases
    and those that may be are. One case of the smallest propensity stays, which sets the stakes.
    """
    if risk == "recall":
        counts = evidence.bad | evidence.missing
    else:
        counts = evidence.drawn & evidence.automatable
        counts &= evidence.score >= cuts[-1] if risk == "precision" else evidence.score <= cuts[-1]
    counts = counts.copy()
    counts[int(np.argmin(evidence.propensity))] = True
    nothing = Boundary.everything_reviewed()
    kept = evidence.only(counts)
    return block_tests(kept, nothing) if risk == "precision" else pass_tests(kept, nothing)


def _exact_errors(evidence: Evidence, risk: str, cuts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(errors, trials) at every cut: what `models.boundary.proof.exact` counts at one; shapes (cuts,)."""
    free = evidence.automatable
    if risk == "precision":
        blocked = _at_or_above(evidence.score[free], cuts)
        return blocked - _at_or_above(evidence.score[free & evidence.bad], cuts), blocked
    misses = _at_or_below(evidence.score[free & (evidence.bad | evidence.missing)], cuts)
    if risk == "false_omission_rate":
        return misses, _at_or_below(evidence.score[free], cuts)
    order = np.argsort(evidence.score[free], kind="stable")
    credible = np.concatenate([[0.0], np.cumsum(evidence.credible_bad[free][order])])
    below = credible[np.searchsorted(evidence.score[free][order], cuts, side="right")]
    return misses, misses + np.floor(evidence.credible_bad.sum() - below + _ROUNDING)


def _exact_upper_limits(errors: FloatArray, trials: FloatArray, delta: float) -> FloatArray:
    """Clopper and Pearson's (1934) upper limits; NaN where nothing was tried."""
    right = trials - errors
    share = np.where(right > 0, betaincinv(errors + 1.0, np.maximum(right, 1.0), 1.0 - delta), 1.0)
    return np.where(trials > 0, share, np.nan)


def _at_or_below(scores: FloatArray, cuts: FloatArray) -> FloatArray:
    return np.searchsorted(np.sort(scores), cuts, side="right").astype(np.float64)


def _at_or_above(scores: FloatArray, cuts: FloatArray) -> FloatArray:
    return scores.size - np.searchsorted(np.sort(scores), cuts, side="left").astype(np.float64)
