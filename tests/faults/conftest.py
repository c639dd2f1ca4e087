"""One home is made a session; each test breaks a copy of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.hub import Hub, copy_hub, make_hub
from tests.faults.table import POSTGRES
from tests.integration.postgres import (
    _database_numbers,
    postgres_execute,
    postgres_server,
    postgres_url,
)

__all__ = ["_database_numbers", "postgres_execute", "postgres_server", "postgres_url"]


@pytest.fixture(scope="session")
def hub_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("hub") / "home"
    make_hub(home)
    return home


@pytest.fixture
def hub(hub_template: Path, tmp_path: Path) -> Hub:
    return copy_hub(hub_template, tmp_path / "home")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whether a test asks for a PostgreSQL server stands in its record, where the table reads it."""
    for item in items:
        if {"postgres_server", "postgres_url"} & set(getattr(item, "fixturenames", ())):
            item.user_properties.append((POSTGRES, "yes"))
