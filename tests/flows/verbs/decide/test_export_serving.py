"""The live policy leaves for a server, unless a brake or a trial would not reach it there."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import GateRefused, UserError
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.mlflow.served_policy import read_pinned
from flows.verbs.certify.generation import last_version
from flows.verbs.decide.decide import decide_cases
from flows.verbs.decide.export_serving import export_serving
from flows.verbs.govern.approve import approve
from flows.verbs.govern.brakes import halt
from flows.verbs.govern.submit import submitted
from flows.verbs.services import Services
from models.hub import AuditPlan, Policy, Promote, Propose, StartAb
from models.vocabulary import AbPlan, Boundary, Targets
from tests.builders import small_settings
from tests.flows.test_cli import ratchet
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised

ANSWERED = [
    "score", "recommendation", "action", "propensity", "audited", "override", "queue", "policy_id",
]  # fmt: skip


@pytest.fixture
def services(advised: Advised, tmp_path: Path) -> Services:
    """A copy of the advised home, with a secret of its own as a live one has."""
    shutil.copytree(advised.home, tmp_path / "home")
    home = tmp_path / "home" / "live"
    opened = Services.at(home, small_settings(), advised.services.case_types)
    # Who may act is not this test's affair.
    open_to_all = Ledger(
        f"sqlite:///{home / 'ledger.db'}", home / "ledger.head", enrolled_only=False
    )
    return replace(opened, registry=advised.services.registry, ledger=open_to_all)


def policy_of(advised: Advised, **changed: object) -> Policy:
    low, high = np.quantile(advised.decided["score"], [0.4, 0.95]).tolist()
    told = {
        "case_type": CASE_TYPE,
        "model_name": CASE_TYPE,
        "model_version": "1",
        "model_digest": advised.model.digest,
        "audit": AuditPlan(0.2),
        "boundary": Boundary(low, high),
        **changed,
    }
    return Policy(**told)  # type: ignore[arg-type]


def approved(services: Services, advised: Advised, policy: Policy) -> Policy:
    services.ledger.record_policy(policy)
    command = Propose(
        case_type=CASE_TYPE,
        policy=policy,
        actor="ana",
        base_version=last_version(services.ledger, CASE_TYPE),
        evidence_digest="e",
        evidence_since=advised.now,
        evidence_until=advised.now,
    )
    approve(services, submitted(services.ledger, command, advised.now), "ben", advised.now)
    return policy


def promoted(services: Services, advised: Advised, policy: Policy) -> Policy:
    approved(services, advised, policy)
    command = Promote(
        case_type=CASE_TYPE,
        policy_id=policy.policy_id,
        actor="ana",
        base_version=last_version(services.ledger, CASE_TYPE),
    )
    submitted(services.ledger, command, advised.now)
    return policy


def test_the_exported_policy_answers_as_the_desk_decides(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """Two roads, the same values to the bit: the desk's own decisions, and the folder's answers."""
    policy = promoted(services, advised, policy_of(advised))
    told = export_serving(services, CASE_TYPE, tmp_path / "served", advised.now)
    assert (told.policy_id, told.model_version) == (policy.policy_id, "1")
    served = read_pinned(told.folder / "pinned", {"RATCHET_AUDIT_KEY": services.secrets.in_force()})
    answers = pd.DataFrame(served.answers(advised.cases, advised.now))
    decided = decide_cases(services, CASE_TYPE, advised.cases, advised.now)
    assert set(decided["action"]) == {"auto_pass", "auto_block", "escalate"}
    assert decided["audited"].any()
    for name in ANSWERED:
        assert answers[name].tolist() == decided[name].tolist(), name


@pytest.mark.slow
def test_the_command_says_how_to_serve_it_and_what_cannot_reach_it(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """The secret is read from the home's file when the server starts, and is never printed."""
    until = advised.now + timedelta(days=40_000)
    policy = promoted(services, advised, policy_of(advised, valid_until=until))
    done = ratchet(services.home.parent, "export-serving", CASE_TYPE, "--to", str(tmp_path / "a b"))
    assert done.returncode == 0, done.stderr
    assert policy.policy_id[:12] in done.stdout
    assert f"expires at {policy.valid_until.isoformat()}" in done.stdout
    assert "Halted, or once another policy is live, the server sends every case" in done.stdout
    assert f"RATCHET_LEDGER=sqlite:///{services.home / 'ledger.db'} " in done.stdout
    assert f'RATCHET_AUDIT_KEY="$(cat {services.home / "audit.key"})"' in done.stdout
    assert f"mlflow models serve -m '{tmp_path / 'a b'}' --env-manager local" in done.stdout
    assert services.secrets.in_force() not in done.stdout


def test_as_json_it_tells_the_same(
    advised: Advised, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the secret in the environment already, the server's command names no file."""
    policy = promoted(services, advised, policy_of(advised))
    monkeypatch.setenv("RATCHET_AUDIT_KEY", services.secrets.in_force())
    told = export_serving(services, CASE_TYPE, tmp_path / "served", advised.now).plain()
    assert json.loads(json.dumps(told)) == told
    assert (told["policy_id"], told["valid_until"]) == (policy.policy_id, None)
    assert "RATCHET_AUDIT_KEY=" not in str(told["command"])
    with pytest.raises(UserError, match="is not empty"):
        export_serving(services, CASE_TYPE, tmp_path / "served", advised.now)


def test_before_a_promotion_there_is_nothing_to_serve(services: Services, tmp_path: Path) -> None:
    """A model that only advises decides nothing."""
    with pytest.raises(GateRefused, match="no policy with a model is live"):
        export_serving(services, CASE_TYPE, tmp_path / "served", pd.Timestamp.now("UTC"))
    with pytest.raises(UserError, match="no case type 'nothing'"):
        export_serving(services, "nothing", tmp_path / "served", pd.Timestamp.now("UTC"))
    assert not (tmp_path / "served").exists()


def test_a_halted_case_type_is_not_exported(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """The brake would not be heard by the server."""
    promoted(services, advised, policy_of(advised))
    halt(
        services.ledger, services.case_types, CASE_TYPE, "olga", "a wave of takeovers", advised.now
    )
    with pytest.raises(GateRefused, match="has been halted since"):
        export_serving(services, CASE_TYPE, tmp_path / "served", advised.now)


def test_a_case_type_under_trial_is_not_exported(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """The server would know one arm only."""
    live = promoted(services, advised, policy_of(advised))
    low, high = live.boundary.pass_at_or_below, live.boundary.block_at_or_above
    plan = AbPlan(Targets(precision=0.95, recall=0.99))
    wider = policy_of(advised, boundary=Boundary(low * 1.1, high), ab_plan=plan)
    approved(services, advised, wider)
    command = StartAb(
        case_type=CASE_TYPE,
        policy_id=wider.policy_id,
        actor="olga",
        base_version=last_version(services.ledger, CASE_TYPE),
    )
    submitted(services.ledger, command, advised.now)
    with pytest.raises(GateRefused, match="an A/B of ato has been running since"):
        export_serving(services, CASE_TYPE, tmp_path / "served", advised.now)


def test_an_expired_certificate_is_not_exported(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """All that it would serve goes to a person."""
    until = advised.now + timedelta(days=30)
    promoted(services, advised, policy_of(advised, valid_until=until))
    with pytest.raises(GateRefused, match="expired at"):
        export_serving(services, CASE_TYPE, tmp_path / "served", until)
    export_serving(services, CASE_TYPE, tmp_path / "served", until - timedelta(seconds=1))
