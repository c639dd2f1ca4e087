"""The audits of a live boundary bring no labels for longer than maturity and a stated grace: an alert, then it narrows.

Injected: a live boundary whose audits are labelled for three days, and never again.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from flows.verbs.services import Services
from tests.faults.nights import night
from tests.flows.verbs.hub_desk import (
    DAY,
    NAME,
    NOW,
    WIDE,
    decided_cases,
    hub_desk,
    made_live,
    policy,
    store,
)

MATURITY = 3


@pytest.fixture
def silent(tmp_path: Path) -> Services:
    """Labels of the first day's cases only; then thirty days of decisions nobody looks at."""
    services = hub_desk(tmp_path)
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 400, bad_passed=0.0)
    for day in range(1, 25):
        opened = NOW + day * DAY
        cases = pd.DataFrame(
            {
                "case_id": [f"s-{day}-{number}" for number in range(20)],
                "case_type": NAME,
                "opened_at": pd.date_range(opened, periods=20, freq="min").astype(
                    "datetime64[us, UTC]"
                ),
                "score": 0.2,
                "recommendation": "pass",
                "action": "auto_pass",
                "propensity": 0.5,
                "audited": True,
                "arm": "control",
                "policy_id": policy(WIDE).policy_id,
                "model_version": "1",
                "priority": 10,
                "amount_usd": 10.0,
            }
        )
        store(services, "decisions", cases, ["case_id"], opened)
    return services


def test_an_alert_comes_first_and_then_everything_is_reviewed(silent: Services) -> None:
    """Warned once audits are mature and unlabelled; narrowed when the grace is over."""
    grace = silent.audit_grace.days
    early = night(silent, NOW + (MATURITY + 1) * DAY)
    assert "audits" not in str(early["results"]["case_types"][NAME]["why"])

    warned = night(silent, NOW + (MATURITY + 4) * DAY)["results"]["case_types"][NAME]
    assert warned["state"] == "failed"
    (why,) = [one for one in warned["why"] if "audits of the live boundary" in one]
    assert "are mature and have no label" in why
    assert "on everything is reviewed" in why
    live = silent.ledger.live_policy(NAME)
    assert live is not None
    assert not live.boundary.automates_nothing

    told = night(silent, NOW + (MATURITY + grace + 4) * DAY)
    assert {"case_type": NAME, "kind": "narrowed"}.items() <= told["entries"][0].items()
    live = silent.ledger.live_policy(NAME)
    assert live is not None
    assert live.boundary.automates_nothing


def test_labels_that_come_end_the_silence(silent: Services) -> None:
    """A label of a later case is a sign of life."""
    grace = silent.audit_grace.days
    outcome = pd.DataFrame(
        {
            "case_id": ["s-10-19"],
            "observed_at": pd.Series([NOW + 11 * DAY]).astype("datetime64[us, UTC]"),
            "bad": [False],
            "source": ["reverification"],
        }
    )
    store(silent, "outcomes", outcome, ["case_id"], NOW + 11 * DAY)
    night(silent, NOW + (MATURITY + grace + 4) * DAY)
    live = silent.ledger.live_policy(NAME)
    assert live is not None
    assert not live.boundary.automates_nothing
