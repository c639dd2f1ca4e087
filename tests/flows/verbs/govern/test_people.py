"""Who comes in, who goes, and does anybody act under a name that is not theirs?"""

import json
import os
import signal
import sqlite3
import threading
from datetime import UTC, datetime

import pytest
from argon2 import PasswordHasher

from configs.errors import GateRefused, UserError
from flows.adapters.files.kill_points import VARIABLE
from flows.adapters.ledger import tokens
from flows.cli import cli, main
from flows.commands.govern.people import people
from flows.verbs.desk import Desk
from flows.verbs.govern.people import enrol, identify, listed, revoke, who_asks
from models.hub import EntryKind, Role
from tests.builders import small_settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
APPROVER, OPERATOR, AUDITOR = frozenset({Role.APPROVER}), {Role.OPERATOR}, {Role.AUDITOR}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Hashes that cost next to nothing; what they cost is no part of these tests."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(tokens, "_hasher", lambda: hasher)


def opened(home):
    return Desk.at(home, small_settings(), {})


@pytest.fixture
def desk(tmp_path):
    return opened(tmp_path)


@pytest.fixture
def ana(desk):
    """The first approver, identified."""
    return identify(desk, "ana", enrol(desk, "ana", APPROVER, None, NOW))


def hashes(desk):
    with sqlite3.connect(desk.home / "ledger.db") as connection:
        return connection.execute("SELECT name FROM actor_tokens ORDER BY name").fetchall()


def test_the_first_person_needs_nobodys_consent_and_the_entry_says_so(desk):
    """Everybody after them is enrolled by an approver."""
    ana = identify(desk, "ana", enrol(desk, " ana ", APPROVER, None, NOW))
    token = enrol(desk, "ben", {Role.OPERATOR, Role.AUDITOR}, ana, NOW)
    first, second = desk.ledger.history()
    assert (first.kind, first.actor, first.dossier["first"]) == (EntryKind.ENROLLED, "ana", True)
    assert (second.actor, second.dossier["first"]) == ("ana", False)
    assert identify(desk, "BEN ", token).roles == {Role.OPERATOR, Role.AUDITOR}
    assert listed(desk) == [
        {"name": "ana", "roles": "approver", "since": NOW.isoformat(), "enrolled_by": "ana"},
        {"name": "ben", "roles": "auditor, operator", "since": NOW.isoformat(), "enrolled_by": "ana"},
    ]  # fmt: skip


def test_the_first_person_must_be_an_approver(desk):
    """Or nobody could ever be enrolled; the refusal is kept, the hash is not."""
    with pytest.raises(GateRefused, match="first person must be an approver"):
        enrol(desk, "ana", OPERATOR, None, NOW)
    assert [kept.rule for kept in desk.ledger.refusals()] == ["first_person_approves"]
    assert hashes(desk) == []


def test_only_an_approver_enrols_and_revokes(desk, ana):
    """An operator may not, and nobody may do it in no name."""
    ben = identify(desk, "ben", enrol(desk, "ben", OPERATOR, ana, NOW))
    with pytest.raises(GateRefused, match="takes the role approver"):
        enrol(desk, "cai", OPERATOR, ben, NOW)
    with pytest.raises(GateRefused, match="an approver enrols everybody"):
        enrol(desk, "cai", APPROVER, None, NOW)
    with pytest.raises(GateRefused, match="takes the role approver"):
        revoke(desk, "ana", ben, NOW)
    assert [row["name"] for row in listed(desk)] == ["ana", "ben"]
    assert hashes(desk) == [("ana",), ("ben",)]


@pytest.mark.parametrize("name", ["nightly_calibration", "Guardrail", "backtest", "ANA"])
def test_a_flows_name_and_a_taken_one_cannot_be_enrolled(desk, ana, name):
    """Whatever their case; the owner's own token still opens theirs."""
    token = enrol(desk, "dee", APPROVER, ana, NOW)
    with pytest.raises(GateRefused, match="choose another"):
        enrol(desk, name, APPROVER, ana, NOW)
    assert identify(desk, "dee", token).name == "dee"
    assert hashes(desk) == [("ana",), ("dee",)]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\u202eb", "a\x1b[2J", "a" * 101])
def test_a_name_that_cannot_be_shown_is_refused(desk, name):
    """It stands in tables, pages and logs."""
    with pytest.raises(UserError, match="no name for a person"):
        enrol(desk, name, APPROVER, None, NOW)


def test_who_is_revoked_acts_no_longer_and_comes_back_with_a_new_token(desk, ana):
    """The old token opens nothing, before and after."""
    old = enrol(desk, "ben", OPERATOR, ana, NOW)
    revoke(desk, "Ben", ana, NOW)
    assert hashes(desk) == [("ana",)]
    with pytest.raises(GateRefused, match="is not theirs"):
        identify(desk, "ben", old)
    new = enrol(desk, "ben", AUDITOR, ana, NOW)
    assert identify(desk, "ben", new).roles == AUDITOR
    with pytest.raises(GateRefused, match="is not theirs"):
        identify(desk, "ben", old)
    with pytest.raises(GateRefused, match="last approver"):
        revoke(desk, "ana", ana, NOW)


def test_a_swapped_hash_makes_nobody_an_approver(desk, ana):
    """Somebody who writes to the database puts their own hash under the approver's name."""
    token = enrol(desk, "eve", OPERATOR, ana, NOW)
    with sqlite3.connect(desk.home / "ledger.db") as connection:
        connection.execute("DELETE FROM actor_tokens WHERE name='ana'")
        connection.execute("UPDATE actor_tokens SET name='ana' WHERE name='eve'")
    with pytest.raises(GateRefused, match="not the one the ledger names"):
        identify(desk, "ana", token)


def test_who_asks_is_said_by_the_environment_or_at_the_terminal(desk):
    """RATCHET_TOKEN is the token of RATCHET_ACTOR; another name has to be asked."""
    mine = enrol(desk, "ana", APPROVER, None, NOW)
    ana = identify(desk, "ana", mine)
    bens = enrol(desk, "ben", OPERATOR, ana, NOW)
    env = {"RATCHET_ACTOR": "ana", "RATCHET_TOKEN": mine}
    asked = []

    def ask(name):
        asked.append(name)
        return bens

    assert who_asks(desk, env=env).name == "ana"
    assert who_asks(desk, "Ana", ask, env).name == "ana"
    assert who_asks(desk, "ana", env={"RATCHET_TOKEN": mine}).name == "ana"
    assert asked == []
    assert who_asks(desk, "ben", ask, env).name == "ben"
    assert asked == ["ben"]
    for name, given, said in [
        (None, {}, "nobody says who asks"),
        (None, {"RATCHET_TOKEN": mine}, "nobody says who asks"),
        ("ana", {}, "asks without a token"),
        ("ben", env, "asks without a token"),
    ]:
        with pytest.raises(UserError, match=said):
            who_asks(desk, name, env=given)
    with pytest.raises(GateRefused, match="given for ana is not theirs"):
        who_asks(desk, env={**env, "RATCHET_TOKEN": bens})


def test_before_anybody_is_enrolled_nobody_asks(desk):
    """The sentence says how to begin."""
    with pytest.raises(GateRefused, match="ratchet people add NAME --role approver"):
        who_asks(desk, "ana", env={"RATCHET_TOKEN": "x"})


def test_killed_before_the_entry_the_first_person_can_still_begin(desk):
    """The hash that was left behind opens nothing."""
    child = os.fork()
    if child == 0:
        try:
            os.environ[VARIABLE] = "people.before_entry"
            enrol(opened(desk.home), "ana", APPROVER, None, NOW)
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert (listed(desk), hashes(desk)) == ([], [("ana",)])
    assert identify(desk, "ana", enrol(desk, "ana", APPROVER, None, NOW)).name == "ana"


def test_of_two_first_people_one_comes_in(tmp_path):
    """Ten rounds, one name or two: whoever won can prove it, the other one's hash is gone."""
    for round_ in range(10):
        home = tmp_path / str(round_)
        desks, barrier, told = [opened(home), opened(home)], threading.Barrier(2), [None, None]
        names = ["ana", "ana" if round_ % 2 else "eve"]

        def race(who, desks=desks, barrier=barrier, told=told, names=names):
            barrier.wait()
            try:
                told[who] = enrol(desks[who], names[who], APPROVER, None, NOW)
            except GateRefused:
                told[who] = None

        threads = [threading.Thread(target=race, args=(who,)) for who in range(2)]
        [thread.start() for thread in threads]
        [thread.join(60) for thread in threads]
        ((winner, token),) = [one for one in zip(names, told, strict=True) if one[1] is not None]
        assert identify(desks[0], winner, token).name == winner
        assert hashes(desks[0]) == [(winner,)]
        assert desks[0].ledger.verify().ok


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """What a command prints and exits with, as somebody, in a home of its own."""
    for name in [one for one in os.environ if one.startswith("RATCHET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))

    def run(*arguments, actor="", token=""):
        monkeypatch.setenv("RATCHET_ACTOR", actor)
        monkeypatch.setenv("RATCHET_TOKEN", token)
        try:
            main(arguments)
            code = 0
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    return run


def test_the_command_enrols_lists_and_revokes(said):
    """The token is printed once, and stands in no other output."""
    code, out, _ = said("people", "add", "ana", "--role", "approver", "--json")
    told = json.loads(out)
    assert (code, told["name"], told["roles"]) == (0, "ana", ["approver"])
    me = {"actor": "ana", "token": told["token"]}
    others = [
        said("people", "add", "ben", "--role", "operator", "--role", "auditor", **me),
        said("people", "add", "cai", "--role", "operator", "--as", "ana"),
        said("people", "revoke", "ben", actor="ana", token="no"),
        said("people", "list"),
        said("people", "revoke", "ben", **me),
    ]
    added, tokenless, wrong, listing, revoked = others
    assert added[0] == 0
    assert "ben is enrolled as auditor, operator." in added[1]
    assert (tokenless[0], "asks without a token" in tokenless[2]) == (2, True)
    assert (wrong[0], "is not theirs" in wrong[2]) == (3, True)
    assert listing[1].splitlines()[2].startswith("ana   approver")
    assert revoked[:2] == (0, "ben may no longer act.\n")
    assert told["token"] not in str(others)


def test_a_password_is_typed_at_a_terminal_and_never_printed(said, monkeypatch):
    """Without a terminal the command says so; the next command asks for it, unseen."""
    add = ["people", "add", "ana", "--role", "approver", "--password"]
    code, _, wrong = said(*add)
    assert (code, "typed at a terminal" in wrong) == (2, True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: "a few words in a row")
    first = said(*add)
    second = said("people", "add", "ben", "--role", "operator", "--as", "ana", "--json")
    assert (first[0], second[0], json.loads(second[1])["name"]) == (0, 0, "ben")
    assert "a few words" not in str((first, second))


def test_no_command_takes_a_token_as_an_option():
    """Other users of the machine see a command's arguments in the list of processes; a flag takes no
    value (`--token-only` says what is printed)."""
    options = {
        name
        for command in [*people.commands.values(), *cli.commands.values()]
        for option in command.params
        for name in option.opts
        if not getattr(option, "is_flag", False)
    }
    assert "--as" in options
    assert not [name for name in options if "token" in name.lower()]


def test_the_command_offers_every_role_there_is():
    """They are written out there, so that its help imports nothing."""
    (role,) = [one for one in people.commands["add"].params if one.name == "roles"]
    assert list(role.type.choices) == [one.value for one in Role]


@pytest.mark.parametrize("typed", ["Ana  Bo", "\uff21na Bo", "Jose\u0301"])
def test_a_token_opens_a_name_however_it_was_typed(desk, typed):
    """Two blanks, full-width letters, an accent of its own: stored as the ledger writes it."""
    token = enrol(desk, typed, APPROVER, None, NOW)
    person = identify(desk, typed, token)
    assert hashes(desk) == [(person.name,)]
