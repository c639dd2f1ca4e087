"""Comparisons to draw and to write about, on simulated cases."""

from __future__ import annotations

from functools import cache

import numpy as np

from models.comparison import Comparison
from tests.models.comparison.worlds import forgetful, judged, later_cases

CONTRIBUTIONS = (
    {
        "feature": "device_age_days", "slice": "all", "mean_before": 0.42, "mean_after": 0.61,
        "weight_before": 1.0, "weight_after": 1.48,
    },
    {
        "feature": "ip_risk", "slice": "channel=<b>web", "mean_before": 0.0, "mean_after": 0.2,
        "weight_before": None, "weight_after": 0.9,
    },
)  # fmt: skip


@cache
def mixed_fortunes() -> Comparison:
    """Better overall, worse on new accounts; a slice without support; a label that is markup."""
    rows, new = forgetful(6_000, 1)
    web = np.where(np.arange(6_000) % 2, "<b>web", "app")
    web[:20] = "rare"
    return judged(rows, slices={"account_age": np.where(new, "new", "old"), "channel": web})


@cache
def nothing_to_compare() -> Comparison:
    """Twenty later cases."""
    return judged(later_cases(20, 2))
