"""Homes that commands run in: empty, or a copy of one with people and models."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from configs import settings
from flows.adapters.ledger import tokens
from models.risk import RiskModel
from tests.flows.commands.live_home import LiveHome, with_a_model


@dataclass
class Staffed:
    """A home with people, and the registered model of each of these case types."""

    home: LiveHome
    models: dict[str, RiskModel]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a person's shell has set, and hashes that cost next to nothing."""
    _make_bare(monkeypatch)


@pytest.fixture
def bare(tmp_path: Path) -> LiveHome:
    """An empty home."""
    return LiveHome(tmp_path)


@pytest.fixture(scope="session")
def _people(tmp_path_factory: pytest.TempPathFactory) -> LiveHome:
    with pytest.MonkeyPatch.context() as quick:
        _make_bare(quick)
        home = LiveHome(tmp_path_factory.mktemp("people") / "home")
        home.people()
        return home


@pytest.fixture
def manned(_people: LiveHome, tmp_path: Path) -> LiveHome:
    """A home of one's own with people, and nothing else."""
    shutil.copytree(_people.home, tmp_path / "home")
    return LiveHome(tmp_path / "home", dict(_people.tokens))


@pytest.fixture
def staffed(_staffed: Staffed, tmp_path: Path) -> Staffed:
    """A copy for each test: what one approves must not wait among another's proposals."""
    shutil.copytree(_staffed.home.home, tmp_path / "home")
    return Staffed(LiveHome(tmp_path / "home", dict(_staffed.home.tokens)), dict(_staffed.models))


@pytest.fixture(scope="session")
def _staffed(_people: LiveHome, tmp_path_factory: pytest.TempPathFactory) -> Staffed:
    with pytest.MonkeyPatch.context() as quick:
        _make_bare(quick)
        folder = tmp_path_factory.mktemp("staffed") / "home"
        shutil.copytree(_people.home, folder)
        home = LiveHome(folder, dict(_people.tokens))
        services = home.services()
        names = ("ato", "reset_2fa", "kyc_audit")
        return Staffed(home, {name: with_a_model(services, name) for name in names})


def _make_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith(("RATCHET_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(tokens, "_hasher", lambda: hasher)
    # Five files a command are most of its time, and never differ.
    monkeypatch.setattr(settings, "load_case_type", cache(settings.load_case_type))
