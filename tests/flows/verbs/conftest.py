"""What several verbs' tests share: a desk with people, and one that takes seconds to make and is only
read."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.verbs.services import Services
from tests.flows.verbs.advised_desk import Advised, advised_desk
from tests.flows.verbs.hub_desk import hub_desk


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """People and a registered model, and nothing decided yet; some tests have a desk of their own."""
    return hub_desk(tmp_path)


@pytest.fixture(scope="session")
def advised(tmp_path_factory: pytest.TempPathFactory) -> Advised:
    return advised_desk(tmp_path_factory.mktemp("advised"))
