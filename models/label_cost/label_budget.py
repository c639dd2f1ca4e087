"""Of all sides of all case types: where does the next reviewer hour buy the most certified automation?

The measure is what a notch brings over what it costs: cases a day that it decides automatically, over the
reviewer hours of its labels (METHODS 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.boundary.price import price_words
from models.boundary.price.notch_price import NotchPrice, Road


@dataclass(frozen=True, slots=True)
class Offer:
    """One side's next notch, as something that reviewer hours may buy.

    Attributes:
        case_type: whose.
        price: see `NotchPrice`.
        cases_per_day: traffic, zero or more.
        handling_minutes: of one review, above 0.
    """

    case_type: str
    price: NotchPrice
    cases_per_day: float
    handling_minutes: float

    @property
    def name(self) -> str:
        """The side, for people."""
        return f"{self.case_type}, {self.price.zone} side"

    @property
    def gained(self) -> float:
        """Cases a day that the notch decides automatically."""
        return self.price.notch * self.cases_per_day

    @property
    def hours(self) -> float | None:
        """Reviewer hours of the labels; 0 where they come by themselves; None: none prove it."""
        if self.price.labels is None:
            return None
        labels = 0 if self.price.reviewed_anyway else self.price.labels
        return labels * self.handling_minutes / 60.0

    @property
    def per_hour(self) -> float | None:
        """Cases a day that a reviewer hour buys; None: no hour buys any, or none is needed."""
        hours = self.hours
        return None if not hours else self.gained / hours

    def plain(self) -> dict[str, Any]:
        """For a table and JSON."""
        price = self.price
        return {
            "case_type": self.case_type,
            "zone": price.zone,
            "notch": price.notch,
            "provable": price.provable,
            "in_hand": price.in_hand,
            "labels": price.labels,
            "days": {f"{rate:.6g}": count for rate, count in price.days.items()},
            "reviewer_hours": self.hours,
            "cases_a_day": self.gained,
            "cases_a_day_per_hour": self.per_hour,
            "payback_days": price.payback_days,
            "road": price.road.value,
            "sentence": price.sentence,
        }


def ranked(offers: Sequence[Offer]) -> list[Offer]:
    """What buys the most an hour first; then what costs no hour, then what no number of labels proves."""
    return sorted(
        offers,
        key=lambda one: (
            -(one.per_hour or 0.0),
            one.hours is None,
            -one.gained,
            one.case_type,
            one.price.zone,
        ),
    )


def recommendation(offers: Sequence[Offer]) -> str:
    """Sprint, patience or a better model, each with its figures, in a few sentences."""
    if not offers:
        return "No case type has a model and labels yet, so there is no notch to buy."
    bought = [one for one in ranked(offers) if one.per_hour is not None]
    told = [_first(bought[0])] if bought else ["No reviewer hour buys a notch today."]
    free = [one for one in offers if one.hours == 0.0]
    if free:
        told.append(
            f"Patience alone brings {_named(free)}: the labels come by themselves or are in hand."
        )
    beyond = [one for one in offers if one.price.road is Road.BETTER_MODEL]
    if beyond:
        told.append(
            f"A better model is the road for {len(beyond)} of {len(offers)} sides ({_named(beyond)}): "
            "no number of labels within reach proves their notch, or none that is paid back within a year."
        )
    return " ".join(told)


def _first(offer: Offer) -> str:
    price, hours = offer.price, offer.hours or 0.0
    step = f"{price_words.points(price.notch)} more, {offer.gained:,.0f} cases a day"
    told = (
        f"The next reviewer hour buys the most in {offer.name}: {step}, for {price.labels or 0:,} labels "
        f"({math.ceil(hours):,} reviewer hours)."
    )
    if not price.days:
        return told
    (rate, today), soonest = next(iter(price.days.items())), min(price.days.values())
    return (
        f"{told} A sprint proves it within {price_words.days(soonest)}, patience at "
        f"{price_words.percent(rate)} within {price_words.days(today)}, for the same hours. {price.advice}"
    )


def _named(offers: Sequence[Offer]) -> str:
    return "; ".join(one.name for one in offers)
