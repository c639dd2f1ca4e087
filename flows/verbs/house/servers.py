"""What are the servers of a home, how are they kept up, and what is left when they end?

`up` starts Prefect's server and MLflow's page, deploys what prefect.yaml lists, starts a worker, and
stays: it starts again what dies, closes the runs of what was killed, and ends everything in order.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from sqlalchemy.engine import URL

from configs.errors import ServiceUnreachable, UserError
from configs.places import PROJECT, ratchet_config
from configs.settings import Settings
from flows.adapters.alerts.alerts import Alerts
from flows.adapters.files.files import write_atomically
from flows.adapters.files.private_home import keep_private
from flows.adapters.mlflow.mlflow_runs import create_tables
from flows.adapters.mlflow.mlflow_store import sqlite_uri
from flows.adapters.servers.migrated_prefect import begin_migrated
from flows.adapters.servers.prefect_api import PrefectApi
from flows.adapters.servers.processes import end_all, flow_runs_here, is_same, started_by
from flows.adapters.servers.supervised import Supervised
from flows.adapters.servers.up_file import folder_of, is_locked, only_one, running_up, write_up
from flows.adapters.sql.database import parsed_url, sqlite_url
from flows.verbs.house.dead_runs import (
    HEARTBEAT,
    POOL,
    cancel_missed,
    close_dead_runs,
    free_lost_slots,
    worker_name,
)
from flows.verbs.house.deployed import deployments, night_runs
from flows.verbs.live import open_services

PREFECT_PORT, MLFLOW_PORT = 4200, 5000
LOOPBACK = "127.0.0.1"
_PORTS_TRIED = 50
_START_SECONDS = 300.0
_DEPLOY_SECONDS = 300.0
_LOOK_SECONDS = 2.0
_CLOSE_SECONDS = 5.0
_SILENT_SECONDS = 60.0
_WORKER_PATIENCE, _SERVER_PATIENCE = 15.0, 10.0
_DOWN_SECONDS = 90.0

# What a person's shell may have set, and the servers of a home must not follow.
_AMBIENT = ("PREFECT_", "MLFLOW_TRACKING", "MLFLOW_REGISTRY", "MLFLOW_HOST", "MLFLOW_PORT")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that were asked for; None: the usual one, or the next that is free."""

    prefect: int | None = None
    mlflow: int | None = None


class _Stopped(Exception):
    """Somebody asked for an end while something was being started."""


def up(settings: Settings, ports: Ports, say: Say) -> None:
    """Start everything, keep it up until a signal asks for the end (SIGINT, SIGTERM, SIGHUP), end it.

    Args:
        say: tells a person one line.

    Raises:
        UserError: another `up` runs on this home, a port is taken, or the settings do not fit.
        ServiceUnreachable: a server does not come up, or dies again and again; everything was ended.
    """
    home = settings.home
    database = prefect_database(settings)
    keep_private(home)
    with only_one(home), _signals() as stop:
        # Wrong settings, and a database that does not answer, are told of before anything is started;
        # and an empty database is made ready by one process.
        open_services(settings.profile)
        left = started_by(home)
        if left:
            say(f"{len(left)} processes of an earlier `up` that was killed are ended first.")
            _end(home, say)
        if database.get_backend_name() == "sqlite":
            begin_migrated(Path(str(database.database)))
        prefect = _port(ports.prefect, PREFECT_PORT, "--prefect-port", set())
        mlflow = _port(ports.mlflow, MLFLOW_PORT, "--mlflow-port", {prefect})
        house = _House.of(settings, database, prefect, mlflow, stop, say)
        try:
            house.start()
            house.watch()
        except _Stopped:
            pass
        finally:
            house.end()


def down(home: Path, say: Say) -> bool:
    """End the `up` that runs on a home, from elsewhere; False where none does.

    Raises:
        ServiceUnreachable: it is somebody else's process, or does not end in time.
    """
    running = running_up(home)
    if running is None and not is_locked(home):
        left = started_by(home)
        if left:
            say(f"`ratchet up` was killed on {home}; {len(left)} of its processes are ended.")
            _end(home, say)
        return bool(left)
    if running is None:
        raise ServiceUnreachable(
            f"`ratchet up` is just starting or ending on {home}. Try again in a moment."
        )
    say(f"Process {running.pid} is asked to end.")
    try:
        os.kill(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it has just ended by itself
    except PermissionError:
        raise ServiceUnreachable(
            f"`ratchet up` on {home} is process {running.pid} of another user; ask them to end it."
        ) from None
    deadline = time.monotonic() + _DOWN_SECONDS
    while is_same(running.pid, running.created) or is_locked(home):
        if time.monotonic() > deadline:
            raise ServiceUnreachable(
                f"Process {running.pid} did not end within {_DOWN_SECONDS:.0f} s; see the logs in "
                f"{folder_of(home) / 'logs'}, then `kill -9 {running.pid}` and `ratchet down` again."
            )
        time.sleep(0.2)
    _end(home, say)
    return True


def close_dead_runs_here(alerts: Alerts, home: Path, now: datetime) -> list[str]:
    """Close the runs of the Prefect server at hand that nobody runs; what was closed, in sentences.

    That server is the one of this home's `up`, or `PREFECT_API_URL`; without either nothing is done.

    Raises:
        ServiceUnreachable: that server does not answer.
    """
    here = home.parent
    running = running_up(here)
    url = running.prefect_url + "/api" if running is not None else os.environ.get("PREFECT_API_URL")
    if not url:
        return []
    api = PrefectApi(url, os.environ.get("PREFECT_API_AUTH_STRING"))
    try:
        told = close_dead_runs(api, flow_runs_here(), now, worker_name(here))
    finally:
        api.close()
    for sentence in told:
        alerts.send("dead_run", None, sentence, now)
    return told


def prefect_database(settings: Settings) -> URL:
    """Where an `up` keeps what Prefect knows: beside the home's other files, or in PostgreSQL.

    Raises:
        UserError: the profile is a team's and names no database, or MLflow's tables are in the same.
    """
    own = settings.servers.prefect_database_url
    address = own or settings.database_url
    if address is None:
        if settings.profile == "team":
            raise UserError(
                "the profile 'team' needs a PostgreSQL database for everybody: set "
                "RATCHET_DATABASE_URL=postgresql+psycopg://USER@HOST/NAME (and the same for "
                "RATCHET_MLFLOW_TRACKING_URI, with another NAME)."
            )
        url = sqlite_url(settings.home / "prefect" / "prefect.db")
        return url.set(drivername="sqlite+aiosqlite")
    url = parsed_url(address)
    if url.get_backend_name() != "postgresql":
        return url.set(drivername="sqlite+aiosqlite", database=f"{url.database}.prefect")
    tracking = settings.mlflow_tracking_uri
    if tracking and tracking.startswith("postgresql") and _same_database(url, parsed_url(tracking)):
        raise UserError(
            f"Prefect and MLflow would keep their tables in the same database, {url.database!r}, and "
            "each would take the other's for its own. Name another database in "
            "RATCHET_SERVERS__PREFECT_DATABASE_URL."
        )
    query = {("ssl" if name == "sslmode" else name): value for name, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)


def environment_of(
    settings: Settings, database: URL, prefect_url: str, env: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """What the servers, the worker and its flows find in their environment."""
    home = settings.home
    config = ratchet_config(env)
    kept = {name: value for name, value in env.items() if not name.startswith(_AMBIENT)}
    auth = {name: env[name] for name in env if name.startswith("PREFECT_") and "AUTH" in name}
    address = database.render_as_string(hide_password=False)
    if database.get_backend_name() == "sqlite" and "?" in str(database.database):
        from urllib.parse import quote

        address = f"sqlite+aiosqlite:///file:{quote(str(database.database))}?uri=true"
    return {
        **kept,
        **auth,
        "RATCHET_HOME": str(home),
        "RATCHET_PROFILE": settings.profile,
        **({} if config is None else {"RATCHET_CONFIG": str(config)}),
        "RATCHET_PROJECT": str(PROJECT),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, [env.get("PYTHONPATH")])]),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_PROFILES_PATH": str(home / "prefect" / "profiles.toml"),
        "PREFECT_API_URL": f"{prefect_url}/api",
        "PREFECT_API_DATABASE_CONNECTION_URL": address,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Kept in files, so that a server that is started again knows who holds which slot.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": f"{HEARTBEAT.total_seconds():.0f}",
        "PREFECT_WORKER_QUERY_SECONDS": "5",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        # From warnings on: a run's log begins with its verdict (flows/orchestration/run_log.py).
        "PREFECT_LOGGING_LEVEL": env.get("PREFECT_LOGGING_LEVEL", "WARNING"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


@dataclass
class _House:
    """The servers of one `up`, in the order in which they are started."""

    settings: Settings
    environment: Mapping[str, str] = field(repr=False)
    prefect: Supervised
    mlflow: Supervised | None
    worker: Supervised
    api: PrefectApi
    prefect_url: str
    mlflow_url: str
    stop: threading.Event
    say: Say
    alerts: Alerts

    @classmethod
    def of(
        cls, settings: Settings, database: URL, prefect: int, mlflow: int, stop: threading.Event,
        say: Say,
    ) -> _House:  # fmt: skip
        home = settings.home
        prefect_url, mlflow_url = f"http://{LOOPBACK}:{prefect}", f"http://{LOOPBACK}:{mlflow}"
        environment = environment_of(settings, database, prefect_url)
        api = PrefectApi(f"{prefect_url}/api", environment.get("PREFECT_API_AUTH_STRING"))
        module = (sys.executable, "-m")

        def server(
            role: str, *command: str, healthy: Callable[[], bool], **more: Any
        ) -> Supervised:
            return Supervised(
                role, (*module, *command), more.pop("environment", environment), home,
                folder_of(home) / "logs" / f"{role}.log", healthy, **more,
            )  # fmt: skip

        tracking = settings.mlflow_tracking_uri
        page = None
        if tracking and tracking.startswith("http"):
            mlflow_url = tracking
        else:
            store = tracking or sqlite_uri(home / "live" / "mlflow" / "mlflow.db")
            page = server(
                "mlflow", "mlflow", "server", "--host", LOOPBACK, "--port", str(mlflow), "--workers", "1",
                healthy=lambda: _answers(f"{mlflow_url}/health"),
                # Not among the arguments, which everybody on this machine may read.
                environment={**environment, "MLFLOW_BACKEND_STORE_URI": store,
                             "MLFLOW_REGISTRY_STORE_URI": store},
            )  # fmt: skip
        return cls(
            settings, environment,
            server("prefect", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(prefect),
                   healthy=api.is_healthy),
            page,
            server("worker", "prefect", "worker", "start", "--pool", POOL, "--type", "process",
                   "--name", worker_name(home), healthy=lambda: True, leaves=True),
            api, prefect_url, mlflow_url, stop, say,
            Alerts(home / "live", settings.alerts.webhook_url),
        )  # fmt: skip

    @property
    def servers(self) -> list[Supervised]:
        return [one for one in (self.prefect, self.mlflow) if one is not None]

    def start(self) -> None:
        """Start the servers, deploy, tidy up what an earlier end left, start the worker, and say so."""
        home, began = self.settings.home, time.monotonic()
        write_up(home, self.prefect_url, self.mlflow_url)
        self.say(f"Prefect and MLflow are started on {home}; the first time takes a minute.")
        self.prefect.start()
        if self.mlflow is not None:
            if not self.settings.mlflow_tracking_uri:
                create_tables(self.mlflow.environment["MLFLOW_BACKEND_STORE_URI"])
            self.mlflow.start()
        self._until_healthy(self.prefect)
        schedule = self._deploy()
        for sentence in [*free_lost_slots(self.api), *self._tidy()]:
            self.say(sentence)
        self.worker.start()
        if self.mlflow is not None:
            self._until_healthy(self.mlflow)
        self.say(f"Everything is up after {time.monotonic() - began:.0f} s.")
        self.say(f"Prefect (runs, logs, schedules):  {self.prefect_url}")
        self.say(f"MLflow (models, experiments):     {self.mlflow_url}")
        self.say(f"Logs:                             {folder_of(home) / 'logs'}")
        self.say(schedule)
        self.say("End it with Ctrl-C here, or with `ratchet down` elsewhere.")

    def watch(self) -> None:
        """Until somebody asks for the end: start what dies, close what was killed."""
        looked, healthy_at = 0.0, time.monotonic()
        while not self.stop.wait(_LOOK_SECONDS):
            for one in [*self.servers, self.worker]:
                if one.died is not None:
                    self._start_again(one)
                    healthy_at = time.monotonic()
            if time.monotonic() - looked < _CLOSE_SECONDS:
                continue
            looked = time.monotonic()
            try:
                for sentence in self._tidy():
                    self.say(sentence)
                healthy_at = time.monotonic()
            except ServiceUnreachable:
                if time.monotonic() - healthy_at > _SILENT_SECONDS and self.prefect.process:
                    self.prefect.process.kill()  # it hangs; seen as dead at the next look

    def end(self) -> None:
        """End everything in order: the worker and its flows, what they left in Prefect, the servers."""
        self.say("Everything is being ended.")
        self.worker.stop(_WORKER_PATIENCE)
        if self.prefect.process is not None and self.prefect.died is None:
            try:
                for sentence in self._tidy(ending=True):
                    self.say(sentence)
            except ServiceUnreachable as silent:
                self.say(f"{silent} Runs that were cut off are closed by the next `ratchet up`.")
        self.api.close()
        for one in reversed(self.servers):
            one.stop(_SERVER_PATIENCE)
        _end(self.settings.home, self.say)
        self.say("Nothing is left running.")

    def _start_again(self, one: Supervised) -> None:
        code = one.died
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        sentence = f"{one.role} ended {how} and is started again."
        self.say(sentence)
        self.alerts.send("server_restarted", None, sentence, datetime.now(UTC), server=one.role)
        if one is not self.worker:
            one.start_again()
            self._until_healthy(one)
            if one is self.prefect:
                self._say_all(free_lost_slots)
            return
        self._say_all(lambda api: cancel_missed(api, datetime.now(UTC)))
        one.start_again()

    def _say_all(self, act: Callable[[PrefectApi], list[str]]) -> None:
        try:
            for sentence in act(self.api):
                self.say(sentence)
        except ServiceUnreachable as silent:
            self.say(str(silent))  # looked at again a moment later

    def _tidy(self, *, ending: bool = False) -> list[str]:
        """Close the runs that nobody runs, and cancel those that a later one covers."""
        now = datetime.now(UTC)
        since = None
        if self.worker.began_at:
            since = datetime.fromtimestamp(self.worker.began_at, UTC)
        elif self.worker.process is None:
            since = now  # nothing that is taken has been begun by a worker of this `up`
        if ending:
            since = now
        closed = close_dead_runs(
            self.api, flow_runs_here(), now, worker_name(self.settings.home), since
        )
        for sentence in closed:
            self.alerts.send("dead_run", None, sentence, now)
        return closed if ending else [*closed, *cancel_missed(self.api, now)]

    def _deploy(self) -> str:
        """Make the work pool and every deployment; when the night runs, and which schedules stay off."""
        document, off = deployments(self.settings)
        file = folder_of(self.settings.home) / "prefect.yaml"
        content = yaml.safe_dump(document, sort_keys=False).encode("utf-8")
        write_atomically(file, lambda stream: stream.write(content))
        if not self.api.has_pool(POOL):
            self._prefect("work-pool", "create", POOL, "--type", "process")
        self._prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(file))
        return " ".join([night_runs(document), *(f"{one}." for one in off)])

    def _prefect(self, *command: str) -> None:
        """One command of Prefect's that must succeed."""
        log = folder_of(self.settings.home) / "logs" / "deploy.log"
        one = Supervised(
            "deploy", (sys.executable, "-m", "prefect", *command), self.environment,
            self.settings.home, log, lambda: True,
            PROJECT,  # entrypoints are named relative to the clone
        )  # fmt: skip
        one.start()
        self._until(lambda: one.died is not None, _DEPLOY_SECONDS, f"`prefect {command[0]}`", log)
        if one.died:
            raise ServiceUnreachable(
                f"`prefect {' '.join(command)}` failed; {log} ends:\n{one.last_words()}"
            )

    def _until_healthy(self, one: Supervised) -> None:
        def ready() -> bool:
            if one.died is not None:
                raise ServiceUnreachable(
                    f"{one.role} ended with exit code {one.died} before it was ready; {one.log} "
                    f"ends:\n{one.last_words()}"
                )
            return one.is_healthy()

        self._until(ready, _START_SECONDS, one.role, one.log)

    def _until(self, ready: Callable[[], bool], seconds: float, what: str, log: Path) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if self.stop.wait(0.3):
                raise _Stopped
            if time.monotonic() > deadline:
                raise ServiceUnreachable(f"{what} was not ready after {seconds:.0f} s; see {log}.")


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """Within, SIGINT, SIGTERM and SIGHUP ask for the end, and cut nothing short."""
    stop = threading.Event()
    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, lambda *_: stop.set()) for each in asked}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _port(asked: int | None, usual: int, option: str, taken: set[int]) -> int:
    """The port that was asked for, else the usual one or the next that is free.

    Raises:
        UserError: the one that was asked for is taken, or none is free.
    """
    if asked is not None:
        if asked in taken or not _is_free(asked):
            raise UserError(f"{option} {asked}: another program has that port; name a free one.")
        return asked
    for port in range(usual, usual + _PORTS_TRIED):
        if port not in taken and _is_free(port):
            return port
    raise UserError(f"no port from {usual} on is free; name one with {option}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0).is_success
    except (httpx.HTTPError, OSError):
        return False


def _same_database(one: URL, other: URL) -> bool:
    def place(url: URL) -> tuple[Any, ...]:
        return url.host or url.query.get("host") or "", url.port or 5432, url.database

    return place(one) == place(other)


def _end(home: Path, say: Say) -> None:
    left = end_all(lambda: started_by(home))
    if left:
        say(f"Processes that would not end: {', '.join(map(str, left))}.")
