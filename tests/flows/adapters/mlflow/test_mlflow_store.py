"""Is MLflow's store the one we know, and are its files in this home? Asked without MLflow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from configs.errors import ServiceUnreachable
from flows.adapters.mlflow import mlflow_store
from flows.adapters.mlflow.mlflow_store import (
    database_file,
    local_path,
    move_records_to,
    refuse_other_revision,
    revision_of,
    sqlite_uri,
)
from tests.builders import with_mlflow

pytestmark = pytest.mark.slow

OLD = "file:///old/home/mlflow/artifacts/retrain"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return with_mlflow(tmp_path / "home")


def uri_of(home: Path) -> str:
    return sqlite_uri(home / "mlflow" / "mlflow.db")


@pytest.mark.parametrize("name", ["plain", "a b#c%20[d]", "what?", "é?%41&x=y"])
def test_an_address_opens_the_very_file_it_was_made_of(tmp_path: Path, name: str) -> None:
    """For SQLAlchemy, which MLflow hands it to; and nothing is made beside."""
    folder = tmp_path / name
    folder.mkdir()
    with closing(sqlite3.connect(folder / "x.db")) as made, made:
        made.execute("CREATE TABLE there (n INT)")
    with create_engine(sqlite_uri(folder / "x.db")).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM there")).scalar() == 0
    file = database_file(sqlite_uri(folder / "x.db"))
    assert file is not None
    assert file.resolve() == (folder / "x.db").resolve()
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_only_an_sqlite_store_has_a_file() -> None:
    assert database_file("postgresql+psycopg://h/x") is None
    assert database_file("http://h") is None


def test_a_missing_store_is_refused_unless_it_is_to_be_made(tmp_path: Path) -> None:
    """Asking makes nothing."""
    uri = uri_of(tmp_path)
    assert revision_of(uri, makes=True) is None
    with pytest.raises(ServiceUnreachable, match="is not there"):
        revision_of(uri, makes=False)
    assert not (tmp_path / "mlflow").exists()


def test_the_installed_revision_is_that_of_a_store_made_today(home: Path) -> None:
    """And one letter off is another version's."""
    found = revision_of(uri_of(home), makes=False)
    assert found is not None
    refuse_other_revision(uri_of(home), found)
    with pytest.raises(ServiceUnreachable, match="mlflow db upgrade"):
        refuse_other_revision(uri_of(home), f"{found[:-1]}x")


def test_a_writer_elsewhere_keeps_nobody_from_asking_but_from_making(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite lets one process read while another one writes."""
    monkeypatch.setattr(mlflow_store, "WAIT_SECONDS", 0.1)
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert revision_of(uri_of(home), makes=False)
        with pytest.raises(ServiceUnreachable, match=r"stayed locked .* for 0\.1 s"):
            revision_of(uri_of(home), makes=True)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b", "/a/b"),
        ("file:///a%3Fb/c%20d", "/a?b/c d"),
        ("file://localhost/a", "/a"),
        ("/a/b?c", "/a/b?c"),
        ("file://elsewhere/a", None),
        ("http://h/a", None),
        ("s3://b/a", None),
        ("file:///a%00b", None),
        ("http://[oops", None),
        ("relative/path", None),
    ],
)
def test_which_addresses_name_a_path_on_this_machine(uri: str, path: str | None) -> None:
    assert local_path(uri) == (None if path is None else Path(path))


def test_only_records_below_the_old_place_follow_a_move(home: Path) -> None:
    """A folder whose name merely begins alike, another address and somebody else's experiment stay."""
    file, artifacts = home / "mlflow" / "mlflow.db", home / "mlflow" / "artifacts"
    there = [OLD, f"{OLD}/run/artifacts/model-1", f"{OLD}-more/x", "http://h/x", "file:///other/x"]
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA foreign_keys=OFF")
        for number, (name, location) in enumerate(
            [("retrain", OLD), ("mine", "file:///data/mine"), ("web", "http://h/web")]
        ):
            database.execute(
                "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, "
                "workspace) VALUES (?, ?, ?, 'active', 'default')",
                (number + 10, name, location),
            )
        for number, source in enumerate(there):
            database.execute(
                "INSERT INTO runs (run_uuid, artifact_uri, lifecycle_stage, status) "
                "VALUES (?, ?, 'active', 'FINISHED')",
                (str(number), source),
            )
    assert move_records_to(file, artifacts) == 1 + 2
    assert move_records_to(file, artifacts) == 0
    new = (artifacts / "retrain").resolve().as_uri()
    with closing(sqlite3.connect(file)) as database:
        found = [uri for (uri,) in database.execute("SELECT artifact_uri FROM runs ORDER BY 1")]
    assert sorted(found) == sorted([new, f"{new}/run/artifacts/model-1", *there[2:]])
