"""Which runs are closed, and which late ones are cancelled: by what a server would say, without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from flows.adapters.servers.prefect_api import FlowRun
from flows.verbs.house.dead_runs import cancel_missed, close_dead_runs, free_lost_slots, superseded

NOW = datetime(2026, 11, 30, 2, 10, tzinfo=UTC)
MINE, OTHER = "here-12345678", "elsewhere-12345678"
SECOND = timedelta(seconds=1)


def run(name: str, state: str = "RUNNING", ago: float = 10, worker: str = MINE) -> FlowRun:
    return FlowRun(name, name, "nightly", state, NOW - ago * SECOND, NOW - ago * SECOND, worker)


@dataclass
class Server:
    """What `PrefectApi` answers, and what it was told to do."""

    there: list[FlowRun]
    beats: dict[str, list[float]] = field(default_factory=dict)
    names: tuple[str, ...] = (MINE,)
    slots: dict[str, tuple[str, float]] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    set_to: dict[str, int] = field(default_factory=dict)

    def runs(self, *states: str, due_by: datetime | None = None) -> list[FlowRun]:
        return [one for one in self.there if one.state in states]

    def workers(self, pool: str) -> list[str]:
        return list(self.names)

    def heartbeats(self, run_id: str, since: datetime) -> list[datetime]:
        return [NOW - ago * SECOND for ago in self.beats.get(run_id, [])]

    def set_state(self, run_id: str, kind: str, why: str) -> None:
        self.closed[run_id] = kind

    def taken_slots(self) -> dict[str, tuple[str, float]]:
        return self.slots

    def set_slots(self, limit_id: str, taken: int) -> None:
        self.set_to[limit_id] = taken


def closed(server: Server, here: set[str] = frozenset(), worker_since: float | None = None):  # type: ignore[assignment, no-untyped-def]
    since = None if worker_since is None else NOW - worker_since * SECOND
    told = close_dead_runs(server, here, NOW, MINE, since)  # type: ignore[arg-type]
    assert len(told) == len(server.closed)
    return server.closed


@pytest.mark.parametrize(
    ("one", "dead"),
    [
        (run("running"), True),
        (run("cancelling", "CANCELLING"), True),
        (run("just taken", "PENDING", ago=20), False),
        (run("never began", "PENDING", ago=91), True),
        (run("completed", "COMPLETED"), False),
        (run("waits for a person", "PAUSED"), False),
    ],
)
def test_of_this_machine_a_run_without_a_process_is_dead(one: FlowRun, dead: bool) -> None:
    """One that was only just taken may still begin."""
    assert (one.run_id in closed(Server([one]))) == dead
    assert closed(Server([one]), here={one.run_id}) == {}


def test_what_an_earlier_worker_had_taken_is_dead_at_once() -> None:
    taken = run("taken", "PENDING", ago=20)
    assert closed(Server([taken]), worker_since=5) == {"taken": "CRASHED"}
    assert closed(Server([taken]), worker_since=60) == {}


def test_a_run_without_a_worker_is_ours_only_where_nobody_else_works() -> None:
    """The name is written just after a run was taken; another machine may be about to write it."""
    nameless = run("nameless", "PENDING", ago=20, worker="")
    assert closed(Server([nameless]), worker_since=5) == {"nameless": "CRASHED"}
    assert closed(Server([nameless], names=(MINE, OTHER)), worker_since=5) == {}


@pytest.mark.parametrize(
    ("beats", "dead"),
    [
        ([10, 40], False),
        ([89, 119], False),
        ([91, 121], True),  # three of its own thirty seconds
        ([400, 580], False),  # three of three minutes are nine
        ([541, 721], True),
        ([100], False),  # one says nothing of the interval: Prefect's own is taken
        ([541], True),
        ([], False),  # it has heartbeats switched off, perhaps
    ],
)
def test_of_another_machine_three_missed_heartbeats_are_death(
    beats: list[float], dead: bool
) -> None:
    one = run("there", ago=3600, worker=OTHER)
    server = Server([one], {"there": beats}, (MINE, OTHER))
    assert ("there" in closed(server)) == dead


def late(name: str, nights: float, by_itself: bool = True, of: str = "nightly") -> FlowRun:
    due = NOW - timedelta(days=nights)
    return FlowRun(name, name, of, "SCHEDULED", due, due, "", by_itself)


def test_the_newest_of_late_runs_covers_the_others() -> None:
    """A deployment each; what somebody asked for is nobody's to cancel."""
    due = [late("a", 3), late("c", 1), late("b", 2), late("asked for", 5, by_itself=False),
           late("d", 2, of="hourly")]  # fmt: skip
    assert [one.run_id for one in superseded(due)] == ["a", "b"]
    server = Server(due)
    assert len(cancel_missed(server, NOW)) == 2  # type: ignore[arg-type]
    assert server.closed == {"a": "CANCELLED", "b": "CANCELLED"}
    assert list(superseded([late("only", 1)])) == []


def test_a_slot_that_no_run_holds_is_freed() -> None:
    """And one that is held stays taken."""
    server = Server([run("runs")], slots={"nightly": ("n", 2.0), "hourly": ("h", 1.0)})
    assert len(free_lost_slots(server)) == 2  # type: ignore[arg-type]
    assert server.set_to == {"n": 1, "h": 0}
    server = Server([run("runs")], slots={"nightly": ("n", 1.0)})
    assert free_lost_slots(server) == []  # type: ignore[arg-type]
