"""A whole live home, on SQLite or PostgreSQL: people, a model, two promoted policies, cases to decide.

The wider policy was promoted first, so that a rollback widens.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd

from flows.verbs.services import Services
from models.hub import Policy
from models.vocabulary import Boundary
from tests.flows.commands.live_home import LiveHome, Said, proposed, with_a_model

NAME = "ato"
WIDE, NARROW = Boundary(0.4, 0.6), Boundary(0.3, 0.7)


@dataclass
class House:
    """A live home, and its two policies."""

    live: LiveHome
    wide: Policy
    narrow: Policy

    @property
    def home(self) -> Path:
        return self.live.home / "live"

    def ask(self, *arguments: str, by: str = "") -> Said:
        return self.live.ask(*arguments, by=by)

    def services(self) -> Services:
        return self.live.services()

    def sql(self, statement: str) -> None:
        """Past the ledger, on SQLite."""
        with sqlite3.connect(self.home / "ledger.db") as connection:
            connection.execute(statement)
        connection.close()

    def live_id(self) -> str | None:
        live = self.services().ledger.live_policy(NAME)
        return None if live is None else live.policy_id

    def decide(self, start: int, count: int = 200) -> tuple[Said, pd.DataFrame]:
        """`ratchet decide` on new cases: what it said, and the decisions that it wrote."""
        file, out = (
            self.live.home / f"cases-{start}.parquet",
            self.live.home / f"to-{start}.parquet",
        )
        cases(self.services(), start, count).to_parquet(file, index=False)
        said = self.ask("decide", str(file), "--case-type", NAME, "--to", str(out))
        return said, pd.read_parquet(out) if out.exists() else pd.DataFrame()


def cases(services: Services, start: int, count: int) -> pd.DataFrame:
    """New cases of the type, simulated: features drawn at random, nobody a key user."""
    draw = np.random.default_rng(start)
    columns = {
        "numeric": lambda one: draw.normal(size=count),
        "boolean": lambda one: draw.random(count) < 0.5,
        "categorical": lambda one: draw.choice(list(one.levels), size=count),
    }
    features = services.case_types[NAME].features
    return pd.DataFrame(
        {
            "case_id": [f"case-{start + number:06d}" for number in range(count)],
            "opened_at": pd.Timestamp.now("UTC") - pd.Timedelta(minutes=1),
            "priority": 10,
            "amount_usd": 10.0,
            **{one.name: columns[one.kind](one) for one in features},
        }
    )


def built(home: Path) -> House:
    """A house below `home`, made by the commands; `RATCHET_DATABASE_URL` says in which database."""
    live = LiveHome(home)
    live.people()
    services = live.services()
    model = with_a_model(services, NAME)
    policies = []
    for boundary in (WIDE, NARROW):
        policy = proposed(services, model, NAME, boundary)
        for command in (("approve", policy.policy_id, "--yes"), ("promote", policy.policy_id)):
            said = live.ask(*command, by="ana")
            assert said.code == 0, said.err
        policies.append(policy)
    return House(live, *policies)


def copied(home: Path) -> House:
    """A house of one's own below `home`, on SQLite; built once a process."""
    template = _template()
    shutil.copytree(template.live.home, home)
    return House(LiveHome(home, dict(template.live.tokens)), template.wide, template.narrow)


@cache
def _template() -> House:
    return built(Path(mkdtemp(prefix="house-")) / "home")


def everything_escalates(decisions: pd.DataFrame, why: str) -> None:
    """Every case has a decision, and it is a person's, whatever the draw."""
    assert len(decisions)
    assert set(decisions["action"]) == {"escalate"}
    assert set(decisions["propensity"]) == {1.0}
    assert set(decisions["override"]) == {why}
