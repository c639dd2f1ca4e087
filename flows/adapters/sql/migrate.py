"""Does a database hold the ledger's tables as this version of the code knows them?

The steps stand in `migrations/versions/`; which one a database is at stands in a table of our own,
since MLflow and Prefect may keep theirs in the same database under alembic's usual name. All missing
steps run in one transaction under a lock, so that a kill leaves the database as it was, and of
several first starts one does the work while the others wait.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.files.kill_points import kill_point
from flows.adapters.sql.database import BUSY_TIMEOUT_SECONDS, first_line, hidden, reading, writing

NEWEST = "0002"
"""The last step; named here, so that a database that is at it is opened without alembic."""

VERSION_TABLE = "ratchet_ledger_version"

_WHICH_STEP = f"SELECT version_num FROM {VERSION_TABLE}"
_STEPS = Path(__file__).parent / "migrations"
_BEFORE_STEPS = "0001"
_TABLES_BEFORE_STEPS = {"ledger_entries", "policies", "ledger_refusals"}
_LOCK_NUMBER = (
    0x5241_5443_4845_54  # any number that no other program locks; this one spells RATCHET
)
_ALEMBIC = Lock()  # its `op` and `context` are one for the whole process


def bring_up_to_date(engine: Engine) -> None:
    """Carry out the steps that the database has not had; several processes may do so at once.

    Args:
        engine: of `open_database`, SQLite or PostgreSQL.

    Raises:
        GateRefused: a newer version of the code made the database, or a part of its tables is lost.
        ServiceUnreachable: the database does not answer, or another process holds it for too long;
            nothing was changed.
    """
    if _is_newest(engine):
        return
    with writing(engine) as connection:
        _lock(connection)
        step = step_of(connection)  # another process may have been quicker
        if step != NEWEST:
            _carry_out(connection, step)
            kill_point("migrate.before_commit")
    kill_point("migrate.after_commit")


def _is_newest(engine: Engine) -> bool:
    """One SELECT: every command opens a ledger, and nearly every ledger is up to date."""
    with reading(engine) as connection:
        try:
            return connection.exec_driver_sql(_WHICH_STEP).scalar() == NEWEST
        except (OperationalError, ProgrammingError):
            return False  # no such table, as a rule; whoever looks closer says what else is wrong


def step_of(connection: Connection) -> str | None:
    """The last step that a database has had; None: none, or a version without steps made it."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.exec_driver_sql(_WHICH_STEP).scalar_one_or_none()


def _lock(connection: Connection) -> None:
    """Held until the transaction ends. SQLite's transactions hold the write lock already."""
    if connection.dialect.name == "sqlite":
        return
    connection.execute(text(f"SET LOCAL lock_timeout = '{BUSY_TIMEOUT_SECONDS:g}s'"))
    try:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
    except OperationalError as error:
        if "lock timeout" not in first_line(error):
            raise
        raise ServiceUnreachable(
            f"Another process has been changing the tables of {hidden(connection.engine.url)} for "
            f"{BUSY_TIMEOUT_SECONDS:g} s. Nothing was changed; run this again when it has finished."
        ) from None


def _carry_out(connection: Connection, step: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    # Alembic's files are templates to it, in which a percent sign stands for a variable.
    config = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    with _ALEMBIC:
        _refuse_unknown(connection, step, ScriptDirectory.from_config(config))
        if step is None and _holds_tables_before_steps(connection):
            command.stamp(config, _BEFORE_STEPS)
        command.upgrade(config, NEWEST)


def _refuse_unknown(connection: Connection, step: str | None, steps: Any) -> None:
    known = {one.revision for one in steps.walk_revisions()}
    if step is not None and step not in known:
        raise GateRefused(
            f"The ledger in {hidden(connection.engine.url)} was made by a newer Ratchet (revision "
            f"{step}; this one knows up to {NEWEST}); update this one. Nothing was changed."
        )


def _holds_tables_before_steps(connection: Connection) -> bool:
    """Whether a version without steps made this database.

    Raises:
        GateRefused: only a part of its tables is there.
    """
    lost = _TABLES_BEFORE_STEPS - set(inspect(connection).get_table_names())
    if lost and lost != _TABLES_BEFORE_STEPS:
        raise GateRefused(
            f"The ledger in {hidden(connection.engine.url)} has lost "
            f"{', '.join(sorted(lost))}, and nothing is built over the rest; restore it from a copy."
        )
    return not lost
