"""Does MLflow's store answer within seconds, is it the one we know, and are its files in this home?

MLflow itself waits for minutes, makes a missing database anew, migrates another one's tables and
fetches files from whatever address a record names. So it is asked only after the questions here.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import httpx
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from configs.errors import ServiceUnreachable
from flows.adapters.sql.database import first_line, hidden, parsed_url

WAIT_SECONDS = 5.0
"""How long a store may take to answer, or stay locked, before it counts as away."""

_BOUNDS = {
    # An attempt takes ten seconds at most, and there are two: MLflow's own defaults add up to minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}
HELPS = "Deciding needs MLflow only for a model of which this home has no copy."


def bound_waits() -> None:
    """MLflow's requests end within seconds, unless somebody has set how long they may take."""
    for name, value in _BOUNDS.items():
        os.environ.setdefault(name, value)


def database_file(tracking_uri: str) -> Path | None:
    """The file of an SQLite store; None for a store of another kind."""
    if not tracking_uri.startswith("sqlite:"):
        return None
    database = parsed_url(tracking_uri).database
    return None if database is None else Path(database)


def sqlite_uri(file: Path) -> str:
    """An address of an SQLite file that MLflow can use.

    MLflow takes text alone, in which a `?` would end the path: such a folder gets another name for
    the time of this process.
    """
    if "?" not in str(file):
        return f"sqlite:///{file}"
    return f"sqlite:///{_other_name(file.parent) / file.name}"


def revision_of(tracking_uri: str, *, makes: bool) -> str | None:
    """The revision of the tables in a database; None: it has none yet, or is behind a server.

    Args:
        makes: whether what is missing is to be made; else it is refused.

    Raises:
        ServiceUnreachable: the store does not answer in `WAIT_SECONDS`, or is none of MLflow's.
    """
    if tracking_uri.startswith("http"):
        _ask_server(tracking_uri)
        return None
    file = database_file(tracking_uri)
    return _ask_database(tracking_uri) if file is None else _ask_file(file, makes=makes)


def refuse_other_revision(tracking_uri: str, found: str | None) -> None:
    """Nothing, if the tables are those of the MLflow that is installed.

    Raises:
        ServiceUnreachable: they are another version's; MLflow would change them, or fail in them.
    """
    if found is not None and found != _installed_revision():
        raise ServiceUnreachable(
            f"MLflow's database {_shown(tracking_uri)} was made by another version of MLflow "
            f"(its tables are at {found}, this one needs {_installed_revision()}). Nothing was changed. "
            f"Put the right file back, or keep a copy and run `mlflow db upgrade`. {HELPS}"
        )


def move_records_to(file: Path, artifacts: Path) -> int:
    """Let the records of a home's own store name this home's folder; how many named another one.

    MLflow records absolute addresses, so that the store of a moved home would lead nowhere, and a
    copied home's to the files of the original.

    Args:
        file: the SQLite file of the store.
        artifacts: the folder of its artifacts, a folder for each experiment.

    Raises:
        ServiceUnreachable: the file is locked, or cannot be written.
    """
    try:
        with closing(_opened(file)) as database:
            moved = [
                (old, new)
                for name, old in database.execute("SELECT name, artifact_location FROM experiments")
                if (new := (artifacts / name).resolve().as_uri()) != old and _was_here(old, name)
            ]
            if not moved:
                return 0
            database.execute("BEGIN IMMEDIATE")
            count = sum(_move(database, old, new) for old, new in moved)
            database.execute("COMMIT")
    except (sqlite3.Error, UnicodeError) as error:
        raise _unusable(file, error) from None
    logging.getLogger("ratchet").warning(
        "This home was moved or copied: %d of MLflow's records named files of another folder, and "
        "now name those below %s.", count, artifacts,
    )  # fmt: skip
    return count


def local_path(uri: str) -> Path | None:
    """The path that an artifact address names on this machine; None where it is no such address."""
    if uri.startswith("/"):
        return Path(uri)
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or "\0" in unquote(uri):
        return None
    return Path(url2pathname(parts.path))


def _ask_server(address: str) -> None:
    try:
        answer = httpx.get(f"{address.rstrip('/')}/health", timeout=WAIT_SECONDS)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise ServiceUnreachable(
            f"MLflow does not answer at {hidden(address)} ({type(error).__name__}, after at most "
            f"{WAIT_SECONDS:g} s). Is it up? {HELPS}"
        ) from None


def _ask_database(tracking_uri: str) -> str | None:
    url = parsed_url(tracking_uri)
    postgres = url.get_backend_name() == "postgresql"
    bounds = {
        "connect_timeout": int(WAIT_SECONDS),
        "options": f"-c statement_timeout={int(1000 * WAIT_SECONDS)}",
    }
    engine = create_engine(url, poolclass=NullPool, connect_args=bounds if postgres else {})
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except (SQLAlchemyError, OSError) as error:
        raise ServiceUnreachable(
            f"MLflow does not answer: its database {hidden(url)} cannot be used "
            f"({hidden(url, first_line(error))}; asked for at most {WAIT_SECONDS:g} s). {HELPS}"
        ) from None
    return None if found is None else str(found)


def _ask_file(file: Path, *, makes: bool) -> str | None:
    if not os.path.lexists(file):
        if makes:
            return None
        raise ServiceUnreachable(
            f"MLflow does not answer: its database {file} is not there. Put it back from a copy. "
            f"{HELPS}"
        )
    if not file.is_file():
        raise ServiceUnreachable(
            f"MLflow's database cannot be opened: {file} is no file. Put it back from a copy. {HELPS}"
        )
    try:
        with closing(_opened(file)) as database:
            # Read at all, whoever writes; a writer that is about to commit lets nobody read.
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            if makes:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
            if "alembic_version" in tables:
                found = database.execute("SELECT version_num FROM alembic_version").fetchone()
                return None if found is None else str(found[0])
    except (sqlite3.Error, UnicodeError) as error:
        raise _unusable(file, error) from None
    if tables or not makes:
        held = "holds other tables" if tables else "is empty"
        raise ServiceUnreachable(
            f"MLflow's database {file} {held}: it is not the one that was there. Put it back from a "
            f"copy. {HELPS}"
        )
    return None


def _opened(file: Path) -> sqlite3.Connection:
    """Never makes a file; transactions are begun by hand."""
    address = f"{file.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS, isolation_level=None)


def _unusable(file: Path, error: Exception) -> ServiceUnreachable:
    said = first_line(error)
    if "locked" in said or "busy" in said:
        return ServiceUnreachable(
            f"MLflow does not answer: its database {file} stayed locked by another process for "
            f"{WAIT_SECONDS:g} s. Run this again when that process has finished. {HELPS}"
        )
    if isinstance(error, UnicodeError):
        said = "its tables have no readable names"
    if "not a database" in said or "malformed" in said or isinstance(error, UnicodeError):
        return ServiceUnreachable(
            f"MLflow's database {file} is damaged, or is no database ({said}). Put it back from a "
            f"copy. {HELPS}"
        )
    return ServiceUnreachable(
        f"MLflow's database cannot be opened, or written: {file} ({said}). Is the disk full or the "
        f"folder read-only? {HELPS}"
    )


def _was_here(location: str | None, experiment: str) -> bool:
    """Whether an artifact location was made by us, in a home at another place."""
    path = None if location is None else local_path(location)
    return path is not None and path.parts[-3:] == ("mlflow", "artifacts", experiment)


def _move(database: sqlite3.Connection, old: str, new: str) -> int:
    count = 0
    for table, column in (
        ("experiments", "artifact_location"),
        ("runs", "artifact_uri"),
        ("model_versions", "source"),
        ("model_versions", "storage_location"),
    ):
        done = database.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
            f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
            (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
        )
        count += done.rowcount
    return count


def _shown(tracking_uri: str) -> str:
    file = database_file(tracking_uri)
    return hidden(tracking_uri) if file is None else str(file)


@lru_cache(maxsize=1)
def _installed_revision() -> str:
    from mlflow.store.db import utils

    newest: Any = utils._get_latest_schema_revision
    return str(newest())


@lru_cache(maxsize=64)
def _other_name(folder: Path) -> Path:
    """A link to a folder from a private place whose name is plain; gone with the process."""
    place = tempfile.TemporaryDirectory(prefix="ratchet-")
    _LINKS.append(place)
    link = Path(place.name) / "mlflow"
    link.symlink_to(folder.absolute(), target_is_directory=True)
    return link


_LINKS: list[tempfile.TemporaryDirectory[str]] = []
"""Kept, since each is removed with the object; a link is removed without what it leads to."""
