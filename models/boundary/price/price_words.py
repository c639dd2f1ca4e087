"""How are a rate, a wait and a payback said to people, so that no two lines contradict each other?"""

from __future__ import annotations

import math
from collections.abc import Mapping

LONGEST = 3_650.0
"""Days; a longer wait is no plan, so people read that it is longer."""


def percent(rate: float) -> str:
    """A share of 1 in percent, to three figures: 0.1 is "10 %"."""
    return f"{100.0 * rate:.3g} %"


def points(share: float) -> str:
    """A share of 1 in points of automation: 0.02 is "2 points", 0.01 "1 point"."""
    said = f"{100.0 * share:.3g}"
    return f"{said} point" if said == "1" else f"{said} points"


def days(count: float) -> str:
    """A wait, never of no days: what takes less than one says so."""
    if count > LONGEST:
        return "more than ten years"
    if count < 1.0:
        return "less than a day"
    whole = math.ceil(count - 1e-9)
    return "1 day" if whole == 1 else f"{whole:,} days"


def days_by_rate(by_rate: Mapping[float, float]) -> str:
    """Waits by audit rate, today's first: "12 days at today's audit rate of 10 %, 24 days at 5 %"."""
    (today, wait), *others = by_rate.items()
    first = (
        f"{days(wait)}, as everything is reviewed"
        if today == 1.0
        else f"{days(wait)} at today's audit rate of {percent(today)}"
    )
    rest = [
        f"{days(other)} with everything audited"
        if rate == 1.0
        else f"{days(other)} at {percent(rate)}"
        for rate, other in others
    ]
    return ", ".join([first, *rest])
