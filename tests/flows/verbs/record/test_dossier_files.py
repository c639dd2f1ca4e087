"""A home keeps the dossier of every run, and the latest of a night counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flows.verbs.record.dossier_files import before_all_runs, keep, newest


def a_home(home: Path) -> Any:
    """A desk's home, of no team."""
    return SimpleNamespace(home=home, shared=None)


def test_a_second_run_of_a_night_leaves_the_file_that_the_first_one_named(tmp_path: Path) -> None:
    services = a_home(tmp_path)
    first = keep(services.home, services.shared, "2026-11-30", b"import")
    second, third = (
        keep(services.home, services.shared, "2026-11-30", b"night"),
        keep(services.home, services.shared, "2026-11-30", b"night again"),
    )
    assert first.name == "2026-11-30.json"
    assert len({first, second, third}) == 3
    assert first.read_bytes() == b"import"
    assert second.read_bytes() == b"night"


def test_the_latest_run_of_each_night_counts(tmp_path: Path) -> None:
    """The night before is another night, not an earlier run of the same one."""
    services = a_home(tmp_path)
    for night, content in [
        ("2026-11-29", b"before"), ("2026-11-30", b"import"), ("2026-11-30", b"night"),
        ("2026-11-30", b"again"),
    ]:  # fmt: skip
        keep(services.home, services.shared, night, content)
    assert newest(services.home, services.shared, 2) == [b"again", b"before"]
    assert newest(services.home, services.shared, 1) == [b"again"]


def test_what_says_the_same_is_kept_once(tmp_path: Path) -> None:
    services = a_home(tmp_path)
    assert keep(services.home, services.shared, "2026-11-30", b"same") == keep(
        services.home, services.shared, "2026-11-30", b"same"
    )
    assert len(list((tmp_path / "dossiers").iterdir())) == 1


def test_what_a_home_brings_to_a_team_sorts_by_run_and_before_the_teams_own() -> None:
    names = [
        before_all_runs("2026-11-30"),
        before_all_runs("2026-11-30T093000000001"),
        before_all_runs("2026-11-30T140000000000"),
        "dossiers/2026-11-30/20261130T150000000000-ab12cd34.json",
    ]
    assert names == sorted(names)
    assert names[0] == "dossiers/2026-11-30/00000000.json"
