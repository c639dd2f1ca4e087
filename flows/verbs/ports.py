"""What do the verbs need from outside? Each function takes what it uses: adapters by name, or one of these."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from configs.settings import Training
from flows.adapters.alerts.alerts import Alerts as SentAlerts
from flows.adapters.alerts.alerts import Plain
from flows.adapters.evidence.evidence_store import EvidenceStore as StoredEvidence
from flows.adapters.evidence.evidence_store import Receipt
from flows.adapters.files.shared_store import SharedStore
from flows.adapters.ledger.audit_secrets import AuditSecrets as KeptSecrets
from flows.adapters.ledger.ledger import Ledger as WrittenLedger
from flows.adapters.ledger.ledger import Verification
from flows.adapters.ledger.tokens import Tokens as StoredTokens
from flows.adapters.mlflow.model_copies import ModelCopies
from flows.adapters.mlflow.model_registry import ModelRegistry as RegisteredModels
from flows.adapters.mlflow.model_registry import RegisteredModel
from flows.verbs.evidence.case_draws import CaseDraws
from models.drift.levels import HoldPlan
from models.hub import Command, Entry, Policy, Refusal, RotateAuditSecret
from models.hub.rules.audit_secret import SecretEpoch
from models.risk import RiskModel, TrainingPlan
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


class EvidenceStore(Protocol):
    """What was received, as of any moment."""

    def read(
        self,
        table: str,
        *,
        as_of: datetime | None = None,
        columns: Sequence[str] | None = None,
        filters: Mapping[str, Collection[Any]] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        stamp: str | None = None,
        categories: Collection[str] = (),
        numbered: bool = False,
    ) -> pd.DataFrame: ...
    def append(
        self,
        table: str,
        admitted: pd.DataFrame,
        rejected: pd.DataFrame,
        *,
        key: Sequence[str],
        source: str,
        received_at: datetime | None,
        watermark: datetime | None = None,
        once: bool = False,
        decided_here: bool = False,
    ) -> Receipt: ...
    def holds(
        self, table: str, keys: pd.DataFrame, *, decided_here: bool = False
    ) -> np.ndarray: ...
    def columns(self, table: str, as_of: datetime | None = None) -> frozenset[str]: ...
    def latest_revisions(
        self,
        table: str,
        key: Sequence[str] | str,
        revision: str,
        as_of: datetime | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame: ...
    def rejects(
        self, table: str, as_of: datetime | None = None, source: str | None = None
    ) -> pd.DataFrame: ...
    def watermark(self, source: str) -> datetime | None: ...
    def sources(self, table: str) -> tuple[str, ...]: ...
    def last_received(self, table: str) -> datetime | None: ...
    def digest(self, table: str, as_of: datetime | None = None) -> str: ...
    def arrivals(
        self, table: str, source: str, as_of: datetime
    ) -> tuple[tuple[datetime, int], ...]: ...
    def sizes(
        self, table: str, column: str, as_of: datetime | None = None, source: str | None = None
    ) -> pd.DataFrame: ...
    def counts(self, table: str) -> tuple[int, int, int]: ...
    def one_reader(self) -> AbstractContextManager[None]: ...


class ModelRegistry(Protocol):
    """Registered models, by version and digest."""

    copies: ModelCopies

    @property
    def is_there(self) -> bool: ...
    def run(
        self, experiment: str, name: str, note: str, tags: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Any]: ...
    def child(
        self,
        name: str,
        note: str,
        metrics: Mapping[str, float],
        *,
        tags: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        dataset: tuple[str, str, int] | None = None,
    ) -> None: ...
    def log(
        self,
        *,
        metrics: Mapping[str, float] | None = None,
        parameters: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
        tables: Mapping[str, Any] | None = None,
        dataset: tuple[str, str, int] | None = None,
    ) -> None: ...
    def add_version(self, case_type: str, model: RiskModel) -> RegisteredModel: ...
    def load(
        self, case_type: str, version: str, digest: str, *, again: bool = False
    ) -> RiskModel: ...
    def check_files(self, case_type: str, version: str, digest: str) -> None: ...
    def aliases(self, case_type: str) -> dict[str, str]: ...
    def point_alias(self, case_type: str, alias: str, version: str | None) -> None: ...


class Alerts(Protocol):
    """Who is told of what."""

    def send(
        self,
        kind: str,
        case_type: str | None,
        sentence: str,
        at: datetime,
        **facts: Plain | Sequence[Plain],
    ) -> None: ...
    def deliver_waiting(self) -> int: ...
    def waiting(self) -> int: ...
    def beat(self, ended: str, at: datetime) -> None: ...
    def recent(self, count: int) -> list[dict[str, Any]]: ...


class Tokens(Protocol):
    """What people identify themselves by."""

    def issue(self, name: str, password: str | None = None) -> tuple[str, str]: ...
    def verify(self, name: str, token: str, token_digest: str | None) -> None: ...
    def discard(self, name: str, token_digest: str) -> None: ...


class AuditSecrets(Protocol):
    """The secrets that audits are drawn with."""

    def trouble(self) -> str: ...
    def record(self, now: datetime) -> None: ...
    def in_force(self, at: datetime | None = None) -> str: ...
    def epochs(self) -> tuple[SecretEpoch, ...]: ...
    def is_lost(self, epoch: SecretEpoch) -> bool: ...
    def take_over(self, secrets: Sequence[str]) -> int: ...
    def rotate(
        self, actor: str, reason: str, base_version: int, now: datetime, *, lost: bool
    ) -> tuple[RotateAuditSecret, str]: ...
    def settle(self) -> None: ...
    def discard(self, check: str) -> None: ...


class Ledger(Protocol):
    """Who decided what, and what is live: the ledger itself, or a snapshot of it."""

    def history(
        self, case_type: str | None = None, as_of: datetime | None = None
    ) -> tuple[Entry, ...]: ...
    def policy(self, policy_id: str) -> Policy: ...
    def policy_ids(self) -> frozenset[str]: ...
    def live_policy(self, case_type: str, as_of: datetime | None = None) -> Policy | None: ...
    def record_policy(self, policy: Policy) -> str: ...
    def submit(self, command: Command, at: datetime) -> Entry | Refusal: ...
    def head(self) -> tuple[int, str]: ...
    @property
    def file(self) -> Path | None: ...
    def verify(self) -> Verification: ...
    def one_reader(self) -> AbstractContextManager[None]: ...
    def refresh(self, case_type: str) -> None: ...
    @property
    def written(self) -> object: ...


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

    def on_snapshot(self) -> Self: ...


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
    def store(self) -> StoredEvidence: ...
    @property
    def ledger(self) -> WrittenLedger: ...
    @property
    def registry(self) -> RegisteredModels: ...
    @property
    def tokens(self) -> StoredTokens: ...
    @property
    def secrets(self) -> KeptSecrets: ...
    @property
    def draws(self) -> CaseDraws: ...
    @property
    def case_types(self) -> Mapping[str, CaseType]: ...
    @property
    def alerts(self) -> SentAlerts: ...
