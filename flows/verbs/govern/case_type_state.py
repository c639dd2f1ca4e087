"""How does a case type stand in the ledger: what is live, is it halted, is anything tried against it?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flows.verbs.ports import Ledger
from models.hub import Policy, is_halted, live_policy_id, running_ab
from models.vocabulary import AbPlan


@dataclass(frozen=True, slots=True)
class Trial:
    """A running A/B test: the policy that is tried, its registered plan, and since when."""

    policy: Policy
    plan: AbPlan
    since: datetime


@dataclass(frozen=True, slots=True)
class CaseTypeState:
    """What decides a case type; `live` is None before the first promotion."""

    live: Policy | None
    halted: bool
    trial: Trial | None


def case_type_state(ledger: Ledger, case_type: str, as_of: datetime | None = None) -> CaseTypeState:
    """How a case type stands now, or stood at a moment.

    Raises:
        GateRefused: the ledger or a policy in it is not as it was written.
    """
    history = ledger.history(as_of=as_of)  # all of it: who was revoked ends a test
    live = live_policy_id(history, case_type)
    started = running_ab(history, case_type)
    trial = None
    if started is not None:
        tried = ledger.policy(str(started.policy_id))
        if tried.ab_plan is not None:  # the hub starts no test of a policy without a plan
            trial = Trial(tried, tried.ab_plan, started.at)
    return CaseTypeState(
        live=None if live is None else ledger.policy(live),
        halted=is_halted(history, case_type),
        trial=trial,
    )
