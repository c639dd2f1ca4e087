"""What do reviewers' errors do to a certificate, and what do second reviews give back?

All figures are simulated. Reviewers call 1 % of the good cases bad and miss 2 % of the bad ones
(specificity .99, sensitivity .98); second reviewers are no better, seniors err in .05 %.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from models.boundary import certify
from models.truth import contradictions
from models.vocabulary import Boundary, Certificate, Targets
from tests.models.boundary.noise import CREDENCE_DELTA, confirmed, hoped_for, reviewed_once
from tests.models.boundary.worlds import audited, cut_where, true_recall, world

TARGETS = Targets(precision=0.95, recall=0.99)
NOISE = {"sensitivity": 0.98, "specificity": 0.99}


def three_certificates(
    generator: np.random.Generator, truth: pd.DataFrame, incumbent: Boundary | None = None
) -> tuple[Certificate, Certificate, Certificate]:
    """(without noise, heard once, contradictions confirmed): on the same simulated cases, each at
    .05 in all, of which the last spends a tenth on its limit on false bad labels."""
    boundary = hoped_for(truth["score"].to_numpy(), 0.99, 0.95)
    once = reviewed_once(generator, truth, **NOISE)
    twice = confirmed(generator, truth, once, boundary, **NOISE)
    assert contradictions(once.assign(case_id=once.index, confirmed=False), boundary).hold
    assert not contradictions(twice, boundary).hold
    rest = replace(TARGETS, delta=TARGETS.delta - CREDENCE_DELTA)
    return (
        certify(truth, TARGETS, incumbent),
        certify(once, TARGETS, incumbent),
        certify(twice, rest, incumbent),
    )


def test_confirmed_contradictions_bring_back_the_automation_that_noise_took() -> None:
    """Ten desks of 40,000 cases, all reviewed.

    Heard once, the pass side collapses: false labels among the passed share x are x * .0092 of all
    cases, may be 1 % of the .089 called bad, and so x stays below .097. With the blocks (about 6 %
    of all, which one wrong word in a hundred hardly touches) that is under a fifth of what is
    possible. Confirmed, automation is back above .9 of the noise-free one
    at every desk: .98 on average, and a desk's own ratio varies by .02, so .9 is four of its
    standard deviations away. No boundary misses more than 1 %: at .05 a desk, ten desks exceed
    two violations in one of a hundred cases.
    """
    generator = np.random.default_rng(3)
    violations = 0
    for _ in range(10):
        truth = world(generator, 40_000)
        free, once, twice = three_certificates(generator, truth)
        low = once.boundary.pass_at_or_below
        assert low is None or (truth["score"] <= low).mean() < 0.097
        assert once.automation_rate < 0.2 * free.automation_rate
        assert twice.automation_rate > 0.9 * free.automation_rate
        assert twice.boundary.pass_at_or_below is not None
        violations += true_recall(twice.boundary.pass_at_or_below) < 0.99
    assert violations <= 2


def test_the_same_holds_where_passed_cases_are_audited() -> None:
    """Three desks of 100,000 cases under an incumbent that passes .8 of what is possible and audits
    10 %: each false bad label in the audit counts ten times, and nothing wider is certified.
    Confirmed, automation is .95 of the noise-free one on average (a desk's own ratio varies by
    .04, so the mean of three by .025)."""
    generator = np.random.default_rng(3)
    ratios = []
    for _ in range(3):
        cases = world(generator, 100_000)
        possible = (cases["score"] <= cut_where(true_recall, 0.99)).mean()
        incumbent = Boundary(float(cases["score"].quantile(0.8 * possible)), None)
        truth = audited(cases, float(incumbent.pass_at_or_below or 0.0), 0.1, generator)
        free, once, twice = three_certificates(generator, truth, incumbent)
        assert once.boundary.pass_at_or_below is None or (
            once.boundary.pass_at_or_below <= incumbent.pass_at_or_below
        )
        ratios.append(twice.automation_rate / free.automation_rate)
    assert np.mean(ratios) > 0.9


def test_bad_labels_nobody_confirmed_prove_nothing() -> None:
    """Every label is right, but no second review was drawn: where bad labels have a credence of
    0, nothing is certified, whatever the sample size."""
    truth = world(np.random.default_rng(4), 40_000)
    doubted = certify(truth.assign(credence=0.0), Targets(recall=0.99))
    assert certify(truth, Targets(recall=0.99)).boundary.pass_at_or_below is not None
    assert doubted.boundary == Boundary.everything_reviewed()
