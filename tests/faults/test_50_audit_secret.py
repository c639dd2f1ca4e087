"""The audit secret is lost, changed or shortened: refused by a check kept in the ledger, told by `doctor`;
rotation is a command, and old draws stay reproducible.

Injected: `audit.key` deleted, emptied, overwritten, shortened or swapped for an earlier one,
`RATCHET_AUDIT_KEY` set to another secret or to a short one, and a rotation killed at each step.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess

import pytest

from flows.verbs.record.recompute import recompute, stored_case
from models.hub import secret_epochs
from tests.faults.house import NAME, House, built, copied, everything_escalates
from tests.flows.command_line import RATCHET, ROOT

OTHER = "another-secret-of-32-characters!"


def gone(key):
    key.unlink()


def empty(key):
    key.write_bytes(b"")


def shortened(key):
    key.write_text(key.read_text()[:20])


def shortened_below_the_least(key):
    key.write_text(key.read_text()[:8])


def overwritten(key):
    key.write_text(OTHER)


def no_text(key):
    key.write_bytes(b"\xff\xfe" * 20)


@pytest.fixture
def house(tmp_path) -> House:
    return copied(tmp_path / "home")


def drawn(house: House, start: int):
    """New cases decided; some are automatic, and some of those are audited."""
    said, decisions = house.decide(start)
    assert said.code == 0, said.err
    automatic = decisions["action"] != "escalate"
    assert decisions.loc[automatic, "audited"].nunique() == 2
    return decisions


def all_agree(house: House, decisions) -> None:
    """Each stored decision is decided the same again, its audit draw too."""
    services = house.services()
    for case_id in decisions["case_id"].iloc[:20]:
        told = recompute(services, stored_case(services.store, case_id))
        assert told["agrees_in_all"], (case_id, told)


def refused_by_name(house: House, named: str, start: int) -> None:
    """Every case goes to people; the command, `status`, `doctor` and an alert say why."""
    said, decisions = house.decide(start)
    assert said.code == 3, said.err
    everything_escalates(decisions, "audit_secret_unknown")
    for command in ("status", "doctor"):
        told = house.ask(command)
        assert (told.code, named in told.out) == (3, True), told.out
    assert house.services().alerts.recent(1)[0]["kind"] == "audit_secret_unknown"
    checks = json.loads(house.ask("doctor", "--json").out)["checks"]
    assert [one["check"] for one in checks if not one["ok"]] == ["audit secret"]
    refused = house.ask("export-serving", NAME, "--to", str(house.home / "served"))
    assert (refused.code, (house.home / "served").exists()) == (3, False)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (gone, "audit.key is missing: the audit secret is lost"),
        (empty, "audit.key is empty"),
        (shortened, "does not hold the audit secret that the ledger knows"),
        (shortened_below_the_least, "does not hold the audit secret that the ledger knows"),
        (overwritten, "does not hold the audit secret that the ledger knows"),
        (no_text, "audit.key is empty or cannot be read"),
    ],
)
def test_another_secret_than_the_ledgers_is_refused(house: House, change, named) -> None:
    """And with the right one put back, everything goes on, and the old draws are the same."""
    before = drawn(house, 0)
    key = house.home / "audit.key"
    kept = key.read_bytes()
    change(key)
    refused_by_name(house, named, 1000)
    key.write_bytes(kept)
    all_agree(house, before)
    drawn(house, 2000)


def test_a_given_secret_counts_and_is_checked(house: House, monkeypatch) -> None:
    """In the environment the right one is as good as the file; another one is refused."""
    before = drawn(house, 0)
    key = house.home / "audit.key"
    monkeypatch.setenv("RATCHET_AUDIT_KEY", key.read_text())
    key.unlink()
    drawn(house, 1000)
    all_agree(house, before)
    monkeypatch.setenv("RATCHET_AUDIT_KEY", OTHER)
    refused_by_name(house, "RATCHET_AUDIT_KEY does not hold the audit secret", 2000)


@pytest.mark.parametrize("given", ["a", "fifteen-letters"])
def test_a_short_secret_is_refused_before_any_draw(house: House, monkeypatch, given) -> None:
    """Below 16 characters, and the message says so; nothing is recorded of it."""
    monkeypatch.setenv("RATCHET_AUDIT_KEY", given)
    refused_by_name(house, "it needs 16 at least", 0)
    assert secret_epochs(house.services().ledger.history()) == ()
    monkeypatch.setenv("RATCHET_AUDIT_KEY", "sixteen-letters!")
    drawn(house, 1000)


def test_the_check_does_not_reveal_the_secret(house: House) -> None:
    """It is salted and slow; the secret stands in no entry."""
    drawn(house, 0)
    secret = (house.home / "audit.key").read_text()
    told = house.ask("history", "--json").out
    assert secret not in told
    (epoch,) = secret_epochs(house.services().ledger.history())
    assert len(epoch.salt) >= 32
    assert epoch.check not in secret


def test_a_rotation_is_an_entry_and_keeps_the_old_draws(house: House) -> None:
    """Twice; each case is drawn again by the secret in force when it was decided."""
    before, keys = [drawn(house, 0)], [(house.home / "audit.key").read_text()]
    for number in (1, 2):
        said = house.ask("audit-key", "rotate", "--reason", "somebody left", by="ola")
        assert said.code == 0, said.err
        keys.append((house.home / "audit.key").read_text())
        before.append(drawn(house, 1000 * number))
    assert len(set(keys)) == 3
    for decisions in before:
        all_agree(house, decisions)
    kinds = [one.kind for one in house.services().ledger.history("@audit_secret")]
    assert kinds == ["audit_secret_recorded", "audit_secret_rotated", "audit_secret_rotated"]
    kept = sorted(house.home.glob("audit.key*"))
    assert len(kept) == 3
    assert {stat.S_IMODE(one.stat().st_mode) for one in kept} == {0o600}
    assert house.ask("doctor").code == 0
    (house.home / "audit.key").write_text(keys[0])
    refused_by_name(house, "holds the audit secret of before", 5000)


def test_a_rotation_takes_a_reason_a_role_and_the_old_secret(house: House) -> None:
    """A lost one is said to be lost; then its draws are not made again, and that is told."""
    before = drawn(house, 0)
    rotate = ("audit-key", "rotate")
    assert house.ask(*rotate, "--reason", " ", by="ola").code == 2
    assert house.ask(*rotate, "--reason", "a test", by="audrey").code == 3
    (house.home / "audit.key").unlink()
    refused = house.ask(*rotate, "--reason", "a test", by="ola")
    assert (refused.code, "say --lost" in refused.err) == (3, True)
    assert list(house.home.glob("audit.key*")) == []
    said = house.ask(*rotate, "--reason", "the disk died", "--lost", by="ola")
    assert said.code == 0, said.err
    all_agree(house, drawn(house, 1000))
    told = house.ask("explain", str(before["case_id"].iloc[0]))
    assert told.code == 0, told.err
    assert "not kept here" in told.out
    doctor = house.ask("doctor")
    assert (doctor.code, "not kept here" in doctor.out) == (3, True)


def test_a_given_new_secret_is_taken(house: House, monkeypatch) -> None:
    """What RATCHET_AUDIT_KEY says is the new one, where it is not the old one."""
    before = drawn(house, 0)
    monkeypatch.setenv("RATCHET_AUDIT_KEY", "short")
    refused = house.ask("audit-key", "rotate", "--reason", "a test", by="ola")
    assert (refused.code, "needs 16 at least" in refused.err) == (3, True)
    monkeypatch.setenv("RATCHET_AUDIT_KEY", OTHER)
    assert house.ask("audit-key", "rotate", "--reason", "a test", by="ola").code == 0
    all_agree(house, before)
    all_agree(house, drawn(house, 1000))
    again = house.ask("audit-key", "rotate", "--reason", "a test", by="ola")
    assert (again.code, "still holds the old one" in again.out) == (0, True)


@pytest.mark.parametrize("point", ["audit_key.kept", "audit_key.entered"])
def test_a_rotation_killed_at_each_step_leaves_one_secret_in_force(house: House, point) -> None:
    """Before the entry the old one, after it the new one; nothing is lost either way."""
    before = drawn(house, 0)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RATCHET_", "PREFECT_"))}
    mine = {
        "RATCHET_HOME": str(house.live.home),
        "RATCHET_ACTOR": "ola",
        "RATCHET_TOKEN": house.live.tokens["ola"],
        "RATCHET_KILL_POINT": point,
    }
    command = [RATCHET, "audit-key", "rotate", "--reason", "a test"]
    killed = subprocess.run(
        command, env={**clean, **mine}, cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    assert killed.returncode == -9, killed.stderr
    all_agree(house, before)
    all_agree(house, drawn(house, 1000))
    assert house.ask("doctor").code == 0
    said = house.ask("audit-key", "rotate", "--reason", "once more", by="ola")
    assert said.code == 0, said.err
    all_agree(house, before)


@pytest.mark.slow
def test_on_postgres_another_secret_is_refused(tmp_path, postgres_url, monkeypatch) -> None:
    monkeypatch.setenv("RATCHET_DATABASE_URL", postgres_url)
    house = built(tmp_path / "home")
    before = drawn(house, 0)
    key = house.home / "audit.key"
    kept = key.read_bytes()
    overwritten(key)
    refused_by_name(house, "does not hold the audit secret that the ledger knows", 1000)
    key.write_bytes(kept)
    assert house.ask("audit-key", "rotate", "--reason", "a test", by="ola").code == 0
    all_agree(house, before)
