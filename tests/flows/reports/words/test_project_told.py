"""What a person reads once a project folder is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.reports.words.project_told import _home_of


@pytest.mark.parametrize(
    ("project", "home"),
    [
        ("project", "home"), ("agent-project", "agent-home"), ("loans_project", "loans-home"),
        ("loans", "loans-home"), ("projects", "projects-home"),
    ],
)  # fmt: skip
def test_each_project_stores_into_a_home_of_its_own(project: str, home: str) -> None:
    """Two projects side by side never name one home, which would mix their evidence."""
    assert _home_of(Path("of-mine") / project) == Path("of-mine") / home
