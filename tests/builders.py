"""Small, fast worlds that tests of the loop are built from."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from scipy.special import expit

from configs.settings import Settings, load_settings
from flows.adapters.mlflow.mlflow_runs import create_tables
from flows.verbs.services import Services
from flows.verbs.walk.walk import Walk
from models.simulation import RevealedHistory
from models.vocabulary import CaseType, Feature, Targets

START = datetime(2026, 3, 2, tzinfo=UTC)


def small_history(days: int = 45, per_day: int = 120, seed: int = 1) -> pd.DataFrame:
    """Simulated cases by contract `history`: two telling features, one of them categorical."""
    generator = np.random.default_rng(seed)
    count = days * per_day
    opened = pd.Timestamp(START) + pd.to_timedelta(np.arange(count) / per_day, unit="D")
    signal = generator.normal(size=count)
    channel = generator.choice(["app", "web", "desk"], size=count)
    logit = -3.2 + 3.0 * signal + np.where(channel == "web", 1.0, 0.0)
    return pd.DataFrame(
        {
            "case_id": [f"c{number:06d}" for number in range(count)],
            "case_type": "small_case",
            "opened_at": opened.astype("datetime64[us, UTC]"),
            "bad": generator.random(count) < expit(logit),
            "amount_usd": generator.lognormal(4.0, 1.0, count).round(2),
            "priority": np.where(generator.random(count) < 0.03, 80, 10),
            "signal": signal,
            "channel": channel,
        }
    )


def small_case_type(audit_rate: float = 0.1) -> CaseType:
    """A case type whose promises are loose enough to be proven within days."""
    return CaseType(
        name="small_case",
        features=(
            Feature("signal", monotone=1),
            Feature("channel", "categorical", levels=("app", "desk", "web")),
        ),
        targets=Targets(precision=0.7, recall=0.9, delta=0.1),
        maturity_days=3.0,
        audit_rate=audit_rate,
    )


def small_settings() -> Settings:
    settings = load_settings(env={})
    quick = settings.training.model_copy(update={"rounds": 40, "early_stopping_rounds": 10})
    return settings.model_copy(update={"training": quick})


def walk_settings(retrain_days: int) -> Settings:
    """The same; causes are looked for as often as a model is fitted, as `open_backtest` has it."""
    settings = small_settings()
    seldom = settings.triage.model_copy(update={"every_days": retrain_days})
    return settings.model_copy(update={"triage": seldom})


def with_mlflow(home: Path) -> Path:
    """The home with MLflow's empty database in it, which takes over a second to make."""
    (home / "mlflow").mkdir(parents=True)
    (home / "mlflow" / "mlflow.db").write_bytes(_empty_mlflow())
    return home


@cache
def _empty_mlflow() -> bytes:
    """Made once a process, by the code that makes every home's."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "mlflow.db"
        create_tables(f"sqlite:///{file}")
        return file.read_bytes()


def small_walk(home: Path, history: pd.DataFrame, warm_up_days: float = 15) -> Walk:
    """A walk over a small history, ready to warm up."""
    kinds = {"small_case": small_case_type()}
    upstream = RevealedHistory(history, kinds, warm_up_days, step_days=1)
    return Walk(
        Services.at(with_mlflow(home), walk_settings(14), kinds, seed=3), upstream, retrain_days=14
    )


def walked(home: Path, history: pd.DataFrame, warm_up_days: float = 15) -> Walk:
    """The same, walked to its end."""
    walk = small_walk(home, history, warm_up_days)
    walk.warm_up()
    for step in range(walk.upstream.steps):
        walk.night_and_day(step)
    walk.last_night()
    return walk
