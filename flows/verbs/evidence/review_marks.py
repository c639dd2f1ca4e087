"""Where do the reviewers themselves send the agent's errors?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.evidence.truth import EvidenceSnapshot
from models.vocabulary import CaseType

WINDOW_DAYS = 28


def review_marks(
    case_types: Mapping[str, CaseType], snapshot: EvidenceSnapshot
) -> list[dict[str, Any]]:
    """By case type: errors of the last four weeks and the path reviewers gave them.

    Marks are opinions, counted and not tested; the most frequent root cause is named.
    """
    since = snapshot.as_of - timedelta(days=WINDOW_DAYS)
    reviews = snapshot.reviews
    wrong = reviews[(reviews["resolved_at"] >= since) & reviews["label"].isin(["FP", "FN"])]
    types = snapshot.of_cases(wrong[CASE_NUMBER], snapshot.decisions["case_type"])
    found = []
    for case_type in case_types:
        mine = wrong[(types == case_type).to_numpy()]
        causes = mine["root_cause"].value_counts()
        found.append(
            {
                "case_type": case_type,
                "errors": len(mine),
                "false_positives": int((mine["label"] == "FP").sum()),
                "false_negatives": int((mine["label"] == "FN").sum()),
                **{f"path_{path}": int((mine["feedback_path"] == path).sum()) for path in "ABC"},
                "top_root_cause": str(causes.index[0]) if len(causes) else None,
            }
        )
    return found
