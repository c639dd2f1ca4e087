"""What a certificate would still cost, and whether that buys it (METHODS 2)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

from models.boundary import Evidence, certify
from models.boundary.price.price import POWER
from models.boundary.proof.bounds import trials_for_power
from models.vocabulary import Boundary, CertificateVerdict, Targets
from tests.models.boundary.worlds import true_recall, world


def passed_in_full_sight(base: float, rate: float) -> pd.DataFrame:
    """4,000 simulated cases, 68 % of them passed under an audit; every bad one is escalated."""
    passed, bad = 2_720, int(4_000 * base)
    score = np.r_[np.full(passed, 0.1), np.full(4_000 - passed - bad, 0.5), np.full(bad, 0.6)]
    truth = np.r_[np.zeros(4_000 - bad), np.ones(bad)]
    propensity = np.where(score < 0.2, rate, 1.0)
    drawn = np.random.default_rng(1).random(4_000) < propensity
    return pd.DataFrame(
        {
            "score": score,
            "bad": np.where(drawn, truth, np.nan),
            "propensity": propensity,
            "drawn": drawn,
        }
    )


@pytest.mark.parametrize(("base", "low", "high"), [(0.02, 36_000, 54_000), (0.05, 14_500, 22_000)])
def test_audit_labels_cost_about_what_methods_says(base: float, low: int, high: int) -> None:
    """METHODS 2 found 44k to 54k at 2 % and 18k to 22k at 5 % with 68 % of traffic passed, for a
    step that shows errors of its own; the cheapest step, just beyond today's cut, is a little below."""
    frame = passed_in_full_sight(base, 0.02)
    found = certify(frame, Targets(recall=0.99, delta=0.035), Boundary(0.2, None))
    assert found.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
    in_hand = 0.02 * 2_720
    assert low <= found.labels_needed["pass"] + in_hand <= high


def test_the_price_of_audit_labels_hardly_depends_on_the_rate() -> None:
    """METHODS 2: `M ~ n_eff * N_pass / B`, whatever the traffic."""
    dear, cheap = (
        certify(
            passed_in_full_sight(0.05, rate), Targets(recall=0.99, delta=0.035), Boundary(0.2, None)
        ).labels_needed["pass"]
        for rate in (0.02, 0.1)
    )
    assert cheap == pytest.approx(dear, rel=0.1)


def test_full_review_costs_the_trials_of_the_exact_test() -> None:
    """A tenth of 1,000 labels is bad: ten labels for each bad case that is missing."""
    frame = pd.DataFrame(
        {"score": [0.1] * 900 + [0.9] * 100, "bad": [0.0] * 900 + [1.0] * 100, "propensity": 1.0}
    )
    wanted = trials_for_power(0.01, 0.05, 0.3, POWER)
    assert certify(frame, Targets(recall=0.99)).labels_needed == {"pass": (wanted - 100) * 10}


def test_collecting_the_price_certifies_in_four_of_five_worlds() -> None:
    """60 simulated worlds whose incumbent misses 30 % of what is allowed: each starts with too
    little, collects as many pass-zone labels as the answer asks for, and asks again. At a power of
    .8 fewer than 42 successes have a probability of 2 %."""
    cut = brentq(lambda score: 1.0 - true_recall(score) - 0.003, 1e-9, 0.9)
    incumbent, targets, rate = Boundary(cut, None), Targets(recall=0.99), 0.1
    certified = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        first = seen(generator, 1_500, cut, rate)
        answer = certify(first, targets, incumbent)
        assert answer.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
        price = answer.labels_needed["pass"]
        more = seen(generator, int(price / rate * 1.6), cut, rate)
        labels = np.cumsum(more["drawn"] & (more["score"] <= cut))
        collected = pd.concat([first, more[labels <= price]], ignore_index=True)
        certified += certify(collected, targets, incumbent).verdict is CertificateVerdict.CERTIFIED
    assert certified >= 42


def seen(generator: np.random.Generator, cases: int, cut: float, rate: float) -> pd.DataFrame:
    frame = world(generator, cases)
    propensity = np.where(frame["score"] <= cut, rate, 1.0)
    drawn = generator.random(cases) < propensity
    return frame.assign(
        propensity=propensity, drawn=drawn, bad=np.where(drawn, frame["bad"], np.nan)
    )


def coin_tosses(count: int = 5_000) -> Evidence:
    """Eleven scores that say nothing: half of the cases are bad at each."""
    draw = np.random.default_rng(5)
    frame = pd.DataFrame(
        {"score": draw.random(count).round(1), "bad": draw.random(count) < 0.5, "propensity": 1.0}
    )
    return Evidence.from_frame(frame)


def test_a_side_that_lacks_no_labels_and_is_not_proven_is_named_beside_the_others_price() -> None:
    """2,500 bad cases are more than enough to prove a recall that holds; this one does not."""
    found = certify(coin_tosses(), Targets(precision=0.95, recall=0.99), None)
    assert set(found.labels_needed) == {"block"}
    assert "The pass side lacks no labels and is not proven" in " ".join(found.reasons)
    alone = certify(coin_tosses(), Targets(precision=0.95), None)
    assert "pass side" not in " ".join(alone.reasons)


@pytest.mark.parametrize("precision", [0.98, 0.95, 0.92])
def test_a_first_block_side_names_its_floor(precision: float) -> None:
    """600 cases whose score is at least the promise, whatever is promised; the price says so."""
    evidence = coin_tosses()
    found = certify(evidence, Targets(precision=precision), None)
    there = int((evidence.score >= precision).sum())
    assert found.labels_needed == {"block": 600 - there}
    assert "planned from 600 cases on whose score is at least" in found.reasons[0]
    live = certify(evidence, Targets(precision=precision), Boundary(None, 0.99))
    assert "planned from 600" not in " ".join(live.reasons)
