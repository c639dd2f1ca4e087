"""Which runs does Prefect still believe in though their process is gone, and which came too late?

Prefect leaves the run of a killed process Running for ever, and the slot of its deployment taken, so
that the next night waits. Here a run of this machine is dead when no process carries its id, and a
run of another machine when it has sent no heartbeat for three of its intervals.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from flows.adapters.servers.prefect_api import FlowRun, PrefectApi

POOL = "ratchet"
"""The work pool of prefect.yaml."""

HEARTBEAT = timedelta(seconds=30)
"""How often a flow of `up` says that it lives; the least that Prefect allows."""

_HEARTBEAT_BY_DEFAULT = timedelta(seconds=180)
_MISSED = 3
"""A run elsewhere that missed so many heartbeats in a row is dead."""

STARTS_WITHIN = timedelta(seconds=90)
"""So long a run that a worker has taken may go without a process of its own."""

_UNFINISHED = ("PENDING", "RUNNING", "CANCELLING")


def worker_name(home: Path) -> str:
    """What the worker of a home's `up` is called: its machine, and which home it is of."""
    return f"{socket.gethostname()}-{sha256(str(home).encode()).hexdigest()[:8]}"


def close_dead_runs(
    api: PrefectApi,
    here: Collection[str],
    now: datetime,
    worker: str = "",
    worker_since: datetime | None = None,
) -> list[str]:
    """Close the runs that nobody runs, which frees their slots; what was closed, in a sentence each.

    Args:
        here: the ids of the runs that have a process on this machine.
        worker: the name of this machine's worker; "": none of the runs is this machine's.
        worker_since: when that worker began; what an earlier one had taken and not begun is dead.

    Raises:
        ServiceUnreachable: the server does not answer.
    """
    told = []
    # The worker's name is written to a run just after it was taken; a lone worker took those without.
    only = worker if worker and set(api.workers(POOL)) <= {worker} else ""
    for run in api.runs(*_UNFINISHED):
        why = ""
        if run.run_id in here:
            continue
        if worker and (run.worker or only) == worker:
            why = _dead_here(run, now, worker_since)
        else:
            why = _dead_elsewhere(run, now, api.heartbeats(run.run_id, run.since))
        if why:
            api.set_state(run.run_id, "CRASHED", why)
            told.append(f"The run {run.name!r} was closed: {why[0].lower()}{why[1:]}")
    return told


def free_lost_slots(api: PrefectApi) -> list[str]:
    """Free the slots that no unfinished run holds; for a server that has just come up.

    A server that died between two of its writes counts a slot as taken that nobody gives back.
    """
    held = Counter(run.deployment_id for run in api.runs(*_UNFINISHED))
    told = []
    for deployment_id, (limit_id, taken) in api.taken_slots().items():
        if taken > held[deployment_id]:
            api.set_slots(limit_id, held[deployment_id])
            told.append("A slot that no run holds was freed.")
    return told


def cancel_missed(api: PrefectApi, now: datetime) -> list[str]:
    """Of several scheduled runs of a deployment that are due, keep the newest: it covers them all.

    Every flow with a schedule looks at all there is to do since it last looked; five late nights in a
    row would do the work of one, five times.
    """
    told = []
    for run in superseded(api.runs("SCHEDULED", due_by=now)):
        api.set_state(
            run.run_id, "CANCELLED", "A later run of the same schedule is due, and covers this one."
        )
        told.append(
            f"The run due at {run.due:%Y-%m-%d %H:%M} UTC was missed; a later one covers it."
        )
    return told


def superseded(due: Sequence[FlowRun]) -> Iterator[FlowRun]:
    """The runs made by a schedule after which another one of the same deployment is due."""
    newest: dict[str | None, FlowRun] = {}
    for run in due:
        if not run.scheduled_by_itself or run.due is None:
            continue  # somebody asked for it, with parameters of its own
        other = newest.get(run.deployment_id)
        if other is None or other.due is None or run.due >= other.due:
            newest[run.deployment_id] = run
            if other is not None:
                yield other
        else:
            yield run


def _dead_here(run: FlowRun, now: datetime, worker_since: datetime | None) -> str:
    """Why a run that this machine's worker took, and that has no process, is dead; "": it may start."""
    if run.state != "PENDING":
        return "Its process is gone."
    if worker_since is not None and run.since < worker_since:
        return "The worker that had taken it is gone."
    if now - run.since > STARTS_WITHIN:
        return f"It was taken {STARTS_WITHIN.total_seconds():.0f} s ago, and no process began."
    return ""


def _dead_elsewhere(run: FlowRun, now: datetime, heartbeats: Sequence[datetime]) -> str:
    """Why a run of another machine is dead, or "". One that began and sent no heartbeat at all has them
    switched off, perhaps, and is left alone."""
    every = _HEARTBEAT_BY_DEFAULT
    if len(heartbeats) > 1:
        every = min(every, max(HEARTBEAT, heartbeats[0] - heartbeats[1]))
    if not heartbeats and run.state != "PENDING":
        return ""
    silent = now - (heartbeats[0] if heartbeats else run.since)
    if silent <= _MISSED * every:
        return ""
    return f"It has sent no heartbeat for {silent.total_seconds():,.0f} s."
