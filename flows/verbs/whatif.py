"""What if: replay a threshold move on past cases, and what it would do to errors, queue and SLA."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import UserError
from flows.verbs.decide import policy_in_force
from flows.verbs.desk import Desk
from flows.verbs.queue_replay import desk_figures
from flows.verbs.truth import load_book
from models.simulation.replay import replay
from models.vocabulary import Boundary


def replay_move(
    desk: Desk,
    case_type: str,
    pass_at_or_below: float | None,
    block_at_or_above: float | None,
    as_of: datetime,
    days: int = 28,
) -> dict[str, Any]:
    """Today's boundary against a moved one, on the cases the live model scored in `days` days.

    Decisions are counted exactly; errors are estimated from the labelled cases with their designed
    weights, and a band without a label is named as unsupported.

    Raises:
        UserError: the case type or the boundary cannot be used, or there is nothing to replay.
    """
    if case_type not in desk.case_types:
        raise UserError(
            f"there is no case type {case_type!r}; configured: {', '.join(sorted(desk.case_types))}."
        )
    try:
        moved = Boundary(pass_at_or_below, block_at_or_above)
    except ValueError as wrong:
        raise UserError(str(wrong)) from None
    current = policy_in_force(desk, case_type)
    settings = desk.case_types[case_type]
    since = as_of - timedelta(days=days + settings.maturity_days)
    book = load_book(desk, as_of, since)
    rows = book.mature(desk, case_type, since)
    rows = rows[(rows["model_version"] == current.model_version) & rows["score"].notna()]
    rows = rows.reset_index(drop=True)
    if rows.empty:
        raise UserError(
            f"{case_type}: no mature case was scored by the model in force since "
            f"{since.date().isoformat()}, so there is nothing to replay. Ask again later, or for "
            "more days."
        )
    told = replay(
        rows["score"].to_numpy(np.float64),
        rows["bad"].to_numpy(np.float64),
        rows["propensity"].to_numpy(np.float64),
        rows["automatable"].to_numpy(np.bool_),
        current.boundary,
        moved,
        settings.costs,
    )
    return {
        "case_type": case_type,
        "cases": len(rows),
        "days": days,
        "current": asdict(current.boundary),
        "moved": asdict(moved),
        "automation_rate": {
            "current": told.before.automation_rate,
            "moved": told.after.automation_rate,
        },
        "replay": asdict(told),
        "queue": {
            "current": _queue(desk, case_type, rows, current.boundary),
            "moved": _queue(desk, case_type, rows, moved),
        },
    }


def _queue(desk: Desk, case_type: str, rows: pd.DataFrame, boundary: Boundary) -> dict[str, Any]:
    score = rows["score"].to_numpy(np.float64)
    automatic = np.zeros(len(rows), dtype=np.bool_)
    if boundary.pass_at_or_below is not None:
        automatic |= score <= boundary.pass_at_or_below
    if boundary.block_at_or_above is not None:
        automatic |= score >= boundary.block_at_or_above
    reviewed = pd.Series(~(automatic & rows["automatable"].to_numpy()), index=rows.index)
    return desk_figures(rows, reviewed, {case_type: desk.case_types[case_type]})[case_type]
