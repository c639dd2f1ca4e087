"""Killed between quarantine and commit: rows in = admitted + quarantined after the re-run (FAULTS 22).

Injected: SIGKILL at each step between the first byte of a part and the answer, once in a night and once
in an admission by hand; then the same command again.
"""

from __future__ import annotations

import json
import signal

import pytest

from tests.faults.upstream import TABLES, Upstream
from tests.flows.adapters.killing import killed_at

POINTS = [
    "evidence.part_written",
    "evidence.quarantine_written",
    "evidence.before_commit",
    "evidence.committed",
]
BAD = 2


def spoiled(upstream: Upstream) -> None:
    """Two decisions whose score is none, and their reviews; the reviews stay sound."""
    rows = upstream.read("decisions")
    rows.loc[: BAD - 1, "score"] = 1.5
    upstream.write("decisions", rows)


@pytest.mark.parametrize("point", POINTS)
def test_an_admission_by_hand_is_whole_after_the_next_try(
    upstream_on_either: Upstream, point: str
) -> None:
    """No row lost, none twice, in the store and in quarantine alike."""
    upstream = upstream_on_either
    spoiled(upstream)
    delivered = upstream.read("decisions")
    assert killed_at(point, lambda: upstream.admit("decisions")) == signal.SIGKILL
    counts = upstream.services().store.counts("decisions")
    assert counts[0] in (0, len(delivered))  # all of it or nothing
    assert counts[0] == counts[1] + counts[2]
    again = upstream.admit("decisions", "--json")
    assert again.code == 0, again.err
    told = json.loads(again.out)
    assert (told["rows_in"], told["quarantined"]) == (len(delivered), BAD)
    assert upstream.services().store.counts("decisions") == (
        len(delivered), len(delivered) - BAD, BAD,
    )  # fmt: skip
    ids = [*upstream.stored("decisions")["case_id"], *upstream.rejected("decisions")["case_id"]]
    assert sorted(ids) == sorted(delivered["case_id"])


@pytest.mark.parametrize("point", ["evidence.quarantine_written:1", "evidence.committed:1",
                                   "evidence.before_commit:2", "evidence.quarantine_written:3"])  # fmt: skip
def test_a_night_is_whole_after_the_next_try(upstream_on_either: Upstream, point: str) -> None:
    """Killed in its first, second or third table; what lies before stays, and no row is read past."""
    upstream = upstream_on_either
    spoiled(upstream)
    delivered = {table: upstream.read(table) for table in TABLES}
    assert killed_at(point, upstream.night) == signal.SIGKILL
    upstream.night()
    upstream.night()
    refers = set(delivered["decisions"]["case_id"][:BAD])
    for table in TABLES:
        rows = delivered[table]
        stored = upstream.stored(table)["case_id"]
        lost = set(rows["case_id"]) - set(stored)
        assert lost == set(rows["case_id"]) & refers
        assert len(stored) == len(rows) - len(lost)
        rows_in, admitted, aside = upstream.services().store.counts(table)
        assert rows_in == admitted + aside
