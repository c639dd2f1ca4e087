"""Do an old, a new and an interrupted database all end with the tables that the code declares?"""

import shutil
import sqlite3
import sys
import threading
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from setuptools import find_packages

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.sql import migrate
from flows.adapters.sql.database import open_database
from flows.adapters.sql.migrate import NEWEST, VERSION_TABLE, bring_up_to_date
from tests.flows.adapters.ledger_scenarios import make_live
from tests.flows.adapters.migration_scenarios import (
    POINTS,
    a_database_without_steps_is_taken_on,
    a_kill_leaves_all_or_nothing_and_the_next_start_converges,
    execute,
    is_up_to_date,
    step,
    tables,
    the_steps_lead_to_the_declared_tables,
    two_first_starts_at_once_both_succeed,
)

PROJECT = Path(__file__).resolve().parents[4]


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def engine(url):
    return open_database(url)


def test_the_steps_lead_to_the_tables_that_the_code_declares(engine):
    """Alembic, asked what it would change, says nothing; of a foreign column it says so."""
    the_steps_lead_to_the_declared_tables(engine)


def test_a_database_without_steps_is_taken_on_with_its_rows(engine):
    """It gets the tables that came since, and is the same as a new one."""
    a_database_without_steps_is_taken_on(engine)


def test_a_ledger_without_steps_goes_on_where_it_was(url, tmp_path):
    """Its entries stand, its chain holds and the next entry follows."""
    made = make_live(Ledger(url, tmp_path / "head", enrolled_only=False), 0.1)
    execute(open_database(url), f"DROP TABLE {VERSION_TABLE}", "DROP TABLE actor_tokens")
    again = Ledger(url, tmp_path / "head")
    assert again.history()[-1] == made
    assert again.verify().ok
    assert is_up_to_date(open_database(url))


def test_the_newest_step_is_alembics_head():
    """The constant is what spares an up-to-date ledger the import of alembic."""
    assert ScriptDirectory(str(migrate._STEPS)).get_heads() == [NEWEST]


def test_a_database_that_is_up_to_date_needs_no_alembic(engine, monkeypatch):
    """A first start needs it, the second does not."""
    monkeypatch.setitem(sys.modules, "alembic", None)
    with pytest.raises(ImportError):
        bring_up_to_date(engine)
    monkeypatch.undo()
    bring_up_to_date(engine)
    monkeypatch.setitem(sys.modules, "alembic", None)
    bring_up_to_date(engine)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(engine):
    """The sentence names its revision and what to do."""
    bring_up_to_date(engine)
    execute(engine, f"UPDATE {VERSION_TABLE} SET version_num='0099'", "DROP TABLE actor_tokens")
    before = tables(engine)
    with pytest.raises(GateRefused, match=r"newer Ratchet \(revision 0099; .*update this one"):
        bring_up_to_date(engine)
    assert (step(engine), tables(engine)) == ("0099", before)


def test_a_database_that_lost_a_table_is_refused(engine):
    """Nothing is built over what is left of a ledger."""
    bring_up_to_date(engine)
    execute(engine, f"DROP TABLE {VERSION_TABLE}", "DROP TABLE ledger_entries")
    with pytest.raises(GateRefused, match=r"lost ledger_entries.*restore it from a copy"):
        bring_up_to_date(engine)


def test_another_programs_steps_are_left_alone(engine):
    """MLflow keeps its own under alembic's usual name, perhaps in the same database."""
    execute(
        engine,
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO alembic_version VALUES ('bda7b8c39065')",
    )
    bring_up_to_date(engine)
    assert step(engine) == NEWEST
    assert step(engine, "alembic_version") == "bda7b8c39065"


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_all_or_nothing_and_the_next_start_converges(url, point):
    """All steps are one transaction, SQLite's too."""
    a_kill_leaves_all_or_nothing_and_the_next_start_converges(url, point)


def test_two_first_starts_at_once_both_succeed(url):
    """On nothing, and on a database without steps."""
    two_first_starts_at_once_both_succeed(url)


def test_threads_that_start_ledgers_of_their_own_do_not_mix_them_up(tmp_path):
    """Alembic keeps one context a process; eight databases at once still get their own tables."""
    engines = [open_database(f"sqlite:///{tmp_path / str(n)}.db") for n in range(8)]
    threads = [threading.Thread(target=bring_up_to_date, args=(engine,)) for engine in engines]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert all(is_up_to_date(engine) for engine in engines)


def test_a_locked_database_is_a_bounded_wait_and_a_clear_message(tmp_path, url):
    """Another process holds the write lock through the first start."""
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    holder.execute("PRAGMA journal_mode=WAL")
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(ServiceUnreachable, match=r"stayed locked .* Nothing was changed"):
            bring_up_to_date(open_database(url, busy_timeout_seconds=0.2))
    finally:
        holder.close()


def test_the_steps_are_found_in_a_folder_with_any_name(engine, tmp_path, monkeypatch):
    """A percent sign, a space and a colon mean something to alembic's settings."""
    copy = tmp_path / "100% our own: clone" / "migrations"
    shutil.copytree(migrate._STEPS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "_STEPS", copy)
    bring_up_to_date(engine)
    assert is_up_to_date(engine)


def test_an_installation_takes_the_steps_along():
    """They are a package like the others, whose files are installed."""
    found = find_packages(str(PROJECT), include=["flows*"])
    assert {"flows.adapters.sql.migrations", "flows.adapters.sql.migrations.versions"} <= set(found)
