"""When in its life may a certificate be renewed, and on which cases since?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from models.hub import Policy
from models.vocabulary import CaseType

RENEWED_FROM = 2 / 3
"""Of its life: from then on a certificate that is proven again on fresh cases is proposed anew."""

FEWEST_FRESH = 30
"""Labelled cases of the cohort opened since the evidence of a certificate ended, from which it may be
renewed: without any, nothing has tried to refute it."""


def is_due(case_types: Mapping[str, CaseType], policy: Policy, at: datetime) -> bool:
    """Whether a policy is in the last third of its certificate's life, or past it."""
    days = case_types[policy.case_type].certificate_days
    if policy.valid_until is None or days is None:
        return False
    return at >= policy.valid_until - timedelta(days=days) * (1.0 - RENEWED_FROM)


def fresh_labels(
    case_types: Mapping[str, CaseType], cohort: pd.DataFrame, live: Policy | None
) -> int:
    """Labelled cases of a cohort that were opened since the evidence of the live certificate ended; 0
    where it never ends.

    Args:
        cohort: `opened_at`, and `bad` (null = not in), one row a case.
    """
    days = None if live is None else case_types[live.case_type].certificate_days
    if live is None or live.valid_until is None or days is None or cohort.empty:
        return 0
    since = pd.Timestamp(live.valid_until - timedelta(days=days))
    fresh = (cohort["opened_at"] >= since).to_numpy(dtype=np.bool_)
    return int((fresh & cohort["bad"].notna().to_numpy(dtype=np.bool_)).sum())
