"""Which boundary do selectively labelled cases prove, whatever the designed weights?

A bettor with wagers fixed in advance stakes against 'the promise is broken'. Under that hypothesis
the capital is a nonnegative supermartingale, so it ever reaches 1/delta with probability at most
delta: at one look or at every look (Ville; Waudby-Smith and Ramdas 2024; METHODS 1.4).
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from models.boundary.proof.candidates import SideTest, outward
from models.boundary.proof.evidence import BoolArray, Evidence, FloatArray

WAGERS = np.array([0.02, 0.04, 0.07, 0.12, 0.2, 0.3, 0.42, 0.55, 0.7, 0.85, 0.97])


def widest_pass_by_recall(evidence: Evidence, recall: float, delta: float) -> SideTest:
    """The largest cut at which the capital against 'more than 1 - recall is missed' reaches 1/delta.

    The capital falls as the cut grows, so one sort and one cumulative sum per wager find it.
    """
    scores, log_capital = _recall_capital(evidence, recall)
    bad = int(evidence.bad.sum())
    # Entry j passes the first j cases that carry truth; j = 0 would pass none of them.
    proven = np.flatnonzero(log_capital >= -np.log(delta))
    if len(proven) == 0:
        return SideTest(None, sample=bad)
    last = int(proven[-1])
    cut = 1.0 if last == len(scores) else float(np.nextafter(scores[last], -np.inf))
    if not _passed(evidence, cut).any():
        return SideTest(None, sample=bad)  # a cut below every case passes nobody
    return SideTest(cut, sample=bad)


def recall_e_value(evidence: Evidence, recall: float, cut: float) -> float:
    """Capital against 'more than 1 - recall of the bad cases lies at or below `cut`'."""
    scores, log_capital = _recall_capital(evidence, recall)
    return float(np.exp(min(log_capital[np.searchsorted(scores, cut, side="right")], 700.0)))


def recall_refuted(evidence: Evidence, recall: float, cut: float) -> float:
    """Capital against the *opposite*: 'at most 1 - recall is missed'. Large: the cut is refuted.

    A drawn case without a label speaks for the cut: a bad case that was caught above it, no bad
    case below it.
    """
    beta = 1.0 - recall
    passed = _passed(evidence, cut)
    counted = evidence.bad | (evidence.missing & ~passed)
    weights = 1.0 / evidence.propensity[counted]
    missed = passed[counted]
    # Either outcome can be the losing one; below a recall of .5 that is the caught case.
    stakes = WAGERS[:, None] / (max(beta, 1.0 - beta) * evidence.largest_weight)
    gains = np.where(
        missed, np.log1p(stakes * (1.0 - beta) * weights), np.log1p(-stakes * beta * weights)
    )
    return _mean_capital(gains.sum(axis=1))


def widest_block(
    evidence: Evidence, precision: float, delta: float, starts: list[FloatArray]
) -> SideTest:
    """The lowest block cut reached outward, each step proven by its own capital."""

    def p_value(cut: float) -> float:
        return 1.0 / max(block_e_value(evidence, precision, cut), 1e-300)

    return outward(starts, p_value, delta, None, widest=min)


def widest_pass_by_false_omission(
    evidence: Evidence, limit: float, delta: float, starts: list[FloatArray]
) -> SideTest:
    """The highest pass cut reached outward, each step proven by its own capital."""

    def p_value(cut: float) -> float:
        return 1.0 / max(pass_e_value(evidence, limit, cut), 1e-300)

    return outward(starts, p_value, delta, None, widest=max)


def block_e_value(evidence: Evidence, precision: float, cut: float) -> float:
    """Capital against 'more than 1 - precision of the blocked cases are good'."""
    zone = evidence.automatable & (evidence.score >= cut) & evidence.drawn
    return _share_capital(evidence, zone, ~evidence.bad, 1.0 - precision)


def pass_e_value(evidence: Evidence, limit: float, cut: float) -> float:
    """Capital against 'more than `limit` of the passed cases are bad'."""
    zone = _passed(evidence, cut) & evidence.drawn
    return _share_capital(evidence, zone, evidence.bad | evidence.missing, limit)


def block_refuted(evidence: Evidence, precision: float, cut: float) -> float:
    """Capital against the opposite of `block_e_value`'s hypothesis; missing labels count as good news."""
    zone = evidence.automatable & (evidence.score >= cut) & evidence.drawn
    return _share_capital(evidence, zone, evidence.bad | evidence.missing, precision)


def pass_refuted(evidence: Evidence, limit: float, cut: float) -> float:
    """Capital against the opposite of `pass_e_value`'s hypothesis."""
    zone = _passed(evidence, cut) & evidence.drawn
    return _share_capital(evidence, zone, ~evidence.bad, 1.0 - limit)


def _share_capital(evidence: Evidence, zone: BoolArray, error: BoolArray, limit: float) -> float:
    """Capital against 'the share of `error` among all cases of the zone exceeds `limit`'.

    A case that was not drawn has weight zero and changes nothing, so only drawn ones are passed in.
    """
    weights = 1.0 / evidence.propensity[zone]
    stakes = WAGERS[:, None] / ((1.0 - limit) * evidence.largest_weight)
    gains = np.where(
        error[zone], np.log1p(-stakes * (1.0 - limit) * weights), np.log1p(stakes * limit * weights)
    )
    return _mean_capital(gains.sum(axis=1))


def _recall_capital(evidence: Evidence, recall: float) -> tuple[FloatArray, FloatArray]:
    """(scores that carry truth, ascending; log capital for a cut just below each, and above all).

    Only bad cases, and drawn cases that may be bad, move the capital. Returns shapes (k,) and
    (k + 1,): entry j counts the first j of them as passed.
    """
    beta = 1.0 - recall
    reachable = evidence.automatable & (evidence.bad | evidence.missing)
    never_passed = evidence.bad & ~evidence.automatable
    scores = evidence.score[reachable]
    order = np.argsort(scores, kind="stable")
    scores = scores[order]
    weights = 1.0 / evidence.propensity[reachable][order]
    stakes = WAGERS[:, None] / ((1.0 - beta) * evidence.largest_weight)
    # A missing label helps no cut: it is lost below the cut and says nothing above it.
    kept = np.log1p(stakes * beta * weights * evidence.credible_bad[reachable][order])
    lost = np.log1p(-stakes * (1.0 - beta) * weights)
    certain = evidence.credence[never_passed] / evidence.propensity[never_passed]
    always = np.log1p(stakes * beta * certain).sum(axis=1, keepdims=True)
    nobody_passed = always + kept.sum(axis=1, keepdims=True)
    path = np.concatenate([nobody_passed, nobody_passed + np.cumsum(lost - kept, axis=1)], axis=1)
    log_capital: FloatArray = logsumexp(path, axis=0) - np.log(len(WAGERS))
    # Equal scores move together: an entry in a run of them has the run's first one's cut, and its
    # capital is no higher, so none proves what the first does not.
    return scores, log_capital


def _passed(evidence: Evidence, cut: float) -> BoolArray:
    return evidence.automatable & (evidence.score <= cut)


def _mean_capital(log_by_wager: FloatArray) -> float:
    return float(np.exp(min(logsumexp(log_by_wager) - np.log(len(WAGERS)), 700.0)))
