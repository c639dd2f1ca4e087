"""A small home in which three models are registered: one decides, one did, one is under test."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import mlflow
import numpy as np
import xgboost as xgb

from flows.adapters.alerts.alerts import Alerts
from flows.adapters.mlflow.model_registry import MODEL_FILE, ModelRegistry
from flows.verbs.certify.generation import current_generation, last_version
from flows.verbs.govern.promote import approve_and_promote, roll_back
from flows.verbs.govern.proposed_policy import advised_policy
from flows.verbs.house.aliases import follow_ledger
from flows.verbs.services import Services
from models.hub import Entry, Propose, StartGeneration
from models.hub.rules.people import RETRAIN
from models.risk import RiskModel
from models.risk.calibration import PlattCalibration
from models.risk.encoding import encode
from models.vocabulary import Boundary
from tests.builders import START, small_case_type, small_history, small_settings, with_mlflow

NAME = "small_case"
NOW = START + timedelta(days=60)
LIVE_BOUNDARY = Boundary(0.05, 0.9)
PREVIOUS, CHAMPION, CHALLENGER = "1", "2", "3"
"""The versions: 1 was promoted first, 2 took its place, 3 is the newest generation."""


@dataclass(frozen=True)
class Hub:
    """A desk, and the folder where MLflow keeps each version's file."""

    services: Services

    def folder(self, version: str) -> Path:
        uri = self.client.get_model_version_download_uri(NAME, version)
        return Path(uri.removeprefix("file://"))

    def file(self, version: str) -> Path:
        return self.folder(version) / MODEL_FILE

    def copy(self, version: str) -> Path:
        return self.services.registry.copies.path(self.digest(version))

    def digest(self, version: str) -> str:
        return str(self.client.get_model_version(NAME, version).tags["digest"])

    def execute(self, statement: str, *values: str) -> None:
        """A statement on MLflow's database, past MLflow and past us."""
        with sqlite3.connect(self.services.home / "mlflow" / "mlflow.db") as database:
            database.execute(statement, values)
        database.close()

    @property
    def client(self) -> mlflow.MlflowClient:
        uri = self.services.registry.tracking_uri
        return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)

    def started_anew(self) -> Hub:
        """The same home in another process: no model is in memory."""
        anew = ModelRegistry.in_home(self.services.home)
        return Hub(replace(self.services, registry=anew))

    def forget_copies(self) -> None:
        """As a home was before it kept copies: models are in MLflow alone."""
        shutil.rmtree(self.services.registry.copies.folder)

    def alerts(self) -> list[tuple[str, str]]:
        """Kind and sentence of each alert, oldest first."""
        found = self.services.alerts.recent(100)
        return [(one["kind"], one["sentence"]) for one in reversed(found)]


def make_hub(home: Path) -> None:
    """Three generations below `home`; the first two were promoted. Takes seconds: made once."""
    services = _desk(with_mlflow(home))
    for seed in (1, 2, 3):
        register(services, small_model(seed))
        if seed < 3:
            proposed = propose(
                services, replace(LIVE_BOUNDARY, pass_at_or_below=0.04 + 0.005 * seed)
            )
            approve_and_promote(services, NAME, proposed.policy_id, "ben", NOW)


def copy_hub(template: Path, home: Path) -> Hub:
    """A home of its own for one test; MLflow's absolute addresses are moved with it."""
    shutil.copytree(template, home, dirs_exist_ok=True)
    hub = Hub(replace(_desk(home), alerts=Alerts(home)))
    for table, column in (
        ("model_versions", "source"),
        ("model_versions", "storage_location"),
        ("experiments", "artifact_location"),
        ("runs", "artifact_uri"),
    ):
        hub.execute(
            f"UPDATE {table} SET {column} = replace({column}, ?, ?)", str(template), str(home)
        )
    return hub


def register(services: Services, model: RiskModel) -> str:
    """Register a model and put it under test, as a retrain does; its version."""
    with services.registry.run("retrain", NAME, "A small model."):
        version = services.registry.add_version(NAME, model).version
    services.ledger.submit(
        StartGeneration(
            case_type=NAME,
            model_digest=model.digest,
            actor=RETRAIN,
            base_version=last_version(services.ledger, NAME),
            dossier={"model_version": version, "trained_before": NOW.isoformat()},
        ),
        NOW,
    )
    follow_ledger(services.ledger, services.registry, services.alerts, NAME, NOW)
    return version


def propose(services: Services, boundary: Boundary = LIVE_BOUNDARY) -> Entry:
    """File a boundary of the newest model for approval."""
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation is not None
    policy = advised_policy(services.registry, services.case_types, generation, boundary)
    said = services.ledger.submit(
        Propose(
            case_type=NAME,
            policy=policy,
            actor="ana",
            base_version=last_version(services.ledger, NAME),
            evidence_digest="0" * 64,
            evidence_since=generation.evidence_since,
            evidence_until=NOW,
        ),
        NOW,
    )
    assert isinstance(said, Entry), said
    return said


def two_roll_back(services: Services, reason: str) -> Entry:
    """Back to another model's policy: one person asks, a second one agrees (FAULTS 46)."""
    roll_back(services, NAME, "ana", reason, NOW)
    return roll_back(services, NAME, "ben", reason, NOW)


def small_model(seed: int) -> RiskModel:
    """Ten trees on the simulated small history of a seed; another seed gives other bytes."""
    cases = small_history(days=8, seed=seed)
    features = small_case_type().features
    levels = {"channel": ("app", "desk", "web")}
    data = xgb.DMatrix(encode(cases, features, levels), cases["bad"], enable_categorical=True)
    told = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "seed": seed}
    booster = xgb.train(told, data, num_boost_round=10)
    ranks = tuple(np.linspace(0.0, 1.0, 1024))
    return RiskModel.from_booster(booster, features, levels, PlattCalibration(1.0, 0.0), ranks)


def _desk(home: Path) -> Services:
    return Services.at(home, small_settings(), {NAME: small_case_type()}, seed=3)
