"""What should somebody know beside the proof before they approve a boundary?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flows.verbs.causes.tickets import open_tickets
from flows.verbs.certify.generation import current_generation, started_entry
from flows.verbs.ports import EvidenceServices, Ledger
from models.hub import Policy, Role, enrolled
from models.hub.record.said import same_person
from models.vocabulary import CaseType

_OF_A_TICKET = (
    "pattern_id", "path", "subject", "slice", "size", "remedy", "money_usd", "status", "answered_by",
)  # fmt: skip


def beside_the_proof(
    services: EvidenceServices,
    policy: Policy,
    proposer: str,
    *spoke: str,
    as_of: datetime | None = None,
) -> dict[str, Any]:
    """The case type's open tickets (`tickets`, most money first), the newer model that is under test
    while the policy rests on an older one (`newer_model`, or None), and who would approve
    (`may_approve`: enrolled approvers but the proposer), as plain values.

    Args:
        spoke: who approved it already.
        as_of: tickets as they were known by then; None: by now.
    """
    tickets = [
        {name: one[name] for name in _OF_A_TICKET}
        for one in open_tickets(services, as_of)
        if one["case_type"] == policy.case_type
    ]
    return {
        "tickets": tickets,
        "newer_model": _newer_model(services.ledger, services.case_types, policy),
        "may_approve": may_approve(services.ledger, proposer, *spoke),
    }


def may_approve(ledger: Ledger, *others: str) -> list[str]:
    """The enrolled approvers besides those named, sorted."""
    return sorted(
        person.name
        for person in enrolled(ledger.history()).values()
        if Role.APPROVER in person.roles
        and not any(same_person(person.name, other) for other in others)
    )


def _newer_model(
    ledger: Ledger, case_types: Mapping[str, CaseType], policy: Policy
) -> dict[str, Any] | None:
    newest = current_generation(ledger, case_types, policy.case_type)
    started = started_entry(ledger, policy.case_type)
    if newest is None or started is None or newest.digest == policy.model_digest:
        return None
    return {"model_version": newest.version, "since": started.at.isoformat()}
