"""A ledger row edited or removed, or the tail cut: `ledger verify` names the entry (FAULTS 23).

Injected: raw SQL on entries, policies and refusals past the ledger.
"""

import sqlite3
from functools import partial

import pytest

from configs.errors import GateRefused
from flows.adapters.ledger.ledger import Ledger
from tests.faults.ledger_edits import ALL, REFUSAL_EDITS, filled, is_named, the_command_names
from tests.hub import MIDDLE, THIN, Hub, entered, open_ledger


@pytest.fixture
def live(tmp_path, monkeypatch):
    """The folder where the command line looks for its ledger."""
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    home = tmp_path / "live"
    home.mkdir()
    return home


def sql(home, statement):
    with sqlite3.connect(home / "ledger.db") as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(("statement", "named"), ALL.values(), ids=ALL)
def test_what_was_done_is_named(tmp_path, statement, named):
    """Entries, policies and refusals, edited or removed."""
    is_named(open_ledger(tmp_path), partial(sql, tmp_path), statement, named)


@pytest.mark.parametrize("edit", ["removed", "policy edited", "refusal edited"])
def test_the_command_names_it(live, edit, capsys):
    """`ratchet ledger verify` for one of each table."""
    statement, named = ALL[edit]
    filled(open_ledger(live))
    sql(live, statement)
    the_command_names(named, capsys)


@pytest.mark.slow
@pytest.mark.parametrize(("statement", "named"), ALL.values(), ids=ALL)
def test_on_postgres_what_was_done_is_named(
    tmp_path, postgres_url, postgres_execute, statement, named
):
    """The same sentences for the other database."""
    ledger = Ledger(postgres_url, tmp_path / "ledger.head", enrolled_only=False)
    is_named(ledger, postgres_execute, statement, named)


@pytest.mark.slow
def test_on_postgres_the_command_names_it(
    live, postgres_url, postgres_execute, capsys, monkeypatch
):
    """The command asks the database that the settings name."""
    monkeypatch.setenv("RATCHET_DATABASE_URL", postgres_url)
    statement, named = ALL["tail cut"]
    filled(Ledger(postgres_url, live / "ledger.head", enrolled_only=False))
    postgres_execute(statement)
    the_command_names(named, capsys)


@pytest.mark.parametrize("statement", list(REFUSAL_EDITS.values()), ids=REFUSAL_EDITS)
def test_what_was_done_to_refusals_keeps_showing(tmp_path, statement):
    """A new refusal and a new entry go on; neither covers up the old ones."""
    hub = filled(open_ledger(tmp_path))
    sql(tmp_path, statement[0])
    hub.promote(THIN)
    entered(hub.propose(MIDDLE))
    assert any(statement[1][:9] in one for one in hub.ledger.verify().problems)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM ledger_entries WHERE seq=3", "entry 3 is missing"),
        ("DELETE FROM ledger_entries", "entries 1 to 3 are missing"),
    ],
)
def test_nothing_is_decided_by_a_ledger_whose_tail_was_cut(tmp_path, statement, named):
    """A cut tail brings an older policy back, or lifts a halt: readers refuse it, too."""
    hub = filled(open_ledger(tmp_path))
    sql(tmp_path, statement)
    for read in (hub.ledger.live_policy, hub.ledger.history):
        with pytest.raises(GateRefused, match=named):
            read("ato")


def test_a_tail_put_back_from_a_copy_reads_again(tmp_path):
    """What the message asks for works."""
    hub = filled(open_ledger(tmp_path))
    sql(tmp_path, "PRAGMA wal_checkpoint(TRUNCATE)")
    copy = (tmp_path / "ledger.db").read_bytes()
    sql(tmp_path, "DELETE FROM ledger_entries WHERE seq=3")
    for left in tmp_path.glob("ledger.db-*"):
        left.unlink()
    (tmp_path / "ledger.db").write_bytes(copy)
    assert open_ledger(tmp_path).live_policy("ato") == THIN
    assert Hub(open_ledger(tmp_path)).live() == hub.live()


def test_a_head_from_before_refusals_were_tallied_is_taken_over(tmp_path):
    """An older home verifies with a note, and its next entry tallies them."""
    hub = filled(open_ledger(tmp_path))
    head = tmp_path / "ledger.head"
    seq, own_hash = hub.ledger.head()
    head.write_text(f'{{"hash":"{own_hash}","seq":{seq}}}', encoding="ascii")
    verified = hub.ledger.verify()
    assert (verified.ok, len(verified.notes)) == (True, 1)
    assert "not tallied the last 2 refusals" in verified.notes[0]
    entered(hub.propose(MIDDLE))
    assert hub.ledger.verify() == type(verified)(True)
    sql(tmp_path, "DELETE FROM ledger_refusals WHERE id=2")
    assert hub.ledger.verify().problems == ("Refusal 2 was removed.",)
