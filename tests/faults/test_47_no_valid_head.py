"""Ledger entries but no valid head file: everything escalates and people are told; a read-only reader opts in.

Injected: the last row deleted with the head file, all rows with it, the head missing, unreadable, cut,
put back from an older copy, or another ledger's; the last row is a halt, and a policy is live.
"""

from __future__ import annotations

import json
import shutil

import pytest

from configs.errors import GateRefused
from flows.adapters.ledger.ledger import Ledger
from flows.verbs.decide.decide import decide_cases
from tests.faults.house import NAME, House, built, cases, copied, everything_escalates
from tests.hub import MIDDLE, THIN, WIDE, Hub, a_team, entered, open_ledger

LAST = "DELETE FROM ledger_entries WHERE seq = (SELECT max(seq) FROM ledger_entries)"
ALL = "DELETE FROM ledger_entries"
OTHERS = '{"hash":"' + "7" * 64 + '","refusals":{"hash":"' + "0" * 64 + '","last":0},"seq":3}'
BEGINNING = '{"hash":"' + "0" * 64 + '","refusals":{"hash":"' + "0" * 64 + '","last":0},"seq":0}'


def gone(head, _older):
    head.unlink()


def unreadable(head, _older):
    head.unlink()
    head.mkdir()  # root reads whatever the mode says


def cut(head, _older):
    head.write_bytes(head.read_bytes()[:40])


def empty(head, _older):
    head.write_bytes(b"")


def no_head(head, _older):
    head.write_text('{"seq": -1, "hash": "x"}')


def older_copy(head, older):
    head.write_bytes(older)


def anothers(head, _older):
    head.write_text(OTHERS)


def a_new_ones(head, _older):
    head.write_text(BEGINNING)


def a_new_ones_without_witness(head, _older):
    head.write_text(BEGINNING)
    head.with_suffix(".seen").unlink()


EDITS = {
    "head missing": (None, gone),
    "head unreadable": (None, unreadable),
    "head cut": (None, cut),
    "head empty": (None, empty),
    "head says nothing": (None, no_head),
    "head of another ledger": (None, anothers),
    "last row and head": (LAST, gone),
    "last row, head cut": (LAST, cut),
    "last row, older head": (LAST, older_copy),
    "last row, head of a new ledger": (LAST, a_new_ones),
    "last row, head of a new ledger, no witness": (LAST, a_new_ones_without_witness),
    "all rows and head": (ALL, gone),
    "all rows, head of a new ledger": (ALL, a_new_ones),
    "all rows, older head": (ALL, older_copy),
}


@pytest.fixture
def house(tmp_path) -> House:
    return copied(tmp_path / "home")


def edited(house: House, execute, statement, change) -> None:
    """A halt is placed, then the ledger and its head are changed behind our back."""
    head = house.home / "ledger.head"
    older = head.read_bytes()
    assert house.ask("halt", NAME, "--reason", "a burst", by="ola").code == 0
    if statement:
        execute(statement)
    change(head, older)


def nothing_is_decided(house: House, start: int = 500) -> None:
    """By the command: every case is a person's, the exit code is 3, and the alert says why."""
    said, decisions = house.decide(start)
    assert said.code == 3, said.err
    everything_escalates(decisions, "ledger_broken")
    assert "go to people" in said.err
    alerts = house.services().alerts.recent(10)
    assert [one["kind"] for one in alerts].count("ledger_broken") == 1
    status = house.ask("status")
    assert status.code == 3
    assert "not to be trusted" in status.out
    rows = json.loads(house.ask("status", "--json").out)["case_types"]
    assert {one["state"] for one in rows} == {"untrusted"}
    doctor = house.ask("doctor")
    assert doctor.code == 3
    assert "ledger                 ok" not in doctor.out


@pytest.mark.parametrize(("statement", "change"), EDITS.values(), ids=EDITS)
def test_everything_escalates_and_people_are_told(house: House, statement, change) -> None:
    """Whatever was done; before it, the live policy decided."""
    said, decisions = house.decide(0)
    assert said.code == 0, said.err
    assert set(decisions["action"]) != {"escalate"}
    edited(house, house.sql, statement, change)
    nothing_is_decided(house)
    said = house.ask("resume", NAME, "--reason", "over", by="ola")
    assert said.code == 3
    assert "--to" not in house.ask("export-serving", NAME, "--to", str(house.home / "out")).out
    assert not (house.home / "out").exists()


@pytest.mark.parametrize("change", [gone, older_copy])
def test_the_flows_verb_escalates_too(house: House, change) -> None:
    """What `decide_cases` and the command share."""
    from datetime import UTC, datetime

    edited(house, house.sql, LAST, change)
    services, now = house.services(), datetime.now(UTC)
    new = cases(services, 900, 50).assign(case_type=NAME)
    everything_escalates(decide_cases(services, NAME, new, now), "ledger_broken")


@pytest.mark.slow
@pytest.mark.parametrize(
    "edit", ["last row and head", "last row, older head", "all rows and head", "head missing"]
)
def test_on_postgres_everything_escalates(
    tmp_path, postgres_url, postgres_execute, monkeypatch, edit
) -> None:
    monkeypatch.setenv("RATCHET_DATABASE_URL", postgres_url)
    house = built(tmp_path / "home")
    edited(house, postgres_execute, *EDITS[edit])
    nothing_is_decided(house)


def test_with_the_rows_and_the_head_put_back_it_decides_as_before(house: House) -> None:
    """The halt is in force again: what the messages ask for works."""
    edited(house, house.sql, None, lambda *_: None)
    kept = house.home.with_name("kept")
    shutil.copytree(house.home, kept)
    house.sql(LAST)
    (house.home / "ledger.head").unlink()
    nothing_is_decided(house)
    for name in ("ledger.db", "ledger.head", "ledger.seen"):
        for left in house.home.glob(f"{name}-*"):
            left.unlink()
        shutil.copy2(kept / name, house.home / name)
    said, decisions = house.decide(700)
    assert said.code == 0, said.err
    assert set(decisions["override"]) == {"halted"}


def filled(home) -> Hub:
    hub = a_team(open_ledger(home, enrolled_only=True))
    for policy in (WIDE, MIDDLE, THIN):
        hub.make_live(policy)
    return hub


def test_a_reader_opts_in_and_adds_nothing(tmp_path) -> None:
    """A machine without a head: what it reads is the chain as it stands."""
    hub = filled(tmp_path)
    (tmp_path / "ledger.head").unlink()
    plain = open_ledger(tmp_path)
    for read in (plain.history, lambda: plain.live_policy("ato"), lambda: hub.promote(WIDE)):
        with pytest.raises(GateRefused, match="head file"):
            read()
    reader = open_ledger(tmp_path, reads_without_head=True)
    assert len(reader.history()) == 13
    assert reader.live_policy("ato") == THIN
    with pytest.raises(GateRefused, match="opened to be read without its head"):
        Hub(reader).promote(WIDE)
    assert not reader.verify().ok
    assert not (tmp_path / "ledger.head").exists()


def test_a_new_home_needs_no_ceremony(tmp_path) -> None:
    """Nor one whose first start was killed before its head was written, or after."""
    ledger = open_ledger(tmp_path)
    assert ledger.history() == ()
    assert ledger.verify() == type(ledger.verify())(True)
    for left in ("ledger.head", "ledger.seen"):
        (tmp_path / left).unlink()
    anew = open_ledger(tmp_path)
    assert anew.verify() == type(anew.verify())(True)
    (tmp_path / "ledger.seen").unlink()
    assert entered(Hub(open_ledger(tmp_path)).propose(THIN)).seq == 1
    assert (tmp_path / "ledger.seen").exists()


@pytest.mark.parametrize("trace", ["policies", "audit.key", "alerts.jsonl", "dossiers", "evidence"])
def test_an_empty_ledger_that_was_used_is_not_a_new_one(tmp_path, trace) -> None:
    """All rows deleted with the head and its witness: what was kept beside them says so."""
    hub = filled(tmp_path) if trace == "policies" else None
    if hub is None:
        open_ledger(tmp_path)
        beside = tmp_path / trace
        if trace == "evidence":
            (beside / "decisions").mkdir(parents=True)
            (beside / "decisions" / "part.parquet").write_bytes(b"x")
        else:
            beside.mkdir() if trace == "dossiers" else beside.write_bytes(b"x")
    import sqlite3

    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute(ALL)
    connection.close()
    for left in ("ledger.head", "ledger.seen"):
        (tmp_path / left).unlink()
    with pytest.raises(GateRefused, match=f"it was used before: .*{trace}"):
        open_ledger(tmp_path).history()
    assert not (tmp_path / "ledger.head").exists()


def test_a_crash_before_the_head_is_still_no_tampering(tmp_path) -> None:
    """The head is one entry behind, and so is its witness."""
    hub = filled(tmp_path)
    before = [(tmp_path / name).read_bytes() for name in ("ledger.head", "ledger.seen")]
    entered(hub.halt("cai"))
    for name, content in zip(("ledger.head", "ledger.seen"), before, strict=True):
        (tmp_path / name).write_bytes(content)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "ledger.head")
    assert ledger.history()[-1].kind == "halted"
    assert ledger.verify().ok
