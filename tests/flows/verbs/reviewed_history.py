"""A simulated history whose labels are people's reviews, some of them mistaken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flows.verbs.services import Services
from flows.verbs.walk.walk import Walk
from models.simulation import RevealedHistory
from models.simulation.keyed_draws import KeyedDraws
from models.vocabulary import CaseType
from tests.builders import small_case_type, walk_settings, with_mlflow

PEOPLE = 8


class ReviewedHistory(RevealedHistory):
    """Every drawn case is reviewed by one of eight people; asked for, a senior looks again and is never wrong.

    Args:
        mistaken: by case id, whether its first review says the opposite of the truth.
        answers: whether anybody answers when second reviews are asked for.
    """

    def __init__(
        self,
        cases: pd.DataFrame,
        case_types: Mapping[str, CaseType],
        *,
        warm_up_days: float,
        mistaken: pd.Series,
        answers: bool = True,
    ) -> None:
        super().__init__(cases, case_types, warm_up_days, step_days=1)
        self.questions: list[str] = []
        self._mistaken = mistaken
        self._answers = answers
        self._advice: dict[str, str] = {}
        self._second = pd.DataFrame()

    def note(self, decisions: pd.DataFrame) -> None:
        super().note(decisions)
        self._advice |= dict(zip(decisions["case_id"], decisions["recommendation"], strict=True))
        audited = decisions["case_id"][decisions["audited"]]
        self._audited = {*getattr(self, "_audited", set()), *audited}

    def deliveries(self, as_of: datetime) -> dict[str, pd.DataFrame]:
        facts = super().deliveries(as_of)["outcomes"]
        said = facts["bad"] ^ facts["case_id"].map(self._mistaken).astype(bool)
        kind = np.where(facts["case_id"].isin(self._audited), "audit", "escalation")
        first = self._reviews(facts["case_id"], said, kind, facts["observed_at"], 0)
        due = [part for part in (first, self._second) if len(part)]
        reviews = pd.concat(due, ignore_index=True) if due else first
        return {"outcomes": facts.iloc[:0], "reviews": reviews}

    def received(self, deliveries: Mapping[str, pd.DataFrame]) -> None:
        first = deliveries["reviews"]
        first = first[first["kind"].isin(["escalation", "audit"])]
        super().received({"outcomes": first})
        self._second = pd.DataFrame()

    def asked(self, case_ids: pd.Series, as_of: datetime) -> None:
        self.questions += case_ids.tolist()
        if not self._answers or case_ids.empty:
            return
        truth = self.truth().set_index("case_id")["bad"]
        ids = case_ids.reset_index(drop=True)
        when = pd.Series(pd.Timestamp(as_of), index=ids.index)
        self._second = self._reviews(ids, ids.map(truth).astype(bool), "senior", when, 1)

    def _reviews(
        self, ids: pd.Series, bad: pd.Series, kind: Any, when: pd.Series, shift: int
    ) -> pd.DataFrame:
        verdict = np.where(bad, "block", "pass")
        advice = ids.map(self._advice).to_numpy(dtype=object)
        right = verdict == advice
        label = np.where(right, np.where(bad, "TP", "TN"), np.where(bad, "FN", "FP")).astype(object)
        person = (reviewers_of(ids) + shift) % PEOPLE
        return pd.DataFrame(
            {
                "review_id": ids + ("-2" if shift else "-1"),
                "case_id": ids,
                "revision": 0,
                "reviewer_id": [f"r{one}" for one in person],
                "team": "in_house",
                "kind": kind,
                "blind": bool(shift),
                "queued_at": when - pd.Timedelta(hours=1),
                "resolved_at": when,
                "verdict": verdict,
                "label": label,
                "feedback_path": np.where(right, "none", "B"),
                "root_cause": np.where(right, None, "close_call"),
                "feature_ref": None,
                "sop_clause": None,
                "annotation": np.where(right, "Agreed.", "A close call."),
                "language": "en",
                "case_type": "small_case",
            }
        )


def reviewers_of(case_ids: pd.Series) -> np.ndarray:
    """Who reviews each case first: 0 .. 7, whatever the case is like."""
    return np.floor(KeyedDraws(5, case_ids).uniform("reviewer") * PEOPLE).astype(int)


def reviewed_walk(
    home: Path, cases: pd.DataFrame, mistaken: np.ndarray, *, answers: bool = True, days: float = 15
) -> Walk:
    """A walk over the cases whose first reviews are mistaken where `mistaken` says so."""
    kinds = {"small_case": small_case_type()}
    upstream = ReviewedHistory(
        cases, kinds, warm_up_days=days, answers=answers,
        mistaken=pd.Series(mistaken, index=cases["case_id"]),
    )  # fmt: skip
    return Walk(
        Services.at(with_mlflow(home), walk_settings(60), kinds, seed=3), upstream, retrain_days=60
    )


def walked_on(walk: Walk, nights: int | None = None) -> Walk:
    walk.warm_up()
    for step in range(nights or walk.upstream.steps):
        walk.night_and_day(step)
    return walk


def reasons(walk: Walk) -> list[str]:
    """Every sentence the nights gave about the case type's certificate."""
    return [
        reason
        for night in walk.nights
        for judged in night["certificates"]
        for reason in judged["reasons"]
    ]
