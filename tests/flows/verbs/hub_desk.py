"""A small live home for the hub's verbs: people with roles, a registry in memory, cases by hand."""

from __future__ import annotations

import copy
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.approve import approve
from flows.verbs.govern.promote import promote
from flows.verbs.services import Services
from models.boundary.decision.audit import audit_purpose
from models.hub import AuditPlan, Enrol, Entry, Policy, Propose, Role, StartGeneration
from models.hub.rules.people import NIGHT, RETRAIN
from models.vocabulary import AbPlan, Boundary, Targets
from tests.builders import small_case_type, small_settings

NAME, OTHER = "small_case", "other_case"
NOW = datetime(2026, 5, 4, 2, tzinfo=UTC)
DAY = timedelta(days=1)
ANA, BEN, OLA, AUDREY = "ana", "ben", "ola", "audrey"
"""Two approvers, an operator and an auditor."""

NARROW, WIDE = Boundary(0.1, 0.9), Boundary(0.3, 0.7)
A_PLAN = AbPlan(targets=Targets(precision=0.7, recall=0.9, delta=0.1), horizon_days=14.0)


@dataclass(frozen=True)
class Echo:
    """A model whose score is the one that a case was delivered with; it kept no scores of its past, so
    steps are laid out on its cohort's own."""

    digest: str
    feature_names: tuple[str, ...] = ("score",)

    @property
    def calibration(self) -> SimpleNamespace:
        return SimpleNamespace(slope=1.0, intercept=0.0)

    @property
    def reference_scores(self) -> np.ndarray:
        return np.empty(0)

    def score(self, cases: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """(scores, margins), shape (cases,)."""
        scores = cases["score"].to_numpy(dtype=np.float64)
        return scores, scores

    def contributions(self, features: pd.DataFrame) -> SimpleNamespace:
        """None: it cannot say why it scored a case."""
        unknown = np.full(features.shape, np.nan)
        return SimpleNamespace(values=unknown, margin=unknown[:, 0])


class Registry:
    """What the hub asks of a registry: files by version, and aliases."""

    is_there = True

    def __init__(self) -> None:
        self.digests: dict[tuple[str, str], str] = {}
        self.named: dict[str, dict[str, str]] = {}

    def check_files(self, case_type: str, version: str, digest: str) -> None:
        if self.digests.get((case_type, version)) != digest:
            raise GateRefused(f"{case_type} version {version} has no model.ubj in the registry.")

    def load(self, case_type: str, version: str, digest: str, *, again: bool = False) -> Echo:
        self.check_files(case_type, version, digest)
        return Echo(digest)

    def aliases(self, case_type: str) -> Mapping[str, str]:
        return dict(self.named.get(case_type, {}))

    def point_alias(self, case_type: str, alias: str, version: str | None) -> None:
        named = self.named.setdefault(case_type, {})
        named.pop(alias, None)
        if version is not None:
            named[alias] = version


def hub_desk(home: Path, *, database: str | None = None, **changed: Any) -> Services:
    """A live desk of two case types, `changed` in both; everybody is enrolled, model 1 registered.

    `database`: an empty PostgreSQL database; None: files in the home.
    """
    services = opened_desk(home, Registry(), database=database, **changed)
    for name, role in ((ANA, Role.APPROVER), (BEN, Role.APPROVER), (OLA, Role.OPERATOR), (AUDREY, Role.AUDITOR)):  # fmt: skip
        enrol = Enrol(
            name=name,
            roles=(role.value,),
            token_digest=hashlib.sha256(name.encode()).hexdigest(),
            actor=ANA,
            base_version=last_version(services.ledger, "@people"),
        )
        assert isinstance(services.ledger.submit(enrol, NOW - 90 * DAY), Entry)
    for name in (NAME, OTHER):
        with_model(services, "1", NOW - 60 * DAY, name)
    return services


def opened_desk(
    home: Path, registry: Registry, *, database: str | None = None, **changed: Any
) -> Services:
    """The desk of a home that is there, or is made; nobody and nothing is put into it."""
    kinds = {
        name: replace(small_case_type(), **{"name": name, **changed}) for name in (NAME, OTHER)
    }
    settings = small_settings().model_copy(update={"database_url": database})
    return replace(Services.at(home, settings, kinds), registry=registry)


def copied_desk(services: Services, home: Path) -> Services:
    """The same desk on a copy of its home, so that a test may spoil what took long to make."""
    shutil.copytree(services.home, home)
    return opened_desk(home, copy.deepcopy(services.registry))


def with_model(
    services: Services, version: str, at: datetime, case_type: str = NAME, **dossier: Any
) -> None:
    """Another version is registered and under test: what was opened since `at` may certify it."""
    digest = digest_of(version)
    services.registry.digests[case_type, version] = digest
    started = StartGeneration(
        case_type=case_type,
        model_digest=digest,
        actor=RETRAIN,
        base_version=last_version(services.ledger, case_type),
        dossier={"model_version": version, "trained_before": at.isoformat(), **dossier},
    )
    assert isinstance(services.ledger.submit(started, at), Entry)


def digest_of(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()


def policy(
    boundary: Boundary = NARROW, version: str = "1", case_type: str = NAME, **more: Any
) -> Policy:
    fields = {"audit": AuditPlan(0.5), **more}
    return Policy(
        case_type=case_type,
        model_name=case_type,
        model_version=version,
        model_digest=digest_of(version),
        boundary=boundary,
        **fields,
    )


def filed(services: Services, proposed: Policy, at: datetime = NOW, **dossier: Any) -> Entry:
    """The night proposes a policy."""
    said = services.ledger.submit(
        Propose(
            case_type=proposed.case_type,
            policy=proposed,
            actor=NIGHT,
            base_version=last_version(services.ledger, proposed.case_type),
            evidence_digest=digest_of(f"evidence of {at}"),
            evidence_since=at,
            evidence_until=at,
            dossier={
                "pass_at_or_below": proposed.boundary.pass_at_or_below,
                "block_at_or_above": proposed.boundary.block_at_or_above,
                "automation_rate": 0.5,
                "reasons": ["It is proven."],
                **dossier,
            },
        ),
        at,
    )
    assert isinstance(said, Entry), said
    return said


def made_live(
    services: Services, proposed: Policy, at: datetime = NOW, approver: str = ANA
) -> Entry:
    """Proposed, approved and promoted at one moment."""
    proposal = filed(services, proposed, at)
    approve(services, proposal, approver, at)
    return promote(services.ledger, services.registry, services.alerts, proposal, approver, at)


def decided_cases(
    services: Services,
    live: Policy,
    opened: datetime,
    count: int,
    bad_passed: float,
    seed: int = 1,
    *,
    keyed: bool = False,
    bad_from: float = 2.0,
) -> pd.DataFrame:
    """`count` cases a minute apart, decided by a policy and verified where drawn; stored.

    Scores are uniform. Of what it passes the share `bad_passed` is bad, of what it blocks all, of
    the rest half, and all from the score `bad_from` on. Audits follow the policy's rate; `keyed`: by the draw that makes the cohort, too.
    """
    draw = np.random.default_rng(seed)
    score, audit = draw.random(count), draw.random(count) < live.audit.rate
    ids = [f"{seed}-{opened:%m%d}-{number:05d}" for number in range(count)]
    if keyed:
        purpose = audit_purpose(live.case_type)
        audit = services.draws.case_draw(purpose, pd.Series(ids)) < live.audit.rate
    low, high = live.boundary.pass_at_or_below, live.boundary.block_at_or_above
    passed = score <= (-1.0 if low is None else low)
    blocked = score >= (2.0 if high is None else high)
    bad = draw.random(count) < np.where(
        passed, bad_passed, np.where(blocked | (score >= bad_from), 1.0, 0.5)
    )
    action = np.where(passed, "auto_pass", np.where(blocked, "auto_block", "escalate"))
    automatic = action != "escalate"
    rows = pd.DataFrame(
        {
            "case_id": ids,
            "case_type": live.case_type,
            "opened_at": pd.date_range(opened, periods=count, freq="min").astype(
                "datetime64[us, UTC]"
            ),
            "decided_at": pd.date_range(opened, periods=count, freq="min").astype(
                "datetime64[us, UTC]"
            ),
            "score": score,
            "recommendation": np.where(score > 0.5, "block", "pass"),
            "action": action,
            "propensity": np.where(automatic, live.audit.rate, 1.0),
            "audited": automatic & audit,
            "arm": "control",
            "policy_id": live.policy_id,
            "model_version": live.model_version,
            "priority": 10,
            "amount_usd": 10.0,
        }
    )
    store(services, "decisions", rows, ["case_id"], opened)
    drawn = rows[(~automatic) | audit]
    verify(services, drawn, bad[drawn.index])
    return rows.assign(bad=bad)


def verify(services: Services, cases: pd.DataFrame, bad: np.ndarray) -> None:
    """Their truth, a day after each was opened."""
    outcomes = pd.DataFrame(
        {
            "case_id": cases["case_id"],
            "case_type": cases["case_type"],
            "observed_at": cases["opened_at"] + pd.Timedelta(days=1),
            "bad": np.asarray(bad, dtype=bool),
            "source": "reverification",
        }
    )
    at = cases["opened_at"].min().to_pydatetime()
    store(services, "outcomes", outcomes, ["case_id", "observed_at"], at)


def store(services: Services, table: str, rows: pd.DataFrame, key: list[str], at: datetime) -> None:
    """Rows as admission would have stored them; a contract is tested elsewhere."""
    nothing = rows.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
    services.store.append(table, rows, nothing, key=key, source="by hand", received_at=at)
