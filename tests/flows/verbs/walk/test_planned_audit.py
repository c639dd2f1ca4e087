"""A case type with an audit budget and a choice by cost: both go from the certificate into the policy."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from flows.verbs.services import Services
from flows.verbs.walk.walk import Walk
from models.hub.record.entries import EntryKind
from models.simulation import RevealedHistory
from models.vocabulary import AuditBudget
from tests.builders import small_case_type, small_history, walk_settings, with_mlflow


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """small_case with at most 60 audits a day, until a promoted boundary has decided for two days."""
    kinds = {
        "small_case": replace(
            small_case_type(), audit_budget=AuditBudget(60.0, 30.0), choose="cheapest"
        )
    }
    upstream = RevealedHistory(small_history(days=30, per_day=360), kinds, 15, step_days=1)
    home = tmp_path_factory.mktemp("home")
    walk = Walk(
        Services.at(with_mlflow(home), walk_settings(14), kinds, seed=3), upstream, retrain_days=14
    )
    walk.warm_up()
    for step in range(walk.upstream.steps):
        walk.night_and_day(step)
        if sum(one["auto_passed"] > 0 for one in walk.steps) == 2:
            break
    return walk


def test_the_promoted_policy_audits_as_planned_and_its_dossier_says_so(walk: Walk) -> None:
    """The plan's rates stand in the policy and in every decision's propensity; the configured rate
    of 10 % is only where there was no plan."""
    ledger = walk.services.ledger
    promoted = [e for e in ledger.history("small_case") if e.kind is EntryKind.PROMOTED]
    assert promoted
    policy = ledger.policy(str(promoted[-1].policy_id))
    assert policy.audit.rate != 0.1
    decided = pd.concat(walk.decisions)
    mine = decided[(decided["policy_id"] == policy.policy_id)]
    designed = policy.audit.rates(mine["score"].to_numpy(), policy.boundary)
    automatic = (mine["action"] != "escalate").to_numpy()
    assert automatic.any()
    assert mine["propensity"].tolist() == [
        rate if decides else 1.0 for rate, decides in zip(designed, automatic, strict=True)
    ]
    proposed = [e for e in ledger.history("small_case") if e.kind is EntryKind.PROPOSED]
    assert str(proposed[-1].dossier["audit_plan"][0]).startswith("Audited: ")


def test_the_dossier_names_the_widest_proven_boundary_beside_the_cheapest(walk: Walk) -> None:
    """What was proposed is the cheapest, and it is never wider than what was proven."""
    entries = walk.services.ledger.history("small_case")
    dossier = [e for e in entries if e.kind is EntryKind.PROPOSED][-1].dossier
    widest, cheapest = dossier["choices"]["widest"], dossier["choices"]["cheapest"]
    assert cheapest["pass_at_or_below"] == dossier["pass_at_or_below"]
    assert cheapest["block_at_or_above"] == dossier["block_at_or_above"]
    assert (cheapest["pass_at_or_below"] or 0.0) <= (widest["pass_at_or_below"] or 0.0)
    assert (cheapest["block_at_or_above"] or 1.0) >= (widest["block_at_or_above"] or 1.0)
    assert "cheapest" in dossier["reasons"][1]
