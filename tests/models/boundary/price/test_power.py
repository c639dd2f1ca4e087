"""With what probability does the very test succeed, under today's design and under another?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.boundary import Evidence, certify
from models.boundary.price.power import POWER, TRUE_SHARE, Design, _fewest_allowed, outlooks
from models.boundary.proof.bounds import trials_for_power
from models.vocabulary import Boundary, CertificateVerdict, Targets
from tests.models.boundary.worlds import audited, cut_where, seen_as, true_recall, world

RECALL, DELTA = Targets(recall=0.99), {"recall": 0.05}
CUT = cut_where(true_recall, 0.997)
PAST = Evidence.from_frame(world(np.random.default_rng(1), 6_000))


def under(evidence: Evidence, boundary: Boundary, pass_rate: float, block_rate: float) -> Design:
    """The same traffic under a boundary whose automatic decisions are audited at these rates."""
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    passed = evidence.score <= (-np.inf if low is None else low)
    blocked = evidence.score >= (np.inf if high is None else high)
    designed = np.where(passed, pass_rate, np.where(blocked, block_rate, 1.0))
    return Design(evidence, boundary, designed, {"pass": "stratified", "block": "stratified"})


def test_the_power_foretold_is_the_share_of_worlds_that_are_certified() -> None:
    """80 simulated worlds of four times the evidence at 40 % audits. The forecast puts errors where
    they weigh most and steps just beyond today's cut; it lies within .15 of what happened, three
    standard errors of 80 worlds."""
    design = under(PAST, Boundary(CUT, None), 0.4, 1.0)
    foretold = outlooks(design, RECALL, DELTA)["pass"][0].power(4.0)
    certified = 0
    for seed in range(80):
        generator = np.random.default_rng(300 + seed)
        seen = audited(world(generator, 24_000), CUT, 0.4, generator)
        found = certify(seen, RECALL, Boundary(CUT, None))
        certified += found.verdict is CertificateVerdict.CERTIFIED
    assert certified / 80 == pytest.approx(foretold, abs=0.15)


def test_the_scale_is_where_the_power_is_reached_from_nothing() -> None:
    """Below one as well as above: a longer past needs a smaller part of itself."""
    for cases in (2_000, 60_000):
        past = Evidence.from_frame(world(np.random.default_rng(2), cases))
        plan = outlooks(under(past, Boundary(CUT, None), 0.3, 1.0), RECALL, DELTA)["pass"][0]
        scale = plan.scale()
        assert (scale < 1.0) == (cases == 60_000)
        assert plan.power(scale) >= POWER > plan.power(scale / 1.05)


def test_full_review_takes_the_trials_of_the_exact_test() -> None:
    """100 bad of 1,000: the trials the exact test asks for, in multiples of a hundred."""
    past = seen_as([0.1] * 900 + [0.9] * 100, [False] * 900 + [True] * 100)
    design = Design.as_logged(past, Boundary(), {"pass": "exact", "block": "exact"})
    plan = outlooks(design, RECALL, DELTA)["pass"][0]
    wanted = trials_for_power(0.01, 0.05, TRUE_SHARE, POWER)
    assert plan.scale() == pytest.approx(wanted / 100, rel=0.011)
    assert plan.more == (wanted - 100) * 10


def test_bad_labels_are_those_another_design_would_give() -> None:
    """An audited bad label at 10 % stands for ten cases: five labels at 50 %, one where it was 1."""
    seen = seen_as([0.1, 0.9], [True, True], [0.1, 1.0])
    design = under(seen, Boundary(0.5, None), 0.5, 1.0)
    assert design.propensity.tolist() == [0.5, 1.0]
    assert design.bad.tolist() == pytest.approx([0.5 / 0.1, 1.0])


def test_a_second_rate_buys_next_to_nothing() -> None:
    """Why one rate is the default: with 3 % and 10 % the test needs no fewer allowed errors than
    with 3 % everywhere (some 7 % more, as two limits share gamma), and 10 % alone needs a third."""
    for seen in (0, 2, 5):
        both = _fewest_allowed(seen, (1 / 0.03, 1 / 0.1), 0.035, 0.0035)
        thin = _fewest_allowed(seen, (1 / 0.03,), 0.035, 0.0035)
        dense = _fewest_allowed(seen, (1 / 0.1,), 0.035, 0.0035)
        assert thin <= both <= 1.1 * thin
        assert dense == pytest.approx(0.3 * thin, rel=0.01)


def test_a_pass_side_reviewed_in_full_beside_audited_blocks_has_a_price() -> None:
    """No audited stratum below the cut: the price is that of plain Poisson errors, and no crash."""
    few = world(np.random.default_rng(4), 500)
    propensity = np.where(few["score"] >= 0.97, 0.5, 1.0)
    drawn = np.random.default_rng(5).random(500) < propensity
    seen = few.assign(propensity=propensity, drawn=drawn, bad=np.where(drawn, few["bad"], np.nan))
    found = certify(seen, RECALL, Boundary(CUT, 0.97))
    assert found.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
    bad = float((seen["bad"] == 1.0).sum())
    wanted = trials_for_power(0.01, 0.05, TRUE_SHARE, POWER)
    in_zone = int((seen["score"] <= CUT).sum())
    # Nearly the exact test's trials; the limit on all bad cases takes its tenth of delta.
    assert found.labels_needed["pass"] == pytest.approx((wanted / bad - 1) * in_zone, rel=0.25)


def test_what_blocks_are_audited_at_is_no_price_of_a_first_pass_cut() -> None:
    """With blocks alone automated every case below them is reviewed, whatever the blocks' rate."""
    few = world(np.random.default_rng(6), 1_500)
    prices = []
    for rate in (0.05, 0.5):
        propensity = np.where(few["score"] >= 0.97, rate, 1.0)
        design = Design(
            Evidence.from_frame(few.assign(propensity=propensity, drawn=True)),
            Boundary(None, 0.97),
            propensity,
            {"pass": "stratified", "block": "stratified"},
        )
        prices.append(outlooks(design, Targets(false_omission_rate=0.01),
                               {"false_omission_rate": 0.05})["pass"][0].more)  # fmt: skip
    assert prices[0] == prices[1]


def test_a_power_that_no_length_reaches_is_said_so() -> None:
    """Reviewing nothing new proves nothing: the scale is infinite, never a large number."""
    nothing = Design.as_logged(
        seen_as([0.1] * 10, [False] * 10), Boundary(), {"pass": "exact", "block": "exact"}
    )
    precision = outlooks(nothing, Targets(precision=0.95), {"precision": 0.05})["block"][0]
    assert math.isinf(precision.scale()), "no case lies where a block would"
