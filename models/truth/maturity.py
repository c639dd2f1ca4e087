"""Is a case old enough for its truth to count?"""

from __future__ import annotations

from datetime import datetime, timedelta


def matured_before(as_of: datetime, maturity_days: float) -> datetime:
    """Cases opened before this instant are mature.

    Maturity is a matter of a case's age, never of whether a label has come: waiting for labels
    would keep the slow, bad cases out (METHODS 1).
    """
    return as_of - timedelta(days=maturity_days)
