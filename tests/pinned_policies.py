"""A policy with a model of the simulated exchange's account takeovers, and cases it never saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from configs.settings import load_settings
from models.boundary.decision.audit import audit_key, audit_purpose
from models.hub import AuditPlan, Overrides, Policy
from models.hub.policies.pinned import PinnedPolicy
from models.risk import TrainingPlan, train
from models.simulation import Exchange
from models.vocabulary import Boundary
from tests.builders import START

CASE_TYPE = "ato"
SECRET = "a secret for tests"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EXPIRES = datetime(2099, 9, 1, tzinfo=UTC)


def pinned_policy(cases: pd.DataFrame, rounds: int = 40) -> PinnedPolicy:
    """A model fitted on simulated cases; its boundary decides about half of them by itself."""
    case_type = load_settings(env={}).load_case_types()[CASE_TYPE]
    plan = TrainingPlan(rounds=rounds, early_stopping_rounds=10, seed=3)
    bad = cases["bad"].to_numpy(dtype=np.bool_)
    model = train(cases, bad, np.ones(len(cases)), case_type.features, plan).model
    low, high = np.quantile(model.score(cases)[0], [0.45, 0.95]).tolist()
    policy = Policy(
        case_type=CASE_TYPE,
        model_name=CASE_TYPE,
        model_version="1",
        model_digest=model.digest,
        audit=AuditPlan(0.2, steps=((low / 2, 0.1),)),
        boundary=Boundary(low, high),
        overrides=Overrides(never_auto_pass_above_usd=5_000.0),
        valid_until=EXPIRES,
    )
    key = audit_key(SECRET, audit_purpose(CASE_TYPE))
    return PinnedPolicy(policy, model, case_type.costs, key)


def expired(pinned: PinnedPolicy) -> PinnedPolicy:
    return replace(pinned, policy=replace(pinned.policy, valid_until=NOW))


def simulated_cases(days: int = 12, seed: int = 11, first_day: int = 0) -> pd.DataFrame:
    """Simulated account takeover cases, with their truth."""
    exchange = Exchange(seed, cases_per_day={CASE_TYPE: 300}, start=START, burst=None)
    return exchange.cases(CASE_TYPE, first_day, days).reset_index(drop=True)
