"""What does every verb need at hand, and where does it live?"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import ServiceUnreachable
from configs.settings import Settings, Training
from flows.adapters.alerts import Alerts
from flows.adapters.evidence_store import EvidenceStore
from flows.adapters.ledger import Ledger
from flows.adapters.model_registry import ModelRegistry
from flows.adapters.tokens import Tokens
from models.boundary.audit import audit_key, audit_purpose, keyed_uniform
from models.risk import TrainingPlan
from models.triage.plan import TriagePlan
from models.vocabulary import CaseType

AUDIT_KEY_VARIABLE, AUDIT_KEY_FILE = "RATCHET_AUDIT_KEY", "audit.key"
_WAITS_FOR_A_SECRET = 20


@dataclass(frozen=True)
class Desk:
    """One home's adapters and case types; verbs get it passed in and hold no state of their own.

    `seed` fixes the audit draws and the fits of a demo or backtest; a live desk draws audits with
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
    quiet_nights: int
    triage: TriagePlan
    triage_every: timedelta
    triage_window_days: float
    audit_secret: str = field(repr=False)
    seed: int = 0
    simulated: bool = False
    """A demo's or backtest's own: its clock is given, and it delivers to itself what it decided."""

    @classmethod
    def at(
        cls,
        home: Path,
        settings: Settings,
        case_types: Mapping[str, CaseType],
        *,
        seed: int | None = None,
    ) -> Desk:
        """Open (and on first use create) everything below `home`.

        A `seed` makes a desk of its own for a demo or backtest: it ignores the live database and
        registry, alerts nobody outside its home, and its audit draws derive from the seed (DESIGN 6).
        """
        home.mkdir(parents=True, exist_ok=True)
        own = seed is not None
        if own:
            # A walk decides every case by the live policy: its approver promotes at once.
            kinds = case_types.items()
            case_types = {name: replace(kind, ab_plan=None) for name, kind in kinds}
        database = None if own else settings.database_url
        tracking = None if own else settings.mlflow_tracking_uri
        ledger_url = database or f"sqlite:///{home / 'ledger.db'}"
        return cls(
            home=home,
            case_types=dict(case_types),
            store=EvidenceStore(home / "evidence", database),
            ledger=Ledger(ledger_url, home / "ledger.head", enrolled_only=not own),
            tokens=Tokens(ledger_url),
            registry=ModelRegistry(
                tracking or f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
                home / "mlflow" / "artifacts",
            ),
            alerts=Alerts(home, None if own else settings.alerts.webhook_url),
            training=settings.training,
            reviewer_share_cap=settings.night.reviewer_share_cap,
            second_review_share=settings.night.second_review_share,
            second_review_takes=timedelta(days=settings.night.second_review_days),
            drift_window=timedelta(days=settings.night.drift_window_days),
            quiet_nights=settings.night.quiet_nights,
            triage=TriagePlan(**settings.triage.model_dump(exclude={"every_days", "window_days"})),
            triage_every=timedelta(days=settings.triage.every_days),
            triage_window_days=settings.triage.window_days,
            audit_secret=f"seed {seed}" if own else _live_secret(home),
            seed=seed or 0,
            simulated=own,
        )

    def training_plan(self) -> TrainingPlan:
        fields = {"rounds", "max_depth", "learning_rate", "min_child_weight", "row_share"}
        fields |= {"column_share", "early_stopping_rounds", "later_share"}
        return TrainingPlan(seed=self.seed, **self.training.model_dump(include=fields))

    def audit_key(self, case_type: str) -> str:
        return audit_key(self.audit_secret, audit_purpose(case_type))

    def second_review_draw(self, case_type: str, case_ids: pd.Series) -> npt.NDArray[np.float64]:
        """A number in [0, 1) a case: below `second_review_share` a second person reviews it. The
        key is another than the audits': all audited cases drew small numbers there."""
        return keyed_uniform(case_ids, audit_key(self.audit_secret, f"second review|{case_type}"))


def _live_secret(home: Path) -> str:
    """`RATCHET_AUDIT_KEY`, or a random secret made once in the home and readable by its owner only."""
    given = os.environ.get(AUDIT_KEY_VARIABLE)
    if given:
        return given
    file = home / AUDIT_KEY_FILE
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept_secret(file)
    with os.fdopen(handle, "w", encoding="ascii") as opened:
        opened.write(secret := secrets.token_hex(32))
    return secret


def _kept_secret(file: Path) -> str:
    """What another start has written, or is just about to write."""
    for _ in range(_WAITS_FOR_A_SECRET):
        kept = file.read_text(encoding="ascii")
        if kept.strip():
            return kept
        time.sleep(0.1)
    # Whoever knows a case's id could tell from an empty one whether the case is audited.
    raise ServiceUnreachable(
        f"{file} is empty, so it keeps no decision's audit secret. Restore it from a copy, or set "
        f"{AUDIT_KEY_VARIABLE}."
    )
