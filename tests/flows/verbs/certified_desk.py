"""A home whose live boundary was proven on its cohort, proposed, approved and promoted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from flows.verbs.certify.certify import certify_case_type
from flows.verbs.certify.generation import CARRIES_OVER
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.approve import approve
from flows.verbs.govern.promote import promote
from flows.verbs.govern.propose import act_on
from flows.verbs.services import Services
from models.hub import Policy
from models.vocabulary import Boundary
from tests.flows.verbs.hub_desk import (
    ANA,
    DAY,
    NAME,
    NOW,
    decided_cases,
    hub_desk,
    made_live,
    policy,
    with_model,
)

LATER = NOW + 10 * DAY
BEFORE = Boundary(0.3, 0.75)
"""Both sides of it are surpassed by what is proven, whatever the home's secret draws: nothing bad is
passed, and what is blocked is bad."""


@dataclass(frozen=True)
class Certified:
    """The desk, its live policy, and the moment after its promotion."""

    services: Services
    live: Policy
    now: datetime


def certified_desk(home: Path, bad_from: float = 2.0, **changed: Any) -> Certified:
    """3,000 cases decided by a narrower boundary prove one that both passes and blocks more;
    every case is bad from the score `bad_from` on; `changed` as in `hub_desk`."""
    services = hub_desk(home, **changed)
    model = SimpleNamespace(
        reference_scores=np.linspace(0.0, 1.0, 1_000),
        calibration=SimpleNamespace(slope=1.0, intercept=0.0),
    )
    services.registry.load = lambda *_, **__: model  # type: ignore[method-assign, assignment, return-value]
    with_model(services, "2", NOW - DAY, **{CARRIES_OVER: True})
    made_live(services, policy(BEFORE, "2"), NOW)
    decided_cases(
        services, policy(BEFORE, "2"), NOW, 3_000, bad_passed=0.0, keyed=True, bad_from=bad_from
    )
    judged = certify_case_type(services, load_snapshot(services, LATER), NAME)
    proposal = act_on(services, judged, LATER)
    assert proposal is not None, judged.certificate.reasons
    approve(services, proposal, ANA, LATER)
    promote(services.ledger, services.registry, services.alerts, proposal, ANA, LATER)
    live = services.ledger.live_policy(NAME)
    assert live is not None
    return Certified(services, live, LATER + timedelta(hours=1))
