"""Two promotions race: one wins, the other hears "stale base" (FAULTS 2).

Injected: two processes on a barrier promote different policies of one base, 200 rounds.
"""

import pytest

from tests.faults.races import places_on_postgres, places_on_sqlite, two_promotions_race

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # 200 rounds of two processes


def test_on_sqlite_one_of_two_promotions_wins_every_round(tmp_path):
    """Never both, never neither, and the loser is told why."""
    two_promotions_race(places_on_sqlite(tmp_path))


def test_on_postgres_one_of_two_promotions_wins_every_round(postgres_server, tmp_path):
    """The same, where no file lock helps."""
    two_promotions_race(places_on_postgres(postgres_server, tmp_path))
