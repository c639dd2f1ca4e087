"""Small valid frames of each contract, for tests to spoil."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from data_contracts import AdmissionContext
from models.vocabulary import CaseType, Feature, Targets

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OPENED = pd.Timestamp("2026-02-27 08:00", tz="UTC")
QUEUED = pd.Timestamp("2026-02-27 09:00", tz="UTC")
RESOLVED = pd.Timestamp("2026-02-27 10:00", tz="UTC")

ATO = CaseType(
    name="ato",
    features=(
        Feature("session_age", "numeric"),
        Feature("email_age", "numeric", may_be_missing=True),
        Feature("new_device", "boolean"),
        Feature("network", "categorical", levels=("home", "vpn")),
    ),
    targets=Targets(precision=0.95, recall=0.99),
    maturity_days=14,
    segments=("region",),
)
RESET = CaseType(
    name="reset_2fa",
    features=(Feature("sim_changed", "boolean"),),
    targets=Targets(precision=0.95),
    maturity_days=14,
)
CASE_TYPES = {"ato": ATO, "reset_2fa": RESET}


def context(**changes) -> AdmissionContext:
    """Now, two case types, and stored decisions that lean pass (even ids) and block (odd ids)."""
    return AdmissionContext(
        **{"now": NOW, "case_types": CASE_TYPES, "decisions": stored_decisions(), **changes}
    )


def stored_decisions(rows: int = 600) -> pd.DataFrame:
    """Cases c0, c1, ...; even ones lean pass, odd ones block; all escalated."""
    number = np.arange(rows)
    return pd.DataFrame(
        {
            "case_id": pd.Series("c", index=number) + pd.Series(number).astype(str),
            "case_type": "ato",
            "recommendation": np.where(number % 2 == 0, "pass", "block"),
            "action": "escalate",
            "opened_at": OPENED,
            "decided_at": OPENED,
            "priority": 10,
        }
    )


def decisions(rows: int = 4) -> pd.DataFrame:
    """Valid automatic passes of one case type."""
    ids = stored_decisions(rows)["case_id"]
    return pd.DataFrame(
        {
            "case_id": ids,
            "case_type": "ato",
            "opened_at": OPENED,
            "decided_at": QUEUED,
            "score": 0.02,
            "recommendation": "pass",
            "action": "auto_pass",
            "propensity": 0.1,
            "audited": False,
            "arm": "control",
            "policy_id": "p1",
            "model_version": "7",
            "priority": 10,
            "amount_usd": 25.0,
            "override": "",
            "queue": "",
            "session_age": 3.5,
            "email_age": 200.0,
            "new_device": True,
            "network": "home",
            "region": "eu",
        }
    )


def reviews(rows: int = 4) -> pd.DataFrame:
    """Valid reviews that agree with the agent: even cases TN, odd cases TP, five reviewers."""
    number = np.arange(rows)
    ids = stored_decisions(rows)["case_id"]
    return pd.DataFrame(
        {
            "review_id": "r-" + ids,
            "case_id": ids,
            "revision": 0,
            "reviewer_id": "p" + pd.Series(number % 5).astype(str),
            "team": "in_house",
            "kind": "escalation",
            "blind": False,
            "queued_at": QUEUED,
            "resolved_at": RESOLVED,
            "verdict": np.where(number % 2 == 0, "pass", "block"),
            "label": np.where(number % 2 == 0, "TN", "TP"),
            "feedback_path": "none",
            "root_cause": None,
            "feature_ref": None,
            "sop_clause": None,
            "annotation": "The selfie matches.",
            "language": "en",
        }
    )


def outcomes(rows: int = 4) -> pd.DataFrame:
    """Valid chargebacks."""
    return pd.DataFrame(
        {
            "case_id": stored_decisions(rows)["case_id"],
            "observed_at": RESOLVED,
            "bad": True,
            "source": "chargeback",
        }
    )


def history(rows: int = 4) -> pd.DataFrame:
    """Valid past cases; every second one was bad."""
    wanted = ["case_id", "case_type", "opened_at", "amount_usd", "priority"]
    features = [*ATO.feature_names, "region"]
    return decisions(rows)[wanted + features].assign(bad=np.arange(rows) % 2 == 1)


def cases(rows: int = 4) -> pd.DataFrame:
    """Valid new cases."""
    return history(rows).drop(columns="bad")


BUILDERS = {
    "decisions": decisions,
    "reviews": reviews,
    "outcomes": outcomes,
    "history": history,
    "cases": cases,
}


def spoil(frame: pd.DataFrame, row: int = 0, **values) -> pd.DataFrame:
    """The frame with some cells of one row replaced, whatever the column's type."""
    spoiled = frame.copy()
    for column, value in values.items():
        cells = spoiled[column].astype(object)
        cells.iloc[row] = value
        spoiled[column] = cells.infer_objects()
    return spoiled
