"""How does a label budget read: in a terminal, and as one page that needs nothing but itself?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.reports.pages.page import Section, page
from flows.reports.words.stamps import to_the_second
from models.boundary.price import price_words
from models.label_cost.label_budget import Offer

if TYPE_CHECKING:
    from flows.verbs.more_labels.label_budget import LabelBudget


def budget_row(offer: Offer) -> dict[str, Any]:
    """A side as a line of a table; what cannot be told is missing."""
    price = offer.price
    waits = list(price.days.values())
    return {
        "case_type": offer.case_type,
        "side": price.zone,
        "notch": price_words.points(price.notch),
        "in hand": price.in_hand,
        "labels": price.labels,
        "hours": None if offer.hours is None else round(offer.hours),
        "cases a day": round(offer.gained),
        "a day per hour": offer.per_hour,
        "patience": price_words.days(waits[0]) if waits else None,
        "sprint": price_words.days(min(waits)) if waits else None,
        "paid back": None if price.payback_days is None else price_words.days(price.payback_days),
        "road": price.road.value,
    }


def budget_page(budget: LabelBudget) -> str:
    """One self-contained page: the recommendation, the sides by what an hour buys, each in a sentence."""
    sections = [Section("Where the next reviewer hour goes", budget.recommendation)]
    if budget.offers:
        sections += [
            Section(
                "What an hour buys, by side",
                table=[budget_row(offer) for offer in budget.offers],
                formats={"in hand": ",.0f", "labels": ",.0f", "hours": ",.0f", "cases a day": ",.0f",
                         "a day per hour": ".3g"},
                note="Cases a day are those that the notch decides automatically; `a day per "
                "hour` is what one reviewer hour buys of them. Patience is the wait at today's audit rate, "
                "a sprint that with everything audited; both need the same labels. A proof is expected "
                "with a chance of 80 %.",
            ),
            Section(
                "Days by audit rate",
                table=[row for offer in budget.offers for row in _days(offer)],
            ),
            Section(
                "Each side in a sentence",
                "\n\n".join(f"{one.case_type}. {one.price.sentence}" for one in budget.offers),
            ),
        ]  # fmt: skip
    if budget.without:
        told = "\n\n".join(f"{name}: {why}" for name, why in budget.without)
        sections.append(Section("Without a price", told))
    return page(f"Label budget, {to_the_second(budget.as_of.isoformat())}", sections)


def _days(offer: Offer) -> list[dict[str, Any]]:
    return [
        {
            "case_type": offer.case_type,
            "side": offer.price.zone,
            "audit rate": price_words.percent(rate),
            "until proven": price_words.days(days),
        }
        for rate, days in offer.price.days.items()
    ]
