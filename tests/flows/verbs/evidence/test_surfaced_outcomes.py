"""Chargebacks on cases that nobody drew: do they reach the proof of what is live?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flows.verbs.certify.guardrail import guard_live_policy
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.services import Services
from models.hub import EntryKind
from models.vocabulary import CertificateVerdict
from tests.flows.verbs.hub_desk import (
    DAY,
    NAME,
    NOW,
    WIDE,
    decided_cases,
    made_live,
    policy,
    store,
)

LATER = NOW + 10 * DAY


@pytest.fixture
def passing(services: Services) -> pd.DataFrame:
    """A sound live boundary, and its cases: half of the passed were audited, and none found bad."""
    made_live(services, policy(WIDE), NOW)
    return decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.0)


def undrawn(cases: pd.DataFrame) -> pd.DataFrame:
    return cases[(cases["action"] == "auto_pass") & ~cases["audited"]]


def charged_back(services: Services, cases: pd.DataFrame, bad: bool = True) -> None:
    """Outcomes that came by themselves."""
    facts = pd.DataFrame(
        {
            "case_id": cases["case_id"],
            "case_type": NAME,
            "observed_at": cases["opened_at"] + pd.Timedelta(days=5),
            "bad": np.full(len(cases), bad),
            "source": "chargeback",
        }
    )
    store(services, "outcomes", facts, ["case_id", "observed_at"], NOW + 6 * DAY)


def test_they_are_told_apart_from_labels(services: Services, passing: pd.DataFrame) -> None:
    """Bad ones have surfaced and are no label; good ones, on cases not drawn, are nothing at all."""
    hidden = undrawn(passing)
    charged_back(services, hidden.iloc[:40])
    charged_back(services, hidden.iloc[40:60], bad=False)
    rows = load_snapshot(services, LATER).mature(services, NAME).set_index("case_id")
    assert set(rows.index[rows["surfaced"]]) == set(hidden["case_id"].iloc[:40])
    assert rows.loc[hidden["case_id"], "bad"].isna().all()
    labelled = rows["bad"].notna()
    assert (labelled == rows["drawn"]).all()
    assert not rows.loc[labelled, "surfaced"].any()


def test_many_of_them_refute_the_live_boundary_and_it_narrows(
    services: Services, passing: pd.DataFrame
) -> None:
    """Some 1,400 bad cases were caught, so a recall of .9 allows 1,400 / 9 = 156 misses; 300 came."""
    charged_back(services, undrawn(passing).iloc[:300])
    (tripped,) = guard_live_policy(services, load_snapshot(services, LATER), NAME)
    assert tripped.alarm.certificate.verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    assert [entry.kind for entry in tripped.entries] == [
        EntryKind.GUARDRAIL_TRIPPED, EntryKind.NARROWED,
    ]  # fmt: skip
    live = services.ledger.live_policy(NAME).boundary
    assert live.pass_at_or_below is None or live.pass_at_or_below < WIDE.pass_at_or_below
    assert live.block_at_or_above == WIDE.block_at_or_above


def test_a_few_of_them_leave_it_alone(services: Services, passing: pd.DataFrame) -> None:
    charged_back(services, undrawn(passing).iloc[:20])
    assert guard_live_policy(services, load_snapshot(services, LATER), NAME) == []
