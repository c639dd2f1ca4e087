"""What do the verbs need from outside? Each function takes what it uses: adapters by name, or one of these."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from configs.settings import Training
from flows.adapters.alerts.alerts import Alerts
from flows.adapters.evidence.evidence_store import EvidenceStore
from flows.adapters.files.shared_store import SharedStore
from flows.adapters.ledger.audit_secrets import AuditSecrets
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.ledger.tokens import Tokens
from flows.adapters.mlflow.model_registry import ModelRegistry
from flows.verbs.evidence.case_draws import CaseDraws
from models.drift.levels import HoldPlan
from models.risk import TrainingPlan
from models.triage.plan import TriagePlan
from models.vocabulary import CaseType

__all__ = [
    "Alerts",
    "AuditSecrets",
    "CaseDraws",
    "EvidenceStore",
    "Ledger",
    "ModelRegistry",
    "SharedStore",
    "Tokens",
]


class AdmissionServices(Protocol):
    """What admits a delivery, and holds delivered decisions to the policies that they name."""

    @property
    def store(self) -> EvidenceStore: ...
    @property
    def case_types(self) -> Mapping[str, CaseType]: ...
    @property
    def reviewer_share_cap(self) -> float: ...
    @property
    def simulated(self) -> bool: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def registry(self) -> ModelRegistry: ...
    @property
    def draws(self) -> CaseDraws: ...


class ScoringServices(AdmissionServices, Protocol):
    """What scores cases and recomputes decisions."""

    @property
    def alerts(self) -> Alerts: ...


class DecisionServices(ScoringServices, Protocol):
    """What decides cases and draws their audits."""

    @property
    def secrets(self) -> AuditSecrets: ...


class EvidenceServices(AdmissionServices, Protocol):
    """What says what stored evidence proves: the ledger, keyed draws, and what a night goes by."""

    @property
    def audit_grace(self) -> timedelta: ...
    @property
    def second_review_takes(self) -> timedelta: ...
    @property
    def second_review_share(self) -> float: ...
    @property
    def hold_plan(self) -> HoldPlan: ...
    @property
    def quiet_nights(self) -> int: ...
    @property
    def drift_window(self) -> timedelta: ...
    @property
    def evidence_age(self) -> timedelta: ...
    @property
    def triage(self) -> TriagePlan: ...
    @property
    def triage_every(self) -> timedelta: ...
    @property
    def triage_window_days(self) -> float: ...
    def approvers_needed(self, case_type: str) -> int: ...


class CertificateServices(EvidenceServices, Protocol):
    """What also signs a certificate."""

    @property
    def secrets(self) -> AuditSecrets: ...


class RecordServices(EvidenceServices, Protocol):
    """What also reads the dossiers of earlier nights."""

    @property
    def home(self) -> Path: ...
    @property
    def shared(self) -> SharedStore | None: ...


class NightServices(EvidenceServices, ScoringServices, Protocol):
    """What also tells people: all that a night needs."""


class TrainingServices(NightServices, Protocol):
    """What also fits a challenger."""

    @property
    def training(self) -> Training: ...
    @property
    def training_plan(self) -> TrainingPlan: ...
    @property
    def seed(self) -> int: ...
    def with_training(self, **changed: float) -> TrainingServices: ...


class PromotionServices(Protocol):
    """What makes another policy live."""

    @property
    def ledger(self) -> Ledger: ...
    @property
    def registry(self) -> ModelRegistry: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def case_types(self) -> Mapping[str, CaseType]: ...
    def approvers_needed(self, case_type: str) -> int: ...


class HouseServices(Protocol):
    """What keeps a home and a team's store in order."""

    @property
    def home(self) -> Path: ...
    @property
    def shared(self) -> SharedStore | None: ...
    @property
    def store(self) -> EvidenceStore: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def registry(self) -> ModelRegistry: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def secrets(self) -> AuditSecrets: ...
    @property
    def draws(self) -> CaseDraws: ...
    @property
    def case_types(self) -> Mapping[str, CaseType]: ...
    @property
    def alerts(self) -> Alerts: ...
