"""Passwords and signed parameters in any address, cell values in any message: masked.

Injected: one canary as the password, token or signature of every address that can be set (databases,
MLflow, webhook, sources by SQL and by file), well and badly written, and as a cell that a database
cannot convert; commands are given, and whatever they print, log or leave below the home is searched.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from configs.errors import GateRefused, ServiceUnreachable, UserError
from configs.sources import SourceSettings
from flows.adapters.alerts.alerts import Alerts
from flows.adapters.alerts.log_masking import mask_logs
from flows.adapters.tables.sources import read_source
from flows.cli import cli, main
from flows.verbs import live
from tests.faults.hub import NAME, NOW, Hub
from tests.flows.commands.live_home import LiveHome, Said

CANARY = "hunter2ikWq"
NOBODY = "127.0.0.1:9"

SETTINGS = {
    "RATCHET_DATABASE_URL": [
        f"postgresql+psycopg://ana:{CANARY}@{NOBODY}/x",
        f"postgresql+psycopg://ana:{quote(CANARY + '@/')}@{NOBODY}/x",
        f"postgresql+psycopg://ana:{CANARY}/{CANARY}@{NOBODY}/x",
        f"postgresql+psycopg://ana:{CANARY}:{CANARY}@host:notaport/x",
        f"postgresql+psycopg://{NOBODY}/x?user=ana&password={CANARY}",
        f"postgresql+psycopg://{NOBODY}/x?user=ana&sslmode=require&sslpassword={CANARY}&oops=1",
        f"postgresql+nodriver://ana:{CANARY}@{NOBODY}/x",
        f"nosuchdatabase://ana:{CANARY}@{NOBODY}/x",
        f"host=127.0.0.1 password={CANARY}",
        f"!{CANARY}",
        f"!{CANARY}!x",
        f"*{CANARY}",
        f"'{CANARY}",
        f"{{{CANARY}: [",
        f"[postgresql://ana:{CANARY}@{NOBODY}/x]",
        f"{{postgresql://ana:{CANARY}@{NOBODY}/x: 1}}",
    ],
    "RATCHET_MLFLOW_TRACKING_URI": [
        f"ftp://ana:{CANARY}@{NOBODY}/x",
        f"/srv/{NAME}?token={CANARY}",
        f"http://ana:{CANARY}@{NOBODY}",
        f"http://{NOBODY}/?token={CANARY}",
        f"postgresql+psycopg://ana:{CANARY}@{NOBODY}/x",
        f"postgresql+nodriver://ana:{CANARY}@{NOBODY}/x",
    ],
    "RATCHET_ALERTS__WEBHOOK_URL": [f"slack://{CANARY}", f"http://{NOBODY}/{CANARY}?t={CANARY}"],
}

SOURCES = {
    "no server": f"url: postgresql+psycopg://ana:{CANARY}@{NOBODY}/x\nquery: SELECT 1",
    "an unknown driver": f"url: oracle+nothing://ana:{CANARY}@{NOBODY}/x\nquery: SELECT 1",
    "a bad option": f'url: "postgresql+psycopg://{NOBODY}/x?password={CANARY}&oops={CANARY}"\nquery: SELECT 1',
    "a signed file": f'path: "http://{NOBODY}/x.parquet?X-Amz-Signature={CANARY}&sv={CANARY}"',
    "a token as user": f'path: "https://{CANARY}@{NOBODY}/x.parquet"',
    "a bucket": f'path: "s3://key:{CANARY}@bucket/x.parquet?AWSAccessKeyId={CANARY}"',
    "a chain": f'path: "simplecache::http://{NOBODY}/x.parquet?sig={CANARY}"',
    "no scheme": f'path: "nothing://ana:{CANARY}@host/x.parquet"',
    "a tag": f"url: !{CANARY} x\nquery: SELECT 1",
    "an alias": f"url: *{CANARY}\nquery: SELECT 1",
    "an unknown key": f"postgresql://ana:{CANARY}@{NOBODY}/x: 1",
    "a list": f"url: [postgresql://ana:{CANARY}@{NOBODY}/x]\nquery: SELECT 1",
    "a cell": f"url: 'duckdb:///:memory:'\nquery: SELECT '{CANARY}'::INT AS decided_at",
}


def silent_about_it(said: Said, home: Path, code: int | None = None) -> bool:
    left = [file for file in home.rglob("*") if file.is_file()]
    assert CANARY not in said.out + said.err
    assert [file for file in left if CANARY.encode() in file.read_bytes()] == []
    return code is None or said.code == code


@pytest.mark.parametrize(
    ("variable", "value"), [(name, value) for name, all_ in SETTINGS.items() for value in all_]
)
def test_no_setting_is_repeated_by_what_refuses_it(
    bare_home: LiveHome, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """`status` and `reconcile` say what is wrong, in 2, 3 or 4, or do without it."""
    monkeypatch.setenv(variable, value)
    for command in ("status", "reconcile"):
        said = bare_home.ask(command)
        assert silent_about_it(said, bare_home.home)
        assert said.code in (0, 2, 3, 4)


@pytest.mark.parametrize("name", SOURCES)
def test_no_source_is_repeated_by_what_cannot_read_it(
    bare_home: LiveHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The night ends with 2, 3 or 4 and a sentence."""
    file = tmp_path / "sources.yaml"
    file.write_text(f"name: desk\nkind: decisions\n{SOURCES[name]}\n", encoding="utf-8")
    monkeypatch.setenv("RATCHET_SOURCES__DECISIONS", str(file))
    said = bare_home.ask("night")
    assert silent_about_it(said, bare_home.home)
    assert said.code in (2, 3, 4), said.err


def test_whatever_is_raised_for_people_is_masked_where_it_is_made() -> None:
    """So no road to the console, a log, an alert or Prefect can forget to."""
    for kind in (UserError, GateRefused, ServiceUnreachable):
        said = str(kind(f"https://ana:{CANARY}@host/x and password={CANARY}"))
        assert said == "https://***:***@host/x and password=***"


def test_a_bug_shows_its_traceback_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; where it happened stays readable."""

    def broken(**_: object) -> None:
        raise RuntimeError(f"could not parse postgresql://ana:{CANARY}@host/x")

    monkeypatch.setattr(cli.commands["status"], "callback", broken)
    with pytest.raises(SystemExit) as ended:
        main(["status"])
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert "in broken" in told
    assert "postgresql://ana:***@host/x" in told
    assert CANARY not in told


def test_logs_of_any_library_are_masked_with_their_tracebacks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also what it logs by arguments, and twice asked for is once masked."""
    before = logging.getLogRecordFactory()
    try:
        mask_logs()
        mask_logs()
        try:
            raise ValueError(f"https://host/x?sig={CANARY}")
        except ValueError:
            logging.getLogger("somebody.else").exception("at %s", f"s3://a:{CANARY}@b")
    finally:
        logging.setLogRecordFactory(before)
    assert CANARY not in caplog.text
    assert "at s3://a:***@b" in caplog.text
    assert "https://host/x?sig=***" in caplog.text


def test_alerts_and_dossiers_are_masked(hub: Hub) -> None:
    """The sentence, and every fact that is a text."""
    address = f"postgresql://ana:{CANARY}@host/x"
    Alerts(hub.services.home).send("a_test", NAME, f"See {address}.", NOW, where=[address], n=1)
    line = hub.services.alerts.file.read_text(encoding="ascii")
    assert CANARY not in line
    assert '"n": 1' in line
    path = live.file_dossier(
        hub.services, {"as_of": NOW.isoformat(), "reasons": [f"See {address}."]}
    )
    assert CANARY not in path.read_text(encoding="utf-8")


def test_tags_of_a_run_are_masked(hub: Hub) -> None:
    """A note may quote why something failed."""
    address = f"https://host/x?sig={CANARY}"
    with hub.services.registry.run(
        "retrain", NAME, f"From {address}.", tags={"at": address}
    ) as run:
        pass
    tags = hub.client.get_run(run.info.run_id).data.tags
    assert tags["mlflow.note.content"] == "From https://host/x?sig=***."
    assert CANARY not in str(tags)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT '{0}'::INT AS a",
        "SELECT strptime('{0}', '%d') AS a",
        "SELECT '{0}'::DATE AS a",
        "SELECT '{0}'::DECIMAL(4, 2) AS a",
    ],
)
def test_a_cell_that_cannot_be_converted_is_not_quoted(query: str) -> None:
    """DuckDB says which value it was."""
    source = SourceSettings.model_validate(
        {"name": "desk", "kind": "outcomes", "url": "duckdb:///:memory:",
         "query": query.format(CANARY)}
    )  # fmt: skip
    with pytest.raises(UserError, match="refused the query") as refused:
        read_source(source)
    assert CANARY not in str(refused.value)
    assert CANARY not in repr(refused.value.__cause__)


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "SELECT '{0}'::INT AS a",
        "SELECT '{0}'::TIMESTAMPTZ AS a",
        "SELECT ('{0}' || '{{')::JSON AS a",
        "SELECT '{0}'::UUID AS a",
    ],
)
def test_a_cell_that_postgres_cannot_convert_is_not_quoted(postgres_url: str, query: str) -> None:
    """Nor is the address's password, if it has one."""
    source = SourceSettings.model_validate(
        {"name": "desk", "kind": "outcomes", "url": postgres_url, "query": query.format(CANARY)}
    )
    with pytest.raises(UserError, match="refused the query") as refused:
        read_source(source)
    assert CANARY not in str(refused.value)


@pytest.fixture
def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveHome:
    """An empty home, and nothing that a person's shell has set."""
    for name in list(os.environ):
        if name.startswith(("RATCHET_", "MLFLOW_")) and name != "RATCHET_DATA":
            monkeypatch.delenv(name)
    return LiveHome(tmp_path / "home")
