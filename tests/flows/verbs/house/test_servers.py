"""What `up` decides before it starts anything: databases, environment, ports, schedules."""

from __future__ import annotations

import socket

import pytest

from configs.errors import UserError
from configs.settings import load_settings
from flows.adapters.servers.up_file import is_locked, only_one, running_up, write_up
from flows.verbs.house.deployed import deployments, night_runs
from flows.verbs.house.servers import _port, down, environment_of, prefect_database

PG = "postgresql+psycopg://ana:secret@db.example.org/ratchet"


def settings(**variables: str):  # type: ignore[no-untyped-def]
    return load_settings(env={f"RATCHET_{name}": value for name, value in variables.items()})


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"DATABASE_URL": PG}, "postgresql+asyncpg://ana:secret@db.example.org/ratchet"),
        ({"DATABASE_URL": PG + "?sslmode=require"},
         "postgresql+asyncpg://ana:secret@db.example.org/ratchet?ssl=require"),
        ({"DATABASE_URL": PG, "SERVERS__PREFECT_DATABASE_URL": PG.replace("/ratchet", "/prefect")},
         "postgresql+asyncpg://ana:secret@db.example.org/prefect"),
        ({"DATABASE_URL": PG, "MLFLOW_TRACKING_URI": PG.replace("/ratchet", "/mlflow")},
         "postgresql+asyncpg://ana:secret@db.example.org/ratchet"),
    ],
)  # fmt: skip
def test_prefect_keeps_its_runs_beside_the_ledger(variables: dict[str, str], address: str) -> None:
    url = prefect_database(settings(**variables))
    assert url.render_as_string(hide_password=False) == address


def test_a_database_that_prefect_and_mlflow_would_share_is_refused() -> None:
    """Both keep their step in a table of one name. The message has no password."""
    with pytest.raises(UserError, match="RATCHET_SERVERS__PREFECT_DATABASE_URL") as said:
        prefect_database(
            settings(DATABASE_URL=PG, MLFLOW_TRACKING_URI=PG.replace("ana:secret@", ""))
        )
    assert "secret" not in str(said.value)


def test_a_team_without_a_database_is_told_what_to_set() -> None:
    with pytest.raises(UserError, match="RATCHET_DATABASE_URL"):
        prefect_database(load_settings("team", env={}))


def test_the_servers_follow_this_home_and_no_shell(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Ambient addresses are left out; a sign-in and the sources are handed on."""
    shell = {
        "PREFECT_API_URL": "http://elsewhere/api", "MLFLOW_TRACKING_URI": "http://elsewhere",
        "PREFECT_API_AUTH_STRING": "a:b", "RATCHET_SOURCES__CASES": "cases.yaml", "PATH": "/bin",
    }  # fmt: skip
    given = settings()
    found = environment_of(given, prefect_database(given), "http://127.0.0.1:4200", shell)
    assert found["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert "elsewhere" not in "".join(found.values())
    assert found["PREFECT_API_AUTH_STRING"] == "a:b"
    assert (found["RATCHET_SOURCES__CASES"], found["PATH"]) == ("cases.yaml", "/bin")


def test_a_schedule_without_its_source_stays_off() -> None:
    """Everything else is deployed as prefect.yaml says; the night runs without sources, as it guards."""
    for cases, off in ((None, 1), ("cases.yaml", 0)):
        given = settings() if cases is None else settings(SOURCES__CASES=cases)
        document, told = deployments(given)
        assert len(told) == off
        active = {
            one["entrypoint"].split(":")[1]: one["schedules"][0]["active"]
            for one in document["deployments"]
            if one.get("schedules")
        }
        assert active == {
            "nightly_calibration": True, "decide_cases": not off, "validate_ab": True, "reconcile": True,
        }  # fmt: skip


def test_a_port_that_was_asked_for_is_that_or_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--prefect-port {port}: another program"):
            _port(port, 4200, "--prefect-port", set())
        assert _port(None, port, "--prefect-port", set()) > port


def test_one_up_a_home_and_a_stale_file_is_none(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """The lock counts, and the moment at which the process began: its number alone proves nothing."""
    said: list[str] = []
    assert not down(tmp_path, said.append)
    with only_one(tmp_path):
        up = write_up(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2")
        assert running_up(tmp_path) == up
        with (
            pytest.raises(UserError, match=f"already runs on .*process {up.pid}"),
            only_one(tmp_path),
        ):
            pass
        file = tmp_path / "up" / "up.json"
        file.write_text(file.read_text().replace(str(up.created), "1.0"))
        assert running_up(tmp_path) is None
    assert not is_locked(tmp_path)
    assert running_up(tmp_path) is None


@pytest.mark.parametrize(
    ("schedules", "told"),
    [
        ([{"cron": "0 2 * * *", "timezone": "UTC"}], "The night runs at 02:00 UTC."),
        ([{"cron": "13 11 * * *", "timezone": "UTC"}], "The night runs at 11:13 UTC."),
        ([{"cron": "0 2 * * 1-5"}], 'The night runs at cron "0 2 * * 1-5" UTC.'),
        ([{"cron": "0 2 * * *", "active": False}], "No schedule runs the night"),
        ([], "No schedule runs the night"),
    ],
)
def test_when_the_night_runs_is_read_from_its_schedule(schedules, told) -> None:
    """Not said by heart: people change it."""
    document = {
        "deployments": [
            {
                "entrypoint": "flows/decide_cases.py:decide_cases",
                "schedules": [{"cron": "5 5 * * *"}],
            },
            {
                "entrypoint": "flows/nightly_calibration.py:nightly_calibration",
                "schedules": schedules,
            },
        ]
    }
    assert night_runs(document).startswith(told)
