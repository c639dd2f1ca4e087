"""Which machine runs the night, and since when? One at a time on one database.

A lease is a row with a holder, who says every few seconds that they are still there, by the database's
own clock. A holder who dies says nothing any more, and the lease is free `LASTS` after their last word,
on their own machine as soon as the process is gone; one who ends, or is asked to (SIGTERM, Ctrl-C), gives it
back at once. It keeps people from doing the same work twice; what protects ledger and evidence is their
own compare-and-swap. Whoever comes while another night runs waits for its end, for a stated time, and
then has little to do.
"""

from __future__ import annotations

import getpass
import logging
import os
import re
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, delete, insert, select
from sqlalchemy import update as update_of
from sqlalchemy.exc import IntegrityError

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.sql.database import create_tables, reading, writing
from flows.adapters.sql.database_clock import now_at
from models.hub.policies.canonical import utc_stamp

LASTS = timedelta(seconds=90)
"""After the last word of a holder who died."""

BEAT_SECONDS = 15.0

_LOOKS_SECONDS = 0.5
"""Between two looks of somebody who waits."""

METADATA = MetaData()
_LEASES = Table(
    "leases",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("heard", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds a lease, since when, when they were heard last, and whether it still counts."""

    holder: str
    since: datetime
    heard: datetime
    counts: bool

    @property
    def ends(self) -> datetime:
        """When it is free, if its holder is not heard again."""
        return self.heard + LASTS


class NightLease:
    """The lease of one name in a database; used as a context manager.

    Args:
        wait_seconds: for how long a holder who is heard is waited for; 0: not at all.

    Raises on entering:
        GateRefused: somebody else holds it still; the message says who, and since when.
        ServiceUnreachable: the database does not answer.
    """

    def __init__(
        self,
        engine: Engine,
        name: str = "night",
        beat_seconds: float = BEAT_SECONDS,
        wait_seconds: float = 0.0,
    ) -> None:
        self._engine = engine
        self._name = name
        self._beat_seconds = beat_seconds
        self._wait_seconds = wait_seconds
        self._token = secrets.token_hex(16)
        self._ended = threading.Event()
        self._lost = False
        self._beating: threading.Thread | None = None
        create_tables(engine, METADATA)

    def held(self) -> Held | None:
        """Who holds it now, or held it and was not heard since; None: nobody."""
        with reading(self._engine) as connection:
            return self._held(connection)

    def check(self) -> None:
        """Nothing, while the lease is held.

        Raises:
            GateRefused: this process was not heard for so long that another one may have begun.
        """
        if self._lost:
            raise GateRefused(
                f"This process was not heard for {LASTS.total_seconds():g} s (asleep, or without its "
                f"database), so its lease of the {self._name} ended and another machine may run it. "
                "What was stored stands; run it again."
            )

    def __enter__(self) -> NightLease:
        self._take_in_turn()
        self._beating = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._beating.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._beating is not None:
            self._beating.join()
        try:
            with writing(self._engine) as connection:
                connection.execute(delete(_LEASES).where(*self._mine))
        except ServiceUnreachable as silent:
            logging.getLogger("ratchet").warning(
                "The lease of the %s could not be given back and ends by itself. %s",
                self._name, silent,
            )  # fmt: skip

    def _take_in_turn(self) -> None:
        until = time.monotonic() + self._wait_seconds
        told = False
        while True:
            try:
                return self._take()
            except GateRefused as taken:
                if time.monotonic() >= until:
                    raise
                if not told:
                    logging.getLogger("ratchet").warning(
                        "%s Waiting for it, for %g s at most.",
                        str(taken).partition(" (heard")[0], self._wait_seconds,
                    )  # fmt: skip
                    told = True
                time.sleep(_LOOKS_SECONDS)

    def _take(self) -> None:
        for _ in range(2):
            try:
                with writing(self._engine) as connection:
                    now, held = now_at(connection), self._held(connection)
                    gone = held is not None and _died_here(held.holder)
                    if held is not None and held.counts and not gone:
                        raise GateRefused(_taken(self._name, held, now))
                    # Only the holder that was looked at is put out: of two that wait one is first.
                    connection.execute(
                        delete(_LEASES).where(
                            _LEASES.c.name == self._name,
                            _LEASES.c.holder == held.holder
                            if held is not None and gone
                            else _LEASES.c.heard <= utc_stamp(now - LASTS),
                        )
                    )
                    connection.execute(
                        insert(_LEASES).values(
                            name=self._name,
                            holder=_who(),
                            token=self._token,
                            since=utc_stamp(now),
                            heard=utc_stamp(now),
                        )
                    )
                return
            except IntegrityError:
                continue  # somebody was quicker; next time the message names them
        raise GateRefused(f"Another machine took the lease of the {self._name} at this moment.")

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_seconds):
            try:
                with writing(self._engine) as connection:
                    heard = utc_stamp(now_at(connection))
                    said = update_of(_LEASES).where(*self._mine).values(heard=heard)
                    if connection.execute(said).rowcount != 1:
                        self._lost = True
                        return
            except ServiceUnreachable as silent:
                # Said again with the next beat; a lease that ended meanwhile may be another's then.
                logging.getLogger("ratchet").warning("The lease was not renewed. %s", silent)

    @property
    def _mine(self) -> tuple[Any, Any]:
        return (_LEASES.c.name == self._name, _LEASES.c.token == self._token)

    def _held(self, connection: Connection) -> Held | None:
        row = connection.execute(select(_LEASES).where(_LEASES.c.name == self._name)).one_or_none()
        if row is None:
            return None
        since, heard = (datetime.fromisoformat(one) for one in (row.since, row.heard))
        return Held(row.holder, since, heard, counts=heard > now_at(connection) - LASTS)


def _taken(name: str, held: Held, now: datetime) -> str:
    ago = max(0, round((now - held.heard).total_seconds()))
    return (
        f"The {name} is being run by {held.holder} since {held.since:%Y-%m-%d %H:%M:%S} UTC (heard "
        f"{ago} s ago), and one machine runs it at a time. Nothing was done; if that process died, its "
        f"lease ends at {held.ends:%H:%M:%S} UTC."
    )


def _who() -> str:
    return f"{_here()} (process {os.getpid()}, start {_start()})"


def _here() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _start() -> str:
    """Which start of which machine this is: of two machines of one name neither frees the other's."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except OSError:
        return "unknown"


def _died_here(holder: str) -> bool:
    """Whether the holder was a process of this machine, and is no more: then nobody need wait."""
    said = re.fullmatch(r"(.+) \(process (\d+), start ([0-9a-f]{8})\)", holder)
    if said is None or said[1] != _here() or said[3] != _start():
        return False
    return not psutil.pid_exists(int(said[2]))
