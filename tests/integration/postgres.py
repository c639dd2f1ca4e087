"""Where does a test get a PostgreSQL server of its own that leaves nothing behind?"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path

import psycopg
import pytest

BINARIES = ("initdb", "postgres")
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


@pytest.fixture(scope="session")
def postgres_server():
    """A throwaway server on a Unix socket; yields the folder of the socket.

    Skips with the names of what is missing, or fails where CI=true: there nothing may be missing.
    """
    missing, binaries = _binaries()
    if missing:
        reason = f"PostgreSQL cannot be started: {', '.join(missing)} not found"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    # Not pytest's own folder: a socket's path has at most some 100 characters.
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        with (home / "server.log").open("w") as log:
            if os.geteuid() == 0:
                shutil.chown(home, "postgres", "postgres")
            _make_cluster(home, binaries["initdb"], log)
            server = _start(home, binaries["postgres"], log)
        try:
            _wait_until_ready(server, home)
            yield home
        finally:
            _stop(server)
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def _database_numbers():
    return count()


@pytest.fixture
def postgres_url(postgres_server, _database_numbers):
    """The SQLAlchemy URL of an empty database, dropped after the test."""
    name = f"ratchet_{next(_database_numbers)}"
    _administer(postgres_server, f"CREATE DATABASE {name}")
    yield f"postgresql+psycopg://postgres@/{name}?host={postgres_server}"
    _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_execute(postgres_url):
    """Runs a statement on the database of `postgres_url`, past the code that keeps it."""

    def execute(statement):
        with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
            connection.execute(statement)

    return execute


def _binaries():
    """What is missing, and where the binaries are."""
    found = {name: _find(name) for name in BINARIES}
    missing = [name for name, path in found.items() if path is None]
    if os.geteuid() == 0 and not _user_exists("postgres"):
        missing.append("the operating system's user 'postgres' (the server refuses root)")
    return missing, found


def _find(name):
    """`pg_config --bindir`, then PATH, then Debian's folders, the newest version first."""
    folders = []
    if shutil.which("pg_config"):
        told = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(told.stdout.strip()))
    on_path = shutil.which(name)
    if on_path:
        folders.append(Path(on_path).parent)
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(debian, key=lambda folder: _version(folder.parent.name), reverse=True)
    return next((folder / name for folder in folders if os.access(folder / name, os.X_OK)), None)


def _version(folder):
    return int(folder) if folder.isdigit() else 0


def _user_exists(name):
    return any(user.pw_name == name for user in pwd.getpwall())


def _as_owner(home, log):
    """How to run a program of the server: never as root, in a folder its user may enter."""
    options = {"cwd": home, "stdout": log, "stderr": subprocess.STDOUT}
    if os.geteuid() == 0:
        options |= {"user": "postgres", "group": "postgres", "extra_groups": []}
    return options


def _make_cluster(home, initdb, log):
    command = [initdb, "--pgdata", home / "data", "--username", "postgres", "--auth", "trust"]
    command += ["--encoding", "UTF8", "--no-locale", "--no-sync"]
    made = subprocess.run(command, **_as_owner(home, log), timeout=_START_SECONDS, check=False)
    assert made.returncode == 0, (home / "server.log").read_text()


def _start(home, postgres, log):
    settings = {"listen_addresses": "", "unix_socket_directories": home, "fsync": "off"}
    command = [postgres, "-D", home / "data"]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return subprocess.Popen(command, **_as_owner(home, log))


def _wait_until_ready(server, home):
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _administer(home, "SELECT 1")
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {(home / 'server.log').read_text()}")
            time.sleep(0.05)


def _stop(server):
    server.send_signal(signal.SIGINT)  # fast shutdown: sessions are ended, the data is closed
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _administer(home, statement):
    url = f"postgresql://postgres@/postgres?host={home}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
