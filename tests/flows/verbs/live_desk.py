"""A desk as a live one is, with a clock of its own and a policy live on the shared model."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from flows.adapters.ledger.ledger import Ledger
from flows.verbs.services import Services
from models.hub import Policy
from tests.builders import small_settings
from tests.flows.verbs.advised_desk import Advised
from tests.flows.verbs.own_desk import go_live, policy_of

PASS, BLOCK = 0.03, 0.6


def live_desk(advised: Advised, home: Path, database: str | None = None) -> Services:
    """A copy of the shared home, opened as the live one; who may act is not these tests' affair.

    Args:
        database: an empty one for ledger and evidence, in place of the copied files.
    """
    shutil.copytree(advised.home, home, dirs_exist_ok=True)
    if database is not None:
        # What says that another ledger was used here; the database's is a new one.
        for trace in ("ledger.db", "ledger.head", "ledger.seen", "audit.key", "alerts.jsonl"):
            (home / "live" / trace).unlink(missing_ok=True)
        for folder in ("evidence", "dossiers"):
            shutil.rmtree(home / "live" / folder, ignore_errors=True)
    settings = small_settings().model_copy(update={"database_url": database})
    services = Services.at(home / "live", settings, advised.services.case_types)
    url = database or f"sqlite:///{home / 'live' / 'ledger.db'}"
    ledger = Ledger(url, services.home / "ledger.head", enrolled_only=False)
    return replace(services, registry=advised.services.registry, ledger=ledger)


def promoted(services: Services, advised: Advised, at: datetime, **said: object) -> Policy:
    """The shared model live under a boundary that decides some cases of each kind by itself."""
    policy = policy_of(advised, PASS, BLOCK, **said)
    go_live(services, policy, at)
    return policy


def new_cases(advised: Advised, at: datetime, rows: int = 120, prefix: str = "n") -> pd.DataFrame:
    """Simulated cases of the shared desk under other ids, opened in the hour before `at`."""
    cases = advised.cases.head(rows).drop(columns="bad", errors="ignore").reset_index(drop=True)
    ago = pd.to_timedelta(range(len(cases), 0, -1), unit="s")
    opened = (pd.Timestamp(at) - ago).astype("datetime64[us, UTC]")
    return cases.assign(case_id=prefix + cases["case_id"], opened_at=opened)
