"""When in its life may a certificate be renewed?"""

from __future__ import annotations

from datetime import datetime, timedelta

from flows.verbs.desk import Desk
from models.hub import Policy

RENEWED_FROM = 2 / 3
"""Of its life: from then on a certificate that is proven again on fresh cases is proposed anew."""


def is_due(desk: Desk, policy: Policy, at: datetime) -> bool:
    """Whether a policy is in the last third of its certificate's life, or past it."""
    days = desk.case_types[policy.case_type].certificate_days
    if policy.valid_until is None or days is None:
        return False
    return at >= policy.valid_until - timedelta(days=days) * (1.0 - RENEWED_FROM)
