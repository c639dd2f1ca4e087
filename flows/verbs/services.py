"""What does every verb need at hand, and where does it live?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from configs.settings import Settings, Training
from flows.adapters.alerts.alert_mail import Mailbox
from flows.adapters.alerts.alerts import Alerts
from flows.adapters.evidence.evidence_store import EvidenceStore
from flows.adapters.files.private_home import keep_private
from flows.adapters.files.shared_store import SharedFile, SharedStore, team_store
from flows.adapters.ledger.audit_secrets import FILE as AUDIT_KEY_FILE
from flows.adapters.ledger.audit_secrets import VARIABLE as AUDIT_KEY_VARIABLE
from flows.adapters.ledger.audit_secrets import AuditSecrets
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.ledger.snapshot import LedgerSnapshot
from flows.adapters.ledger.tokens import Tokens
from flows.adapters.mlflow.model_registry import ModelRegistry
from flows.adapters.sql.database import sqlite_url
from flows.verbs.evidence.case_draws import CaseDraws
from models.drift.levels import HoldPlan
from models.risk import TrainingPlan
from models.triage.plan import TriagePlan
from models.vocabulary import CaseType
from models.vocabulary.case_type import FourEyes

__all__ = ["AUDIT_KEY_FILE", "AUDIT_KEY_VARIABLE", "Services"]


@dataclass(frozen=True)
class Services:
    """One home's adapters and case types; verbs get it passed in and hold no state of their own.

    `seed` fixes the audit draws and the fits of a demo or backtest; a live home draws audits with
    a secret of its own and fits with seed 0.
    """

    home: Path
    case_types: Mapping[str, CaseType]
    store: EvidenceStore
    ledger: Ledger
    tokens: Tokens
    registry: ModelRegistry
    alerts: Alerts
    training: Training
    reviewer_share_cap: float
    second_review_share: float
    second_review_takes: timedelta
    drift_window: timedelta
    evidence_age: timedelta
    quiet_nights: int
    hold_plan: HoldPlan
    audit_grace: timedelta
    triage: TriagePlan
    triage_every: timedelta
    triage_window_days: float
    four_eyes: FourEyes
    secrets: AuditSecrets = field(repr=False)
    seed: int = 0
    simulated: bool = False
    """A demo's or backtest's own: its clock is given, and it delivers to itself what it decided."""
    shared: SharedStore | None = None
    """Where the machines of a team keep what must be one for all; None: this home is alone."""

    @classmethod
    def at(
        cls,
        home: Path,
        settings: Settings,
        case_types: Mapping[str, CaseType],
        *,
        seed: int | None = None,
    ) -> Services:
        """Open (and on first use create) everything below `home`.

        A `seed` makes services of its own for a demo or backtest: it ignores the live database and
        registry, alerts nobody outside its home, and its audit draws derive from the seed (DESIGN 6).
        """
        keep_private(home)
        own = seed is not None
        if own:
            kinds = case_types.items()
            # A walk decides every case by the live policy: its approver, alone, promotes at once.
            case_types = {
                name: replace(kind, ab_plan=None, four_eyes="one_person") for name, kind in kinds
            }
        database = None if own else settings.database_url
        tracking = None if own else settings.mlflow_tracking_uri
        ledger_url = database or sqlite_url(home / "ledger.db")
        shared = None if own else team_store(database, settings.store_url)
        head = home / "ledger.head"
        # First of all: whether a home is new is told by what stands in it.
        ledger = Ledger(
            ledger_url,
            head if shared is None else SharedFile(shared, head.name, head),
            enrolled_only=not own,
        )
        given = None if own else os.environ.get(AUDIT_KEY_VARIABLE)
        return cls(
            home=home,
            case_types=dict(case_types),
            store=EvidenceStore(home / "evidence", database, shared=shared),
            ledger=ledger,
            tokens=Tokens(ledger_url),
            registry=ModelRegistry.in_home(home, tracking, shared),
            alerts=Alerts(home, shared=shared) if own else _live_alerts(home, settings, shared),
            training=settings.training,
            reviewer_share_cap=settings.night.reviewer_share_cap,
            second_review_share=settings.night.second_review_share,
            second_review_takes=timedelta(days=settings.night.second_review_days),
            drift_window=timedelta(days=settings.night.drift_window_days),
            evidence_age=timedelta(days=settings.night.evidence_days),
            quiet_nights=settings.night.quiet_nights,
            hold_plan=HoldPlan(timedelta(days=settings.night.hold_days), settings.night.hold_rows),
            audit_grace=timedelta(days=settings.night.audit_grace_days),
            triage=TriagePlan(**settings.triage.model_dump(exclude={"every_days", "window_days"})),
            triage_every=timedelta(days=settings.triage.every_days),
            triage_window_days=settings.triage.window_days,
            four_eyes=settings.four_eyes,
            secrets=AuditSecrets(home, ledger, given, seed),
            seed=seed or 0,
            simulated=own,
            shared=shared,
        )

    @property
    def draws(self) -> CaseDraws:
        """What draws cases for audits, second reviews, cohorts and any other purpose."""
        return CaseDraws(self.secrets, self.store)

    @property
    def training_plan(self) -> TrainingPlan:
        """How a retrain fits: the configured hyperparameters and the seed."""
        fields = {"rounds", "max_depth", "learning_rate", "min_child_weight", "row_share"}
        fields |= {"column_share", "early_stopping_rounds", "later_share"}
        return TrainingPlan(seed=self.seed, **self.training.model_dump(include=fields))

    def with_training(self, **changed: float) -> Services:
        """The same with other settings of a retrain."""
        return replace(self, training=self.training.model_copy(update=changed))

    def on_snapshot(self) -> Services:
        """The same on the ledger as it stands now, for whatever is judged as of one moment."""
        snapshot: Any = LedgerSnapshot(self.ledger)  # asked through the port `Ledger` alone
        return replace(self, ledger=snapshot)

    def approvers_needed(self, case_type: str) -> int:
        """How many people must agree to a proposal besides who makes it, as it is set today."""
        kind = self.case_types.get(case_type)
        said = (kind.four_eyes if kind is not None else None) or self.four_eyes
        return 2 if said == "two_people" else 1


def _live_alerts(home: Path, settings: Settings, shared: SharedStore | None) -> Alerts:
    said = settings.alerts
    box = None
    if said.smtp_url is not None:
        box = Mailbox(said.smtp_url, str(said.mail_from), said.mail_to)
    return Alerts(
        home,
        said.webhook_url,
        mailbox=box,
        heartbeat_url=said.heartbeat_url,
        allow_private=said.allow_private,
        shared=shared,
    )
