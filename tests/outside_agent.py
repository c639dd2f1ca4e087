"""Another agent's days: decisions, reviews and outcomes of `small_case` as they would be delivered."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

DAY = timedelta(days=1)
PEOPLE = tuple(f"p{number}" for number in range(10))


def decided(
    opened: datetime, count: int = 100, case_type: str = "small_case", name: str = "c"
) -> pd.DataFrame:
    """One day's cases, all escalated, a minute apart."""
    stamps = pd.date_range(opened, periods=count, freq="min").astype("datetime64[us, UTC]")
    score = np.linspace(0.05, 0.95, count)
    return pd.DataFrame(
        {
            "case_id": [f"{name}-{opened:%m%d}-{number:04d}" for number in range(count)],
            "case_type": case_type,
            "opened_at": stamps,
            "decided_at": stamps,
            "score": score,
            "recommendation": np.where(score > 0.5, "block", "pass"),
            "action": "escalate",
            "propensity": 1.0,
            "audited": False,
            "arm": "control",
            "policy_id": "another agent's",
            "model_version": "agent-1",
            "priority": 10,
            "amount_usd": 10.0,
            "signal": score,
            "channel": "app",
        }
    )


def reviewed(
    decisions: pd.DataFrame,
    bad: float = 0.3,
    *,
    busy: float = 0.0,
    seed: int = 5,
    after: timedelta = timedelta(minutes=30),
) -> pd.DataFrame:
    """Their reviews by ten people; `bad` of them say block, `busy` of them are by the first."""
    count = len(decisions)
    draw = np.random.default_rng(seed)
    blocks = np.zeros(count, dtype=bool)
    blocks[: round(bad * count)] = True
    draw.shuffle(blocks)
    people = np.array(PEOPLE)[np.arange(count) % 10]
    if busy:
        people = np.array(PEOPLE[1:])[np.arange(count) % 9]
        people[: round(busy * count)] = PEOPLE[0]
    agent = decisions["recommendation"].to_numpy(dtype=object)
    misjudged = (agent == "block") != blocks
    return pd.DataFrame(
        {
            "review_id": "r-" + decisions["case_id"],
            "case_id": decisions["case_id"],
            "revision": 0,
            "reviewer_id": people,
            "team": "in_house",
            "kind": "escalation",
            "blind": False,
            "queued_at": decisions["decided_at"],
            "resolved_at": decisions["decided_at"] + after,
            "verdict": np.where(blocks, "block", "pass"),
            "label": None,
            "feedback_path": np.where(misjudged, "B", "none"),
            "root_cause": None,
            "feature_ref": None,
            "sop_clause": None,
            "annotation": None,
            "language": "en",
        }
    )


def chargebacks(decisions: pd.DataFrame, observed: datetime) -> pd.DataFrame:
    """Bad outcomes that came to light by themselves."""
    return pd.DataFrame(
        {
            "case_id": decisions["case_id"],
            "observed_at": pd.Timestamp(observed).as_unit("us"),
            "bad": True,
            "source": "chargeback",
        }
    )
