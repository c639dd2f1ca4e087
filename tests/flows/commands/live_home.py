"""A live home that commands run in: a registered model a case type, people with tokens, proposals."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from flows.cli import main
from flows.verbs import live
from flows.verbs.certify.generation import last_version
from flows.verbs.house.aliases import follow_ledger
from flows.verbs.services import Services
from models.hub import AuditPlan, Entry, Policy, Propose, StartGeneration
from models.hub.rules.people import NIGHT, RETRAIN
from models.risk import RiskModel
from models.risk.calibration import PlattCalibration
from models.risk.encoding import encode
from models.vocabulary import AbPlan, Boundary, CaseType

NARROW, WIDE = Boundary(0.1, 0.9), Boundary(0.3, 0.7)


@dataclass
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@dataclass
class LiveHome:
    """One home, and whoever gives commands in it."""

    home: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, *arguments: str, by: str = "", token: str | None = None) -> Said:
        """Give a command as somebody; nothing it prints may look like a crash."""
        before = dict(os.environ)
        given = self.tokens.get(by, "") if token is None else token
        os.environ |= {"RATCHET_HOME": str(self.home), "RATCHET_ACTOR": by, "RATCHET_TOKEN": given}
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main(arguments)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            os.environ.clear()
            os.environ.update(before)
        said = Said(code, out.getvalue(), err.getvalue())
        assert "Traceback" not in said.out + said.err
        return said

    def services(self) -> Services:
        with pytest.MonkeyPatch.context() as here:
            here.setenv("RATCHET_HOME", str(self.home))
            return live.open_services()

    def people(self) -> None:
        """Two approvers, an operator and an auditor, enrolled by commands."""
        for name, role in (("ana", "approver"), ("ben", "approver"), ("ola", "operator"), ("audrey", "auditor")):  # fmt: skip
            said = self.ask(
                "people", "add", name, "--role", role, by="ana" if name != "ana" else ""
            )
            assert said.code == 0, said.err
            self.tokens[name] = said.out.split("\n\n  ")[1].split("\n")[0]

    def proposal_without_a_model(self, case_type: str, actor: str = NIGHT) -> str:
        """The id of a policy that reviews everything, which needs no registered file; it waits."""
        services = self.services()
        said = services.ledger.submit(
            Propose(
                case_type=case_type,
                policy=Policy.review_everything(case_type, 0.1),
                actor=actor,
                base_version=last_version(services.ledger, case_type),
                evidence_digest="e" * 64,
            ),
            datetime.now(UTC),
        )
        assert isinstance(said, Entry), said
        return str(said.policy_id)


def with_a_model(services: Services, case_type: str, seed: int = 1) -> RiskModel:
    """A registered model of invented cases, under test since yesterday."""
    model = invented_model(services.case_types[case_type], seed)
    with services.registry.run("retrain", case_type, "A model of invented cases."):
        version = services.registry.add_version(case_type, model).version
    at = datetime.now(UTC) - timedelta(days=1)
    started = StartGeneration(
        case_type=case_type,
        model_digest=model.digest,
        actor=RETRAIN,
        base_version=last_version(services.ledger, case_type),
        dossier={"model_version": version, "trained_before": at.isoformat()},
    )
    assert isinstance(services.ledger.submit(started, at), Entry)
    follow_ledger(services.ledger, services.registry, services.alerts, case_type, at)
    return model


def proposed(
    services: Services,
    model: RiskModel,
    case_type: str,
    boundary: Boundary = NARROW,
    ab_plan: AbPlan | None = None,
    actor: str = NIGHT,
) -> Policy:
    """The night (or `actor`) files a boundary for approval, with a dossier like a night's."""
    policy = Policy(
        case_type=case_type,
        model_name=case_type,
        model_version="1",
        model_digest=model.digest,
        audit=AuditPlan(0.1),
        calibration={"slope": 1.0, "intercept": 0.0},
        boundary=boundary,
        ab_plan=ab_plan,
    )
    now = datetime.now(UTC)
    said = services.ledger.submit(
        Propose(
            case_type=case_type,
            policy=policy,
            actor=actor,
            base_version=last_version(services.ledger, case_type),
            evidence_digest="e" * 64,
            evidence_since=now - timedelta(hours=1),
            evidence_until=now - timedelta(hours=1),
            dossier={
                "pass_at_or_below": boundary.pass_at_or_below,
                "block_at_or_above": boundary.block_at_or_above,
                "automation_rate": 0.61803398875,
                "limits": {"precision": 0.9612345678, "recall": 0.9912345678},
                "delta": 0.0030396355,
                "rows": 20_000,
                "labelled": 8_000,
                "bad": 700,
                "drawn_and_missing": 0,
                "reasons": ["Both sides widen."],
            },
        ),
        now,
    )
    assert isinstance(said, Entry), said
    return policy


def invented_model(case_type: CaseType, seed: int) -> RiskModel:
    """Two trees on noise: it can be loaded and scores, and knows nothing."""
    draw = np.random.default_rng(seed)
    columns = {
        "numeric": lambda one: draw.normal(size=200),
        "boolean": lambda one: draw.random(200) < 0.5,
        "categorical": lambda one: draw.choice(list(one.levels), size=200),
    }
    cases = pd.DataFrame({one.name: columns[one.kind](one) for one in case_type.features})
    levels = {one.name: one.levels for one in case_type.features if one.kind == "categorical"}
    data = xgb.DMatrix(
        encode(cases, case_type.features, levels), draw.random(200) < 0.3, enable_categorical=True
    )
    told = {"objective": "binary:logistic", "max_depth": 2, "nthread": 1, "seed": seed}
    booster = xgb.train(told, data, num_boost_round=2)
    ranks = tuple(np.linspace(0.0, 1.0, 1024))
    return RiskModel.from_booster(
        booster, case_type.features, levels, PlattCalibration(1.0, 0.0), ranks
    )
