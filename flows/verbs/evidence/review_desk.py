"""How did the review desk do: how fast, and how often did a second person disagree?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.evidence.truth import EvidenceSnapshot
from models.vocabulary import CaseType

WINDOW_DAYS = 7


def review_desk(
    case_types: Mapping[str, CaseType], snapshot: EvidenceSnapshot
) -> list[dict[str, Any]]:
    """By case type, over the last week's first reviews: number, share within the SLA (strictly),
    median and 95th percentile of hours; and the share of second reviews that disagreed."""
    since = snapshot.as_of - timedelta(days=WINDOW_DAYS)
    recent = snapshot.reviews[snapshot.reviews["resolved_at"] >= since]
    types = snapshot.of_cases(recent[CASE_NUMBER], snapshot.decisions["case_type"])
    figures = []
    for case_type, settings in case_types.items():
        mine = recent[(types == case_type).to_numpy()]
        first = mine[mine["kind"].isin(["escalation", "audit"])]
        hours = (first["resolved_at"] - first["queued_at"]).dt.total_seconds() / 3600.0
        second = mine[mine["kind"] == "second"].merge(
            first[[CASE_NUMBER, "verdict"]], on=CASE_NUMBER, suffixes=("", "_first")
        )
        figures.append(
            {
                "case_type": case_type,
                "reviews": len(first),
                "within_sla": float((hours < settings.staffing.sla_hours).mean())
                if len(first)
                else None,
                "p50_hours": float(hours.median()) if len(first) else None,
                "p95_hours": float(hours.quantile(0.95)) if len(first) else None,
                "second_reviews": len(second),
                "disagreed": float(
                    (second["verdict"].astype(str) != second["verdict_first"].astype(str)).mean()
                )
                if len(second)
                else None,
            }
        )
    return figures
