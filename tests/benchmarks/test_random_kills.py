"""Do nights that were killed and run again end where quiet ones end? Three nights of a small feed.

The benchmark does the same over thirty nights; see `benchmarks/random_kills.py`.
"""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from benchmarks.random_kills import compare, invented

NIGHTS, A_DAY = 3, 60


@pytest.mark.slow
def test_killed_nights_end_where_quiet_ones_end(tmp_path: Path) -> None:
    """Ledger by hash, evidence by digest, every decision; and each night really was killed."""
    small = partial(invented, nights=NIGHTS, a_day=A_DAY)
    *nights, verdict = compare(small, tmp_path, NIGHTS, seed=5)
    assert [line["signal"] for line in nights] == [signal.SIGKILL] * NIGHTS
    assert verdict["rows_of_decisions"] > A_DAY
    assert verdict["entries"] >= 3
    assert verdict["differ"] == {}
    assert verdict["equal"]
