"""What would the review desk's waiting times have been, had these actions been taken?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from models.simulation.keyed_draws import KeyedDraws
from models.simulation.reviewer_queue import review_times, sla
from models.vocabulary import CaseType


def desk_figures(
    decided: pd.DataFrame, reviewed: pd.Series, case_types: Mapping[str, CaseType]
) -> dict[str, dict[str, Any]]:
    """Resolution times by case type when the cases marked `reviewed` queue, first come first served.

    Handling times belong to the case, so two sets of actions are compared on the same work.

    Args:
        decided: case_id, case_type, opened_at; shape (cases,).
        reviewed: true where a person decides or audits, same index.
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
        outcome = review_times(arrivals, settings.staffing, minutes, horizon_hours=float(end))
        told = sla(outcome, settings.staffing.sla_hours)
        figures[case_type] = {
            "reviewed": told.cases,
            "within_sla": told.within_sla,
            "p50_hours": told.p50_hours,
            "p95_hours": told.p95_hours,
            "utilisation": told.utilisation,
            "still_open": told.still_open,
        }
    return figures
