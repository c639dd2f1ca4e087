"""Disk full, read-only folder: a clean failure that can be retried (FAULTS 24).

Injected: a home on a disk of so few kilobytes that the command stops at another byte each time, then
enlarged; the same disk mounted read-only; and a device that is always full as the place of an export.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.small_disk import SmallDisk, on_a_small_disk
from tests.faults.upstream import Upstream

PLENTY = 1 << 28


def rows_of(upstream: Upstream, table: str) -> list[int]:
    return list(upstream.services().store.counts(table))


def admitted_on(upstream: Upstream, size: int) -> dict[str, object]:
    """What the first try says, and the second one on a larger disk, and what is stored then."""

    def act(disk: SmallDisk) -> dict[str, object]:
        first = upstream.admit("decisions")
        disk.resize(PLENTY)
        between = rows_of(upstream, "decisions")
        second = upstream.admit("decisions")
        left = [one.name for one in disk.folder.rglob("*.part")]
        return {
            "first": [first.code, first.err], "between": between, "left": left,
            "second": [second.code, second.err], "after": rows_of(upstream, "decisions"),
        }  # fmt: skip

    return on_a_small_disk(upstream.home.home, size, act)


@pytest.mark.parametrize("kilobytes", [4, 16, 40, 80, 120, 160, 200, 240, 300, 400, 600])
def test_a_full_disk_is_told_and_the_same_command_works_once_there_is_room(
    upstream: Upstream, kilobytes: int
) -> None:
    """Wherever it stopped: exit code 4, one sentence, nothing half stored, nothing left lying about."""
    rows = len(upstream.read("decisions"))
    told = admitted_on(upstream, kilobytes * 1024)
    code, said = told["first"]
    assert code in (0, 4), said
    if code:
        assert len(said.strip().splitlines()) == 1, said
        assert told["between"] in ([0, 0, 0], [rows, rows, 0])
    assert told["second"] == [0, ""]
    assert told["after"] == [rows, rows, 0]
    assert told["left"] == []


def test_the_sizes_above_do_fill_the_disk(upstream: Upstream) -> None:
    """The smallest stops it, and with room enough it ends well; else nothing was injected."""
    assert admitted_on(upstream, 4 * 1024)["first"][0] == 4


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [700, 1000, 1400])
def test_a_night_on_a_full_disk_is_told_and_the_next_one_is_whole(
    upstream: Upstream, kilobytes: int
) -> None:
    rows = {table: len(upstream.read(table)) for table in ("decisions", "reviews", "outcomes")}

    def act(disk: SmallDisk) -> dict[str, object]:
        first = upstream.night()
        disk.resize(PLENTY)
        second = upstream.night()
        verified = upstream.ask("ledger", "verify")
        return {
            "first": [first.code, first.out + first.err], "second": [second.code, second.err],
            "verified": verified.code, "rows": {one: len(upstream.stored(one)) for one in rows},
        }  # fmt: skip

    told = on_a_small_disk(upstream.home.home, kilobytes * 1024, act)
    assert told["first"][0] in (0, 3, 4), told["first"]
    assert told["second"][0] == 0, told["second"]
    assert (told["verified"], told["rows"]) == (0, rows)


@pytest.mark.parametrize("begun", [False, True], ids=["an empty home", "a home with a ledger"])
def test_a_read_only_home_is_told_and_the_same_command_works_once_it_is_not(
    upstream: Upstream, begun: bool
) -> None:
    """Exit code 4 for what writes; nothing changed."""
    rows = len(upstream.read("reviews"))

    def act(disk: SmallDisk) -> dict[str, object]:
        if begun:
            upstream.admit("decisions")
        disk.read_only(True)
        first = upstream.admit("reviews")
        disk.read_only(False)
        if not begun:
            upstream.admit("decisions")
        second = upstream.admit("reviews")
        return {"first": [first.code, first.err], "second": [second.code, second.err],
                "after": rows_of(upstream, "reviews")}  # fmt: skip

    told = on_a_small_disk(upstream.home.home, PLENTY, act)
    code, said = told["first"]
    assert code == 4, said
    assert len(said.strip().splitlines()) == 1, said
    assert told["second"] == [0, ""]
    assert told["after"] == [rows, rows, 0]


def test_rejects_that_find_no_room_are_told_and_nothing_was_stored(
    upstream: Upstream, tmp_path: Path
) -> None:
    """The place of the export is full, not the home's disk: a second try names another place."""
    rows = upstream.read("decisions")
    rows.loc[:300, "priority"] = 101
    upstream.write("decisions", rows)
    said = upstream.admit("decisions", "--rejects", "/dev/full")
    assert said.code == 4, said.err
    assert len(said.err.strip().splitlines()) == 1
    assert rows_of(upstream, "decisions") == [0, 0, 0]
    again = upstream.admit("decisions", "--rejects", str(tmp_path / "rejects.csv"))
    assert again.code == 0, again.err
    assert rows_of(upstream, "decisions") == [len(rows), len(rows) - 301, 301]
