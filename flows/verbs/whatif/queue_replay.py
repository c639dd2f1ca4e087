"""What would the review desk's waiting times have been, had these actions been taken?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.decision.decide import automatable
from models.replay.reviewer_queue import QueueOutcome, review_times, sla
from models.replay.reviewer_queue_hours import hours_of_day
from models.simulation.keyed_draws import KeyedDraws
from models.vocabulary import CaseType


def desk_figures(
    decided: pd.DataFrame, reviewed: pd.Series, case_types: Mapping[str, CaseType]
) -> dict[str, dict[str, Any]]:
    """Resolution times by case type when the cases marked `reviewed` queue, key users first.

    Handling times belong to the case, so two sets of actions are compared on the same work.

    Args:
        decided: case_id, case_type, opened_at, and priority where there is one (a missing value is
            a key user's, no column at all means no key user); shape (cases,).
        reviewed: true where a person decides or audits, same index.

    Returns:
        By case type the figures over all days, and `by_hour`: 24 rows, one an hour of the day in
        UTC, with mean arrivals an hour, mean number of waiting cases and the share within the SLA
        of the cases that came in that hour (None where there was none).
    """
    midnight = decided["opened_at"].min().normalize()
    end = (decided["opened_at"].max().normalize() - midnight) / pd.Timedelta(hours=1) + 24.0
    figures = {}
    for case_type, settings in case_types.items():
        chosen = (decided["case_type"] == case_type).to_numpy() & reviewed.to_numpy()
        rows = decided[chosen].sort_values("opened_at", kind="stable")
        arrivals = ((rows["opened_at"] - midnight) / pd.Timedelta(hours=1)).to_numpy(np.float64)
        draws = KeyedDraws(0, rows["case_id"]).uniform("handling")
        minutes = -np.log(draws) * settings.staffing.handling_minutes
        outcome = review_times(
            arrivals,
            settings.staffing,
            minutes,
            horizon_hours=float(end),
            priority=_key_users(rows),
        )
        told = sla(outcome, settings.staffing.sla_hours)
        figures[case_type] = {
            "reviewed": told.cases,
            "within_sla": told.within_sla,
            "p50_hours": told.p50_hours,
            "p95_hours": told.p95_hours,
            "utilisation": told.utilisation,
            "still_open": told.still_open,
            "by_hour": _by_hour(outcome, settings.staffing.sla_hours),
        }
    return figures


def _key_users(rows: pd.DataFrame) -> npt.NDArray[np.bool_] | None:
    return ~automatable(rows) if "priority" in rows else None


def _by_hour(outcome: QueueOutcome, sla_hours: float) -> list[dict[str, Any]]:
    """One row an hour of the day, plain numbers only, so that it can be filed as JSON."""
    told = hours_of_day(outcome, sla_hours)
    table = pd.DataFrame(
        {
            "hour": np.arange(24),
            "arrivals_per_hour": told.arrivals_per_hour,
            "waiting": told.waiting,
            "within_sla": told.within_sla,
        }
    )
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
