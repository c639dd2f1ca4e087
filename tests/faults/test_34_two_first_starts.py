"""Two first starts on an empty home at once: both succeed (FAULTS 34).

Injected: two commands begin on a barrier, in processes of their own, on a home that does not exist and
a database without a table; then two `up` at the same moment.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from tests.faults.upped import left_of, started, wait_for
from tests.faults.upstream import Upstream

FORK = multiprocessing.get_context("fork")


def together(*acts: Callable[[], int]) -> list[int]:
    """The exit codes of acts that begin at once, each in a fork of this process."""
    barrier = FORK.Barrier(len(acts))

    def run(act: Callable[[], int], barrier: Barrier) -> None:
        code = 1
        try:
            barrier.wait(60)
            code = act()
        finally:
            os._exit(code)

    processes = [FORK.Process(target=run, args=(act, barrier)) for act in acts]
    for process in processes:
        process.start()
    for process in processes:
        process.join(180)
    return [-1 if process.exitcode is None else process.exitcode for process in processes]


@pytest.mark.parametrize(
    "commands", [("status", "status"), ("night", "status"), ("night", "night")], ids="+".join
)
def test_both_commands_succeed(upstream_on_either: Upstream, commands: tuple[str, str]) -> None:
    """One makes the home, the other finds it made; the ledger verifies, and every row is there once."""
    upstream = upstream_on_either

    def ask(command: str) -> Callable[[], int]:
        def act() -> int:
            said = upstream.ask(command)
            if said.code:
                os.write(2, (said.out + said.err).encode())
            return said.code

        return act

    assert together(*map(ask, commands)) == [0, 0]
    assert upstream.ask("ledger", "verify").code == 0
    assert upstream.night().code == 0
    for table in ("decisions", "reviews"):
        stored = upstream.stored(table)
        assert len(stored) == len(upstream.read(table))


def test_of_two_ups_one_runs_and_the_other_says_so(tmp_path: Path) -> None:
    """No half of each: the one that was too late starts nothing."""
    home = tmp_path / "home"
    both = [started(home), started(home)]
    wait_for(lambda: any(one.process.poll() is not None for one in both), 60, "one is refused")
    late, runs = sorted(both, key=lambda one: one.process.poll() is None)
    assert late.process.wait(30) == 2, late.said()
    assert "already runs on" in late.said()
    try:
        wait_for(lambda: "Everything is up" in runs.said(), 420, "the other is up")
    finally:
        runs.down()
    assert left_of(home, (*late.ports, *runs.ports)) == []
