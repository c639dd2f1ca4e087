"""Two machines on one database with two audit keys: refused by the key's digest in the ledger.

Injected: a second home on the same database, with a copy of the first one's head file and the
same evidence folder, and an audit secret of its own (in its file, or in `RATCHET_AUDIT_KEY`).
"""

from __future__ import annotations

import shutil

import pytest

from configs.settings import load_settings
from tests.faults.house import House, built, everything_escalates
from tests.faults.test_50_audit_secret import OTHER, all_agree, drawn
from tests.flows.commands.live_home import LiveHome


def a_second_machine(first: House, home) -> House:
    """It joins as the messages ask, with a copy of the head file; both reach one evidence folder."""
    (home / "live").mkdir(parents=True)
    (first.home / "evidence").mkdir(exist_ok=True)
    (home / "live" / "evidence").symlink_to(first.home / "evidence")
    shutil.copytree(first.home / "mlflow", home / "live" / "mlflow")
    shutil.copy2(first.home / "ledger.head", home / "live")
    return House(LiveHome(home, dict(first.live.tokens)), first.wide, first.narrow)


def two_secrets_are_told_apart(first: House, home, monkeypatch) -> None:
    before = drawn(first, 0)
    second = a_second_machine(first, home)
    said, decisions = second.decide(1000)
    assert said.code == 3, said.err
    everything_escalates(decisions, "audit_secret_unknown")
    status = second.ask("status")
    assert (status.code, "the audit secret is lost" in status.out) == (3, True), status.out
    assert not (second.home / "audit.key").exists()  # none is made beside the ledger's

    (second.home / "audit.key").write_text(OTHER)
    said, decisions = second.decide(2000)
    assert said.code == 3
    everything_escalates(decisions, "audit_secret_unknown")
    assert "another machine's" in second.ask("doctor").out

    with monkeypatch.context() as here:
        here.setenv("RATCHET_AUDIT_KEY", OTHER)
        said, decisions = second.decide(3000)
        assert said.code == 3
        everything_escalates(decisions, "audit_secret_unknown")

    shutil.copy2(first.home / "audit.key", second.home)
    all_agree(second, before)
    drawn(second, 4000)
    drawn(first, 5000)


def both_draw_first(first: House, home, monkeypatch) -> None:
    """Two secrets before there was any draw: whoever draws first is known, the other one is told."""
    second = a_second_machine(first, home)
    assert second.ask("status").code == 0
    keys = [(one.home / "audit.key").read_text() for one in (first, second)]
    assert keys[0] != keys[1]
    drawn(second, 0)
    said, decisions = first.decide(1000)
    assert said.code == 3
    everything_escalates(decisions, "audit_secret_unknown")


@pytest.fixture
def on_sqlite(tmp_path, monkeypatch) -> House:
    """One file that both machines reach."""
    monkeypatch.setenv("RATCHET_DATABASE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    assert load_settings().database_url
    return built(tmp_path / "first")


def test_the_second_machines_secret_is_refused(on_sqlite: House, tmp_path, monkeypatch) -> None:
    two_secrets_are_told_apart(on_sqlite, tmp_path / "second", monkeypatch)


def test_whoever_draws_first_is_known(on_sqlite: House, tmp_path, monkeypatch) -> None:
    both_draw_first(on_sqlite, tmp_path / "second", monkeypatch)


@pytest.mark.slow
def test_on_postgres_the_second_machines_secret_is_refused(
    tmp_path, postgres_url, monkeypatch
) -> None:
    monkeypatch.setenv("RATCHET_DATABASE_URL", postgres_url)
    two_secrets_are_told_apart(built(tmp_path / "first"), tmp_path / "second", monkeypatch)


@pytest.mark.slow
def test_on_postgres_whoever_draws_first_is_known(tmp_path, postgres_url, monkeypatch) -> None:
    monkeypatch.setenv("RATCHET_DATABASE_URL", postgres_url)
    both_draw_first(built(tmp_path / "first"), tmp_path / "second", monkeypatch)
