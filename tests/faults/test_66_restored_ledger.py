"""A ledger restored from an older backup, or without any head: everything escalates until two approvers accept it.

Injected: a backup, then a halt; the backup's home under the newer head, alone, and under its own head;
the same person twice, a person without the role, an edited row, a kill between the entry and the head.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.house import NAME, House, built, copied, everything_escalates
from tests.flows.adapters.killing import killed_at
from tests.flows.commands.live_home import LiveHome
from tests.integration.postgres import _administer


@pytest.fixture
def house(database_url, tmp_path, monkeypatch) -> House:
    """A live home on either database."""
    if database_url is None:
        return copied(tmp_path / "home")
    monkeypatch.setenv("RATCHET_DATABASE_URL", database_url)
    return built(tmp_path / "home")


@pytest.fixture
def empty_url(database_url, request) -> Iterator[str | None]:
    """Another, empty database of the same kind."""
    if database_url is None:
        yield None
        return
    server = request.getfixturevalue("postgres_server")
    _administer(server, "CREATE DATABASE restored")
    yield f"postgresql+psycopg://postgres@/restored?host={server}"
    _administer(server, "DROP DATABASE restored WITH (FORCE)")


def saved(house: House, folder: Path) -> Path:
    """A backup, after which somebody halts the case type: the ledger goes on without it."""
    file = folder / "backup.tar"
    said = house.ask("backup", "--to", str(file))
    assert said.code == 0, said.err
    assert house.ask("halt", NAME, "--reason", "a burst", by="ola").code == 0
    return file


def restored(house: House, file: Path, url: str | None, monkeypatch, *more: str) -> House:
    """The backup in a home and a database of its own; what was told stands in `said`."""
    if url is not None:
        monkeypatch.setenv("RATCHET_DATABASE_URL", url)
    home = file.parent / "restored"
    said = house.ask("restore", str(file), "--to", str(home), *more)
    assert said.code == 0, said.err
    shutil.copy2(house.home / "audit.key", home / "live" / "audit.key")
    return House(LiveHome(home, house.live.tokens), house.wide, house.narrow)


def nothing_is_decided(house: House, start: int) -> None:
    said, decisions = house.decide(start)
    assert said.code == 3, said.err
    everything_escalates(decisions, "ledger_broken")
    assert house.ask("halt", NAME, "--reason", "another", by="ola").code == 3


def accepted(house: House, by: str):
    return house.ask("ledger", "accept-restored", "--reason", "the disk burned", by=by)


def two_accept(house: House) -> None:
    """The first one asks and hears that nothing changed; alone, and without the role, nobody does."""
    assert accepted(house, "ola").code == 3
    asked = accepted(house, "ana")
    assert asked.code == 3
    assert "until a second approver" in asked.out
    nothing_is_decided(house, 2_000)
    again = accepted(house, "ana")
    assert (again.code, "a second approver must agree" in again.err) == (3, True)
    agreed = accepted(house, "ben")
    assert agreed.code == 0, agreed.err
    assert "ana asked, ben agreed" in agreed.out


def decides_again_and_tells(house: House, start: int) -> None:
    said, decisions = house.decide(start)
    assert said.code == 0, said.err
    assert set(decisions["action"]) != {"escalate"}
    entries = json.loads(house.ask("history", "--json").out)["entries"]
    ends = [one["kind"] for one in entries if one["case_type"] == "@ledger"]
    assert ends == ["restore_requested", "restore_accepted"]
    assert house.ask("halt", NAME, "--reason", "a later entry", by="ola").code == 0
    verified = house.ask("ledger", "verify")
    assert verified.code == 0, verified.out
    assert "ana and ben took a restored ledger" in verified.out
    assert "restore_accepted" in house.ask("history").out
    assert accepted(house, "ana").code == 3  # there is nothing left to accept


@pytest.mark.parametrize("left", ["the newer head", "nothing"])
def test_everything_escalates_until_two_approvers_accept(
    house: House, empty_url, tmp_path, monkeypatch, left
) -> None:
    """The halt of after the backup is lost: that must be somebody's decision, and two people's."""
    file = saved(house, tmp_path)
    more = ("--head", str(house.home / "ledger.head")) if left == "the newer head" else ()
    back = restored(house, file, empty_url, monkeypatch, *more)
    nothing_is_decided(back, 1_000)
    told = back.ask("ledger", "verify")
    assert told.code == 3
    assert "accept-restored" in told.out
    two_accept(back)
    decides_again_and_tells(back, 3_000)


def test_a_head_that_names_the_backups_last_entry_needs_nobody(
    house: House, empty_url, tmp_path, monkeypatch
) -> None:
    """Nothing came after the backup, and the head that was left shows it."""
    kept = tmp_path / "ledger.head"
    shutil.copy2(house.home / "ledger.head", kept)
    file = saved(house, tmp_path)
    back = restored(house, file, empty_url, monkeypatch, "--head", str(kept))
    said, decisions = back.decide(1_000)
    assert said.code == 0, said.err
    assert set(decisions["action"]) != {"escalate"}
    assert accepted(back, "ana").code == 3
    assert back.ask("ledger", "verify").code == 0


def test_older_rows_under_the_newer_head_of_the_same_home(tmp_path) -> None:
    """Only the database was put back, head and witness are today's."""
    house = copied(tmp_path / "home")
    older = (house.home / "ledger.db").read_bytes()
    assert house.ask("halt", NAME, "--reason", "a burst", by="ola").code == 0
    for left in house.home.glob("ledger.db-*"):
        left.unlink()
    (house.home / "ledger.db").write_bytes(older)
    nothing_is_decided(house, 1_000)
    two_accept(house)
    decides_again_and_tells(house, 3_000)


def test_what_was_edited_is_accepted_by_nobody(tmp_path) -> None:
    house = copied(tmp_path / "home")
    (house.home / "ledger.head").unlink()
    house.sql("UPDATE ledger_entries SET actor = 'zoe' WHERE seq = 3")
    for name in ("ana", "ben"):
        said = accepted(house, name)
        assert said.code == 3
        assert "Entry 3 was edited" in said.err


def test_an_older_wish_counts_only_for_the_ledger_it_was_about(tmp_path) -> None:
    """Ana asked about one head; the head is another one when ben comes."""
    house = copied(tmp_path / "home")
    head = house.home / "ledger.head"
    told = json.loads(head.read_text())
    head.write_text(json.dumps({**told, "seq": told["seq"] + 3}))
    assert accepted(house, "ana").code == 3
    head.unlink()
    assert "ben asked" in accepted(house, "ben").out
    assert accepted(house, "ana").code == 0


@pytest.mark.parametrize("point", ["ledger.after_commit", "ledger.seen_replaced"])
def test_killed_before_the_head_the_same_command_goes_on(tmp_path, point) -> None:
    house = copied(tmp_path / "home")
    (house.home / "ledger.head").unlink()
    assert accepted(house, "ana").code == 3
    assert killed_at(point, lambda: accepted(house, "ben")) == 9
    nothing_is_decided(house, 1_000)
    assert accepted(house, "ben").code in (0, 3)
    if house.ask("ledger", "verify").code:
        assert accepted(house, "ana").code == 0
    assert house.ask("ledger", "verify").code == 0
    assert house.decide(3_000)[0].code == 0
