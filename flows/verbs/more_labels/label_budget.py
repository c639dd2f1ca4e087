"""Label budget: the next notch of every side of every case type, by what a reviewer hour buys (METHODS 2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from configs.errors import GateRefused
from flows.verbs.certify.earliest_evidence import earliest_evidence
from flows.verbs.certify.generation import current_generation
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.more_labels.sprint import priced
from flows.verbs.ports import EvidenceServices
from models.label_cost.label_budget import Offer, ranked, recommendation


@dataclass(frozen=True)
class LabelBudget:
    """The sides by what an hour buys, and the case types of which no price can be told, with why."""

    as_of: datetime
    offers: tuple[Offer, ...]
    without: tuple[tuple[str, str], ...]

    @property
    def recommendation(self) -> str:
        """Sprint, patience or a better model, each with its figures."""
        return recommendation(self.offers)

    def plain(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "as_of": self.as_of.isoformat(),
            "recommendation": self.recommendation,
            "sides": [offer.plain() for offer in self.offers],
            "without_a_price": [{"case_type": name, "why": why} for name, why in self.without],
        }


def label_budget(services: EvidenceServices, now: datetime) -> LabelBudget:
    """Price every side; nothing is spent or filed.

    A case type without a model, a label or its audit secret is named with the reason and holds up no
    other.
    """
    snapshot = load_snapshot(
        services,
        now,
        earliest_evidence(services.ledger, services.case_types, services.hold_plan, now),
    )
    offers: list[Offer] = []
    without: list[tuple[str, str]] = []
    for name, kind in services.case_types.items():
        if current_generation(services.ledger, services.case_types, name) is None:
            without.append((name, "It has no model yet."))
            continue
        try:
            found = priced(services, snapshot, name)
        except GateRefused as refused:
            without.append((name, str(refused)))
            continue
        if not found.prices:
            without.append((name, "No case of its cohort has a settled label yet."))
        offers += [
            Offer(name, price, found.given.cases_per_day, kind.staffing.handling_minutes)
            for price in found.prices.values()
        ]
    return LabelBudget(now, tuple(ranked(offers)), tuple(without))
