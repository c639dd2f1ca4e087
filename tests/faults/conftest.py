"""One home is made a session; each test breaks a copy of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.faults.hub import Hub, copy_hub, make_hub
from tests.faults.table import POSTGRES
from tests.faults.upstream import Upstream
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


@pytest.fixture(scope="session")
def upstream_template(tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    return Upstream.made(tmp_path_factory.mktemp("upstream"))


@pytest.fixture
def upstream(
    upstream_template: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Upstream:
    """Sources and an empty home; nothing that a person's shell has set."""
    for name in [one for one in os.environ if one.startswith(("RATCHET_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    return upstream_template.copied(tmp_path)


@pytest.fixture(params=["sqlite", pytest.param(POSTGRES, marks=pytest.mark.slow)])
def upstream_on_either(
    request: pytest.FixtureRequest,
    upstream_template: Upstream,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Upstream:
    """The same on SQLite and, in a slow test, on PostgreSQL."""
    for name in [one for one in os.environ if one.startswith(("RATCHET_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    url = request.getfixturevalue("postgres_url") if request.param == POSTGRES else None
    return upstream_template.copied(tmp_path, url)


@pytest.fixture(params=["sqlite", pytest.param(POSTGRES, marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """None for a file in the home; an empty database of a PostgreSQL server."""
    return request.getfixturevalue("postgres_url") if request.param == POSTGRES else None


FOLDER = Path(__file__).resolve().parent
QUICK = frozenset({*range(1, 11), 16, 17, 18, 23, 31, 39})
"""Faults that `make test` tries, too; all of them are tried by `make faults` and `make test-all`."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whether a test asks for a PostgreSQL server stands in its record, where the table reads it."""
    for item in items:
        number = re.match(r"test_(\d\d)_", item.path.name)
        if number is not None and item.path.parent == FOLDER and int(number[1]) not in QUICK:
            item.add_marker(pytest.mark.slow)
        asked = {"postgres_server", "postgres_url"} & set(getattr(item, "fixturenames", ()))
        given = getattr(item, "callspec", None)
        if asked or (
            given is not None
            and any(
                value is POSTGRES or (isinstance(value, str) and value == POSTGRES)
                for value in given.params.values()
            )
        ):
            item.user_properties.append((POSTGRES, "yes"))
