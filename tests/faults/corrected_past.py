"""A desk whose past was reviewed, a model fitted on it, and labels that are corrected later."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from flows.verbs.decide.decide import decide_cases
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.intake.admit import AdmittedBatch, admit_batch
from flows.verbs.learn.challenger import Challenger
from flows.verbs.learn.train import retrain
from flows.verbs.services import Services
from models.hub import EntryKind
from tests.builders import START, small_case_type, small_history, small_settings, with_mlflow

NAME = "small_case"
DAYS = 20
NOW = START + timedelta(days=DAYS)
OPPOSITE = {"pass": "block", "block": "pass"}


def opened(
    home: Path, database_url: str | None = None, seed: int = 1
) -> tuple[Services, pd.DataFrame]:
    """A desk with decisions and their reviews, and those reviews."""
    settings = small_settings().model_copy(update={"database_url": database_url})
    services = Services.at(with_mlflow(home), settings, {NAME: small_case_type()})
    cases = small_history(days=DAYS, per_day=100, seed=seed)
    decided = decide_cases(services, NAME, cases.drop(columns="bad"), NOW)
    said = reviews_of(decided, cases["bad"])
    for table, rows in (("decisions", decided), ("reviews", said)):
        batch = delivered(services, table, rows, NOW)
        assert (batch.admitted, batch.failed) == (len(cases), ()), batch
    return services, said


def delivered(services: Services, table: str, rows: pd.DataFrame, at: datetime) -> AdmittedBatch:
    return admit_batch(services, table, rows, at, source=f"desk {table}")


def fitted(services: Services, at: datetime = NOW) -> tuple[Challenger, dict[str, Any]]:
    """A retrain as of a moment, and the lineage it left in the ledger."""
    told = retrain(services, load_snapshot(services, at), NAME)
    assert told.filed, told.note
    entries = services.ledger.history(NAME)
    last = [one for one in entries if one.kind is EntryKind.GENERATION_STARTED][-1]
    return told, dict(last.dossier["lineage"])


def reviews_of(decided: pd.DataFrame, bad: pd.Series) -> pd.DataFrame:
    """Every case's first review, by five people who are right."""
    verdict = bad.map({True: "block", False: "pass"})
    wrong = (verdict != decided["recommendation"]).to_numpy()
    at = decided["opened_at"]
    return pd.DataFrame(
        {
            "review_id": decided["case_id"] + "-1",
            "case_id": decided["case_id"],
            "revision": 0,
            "reviewer_id": [f"r{number % 5}" for number in range(len(decided))],
            "team": "in_house",
            "kind": "escalation",
            "blind": False,
            "queued_at": at,
            "resolved_at": at,
            "verdict": verdict,
            "label": None,
            "feedback_path": pd.Series("none", index=decided.index).where(~wrong, "B"),
            "root_cause": "none",
            "feature_ref": None,
            "sop_clause": "S-1",
            "annotation": "Looked at.",
            "language": "en",
        }
    )


def corrected(reviews: pd.DataFrame, revision: int = 1) -> pd.DataFrame:
    """The same reviews with the opposite verdict, as the next revision."""
    return reviews.assign(
        revision=revision, verdict=reviews["verdict"].map(OPPOSITE), feedback_path="B"
    )
