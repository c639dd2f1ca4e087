"""How is a server run below us: its log, its health, its restarts, its end?"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from configs.errors import ServiceUnreachable
from flows.adapters.servers.processes import (
    ROLE_VARIABLE,
    UP_VARIABLE,
    end_all,
    end_with_parent,
    started_by,
)

_LOG_BYTES = 10 << 20
_LOG_TAIL = 5


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a server that dies is started again: so many times within so many seconds."""

    times: int = 5
    within_seconds: float = 600.0


@dataclass
class Supervised:
    """One server: what starts it, and what is known of it.

    Attributes:
        role: its name, for people, for its log and in its environment.
        folder: where it works; None: beside its log.
        leaves: whether what it had started lives on when it dies (the flows of a worker do).
    """

    role: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    home: Path
    log: Path
    is_healthy: Callable[[], bool]
    folder: Path | None = None
    leaves: bool = False
    restarts: Restarts = field(default_factory=Restarts)
    began_at: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    _starts: deque[float] = field(default_factory=deque, repr=False)

    def start(self) -> None:
        """Start it, its output in its log.

        Raises:
            ServiceUnreachable: it was started too often.
        """
        self._refuse_too_often()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        marked = {UP_VARIABLE: str(self.home), ROLE_VARIABLE: self.role}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command),
                env={**self.environment, **marked},
                cwd=self.folder or self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the terminal is ours to pass on, in order
                preexec_fn=end_with_parent,
            )
        self.began_at = time.time()

    @property
    def died(self) -> int | None:
        """The exit code of one that was started and has ended; None while it runs."""
        return None if self.process is None else self.process.poll()

    def start_again(self) -> None:
        """Start one that died, once nothing is left of it that holds its port.

        Raises:
            ServiceUnreachable: it died too often.
        """
        self.process = None
        if not self.leaves:
            end_all(lambda: started_by(self.home, [self.role]))
        self.start()

    def stop(self, patience_seconds: float) -> list[int]:
        """End it and all that it had started; the numbers of what would not go."""
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.terminate()
            # What is left is ended below, by force.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience_seconds)
        left = end_all(lambda: started_by(self.home, [self.role]))
        if process is not None and process.pid not in left:
            process.wait()
        return left

    def last_words(self) -> str:
        """The end of its log, for whoever has to find out why it died."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - 4096))
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_LOG_TAIL:])

    def _refuse_too_often(self) -> None:
        now = time.monotonic()
        while self._starts and now - self._starts[0] > self.restarts.within_seconds:
            self._starts.popleft()
        if len(self._starts) > self.restarts.times:
            raise ServiceUnreachable(
                f"{self.role} died {len(self._starts)} times within "
                f"{self.restarts.within_seconds / 60:.0f} minutes and is not started again. Its log is "
                f"{self.log}; it ends:\n{self.last_words()}"
            )
        self._starts.append(now)
