"""Where does a promotion stand after it was killed at each of its steps, and does it converge?

Run as `python -m tests.faults.promotion_sweep TEMPLATE WORK [SOCKET_FOLDER]`: it warms one process
and forks it for every kill point, so that imports and models are paid for once. Writes a JSON list.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from sqlalchemy import insert, select

from flows.adapters.files import kill_points
from flows.adapters.ledger.ledger import _METADATA, Ledger
from flows.adapters.sql.database import reading, writing
from flows.verbs.govern.promote import approve_and_promote
from flows.verbs.services import Services
from tests.faults.hub import NAME, NOW, copy_hub, propose
from tests.integration.postgres import _administer

_NEVER = "none: only count"


class Sweep:
    """`work/start` is a home in which a challenger's boundary waits; each point gets a copy."""

    def __init__(self, template: Path, work: Path, socket: Path | None) -> None:
        self.work, self.socket = work, socket
        services = copy_hub(template, work / "start").services
        self.old = str(services.ledger.live_policy(NAME).policy_id)
        self.new = str(propose(services).policy_id)
        if socket is not None:
            _administer(socket, "CREATE DATABASE start")
            _copy_rows(services.ledger, self._ledger("start", work / "start"))

    def services(self, name: str) -> Services:
        """A home of its own, and a database of its own where PostgreSQL keeps the ledger."""
        home = self.work / name
        if not home.exists() and self.socket is not None:
            _administer(self.socket, f"CREATE DATABASE {name} TEMPLATE start")
        if not home.exists():
            return self._on_postgres(copy_hub(self.work / "start", home).services, name)
        return self._on_postgres(Services.at(home, *_kinds(home), seed=3), name)

    def points(self) -> list[str]:
        """Every kill point that a promotion passes, each time it passes it."""
        kill_points._PASSED.clear()
        os.environ[kill_points.VARIABLE] = _NEVER
        self.promote("whole")
        del os.environ[kill_points.VARIABLE]
        return [
            f"{name}:{n + 1}" for name, times in kill_points._PASSED.items() for n in range(times)
        ]

    def promote(self, name: str) -> None:
        approve_and_promote(self.services(name), NAME, self.new, "ben", NOW)

    def kill(self, point: str, name: str) -> int:
        """The signal that ended a promotion which names this point."""
        kill_points._PASSED.clear()
        os.environ[kill_points.VARIABLE] = point
        ended = _forked(lambda: self.promote(name))
        del os.environ[kill_points.VARIABLE]
        return os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else 0

    def after(self, name: str) -> dict[str, object]:
        """What a new reader sees, and what a second attempt leads to."""
        services = self.services(name)
        seen, verified = services.ledger.live_policy(NAME), services.ledger.verify()
        approve_and_promote(services, NAME, self.new, "ben", NOW)
        live, whole = services.ledger.live_policy(NAME), services.ledger.verify()
        mine = [one.kind for one in services.ledger.history(NAME) if one.policy_id == self.new]
        return {
            "seen": {self.old: "old", self.new: "new"}[seen.policy_id],
            "whole": verified.ok,
            "notes": list(verified.notes),
            "live": {self.old: "old", self.new: "new"}[live.policy_id],
            "whole_after": whole.ok,
            "kinds": [str(kind) for kind in mine],
            "champion_is_live": services.registry.aliases(NAME)["champion"] == live.model_version,
        }

    def _on_postgres(self, services: Services, name: str) -> Services:
        return (
            services
            if self.socket is None
            else replace(services, ledger=self._ledger(name, services.home))
        )

    def _ledger(self, database: str, home: Path) -> Ledger:
        url = f"postgresql+psycopg://postgres@/{database}?host={self.socket}"
        return Ledger(url, home / "ledger.head", enrolled_only=False)


def sweep(template: Path, work: Path, socket: Path | None) -> list[dict[str, object]]:
    """One line a kill point."""
    tried, told = Sweep(template, work, socket), work / "told.json"
    lines = []
    points = _told_by_child(tried.points, told)
    assert threading.active_count() == 1, "a fork would lose the other threads"
    for number, point in enumerate(points):
        name = f"home_{number}"
        died_of = tried.kill(point, name)
        line = _told_by_child(lambda name=name: tried.after(name), told)
        lines.append({"point": point, "killed": died_of == signal.SIGKILL, **line})
        shutil.rmtree(work / name)
    return lines


def _told_by_child(ask: object, told: Path) -> object:
    """Every answer is a child's: a database opened here would be shared with all of them."""
    ended = _forked(lambda: told.write_text(json.dumps(ask()), encoding="utf-8"))
    assert ended == 0, f"a child ended with {ended}"
    return json.loads(told.read_text(encoding="utf-8"))


def _forked(act: object) -> int:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException as failed:  # a child must never return into its parent's work
            sys.stderr.write(f"{type(failed).__name__}: {failed}\n")
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def _copy_rows(source: Ledger, target: Ledger) -> None:
    for table in _METADATA.sorted_tables:
        with reading(source._engine) as connection:
            rows = [dict(row) for row in connection.execute(select(table)).mappings()]
        with writing(target._engine) as connection:
            if rows:
                connection.execute(insert(table), rows)
    target._engine.dispose()


def _kinds(home: Path) -> tuple[object, dict[str, object]]:
    from tests.builders import small_case_type, small_settings

    return small_settings(), {NAME: small_case_type()}


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:]]
    told = sweep(folders[0], folders[1], folders[2] if len(folders) > 2 else None)
    sys.stdout.write(json.dumps(told))
