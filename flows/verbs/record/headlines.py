"""Which ten numbers does every MLflow run have, so that any two can be laid side by side?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from sklearn.metrics import log_loss, roc_auc_score

from models.comparison import Comparison

HEADLINES = (
    "val/auc", "val/log_loss", "val/precision_lower", "val/recall_lower", "sim/automation_rate",
    "sim/escalated_per_day", "sim/within_sla", "sim/expected_loss_usd", "data/rows",
    "data/quarantined",
)  # fmt: skip


def headlines(**known: float | None) -> dict[str, float]:
    """All ten, with NaN where one is not given; a keyword names a headline without its group.

    Raises:
        ValueError: a keyword is no headline.
    """
    groups = {name.partition("/")[2]: name for name in HEADLINES}
    unknown = sorted(set(known) - set(groups))
    if unknown:
        raise ValueError(f"no headline is called {', '.join(unknown)}; they are {sorted(groups)}")
    values = dict.fromkeys(HEADLINES, math.nan)
    return values | {
        groups[name]: math.nan if value is None else float(value) for name, value in known.items()
    }


def compared_headlines(
    comparison: Comparison, challenger: bool, days: float, population: float, rows: int | None
) -> dict[str, float]:
    """One side of a comparison: lower interval ends for precision and recall at the live boundary,
    money over the compared window of `days` days and `population` cases."""

    def figure(name: str) -> tuple[float | None, float | None]:
        both = comparison.metric(name)
        one = both.challenger if challenger else both.champion
        return (None, None) if one is None else (one.value, one.low)

    automation, loss = figure("automation")[0], figure("expected_loss_usd")[0]
    return headlines(
        auc=figure("auc")[0],
        log_loss=figure("log_loss")[0],
        precision_lower=figure("precision")[1],
        recall_lower=figure("recall")[1],
        automation_rate=automation,
        escalated_per_day=None if automation is None else (1.0 - automation) * population / days,
        expected_loss_usd=None if loss is None else loss * population,
        rows=rows,
    )


def scored_headlines(
    scores: npt.NDArray[np.float64],
    bad: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    rows: int,
) -> dict[str, float]:
    """Of a model that only scored cases (it has no boundary to be judged at)."""
    return headlines(
        auc=float(roc_auc_score(bad, scores, sample_weight=weights)),
        log_loss=float(log_loss(bad, scores, sample_weight=weights)),
        rows=rows,
    )
