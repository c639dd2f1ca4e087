"""The price of a proof in days: at today's audit rate, and at two others."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.boundary import Evidence, certify
from models.label_cost.waiting import in_days
from models.vocabulary import Boundary, Certificate, DaysNeeded, Targets
from tests.models.boundary.worlds import audited, cut_where, seen_as, true_recall, world

RECALL = Targets(recall=0.99)
CUT = cut_where(true_recall, 0.997)
INCUMBENT = Boundary(CUT, None)


def few(rate: float, cases: int = 6_000, seed: int = 1) -> Evidence:
    """Simulated cases under an incumbent, too few for a proof; taken as ten days."""
    generator = np.random.default_rng(seed)
    return Evidence.from_frame(audited(world(generator, cases), CUT, rate, generator))


def priced(evidence: Evidence, days: float = 10.0) -> Certificate:
    return in_days(certify(evidence, RECALL, INCUMBENT), evidence, RECALL, INCUMBENT, days)


def test_the_days_at_todays_rate_are_the_missing_labels_over_the_zones_daily_labels() -> None:
    """By hand: the labels named, over a tenth of the passed cases of a day."""
    evidence = few(0.1)
    found = priced(evidence)
    daily = 0.1 * int((evidence.score <= CUT).sum()) / 10
    first = found.days_needed[0]
    assert (first.zone, first.audit_rate, first.afresh) == ("pass", 0.1, False)
    assert first.days == pytest.approx(found.labels_needed["pass"] / daily)


def test_the_other_rates_are_half_and_double_from_a_fresh_start() -> None:
    """As the price in labels hardly depends on the rate (METHODS 2), a fresh start takes the labels
    in hand and those missing, over the other rate's daily labels; within 15 %."""
    evidence = few(0.1)
    found = priced(evidence)
    passed = int((evidence.score <= CUT).sum()) / 10
    whole = found.labels_needed["pass"] + 0.1 * passed * 10
    half, double = found.days_needed[1:]
    assert (half.audit_rate, half.afresh) == (0.05, True)
    assert half.days == pytest.approx(whole / (0.05 * passed), rel=0.15)
    assert (double.audit_rate, double.afresh) == (0.2, True)
    assert double.days == pytest.approx(whole / (0.2 * passed), rel=0.15)


def test_waiting_the_days_named_certifies_in_four_of_five_worlds() -> None:
    """40 simulated worlds wait for as many days as the first one is told, at today's rate. At a
    power of .8 fewer than 26 successes have a probability of 1 %."""
    days = priced(few(0.2)).days_needed[0].days
    certified = 0
    for seed in range(40):
        cases = 6_000 + int(600 * days)
        certified += certify(few(0.2, cases, 100 + seed), RECALL, INCUMBENT).verdict == "certified"
    assert certified >= 26


def test_rates_stop_at_full_review() -> None:
    """Double of 60 % is 100 %, which the exact test judges."""
    rates = [price.audit_rate for price in priced(few(0.6, 3_000)).days_needed]
    assert rates == [0.6, 0.3, 1.0]


def test_full_review_has_one_rate_and_its_traffic_is_all_cases() -> None:
    """100 bad among 1,000 labels of five days: (wanted - 100) * 10 labels at 200 a day."""
    frame = pd.DataFrame(
        {"score": [0.1] * 900 + [0.9] * 100, "bad": [0.0] * 900 + [1.0] * 100, "propensity": 1.0}
    )
    evidence = Evidence.from_frame(frame)
    found = in_days(certify(evidence, RECALL), evidence, RECALL, None, 5.0)
    labels = found.labels_needed["pass"]
    assert found.days_needed == (DaysNeeded("pass", 1.0, labels / 200, afresh=False),)
    assert f"after {math.ceil(labels / 200)} days with every case reviewed" in found.reasons[1]


def test_before_any_label_the_days_are_those_of_the_reviewed_cases() -> None:
    """Ten cases a day, all to be reviewed, none yet."""
    evidence = seen_as([0.5] * 50, [None] * 50)
    found = in_days(certify(evidence, RECALL), evidence, RECALL, None, 5.0)
    assert found.days_needed[0].days == pytest.approx(found.labels_needed["pass"] / 10)


def test_the_sentence_stands_behind_the_labels_and_names_all_three_rates() -> None:
    """People read: labels, then days."""
    reasons = priced(few(0.1)).reasons
    assert reasons[0].startswith("Too little evidence for a proof")
    assert reasons[1].startswith("The pass zone has its labels after ")
    assert "at today's audit rate of 10%" in reasons[1]
    assert "from a fresh start" in reasons[1]
    assert "at 5%" in reasons[1]
    assert "at 20%" in reasons[1]


def test_a_wait_beyond_ten_years_is_said_in_words_and_kept_in_days() -> None:
    """300 labels over forty years of traffic: nobody plans with a number of days like that."""
    found = priced(few(0.1), days=40 * 365.25)
    assert (
        "does not have its labels within ten years at today's audit rate of 10%" in found.reasons[1]
    )
    assert "not within ten years at 5%" in found.reasons[1]
    assert found.days_needed[0].plain()["days"] > 3_650


def test_both_zones_have_their_days() -> None:
    """Precision is waited for in the blocks."""
    both = Targets(precision=0.95, recall=0.99)
    evidence = few(0.1, 1_000)
    today = Boundary(CUT, 0.97)
    found = in_days(certify(evidence, both, today), evidence, both, today, 10.0)
    assert {price.zone for price in found.days_needed} == set(found.labels_needed)


def test_what_misses_nothing_comes_back_unchanged() -> None:
    """A proof has no price any more."""
    evidence = Evidence.from_frame(world(np.random.default_rng(3), 30_000))
    proven = certify(evidence, RECALL)
    assert proven.labels_needed == {}
    assert in_days(proven, evidence, RECALL, None, 5.0) is proven


def test_an_unknown_traffic_is_refused() -> None:
    """One moment is no span."""
    with pytest.raises(ValueError, match="traffic is unknown"):
        priced(few(0.1), days=0.0)


def test_never_is_null_in_json() -> None:
    """JSON knows no infinity."""
    price = DaysNeeded("pass", 0.1, 12.5, afresh=True)
    assert price.plain()["days"] == 12.5
    assert replace(price, days=math.inf).plain()["days"] is None
