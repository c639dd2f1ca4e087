"""A desk of a test's own, with the model of the shared one, and policies made live on it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from flows.verbs.certify.generation import last_version
from flows.verbs.govern.promote import approve_and_promote
from flows.verbs.govern.proposed_policy import overrides_of
from flows.verbs.services import Services
from models.hub import AuditPlan, Entry, Policy, Propose
from models.vocabulary import Boundary
from tests.builders import small_settings
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised


def own_desk(advised: Advised, home: Path) -> Services:
    """A copy of the shared desk's home; models come from the shared registry, which is only read."""
    shutil.copytree(advised.home, home, dirs_exist_ok=True)
    services = Services.at(home / "live", small_settings(), advised.services.case_types, seed=3)
    return replace(services, registry=advised.services.registry)


def policy_of(
    advised: Advised, pass_below: float, block_above: float | None = None, **said: object
) -> Policy:
    """The shared model under a boundary; one audit in four, and the case type's overrides."""
    settings = advised.services.case_types[CASE_TYPE]
    generation = str(advised.decided["model_version"].iloc[0])
    return Policy(
        **{
            "case_type": CASE_TYPE,
            "model_name": CASE_TYPE,
            "model_version": generation,
            "model_digest": advised.model.digest,
            "audit": AuditPlan(0.25),
            "boundary": Boundary(pass_below, block_above),
            "overrides": overrides_of(settings),
            **said,
        }
    )


def go_live(services: Services, policy: Policy, at: datetime) -> Entry:
    """Proposed, approved and promoted; a policy with an A/B plan is on trial then."""
    proposed = services.ledger.submit(
        Propose(
            case_type=policy.case_type,
            policy=policy,
            actor="nightly_calibration",
            base_version=last_version(services.ledger, policy.case_type),
            evidence_digest="e" * 64,
            evidence_since=at,
            evidence_until=at,
        ),
        at,
    )
    assert isinstance(proposed, Entry), proposed
    return approve_and_promote(services, policy.case_type, policy.policy_id, "lead", at)
