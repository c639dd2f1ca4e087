"""What is tried on the steps of the ledger's tables, whichever database keeps them?"""

import os
import signal

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from flows.adapters.files.kill_points import VARIABLE
from flows.adapters.ledger import ledger, tokens
from flows.adapters.sql import migrate
from flows.adapters.sql.database import open_database, reading, writing
from flows.adapters.sql.migrate import NEWEST, VERSION_TABLE, bring_up_to_date
from tests.flows.adapters.racing import answers_of_two_processes

POINTS = ["migrate.after_step", "migrate.before_commit", "migrate.after_commit"]
ALL_TABLES = {"ledger_entries", "policies", "ledger_refusals", "actor_tokens", VERSION_TABLE}
ROUNDS = 4

BEFORE_STEPS = [
    """CREATE TABLE ledger_entries (
        seq INTEGER NOT NULL, case_type TEXT NOT NULL, version INTEGER NOT NULL,
        kind TEXT NOT NULL, actor TEXT NOT NULL, at TEXT NOT NULL, policy_id TEXT,
        base_version INTEGER NOT NULL, evidence_digest TEXT, dossier TEXT NOT NULL,
        previous_hash TEXT NOT NULL, own_hash TEXT NOT NULL,
        PRIMARY KEY (seq), UNIQUE (case_type, version))""",
    """CREATE TABLE policies (
        policy_id TEXT NOT NULL, case_type TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (policy_id))""",
    """CREATE TABLE ledger_refusals (
        id {serial} NOT NULL, case_type TEXT NOT NULL, rule TEXT NOT NULL, reason TEXT NOT NULL,
        actor TEXT NOT NULL, at TEXT NOT NULL, command TEXT NOT NULL, PRIMARY KEY (id))""",
]
"""The tables as the last version without steps made them."""


def execute(engine, *statements):
    with writing(engine) as connection:
        return [connection.execute(text(statement)) for statement in statements]


def made_before_steps(engine):
    serial = "INTEGER" if engine.dialect.name == "sqlite" else "SERIAL"
    execute(engine, *(statement.format(serial=serial) for statement in BEFORE_STEPS))


def tables(engine):
    with reading(engine) as connection:
        return set(inspect(connection).get_table_names())


def step(engine, table=VERSION_TABLE):
    with reading(engine) as connection:
        return connection.execute(text(f"SELECT version_num FROM {table}")).scalar_one()


def differences(engine):
    """What alembic would change to turn the database into the tables that the code declares."""
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return compare_metadata(context, [ledger._METADATA, tokens._METADATA])


def shape(engine):
    """Each table's columns, primary key and unique pairs, as the database tells them."""
    with reading(engine) as connection:
        asked = inspect(connection)
        return {
            name: (
                [(c["name"], str(c["type"]), c["nullable"]) for c in asked.get_columns(name)],
                asked.get_pk_constraint(name)["constrained_columns"],
                [one["column_names"] for one in asked.get_unique_constraints(name)],
            )
            for name in ALL_TABLES - {VERSION_TABLE}
        }


def is_up_to_date(engine):
    assert step(engine) == NEWEST
    assert tables(engine) == ALL_TABLES
    assert differences(engine) == []
    return True


def the_steps_lead_to_the_declared_tables(engine):
    bring_up_to_date(engine)
    assert is_up_to_date(engine)
    by_steps = shape(engine)
    execute(engine, *(f"DROP TABLE {name}" for name in by_steps))
    with writing(engine) as connection:
        ledger._METADATA.create_all(connection)
        tokens._METADATA.create_all(connection)
    assert shape(engine) == by_steps  # a second road: alembic compares no primary keys
    execute(engine, "ALTER TABLE policies ADD COLUMN author TEXT")
    ((kind, _, table, column),) = differences(engine)
    assert (kind, table, column.name) == ("remove_column", "policies", "author")


def a_database_without_steps_is_taken_on(engine):
    made_before_steps(engine)
    execute(engine, "INSERT INTO policies VALUES ('p', 'ato', '{}')")
    bring_up_to_date(engine)
    assert is_up_to_date(engine)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT policy_id FROM policies")).scalars().all() == ["p"]


def killed_at(point, url):
    """The signal that ended another process, which brought the database up to date until `point`.

    A fork of this process: everything it needs is imported, and nothing waits for a new start.
    """
    child = os.fork()
    if child == 0:
        try:
            os.environ[VARIABLE] = point
            bring_up_to_date(open_database(url))
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def a_kill_leaves_all_or_nothing_and_the_next_start_converges(url, point):
    assert killed_at(point, url) == signal.SIGKILL
    engine = open_database(url)
    assert tables(engine) == (ALL_TABLES if point == "migrate.after_commit" else set())
    bring_up_to_date(engine)
    assert is_up_to_date(engine)
    engine.dispose()


def first_starts(url, who, wait):
    """Rounds of first starts, on nothing and on a database without steps in turn."""
    engine = open_database(url)
    for round_ in range(ROUNDS):
        if who == 0:
            dropped = sorted(tables(engine))
            execute(engine, *(f"DROP TABLE {name}" for name in dropped))
            if round_ % 2:
                made_before_steps(engine)
        wait()
        bring_up_to_date(engine)
        wait()
        yield migrate.NEWEST if is_up_to_date(engine) else None
        wait()


def two_first_starts_at_once_both_succeed(url):
    """Every round, both find every table."""
    assert answers_of_two_processes(first_starts, url) == [NEWEST] * (2 * ROUNDS)
