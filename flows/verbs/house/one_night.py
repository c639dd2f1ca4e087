"""Does somebody else of the team run the night already?"""

from __future__ import annotations

import functools
import inspect
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from configs.settings import load_settings
from flows.adapters.sql.database import open_database
from flows.adapters.sql.night_lease import NightLease

WAITS_SECONDS = 60.0
"""For a night that runs already: as long as a night after a killed one may take to begin (FAULTS 30)."""

_ENDED_BY_SIGTERM = 128 + signal.SIGTERM


@contextmanager
def one_night(profile: str | None = None) -> Iterator[NightLease | None]:
    """Within, this process runs the night of its team's database, and nobody else does.

    A night that runs already is waited for, `WAITS_SECONDS` at most: two that begin at once both end well.
    A home without a database of a team has no lease: nobody else is there.

    Raises:
        GateRefused: somebody else still runs it, or this process lost its lease on the way.
        ServiceUnreachable: the database does not answer.
    """
    database = load_settings(profile).database_url
    if database is None:
        yield None
        return
    engine = open_database(database)
    try:
        with _ending_on_sigterm(), NightLease(engine, wait_seconds=WAITS_SECONDS) as lease:
            yield lease
            lease.check()
    finally:
        engine.dispose()


def one_at_a_time(flow: Callable[..., Any]) -> Callable[..., Any]:
    """A flow with the parameter `profile`, run within `one_night`.

    Its annotations are resolved here: Prefect would look their names up in this module.
    """
    takes = inspect.signature(flow, eval_str=True)

    @functools.wraps(flow)
    def alone(*given: Any, **named: Any) -> Any:
        # Prefect hands parameters over by position.
        said = takes.bind(*given, **named).arguments
        with one_night(said.get("profile")):
            return flow(*given, **named)

    alone.__signature__ = takes  # type: ignore[attr-defined]
    alone.__annotations__ = {
        **{name: one.annotation for name, one in takes.parameters.items()},
        "return": takes.return_annotation,
    }
    return alone


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM ends what is within as Ctrl-C does, so that the lease is given back.

    Whoever has a handler of their own (Prefect) keeps it, and threads have none.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(_number: int, _at: FrameType | None) -> None:
    raise SystemExit(_ENDED_BY_SIGTERM)
