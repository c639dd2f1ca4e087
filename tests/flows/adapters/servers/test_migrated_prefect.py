"""A new home begins with Prefect's tables where they are kept, and nobody's file is replaced."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flows.adapters.servers import migrated_prefect
from flows.adapters.servers.migrated_prefect import begin_migrated, keep_migrated, kept_database


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kept file of three bytes in an environment of this test's own."""
    monkeypatch.setattr(migrated_prefect.sys, "prefix", str(tmp_path / "env"))
    file = kept_database()
    file.parent.mkdir(parents=True)
    file.write_bytes(b"new")
    return file


def test_a_new_home_begins_with_a_copy_for_nobody_else(tmp_path: Path, kept: Path) -> None:
    target = tmp_path / "home" / "prefect" / "prefect.db"
    begin_migrated(target)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o077 == 0
    assert list(target.parent.iterdir()) == [target]
    assert kept.read_bytes() == b"new"


def test_what_is_there_stays(tmp_path: Path, kept: Path) -> None:
    target = tmp_path / "prefect.db"
    target.write_bytes(b"old")
    begin_migrated(target)
    assert target.read_bytes() == b"old"


def test_whoever_comes_second_leaves_the_first_ones_file(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's file appears while ours is copied."""
    target = tmp_path / "prefect.db"

    def copied(*_: object) -> None:
        target.write_bytes(b"theirs")

    monkeypatch.setattr(migrated_prefect.shutil, "copyfile", copied)
    begin_migrated(target)
    assert target.read_bytes() == b"theirs"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".prefect")] == []


def test_where_there_are_no_hard_links_prefect_makes_its_own(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(migrated_prefect.os, "link", refused)
    target = tmp_path / "home" / "prefect.db"
    begin_migrated(target)
    assert list(target.parent.iterdir()) == []


def test_another_versions_file_is_not_taken(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrated_prefect, "version", lambda _: "99.0")
    begin_migrated(tmp_path / "prefect.db")
    assert not (tmp_path / "prefect.db").exists()


@pytest.mark.slow
def test_what_is_kept_has_the_tables_that_prefect_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrated_prefect.sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:////nowhere/x.db")
    keep_migrated()
    with closing(sqlite3.connect(kept_database())) as made:
        found = made.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        runs = made.execute("SELECT count(*) FROM flow_run").fetchone()
    assert {("flow_run",), ("deployment",), ("alembic_version",)} <= set(found)
    assert runs == (0,)
    assert list(kept_database().parent.iterdir()) == [kept_database()]
