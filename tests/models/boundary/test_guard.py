"""An alarm on the live boundary, valid whichever night it is asked."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.boundary import Evidence, certify, guard
from models.vocabulary import Boundary, CertificateVerdict, Targets
from tests.models.boundary.worlds import world

TARGETS = Targets(precision=0.95, recall=0.99)


def under(frame: pd.DataFrame, boundary: Boundary, rate: float, seed: int) -> Evidence:
    """What a policy with this boundary and audit rate would have seen of the cases."""
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    automatic = (frame["score"] <= (low or -1.0)) | (frame["score"] >= (high or 2.0))
    propensity = np.where(automatic, rate, 1.0)
    drawn = np.random.default_rng(seed).random(len(frame)) < propensity
    return Evidence.from_frame(
        frame.assign(propensity=propensity, drawn=drawn, bad=np.where(drawn, frame["bad"], np.nan))
    )


def test_a_sound_boundary_raises_no_alarm_on_any_of_thirty_nights() -> None:
    """40 simulated worlds, 30 nights each: at delta .05 two alarms are expected at most; six or
    more have a probability of 1.4 % even if all of delta were spent."""
    alarms = 0
    for seed in range(40):
        frame = world(np.random.default_rng(seed), 15_000)
        sound = Boundary(0.0025, 0.93)
        evidence = under(frame, sound, 0.2, seed)
        nights = [
            guard(evidence.only(np.arange(15_000) < end), TARGETS, sound)
            for end in range(500, 15_001, 500)
        ]
        alarms += any(one is not None for one in nights)
    assert alarms < 6


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
