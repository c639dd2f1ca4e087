"""Do the steps of the ledger's tables keep their promises on PostgreSQL as they do on SQLite?"""

import pytest
from sqlalchemy import text

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.sql import migrate
from flows.adapters.sql.database import open_database, writing
from flows.adapters.sql.migrate import VERSION_TABLE, bring_up_to_date
from tests.flows.adapters.migration_scenarios import (
    POINTS,
    a_database_without_steps_is_taken_on,
    a_kill_leaves_all_or_nothing_and_the_next_start_converges,
    execute,
    is_up_to_date,
    the_steps_lead_to_the_declared_tables,
    two_first_starts_at_once_both_succeed,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def engine(postgres_url):
    engine = open_database(postgres_url)
    yield engine
    engine.dispose()


def test_the_steps_lead_to_the_tables_that_the_code_declares(engine):
    """Alembic, asked what it would change, says nothing; of a foreign column it says so."""
    the_steps_lead_to_the_declared_tables(engine)


def test_a_database_without_steps_is_taken_on_with_its_rows(engine):
    """It gets the tables that came since, and is the same as a new one."""
    a_database_without_steps_is_taken_on(engine)


def test_a_database_of_a_newer_version_is_refused(engine):
    """The sentence names its revision and what to do."""
    bring_up_to_date(engine)
    execute(engine, f"UPDATE {VERSION_TABLE} SET version_num='0099'")
    with pytest.raises(GateRefused, match=r"newer Ratchet \(revision 0099; .*update this one"):
        bring_up_to_date(engine)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_all_or_nothing_and_the_next_start_converges(postgres_url, point):
    """All steps are one transaction, which the server rolls back."""
    a_kill_leaves_all_or_nothing_and_the_next_start_converges(postgres_url, point)


def test_two_first_starts_at_once_both_succeed(postgres_url):
    """On nothing, and on a database without steps."""
    two_first_starts_at_once_both_succeed(postgres_url)


def test_a_held_lock_is_a_bounded_wait_and_a_clear_message(engine, monkeypatch):
    """Another process changes the tables for longer than anybody waits; then it is free again."""
    monkeypatch.setattr(migrate, "BUSY_TIMEOUT_SECONDS", 0.2)
    with writing(engine) as holder:
        holder.execute(text(f"SELECT pg_advisory_xact_lock({migrate._LOCK_NUMBER})"))
        with pytest.raises(ServiceUnreachable, match=r"for 0.2 s. Nothing was changed"):
            bring_up_to_date(engine)
    bring_up_to_date(engine)
    assert is_up_to_date(engine)
