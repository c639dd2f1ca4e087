"""At which one rate are automatic decisions audited, so that the next notch is proven in time? (METHODS 2)"""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.boundary.price import price_words
from models.boundary.price.notch_price import TRICKLE
from models.boundary.sequence.certification_sequence import CertificationSequence
from models.vocabulary import AuditBudget, Boundary

STEP = 0.005
"""Rates are planned in half percents."""


@dataclass(frozen=True, slots=True)
class PlannedAudit:
    """One rate for every score, and what it costs and brings.

    Attributes:
        rate: designed probability that an automatic decision is reviewed, a multiple of `STEP`.
        reviews_per_day: audits a day at the traffic told.
        days: by zone, until its next notch has 80 % power; infinite: not provable at this size.
        within_budget: whether the rate that would prove it in time is one the budget allows.
        sentences: for people.
    """

    rate: float
    reviews_per_day: float
    days: dict[str, float]
    within_budget: bool
    sentences: tuple[str, ...]


def plan_audit(
    sequence: CertificationSequence, boundary: Boundary, budget: AuditBudget, cases_per_day: float
) -> PlannedAudit:
    """The lowest rate that proves the next notch of every zone within the budget's days, as far as its
    reviews a day allow, and never below the trickle that the guard needs.

    Args:
        boundary: the one to be proposed; its automatic decisions are what is audited.
        cases_per_day: traffic of this case type, above 0.

    Raises:
        ValueError: there is no traffic.
    """
    if not cases_per_day > 0.0:
        raise ValueError(f"an audit is planned for some traffic, got {cases_per_day!r} cases a day")
    automatic = sequence.automation(boundary) * cases_per_day
    prices = sequence.price(incumbent=boundary)
    cases = {zone: one.cases for zone, one in prices.items()}
    dearest = max((count for count in cases.values() if count is not None), default=0)
    wanted = max(_up(dearest / (cases_per_day * budget.within_days)), TRICKLE)
    most = 1.0 if automatic <= 0.0 else _down(budget.reviews_per_day / automatic)
    rate = min(wanted, most)
    days = {
        zone: math.inf if count is None else count / (rate * cases_per_day)
        for zone, count in cases.items()
    }
    return PlannedAudit(
        rate,
        rate * automatic,
        days,
        wanted <= most,
        _sentences(rate, automatic, wanted, days, budget),
    )


def _sentences(
    rate: float, automatic: float, wanted: float, days: dict[str, float], budget: AuditBudget
) -> tuple[str, ...]:
    said = [
        f"Audited: {price_words.percent(rate)} of the automatic decisions, some {rate * automatic:,.0f} reviews a day."
    ]
    if rate < wanted:
        said.append(
            f"The budget of {budget.reviews_per_day:,.0f} reviews a day does not allow the "
            f"{wanted * automatic:,.0f} that a proof within {budget.within_days:,.0f} days would take."
        )
    for zone, count in days.items():
        late = "" if count <= budget.within_days * 1.01 else ", later than asked"
        said.append(
            f"The next notch of the {zone} side is then proven within {price_words.days(count)}, with a "
            f"chance of 80 %{late}."
            if math.isfinite(count)
            else f"The next notch of the {zone} side: no number of labels within reach proves it."
        )
    return tuple(said)


def _up(rate: float) -> float:
    return min(round(math.ceil(rate / STEP - 1e-9) * STEP, 6), 1.0)


def _down(rate: float) -> float:
    """Rounded down to a step, but never to nothing."""
    return min(max(round(math.floor(rate / STEP + 1e-9) * STEP, 6), STEP), 1.0)
