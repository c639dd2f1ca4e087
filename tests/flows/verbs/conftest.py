"""What several verbs' tests share: a desk that takes seconds to make and is only read."""

from __future__ import annotations

import pytest

from tests.flows.verbs.advised_desk import Advised, advised_desk


@pytest.fixture(scope="session")
def advised(tmp_path_factory: pytest.TempPathFactory) -> Advised:
    return advised_desk(tmp_path_factory.mktemp("advised"))
