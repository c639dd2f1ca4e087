"""Which boundary do fully reviewed cases prove? (METHODS 1.1 and 1.3, every propensity 1)"""

from __future__ import annotations

import numpy as np
from scipy import stats

from models.boundary.proof.bounds import share_is_above
from models.boundary.proof.candidates import SideTest, outward
from models.boundary.proof.evidence import Evidence, FloatArray

_ROUNDING = 1e-9
"""A sum of shares that is a whole number may come out a hair below it."""


def widest_pass_by_recall(evidence: Evidence, recall: float, delta: float) -> SideTest:
    """The largest cut below which at most a share `1 - recall` of the bad cases lies.

    The number of misses only grows with the cut, so one exact test serves every cut with no
    correction for their number (tolerance limit: Wilks 1941; Clopper and Pearson 1934). A case
    drawn but not yet labelled counts as a miss where it would be passed and not at all elsewhere.
    """
    beta = 1.0 - recall
    counted = evidence.automatable & (evidence.bad | evidence.missing)
    order = np.argsort(evidence.score[counted], kind="stable")
    against = evidence.score[counted][order]
    bad = int(evidence.bad.sum())
    # Just below the j-th of these scores exactly j cases count as missed; ties move
    # together, so a run of equal scores has the first one's count.
    first = np.searchsorted(against, against, side="left")
    credible = np.concatenate([[0.0], np.cumsum(evidence.credible_bad[counted][order])])
    caught = float(evidence.credible_bad.sum()) - credible[first]
    trials = first + np.floor(caught + _ROUNDING).astype(np.int64)
    p_values = np.where(trials > 0, stats.binom.cdf(first, np.maximum(trials, 1), beta), 1.0)
    passed = np.flatnonzero(p_values <= delta)
    if len(passed) == 0:
        return SideTest(None, sample=bad)
    last = passed[-1]
    cut = float(np.nextafter(against[last], -np.inf))
    if not (evidence.automatable & (evidence.score <= cut)).any():
        return SideTest(None, sample=bad)  # a cut below every case passes nobody
    return SideTest(cut, errors=int(first[last]), trials=int(trials[last]), sample=bad)


def recall_errors(evidence: Evidence, cut: float) -> tuple[int, int]:
    """(misses, bad cases) at a given cut: drawn and missing cases below it are misses, and bad
    ones above it count as far as they are credible."""
    below = evidence.automatable & (evidence.score <= cut)
    misses = int((below & (evidence.bad | evidence.missing)).sum())
    return misses, misses + int(np.floor(evidence.credible_bad[~below].sum() + _ROUNDING))


def block_errors(evidence: Evidence, cut: float) -> tuple[int, int]:
    """(false positives, blocked cases) at a given cut; drawn and missing count as false."""
    blocked = evidence.automatable & (evidence.score >= cut)
    return int((blocked & ~evidence.bad).sum()), int(blocked.sum())


def pass_errors(evidence: Evidence, cut: float) -> tuple[int, int]:
    """(bad or missing, passed cases) at a given cut."""
    passed = evidence.automatable & (evidence.score <= cut)
    return int((passed & (evidence.bad | evidence.missing)).sum()), int(passed.sum())


def recall_refuted(evidence: Evidence, recall: float, cut: float) -> float:
    """P-value against 'at most 1 - recall of the bad cases lies at or below `cut`'.

    An alarm needs proof of the opposite, so a drawn case without a label speaks for the cut: as a
    bad case that was caught above it, as no bad case below it. The same holds for the two below.
    """
    below = evidence.automatable & (evidence.score <= cut)
    caught = int((evidence.missing & ~below).sum())
    return share_is_above(
        int((below & evidence.bad).sum()), int(evidence.bad.sum()) + caught, 1.0 - recall
    )


def block_refuted(evidence: Evidence, precision: float, cut: float) -> float:
    """P-value against 'at least `precision` of the cases at or above `cut` are bad'."""
    blocked = evidence.automatable & (evidence.score >= cut)
    good = int((blocked & evidence.labelled & ~evidence.bad).sum())
    return share_is_above(good, int(blocked.sum()), 1.0 - precision)


def pass_refuted(evidence: Evidence, limit: float, cut: float) -> float:
    """P-value against 'at most `limit` of the cases at or below `cut` are bad'."""
    passed = evidence.automatable & (evidence.score <= cut)
    return share_is_above(int((passed & evidence.bad).sum()), int(passed.sum()), limit)


def widest_block(
    evidence: Evidence, precision: float, delta: float, starts: list[FloatArray]
) -> SideTest:
    """The lowest block cut reached by fixed-sequence testing from one or several starts.

    Precision is not monotone in the cut, so each sequence is laid out before looking, tested
    outward at `delta / len(starts)` a step, and ends at its first failure (METHODS 1.3).
    """

    def p_value(cut: float) -> float:
        errors, trials = block_errors(evidence, cut)
        return float(stats.binom.cdf(errors, trials, 1.0 - precision)) if trials else 1.0

    return outward(starts, p_value, delta, lambda cut: block_errors(evidence, cut), widest=min)


def widest_pass_by_false_omission(
    evidence: Evidence, limit: float, delta: float, starts: list[FloatArray]
) -> SideTest:
    """The highest pass cut whose bad share is proven below `limit`, by fixed-sequence testing."""

    def p_value(cut: float) -> float:
        errors, trials = pass_errors(evidence, cut)
        return float(stats.binom.cdf(errors, trials, limit)) if trials else 1.0

    return outward(starts, p_value, delta, lambda cut: pass_errors(evidence, cut), widest=max)
