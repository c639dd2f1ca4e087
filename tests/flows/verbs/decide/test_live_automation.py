"""How much does the live policy decide by itself now?"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from flows.verbs.certify.generation import CARRIES_OVER
from flows.verbs.decide.live_automation import FEWEST, automation_now, in_force
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.brakes import halt
from flows.verbs.services import Services
from models.hub.record.readers import of
from tests.flows.verbs.hub_desk import (
    DAY,
    NAME,
    NARROW,
    NOW,
    OLA,
    WIDE,
    decided_cases,
    hub_desk,
    made_live,
    policy,
    with_model,
)

UNTIL = NOW + 20 * DAY


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """WIDE decided 1,000 cases, and has been replaced by NARROW since."""
    made = hub_desk(tmp_path, certificate_days=30.0)
    with_model(made, "2", NOW - 20 * DAY, **{CARRIES_OVER: True})
    made_live(made, policy(WIDE, "2"), NOW - 10 * DAY)
    decided_cases(made, policy(WIDE, "2"), NOW - 9 * DAY, 1_000, bad_passed=0.0)
    made_live(made, policy(NARROW, "2", valid_until=UNTIL), NOW)
    return made


def share(services: Services, at: datetime) -> float:
    found = automation_now(services, load_snapshot(services, at), NAME)
    assert found is not None
    return found.share


def test_what_another_policy_decided_says_nothing(services: Services) -> None:
    """Too few cases since it went live: by its boundary on the cohort, a fifth and not six tenths (uniform
    scores: .2 with a standard error of .02 on some 500 cases)."""
    assert share(services, NOW + DAY) == pytest.approx(0.2, abs=0.06)


def test_what_it_decided_counts_once_there_is_enough(services: Services) -> None:
    cases = decided_cases(
        services, policy(NARROW, "2", valid_until=UNTIL), NOW + DAY, FEWEST, 0.0, seed=2
    )
    decided = float((cases["action"] != "escalate").mean())
    found = automation_now(services, load_snapshot(services, NOW + 5 * DAY), NAME)
    assert found is not None
    assert found.share == pytest.approx(decided)
    assert found.known_from == f"of {FEWEST} cases it decided since {NOW:%Y-%m-%d}"


def test_a_renewal_goes_on_counting(services: Services) -> None:
    """The same boundary under two ids; it was live since NOW."""
    old, new = (policy(NARROW, "2", valid_until=one) for one in (UNTIL, UNTIL + 20 * DAY))
    made_live(services, new, NOW + 5 * DAY)
    names, since = in_force(of(services.ledger.history(), NAME), new)
    assert names == {old.policy_id, new.policy_id}
    assert since == NOW


@pytest.mark.parametrize("why", ["expired", "halted", "everything is reviewed"])
def test_what_decides_nothing_now_decides_nothing(services: Services, why: str) -> None:
    at = NOW + DAY
    if why == "expired":
        at = UNTIL
    elif why == "halted":
        halt(services.ledger, services.case_types, NAME, OLA, "a burst", NOW)
    else:
        made_live(services, replace(policy(NARROW, "2"), boundary=replace(NARROW, pass_at_or_below=None, block_at_or_above=None)), NOW)  # fmt: skip
    assert share(services, at) == 0.0


def test_before_the_first_promotion_every_case_is_reviewed(tmp_path: Path) -> None:
    assert share(hub_desk(tmp_path), NOW) == 0.0
