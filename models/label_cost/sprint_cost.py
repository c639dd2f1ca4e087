"""What does it cost to audit more for a time, and how far does that bring the next notch? (METHODS 2)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from models.boundary.price import price_words
from models.boundary.price.notch_price import NotchPrice

_ROUNDING = 1e-9
"""Days made of cases, and cases made of days again, may lose so small a part."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a case type's audits are drawn from.

    Attributes:
        cases_per_day: above 0.
        decided: share of the cases that are decided automatically, in (0, 1]; only these cost a review.
        handling_minutes: of one review.
    """

    cases_per_day: float
    decided: float
    handling_minutes: float

    def __post_init__(self) -> None:
        if not self.cases_per_day > 0.0:
            raise ValueError(f"audits need some traffic, got {self.cases_per_day!r} cases a day")
        if not 0.0 < self.decided <= 1.0:
            raise ValueError(
                f"a share of the cases in (0, 1] is decided automatically, got {self.decided!r}"
            )

    def hours(self, labels: float) -> float:
        """Reviewer hours of so many reviews."""
        return labels * self.handling_minutes / 60.0

    def days(self, labels: float, rate: float) -> float:
        """Until so many audits are drawn at a rate."""
        return labels / (self.cases_per_day * self.decided * rate)


@dataclass(frozen=True, slots=True)
class SprintCost:
    """A sprint's price; every figure follows from its cases.

    Attributes:
        rate, today: the audit rate within it and without it.
        days: it lasts.
        cases: of the cohort that it brings.
        labels: audits drawn within it; more: of these, the ones that today's rate would not draw.
        hours: reviewer hours of `labels`.
        brings: by zone, the share of the next notch's further cases that it brings, at most 1; None:
            no number of labels within reach proves that notch.
    """

    rate: float
    today: float
    days: float
    cases: float
    labels: float
    more: float
    hours: float
    brings: Mapping[str, float | None]
    sentences: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """For JSON and a dossier."""
        return {**asdict(self), "sentences": list(self.sentences)}


def sprint_cost(
    prices: Mapping[str, NotchPrice], traffic: Traffic, rate: float, today: float, days: float
) -> SprintCost:
    """The cost of auditing at a rate for so many days.

    Args:
        prices: the next notch by zone (`CertificationSequence.price`).
        rate, today: in (0, 1]; the sprint's is the higher one.
        days: above 0.

    Raises:
        ValueError: the rate is no higher than today's, or there are no days.
    """
    if not today < rate <= 1.0:
        raise ValueError(
            f"a sprint raises the audit rate above today's {price_words.percent(today)}, to at most "
            f"100 %; got {price_words.percent(rate)}"
        )
    if not days > 0.0:
        raise ValueError(f"a sprint lasts some days, got {days!r}")
    a_day = traffic.cases_per_day * traffic.decided
    cases, labels = days * traffic.cases_per_day * rate, days * a_day * rate
    more = days * a_day * (rate - today)
    brings = {zone: brought(price, cases) for zone, price in prices.items()}
    said = (
        f"{labels:,.0f} audits within {price_words.days(days)} at {price_words.percent(rate)}, "
        f"{more:,.0f} more than at today's {price_words.percent(today)}: {traffic.hours(labels):,.0f} "
        f"reviewer hours, {traffic.hours(labels / days):,.1f} a day."
    )
    return SprintCost(
        rate=rate,
        today=today,
        days=days,
        cases=cases,
        labels=labels,
        more=more,
        hours=traffic.hours(labels),
        brings=brings,
        sentences=(said, *(promise(prices[zone], share) for zone, share in brings.items())),
    )


def days_to_pay(prices: Mapping[str, NotchPrice], traffic: Traffic, rate: float) -> float | None:
    """How long a sprint at this rate must last until the dearest provable notch is paid; None: there is
    none to pay for. A side whose labels come by themselves is none."""
    cases = [price.cases for price in prices.values() if price.cases and not price.comes_by_itself]
    return max(cases) / (traffic.cases_per_day * rate) if cases else None


def brought(price: NotchPrice, cases: float) -> float | None:
    """The share of a notch's further cases that so many are, at most 1; 0 where its labels come by
    themselves, as more audits bring none of them; None: no number proves it."""
    if price.cases is None:
        return None
    if price.cases == 0 or (cases >= price.cases * (1.0 - _ROUNDING) and not price.comes_by_itself):
        return 1.0
    return 0.0 if price.comes_by_itself else cases / price.cases


def promise(price: NotchPrice, share: float | None) -> str:
    """What so large a share of a notch's cases is expected to prove, in a sentence."""
    step = f"{price_words.points(price.notch)} more on the {price.zone} side"
    if share is None:
        return f"{step}: no number of labels within reach proves it, however many are drawn."
    if not price.cases:
        return f"{step}: what is in hand is likely to prove it as it is."
    if price.comes_by_itself:
        return f"{step}: every case of it is reviewed as it is, so more audits bring it none of its labels."
    if share >= 1.0:
        return f"{step}: it brings the labels that prove it with a chance of 80 %."
    return (
        f"{step}: it brings {price_words.percent(share)} of the labels that prove it with a chance of "
        "80 %; they count for whatever brings the rest."
    )
