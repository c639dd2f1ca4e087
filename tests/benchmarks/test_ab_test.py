"""The worlds of the A/B benchmark are what they say, and its runs are judged as `judge_ab` would."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ab_test import DAYS, NULLS, TRUE, counts_of, proven_days


@pytest.mark.parametrize("name", NULLS)
def test_in_a_null_world_the_named_claim_is_only_just_untrue(name: str) -> None:
    """From the zones' shares alone, the claimed quantity lies exactly at its limit."""
    told, untrue = NULLS[name]
    zones, plan = told.zones, told.plan

    def total(policy: str, action: str, bad: bool = False) -> float:
        return sum(z.share * (z.bad if bad else 1) for z in zones if getattr(z, policy) == action)

    def precision(policy: str) -> float:
        return total(policy, "block", True) / total(policy, "block")

    base_rate = sum(zone.share * zone.bad for zone in zones)
    gain = sum(
        total("treatment", action) - total("control", action) for action in ("pass", "block")
    )
    at_limit = {
        "automation": (gain, plan.automation_margin),
        "precision": (precision("treatment"), 0.95),
        "precision_margin": (precision("control") - precision("treatment"), plan.precision_margin),
        "recall": (total("treatment", "pass", True) / base_rate, 0.01),
        "false_omission_rate": (
            total("treatment", "pass", True) / total("treatment", "pass"),
            0.001,
        ),
    }[untrue]
    assert sum(zone.share for zone in zones) == pytest.approx(1.0)
    assert at_limit[0] == pytest.approx(at_limit[1], abs=1e-9)


@pytest.mark.parametrize("scheme", ["both", "treated", "pooled"])
def test_weights_make_up_for_what_is_not_seen(scheme: str) -> None:
    """Whoever's truth counts, weighted bad blocks add up to the world's. Within 1 % over 400 runs,
    which is more than five standard errors of the widest scheme (one run: .036)."""
    told = TRUE["recall .99"]
    kinds, counts, _ = counts_of(told, 10_000, scheme, np.random.default_rng(0), 400)
    seen = counts.mean(axis=(0, 1)) @ (kinds.weight * kinds.bad * kinds.treatment_blocks)
    assert seen / 10_000 == pytest.approx(0.035 * 0.975 + 0.01 * 0.965, rel=0.01)


def test_a_run_says_on_which_day_each_claim_was_proven() -> None:
    """20 runs at 40,000 cases a day: the days lie in 1..29, and automation is proven at once."""
    found = proven_days(TRUE["recall .99"], 40_000, "both", "test", 20)
    days = found["proven"]["betting"]
    assert set(days) == {"automation", "precision", "precision_margin", "recall"}
    assert all(((first >= 1) & (first <= DAYS + 1)).all() for first in days.values())
    assert days["automation"].max() == 1
    assert not found["refuted"].any()
