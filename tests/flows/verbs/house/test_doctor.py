"""What the doctor finds of settings, versions, addresses and sources; the rest is in the fault tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.verbs.house import doctor
from flows.verbs.house.doctor import HealthFinding, _is_here, _numbers, _open_servers, examine


@pytest.mark.parametrize(
    ("installed", "safe", "ok"),
    [
        ("3.16.1", (3, 16, 1), True),
        ("3.17.0rc0", (3, 16, 1), True),
        ("3.16.1rc1", (3, 16, 1), False),
        ("3.16.0", (3, 16, 1), False),
        ("3.6.9", (3, 6, 28), False),
        ("4.0.0.dev1", (3, 6, 28), True),
    ],
)
def test_a_version_is_compared_by_its_numbers(installed, safe, ok) -> None:
    """What comes before a release is not the release."""
    assert (_numbers(installed) >= safe) == ok


def test_an_old_server_is_named_with_the_version_it_is_safe_from(monkeypatch) -> None:
    monkeypatch.setattr(doctor, "version", lambda name: {"mlflow": "3.16.0"}.get(name, "3.9.0"))
    (said,) = doctor._old_versions()
    assert said.startswith("mlflow 3.16.0 is installed, and its server is safe from 3.16.1 on")


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True),
        ("0.0.0.0", False), ("::", False), ("", False), ("10.0.0.1", False),
        ("127.0.0.1.example.org", False), ("localhost.example.org", False),
    ],
)  # fmt: skip
def test_only_loopback_is_here(host, here) -> None:
    assert _is_here(host) == here


@pytest.mark.parametrize(
    ("env", "registry", "named"),
    [
        ({}, None, ""),
        ({"PREFECT_SERVER_API_HOST": "0.0.0.0"}, None, "PREFECT_SERVER_API_HOST"),
        ({"MLFLOW_HOST": "::"}, None, "MLFLOW_HOST"),
        (
            {"PREFECT_SERVER_API_HOST": "0.0.0.0", "PREFECT_SERVER_API_AUTH_STRING": "a:b"},
            None,
            "",
        ),
        ({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, None, ""),
        ({"PREFECT_API_URL": "http://prefect.example.org/api"}, None, "PREFECT_API_URL"),
        ({"PREFECT_API_URL": "http://h/api", "PREFECT_API_AUTH_STRING": "a:b"}, None, ""),
        ({}, "http://10.0.0.1:5000", "mlflow_tracking_uri"),
        ({}, "http://name:word@10.0.0.1:5000", ""),
        ({}, "sqlite:////somewhere/mlflow.db", ""),
        ({}, "http://[not-an-address", "mlflow_tracking_uri is no address"),
    ],
)
def test_a_server_that_asks_nobody_who_they_are_is_named(env, registry, named) -> None:
    said = _open_servers(env, registry)
    assert (named in said) if named else said == ""
    assert "word" not in said


def told(**env: str) -> dict[str, HealthFinding]:
    return {one.check: one for one in examine(env=env)}


@pytest.fixture
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path / "home"))


@pytest.mark.usefixtures("_home")
def test_settings_that_cannot_be_read_come_first() -> None:
    """What rests on them is not looked at, and that is said."""
    found = told(RATCHET_NO_SUCH_KEY="1")
    assert "unknown key" in found["settings"].problem
    assert not found["everything else"].ok
    assert "ledger" not in found


@pytest.mark.usefixtures("_home")
def test_a_source_whose_file_is_not_there_is_named(tmp_path: Path) -> None:
    """By the source's name, never by a row; a file that is no source is named with its line."""
    source = tmp_path / "desk.yaml"
    source.write_text("name: desk\nkind: reviews\npath: nowhere.parquet\n", encoding="utf-8")
    found = told(RATCHET_SOURCES__REVIEWS=str(source))
    assert "'desk' of reviews names a file that is not there" in found["sources"].problem
    source.write_text("name: desk\nkind: nothing\n", encoding="utf-8")
    assert "desk.yaml" in told(RATCHET_SOURCES__REVIEWS=str(source))["sources"].problem
    (tmp_path / "nowhere.parquet").write_bytes(b"x")
    source.write_text("name: desk\nkind: reviews\npath: nowhere.parquet\n", encoding="utf-8")
    assert told(RATCHET_SOURCES__REVIEWS=str(source))["sources"].ok
