"""An alarm on the live boundary, valid whichever night it is asked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.boundary import Evidence, certify, guard
from models.vocabulary import Boundary, CertificateVerdict, Targets
from tests.models.boundary.worlds import (
    cut_where,
    most_violations,
    true_false_omission,
    true_precision,
    true_recall,
    world,
)

TARGETS = Targets(precision=0.95, recall=0.99)


def under(frame: pd.DataFrame, boundary: Boundary, rate: float, seed: int) -> Evidence:
    """What a policy with this boundary and audit rate would have seen of the cases."""
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    automatic = (frame["score"] <= (low or -1.0)) | (frame["score"] >= (high or 2.0))
    propensity = np.where(automatic, rate, 1.0)
    # Never the stream that drew the truth: every bad case would be audited.
    drawn = np.random.default_rng([seed, 1]).random(len(frame)) < propensity
    return Evidence.from_frame(
        frame.assign(propensity=propensity, drawn=drawn, bad=np.where(drawn, frame["bad"], np.nan))
    )


def alarmed(targets: Targets, boundary: Boundary, worlds: int, cases: int = 15_000) -> int:
    """In how many simulated worlds the guard calls out on any of thirty nights."""
    found = 0
    for seed in range(worlds):
        evidence = under(world(np.random.default_rng(seed), cases), boundary, 0.2, seed)
        nights = (
            guard(evidence.only(np.arange(cases) < end), targets, boundary)
            for end in range(cases // 30, cases + 1, cases // 30)
        )
        found += any(one is not None for one in nights)
    return found


def test_a_sound_boundary_raises_no_alarm_on_any_of_thirty_nights() -> None:
    """40 simulated worlds, 30 nights each. This boundary keeps more than it promises, so that an
    alarm is far rarer than delta allows."""
    assert alarmed(TARGETS, Boundary(0.0025, 0.93), 40) == 0


def test_a_promise_just_kept_is_refuted_no_more_often_than_delta_and_a_broken_one_is_found() -> (
    None
):
    """On the edge of both promises; past it, with a tenth of the bad cases passed."""
    edge = Boundary(cut_where(true_recall, 0.99), cut_where(true_precision, 0.95))
    assert alarmed(TARGETS, edge, 40) <= most_violations(40, TARGETS.delta)
    broken = Boundary(cut_where(true_recall, 0.9), 0.93)
    assert alarmed(TARGETS, broken, 5) == 5


def test_a_sound_boundary_under_a_false_omission_promise_is_quiet_for_thirty_nights() -> None:
    """Bad cases above the cut are no omissions, however many are drawn there; past the promise twice
    over it is found."""
    targets = Targets(false_omission_rate=0.004)
    sound = Boundary(cut_where(true_false_omission, 0.003), None)
    assert alarmed(targets, sound, 10) == 0
    broken = Boundary(cut_where(true_false_omission, 0.012), None)
    assert alarmed(targets, broken, 5) == 5


def test_a_reckless_pass_cut_is_named_and_the_block_side_stays() -> None:
    """Passing a tenth of the bad cases is refuted; the block side had nothing to do with it."""
    frame = world(np.random.default_rng(3), 40_000)
    reckless = float(frame.loc[frame["bad"] == 1.0, "score"].quantile(0.1))
    today = Boundary(reckless, 0.97)
    alarm = guard(under(frame, today, 0.2, 3), TARGETS, today)
    assert alarm is not None
    assert alarm.verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    assert "pass side is refuted" in alarm.reasons[0]
    assert alarm.boundary.block_at_or_above == 0.97
    low = alarm.boundary.pass_at_or_below
    assert low is None or low < reckless


def test_outcomes_that_came_by_themselves_can_refute_but_never_prove() -> None:
    """40 chargebacks on cases nobody drew are more than a recall of .99 allows among 500 bad ones;
    they change no limit."""
    frame = pd.DataFrame(
        {
            "score": [0.1] * 4_000 + [0.9] * 500,
            "bad": [np.nan] * 4_000 + [1.0] * 500,
            "propensity": [0.02] * 4_000 + [1.0] * 500,
            "drawn": [False] * 4_000 + [True] * 500,
        }
    )
    today, targets = Boundary(0.2, None), Targets(recall=0.99)
    quiet = certify(frame, targets, today)
    assert quiet.verdict is not CertificateVerdict.INCUMBENT_UNCERTIFIED
    frame.loc[:39, "bad"] = 1.0
    loud = certify(frame, targets, today)
    assert loud.verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    evidence = Evidence.from_frame(frame)
    assert evidence.surfaced.sum() == 40
    assert evidence.bad.sum() == 500


@pytest.mark.parametrize("audit", [1.0, 0.25])
def test_a_few_outcomes_that_came_by_themselves_stay_quiet(audit: float) -> None:
    """Beside 500 caught bad cases (seen, or one in four seen and each standing for four) a recall of
    .99 allows 500 / 99 = 5.05 misses: nine are likely enough (P(X >= 9) = .077 under Poisson), ten
    are not (.036; it would take 5.3 misses allowed to find them likely)."""
    seen = int(500 * audit)
    frame = pd.DataFrame(
        {
            "score": [0.1] * 4_000 + [0.9] * 500,
            "bad": [np.nan] * 4_000 + [1.0] * seen + [np.nan] * (500 - seen),
            "propensity": [0.02] * 4_000 + [audit] * 500,
            "drawn": [False] * 4_000 + [True] * seen + [False] * (500 - seen),
        }
    )
    today, targets = Boundary(0.2, None if audit == 1.0 else 0.8), Targets(recall=0.99)
    refuted = CertificateVerdict.INCUMBENT_UNCERTIFIED
    for count in (2, 9, 10):
        frame.loc[: count - 1, "bad"] = 1.0
        assert (certify(frame, targets, today).verdict is refuted) == (count == 10), count


def test_what_outcomes_refute_is_not_kept_because_audits_prove_it() -> None:
    """400 audited passes are good and 40 others were charged back: the pass side goes back to people,
    instead of growing to where the audits reach."""
    frame = pd.DataFrame(
        {
            "score": np.linspace(0.01, 0.3, 4_000).tolist() + [0.9] * 500,
            "bad": [0.0, *[np.nan] * 9] * 400 + [1.0] * 500,
            "propensity": [0.1] * 4_000 + [1.0] * 500,
            "drawn": [True, *[False] * 9] * 400 + [True] * 500,
        }
    )
    frame.loc[[10 * number + 1 for number in range(0, 200, 5)], "bad"] = 1.0
    told = certify(frame, Targets(recall=0.9, precision=0.7), Boundary(0.2, 0.8))
    assert told.verdict is not CertificateVerdict.INCUMBENT_UNCERTIFIED  # 55 misses are allowed
    today = Boundary(0.2, 0.8)
    strict = certify(frame, Targets(recall=0.95, precision=0.7), today)
    assert strict.verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    assert strict.boundary.pass_at_or_below is None or strict.boundary.pass_at_or_below < 0.2
    assert strict.boundary.block_at_or_above == 0.8
