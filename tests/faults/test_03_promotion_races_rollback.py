"""A promotion races a rollback: a serial outcome, and both in the ledger (FAULTS 3).

Injected: two processes on a barrier, one promotes and one rolls back, 200 rounds.
"""

import pytest

from tests.faults.races import a_promotion_races_a_rollback, places_on_postgres, places_on_sqlite

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # 200 rounds of two processes


def test_on_sqlite_the_outcome_is_one_after_the_other(tmp_path):
    """In either order, and never a mixture."""
    a_promotion_races_a_rollback(places_on_sqlite(tmp_path))


def test_on_postgres_the_outcome_is_one_after_the_other(postgres_server, tmp_path):
    """The same, where no file lock helps."""
    a_promotion_races_a_rollback(places_on_postgres(postgres_server, tmp_path))
