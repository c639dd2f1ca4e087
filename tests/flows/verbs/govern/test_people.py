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
from flows.verbs.govern.people import enrol, identify, listed, revoke, who_asks
from flows.verbs.services import Services
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
    return Services.at(home, small_settings(), {})


@pytest.fixture
def services(tmp_path):
    return opened(tmp_path)


@pytest.fixture
def ana(services):
    """The first approver, identified."""
    return identify(
        services.ledger,
        services.tokens,
        "ana",
        enrol(services.ledger, services.tokens, "ana", APPROVER, None, NOW),
    )


def hashes(services):
    with sqlite3.connect(services.home / "ledger.db") as connection:
        return connection.execute("SELECT name FROM actor_tokens ORDER BY name").fetchall()


def test_the_first_person_needs_nobodys_consent_and_the_entry_says_so(services):
    """Everybody after them is enrolled by an approver."""
    ana = identify(
        services.ledger,
        services.tokens,
        "ana",
        enrol(services.ledger, services.tokens, " ana ", APPROVER, None, NOW),
    )
    token = enrol(services.ledger, services.tokens, "ben", {Role.OPERATOR, Role.AUDITOR}, ana, NOW)
    first, second = services.ledger.history()
    assert (first.kind, first.actor, first.dossier["first"]) == (EntryKind.ENROLLED, "ana", True)
    assert (second.actor, second.dossier["first"]) == ("ana", False)
    assert identify(services.ledger, services.tokens, "BEN ", token).roles == {
        Role.OPERATOR,
        Role.AUDITOR,
    }
    assert listed(services.ledger) == [
        {"name": "ana", "roles": "approver", "since": NOW.isoformat(), "enrolled_by": "ana"},
        {"name": "ben", "roles": "auditor, operator", "since": NOW.isoformat(), "enrolled_by": "ana"},
    ]  # fmt: skip


def test_the_first_person_must_be_an_approver(services):
    """Or nobody could ever be enrolled; the refusal is kept, the hash is not."""
    with pytest.raises(GateRefused, match="first person must be an approver"):
        enrol(services.ledger, services.tokens, "ana", OPERATOR, None, NOW)
    assert [kept.rule for kept in services.ledger.refusals()] == ["first_person_approves"]
    assert hashes(services) == []


def test_only_an_approver_enrols_and_revokes(services, ana):
    """An operator may not, and nobody may do it in no name."""
    ben = identify(
        services.ledger,
        services.tokens,
        "ben",
        enrol(services.ledger, services.tokens, "ben", OPERATOR, ana, NOW),
    )
    with pytest.raises(GateRefused, match="takes the role approver"):
        enrol(services.ledger, services.tokens, "cai", OPERATOR, ben, NOW)
    with pytest.raises(GateRefused, match="an approver enrols everybody"):
        enrol(services.ledger, services.tokens, "cai", APPROVER, None, NOW)
    with pytest.raises(GateRefused, match="takes the role approver"):
        revoke(services.ledger, services.tokens, "ana", ben, NOW)
    assert [row["name"] for row in listed(services.ledger)] == ["ana", "ben"]
    assert hashes(services) == [("ana",), ("ben",)]


@pytest.mark.parametrize("name", ["nightly_calibration", "Guardrail", "backtest", "ANA"])
def test_a_flows_name_and_a_taken_one_cannot_be_enrolled(services, ana, name):
    """Whatever their case; the owner's own token still opens theirs."""
    token = enrol(services.ledger, services.tokens, "dee", APPROVER, ana, NOW)
    with pytest.raises(GateRefused, match="choose another"):
        enrol(services.ledger, services.tokens, name, APPROVER, ana, NOW)
    assert identify(services.ledger, services.tokens, "dee", token).name == "dee"
    assert hashes(services) == [("ana",), ("dee",)]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\u202eb", "a\x1b[2J", "a" * 101])
def test_a_name_that_cannot_be_shown_is_refused(services, name):
    """It stands in tables, pages and logs."""
    with pytest.raises(UserError, match="no name for a person"):
        enrol(services.ledger, services.tokens, name, APPROVER, None, NOW)


def test_who_is_revoked_acts_no_longer_and_comes_back_with_a_new_token(services, ana):
    """The old token opens nothing, before and after."""
    old = enrol(services.ledger, services.tokens, "ben", OPERATOR, ana, NOW)
    revoke(services.ledger, services.tokens, "Ben", ana, NOW)
    assert hashes(services) == [("ana",)]
    with pytest.raises(GateRefused, match="is not theirs"):
        identify(services.ledger, services.tokens, "ben", old)
    new = enrol(services.ledger, services.tokens, "ben", AUDITOR, ana, NOW)
    assert identify(services.ledger, services.tokens, "ben", new).roles == AUDITOR
    with pytest.raises(GateRefused, match="is not theirs"):
        identify(services.ledger, services.tokens, "ben", old)
    with pytest.raises(GateRefused, match="last approver"):
        revoke(services.ledger, services.tokens, "ana", ana, NOW)


def test_a_swapped_hash_makes_nobody_an_approver(services, ana):
    """Somebody who writes to the database puts their own hash under the approver's name."""
    token = enrol(services.ledger, services.tokens, "eve", OPERATOR, ana, NOW)
    with sqlite3.connect(services.home / "ledger.db") as connection:
        connection.execute("DELETE FROM actor_tokens WHERE name='ana'")
        connection.execute("UPDATE actor_tokens SET name='ana' WHERE name='eve'")
    with pytest.raises(GateRefused, match="not the one the ledger names"):
        identify(services.ledger, services.tokens, "ana", token)


def test_who_asks_is_said_by_the_environment_or_at_the_terminal(services):
    """RATCHET_TOKEN is the token of RATCHET_ACTOR; another name has to be asked."""
    mine = enrol(services.ledger, services.tokens, "ana", APPROVER, None, NOW)
    ana = identify(services.ledger, services.tokens, "ana", mine)
    bens = enrol(services.ledger, services.tokens, "ben", OPERATOR, ana, NOW)
    env = {"RATCHET_ACTOR": "ana", "RATCHET_TOKEN": mine}
    asked = []

    def ask(name):
        asked.append(name)
        return bens

    assert who_asks(services.ledger, services.tokens, env=env).name == "ana"
    assert who_asks(services.ledger, services.tokens, "Ana", ask, env).name == "ana"
    assert (
        who_asks(services.ledger, services.tokens, "ana", env={"RATCHET_TOKEN": mine}).name == "ana"
    )
    assert asked == []
    assert who_asks(services.ledger, services.tokens, "ben", ask, env).name == "ben"
    assert asked == ["ben"]
    for name, given, said in [
        (None, {}, "nobody says who asks"),
        (None, {"RATCHET_TOKEN": mine}, "nobody says who asks"),
        ("ana", {}, "asks without a token"),
        ("ben", env, "asks without a token"),
    ]:
        with pytest.raises(UserError, match=said):
            who_asks(services.ledger, services.tokens, name, env=given)
    with pytest.raises(GateRefused, match="given for ana is not theirs"):
        who_asks(services.ledger, services.tokens, env={**env, "RATCHET_TOKEN": bens})


def test_before_anybody_is_enrolled_nobody_asks(services):
    """The sentence says how to begin."""
    with pytest.raises(GateRefused, match="ratchet people add NAME --role approver"):
        who_asks(services.ledger, services.tokens, "ana", env={"RATCHET_TOKEN": "x"})


def test_killed_before_the_entry_the_first_person_can_still_begin(services):
    """The hash that was left behind opens nothing."""
    child = os.fork()
    if child == 0:
        try:
            os.environ[VARIABLE] = "people.before_entry"
            enrol(
                opened(services.home).ledger,
                opened(services.home).tokens,
                "ana",
                APPROVER,
                None,
                NOW,
            )
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert (listed(services.ledger), hashes(services)) == ([], [("ana",)])
    assert (
        identify(
            services.ledger,
            services.tokens,
            "ana",
            enrol(services.ledger, services.tokens, "ana", APPROVER, None, NOW),
        ).name
        == "ana"
    )


def test_of_two_first_people_one_comes_in(tmp_path):
    """Ten rounds, one name or two: whoever won can prove it, the other one's hash is gone."""
    for round_ in range(10):
        home = tmp_path / str(round_)
        desks, barrier, told = [opened(home), opened(home)], threading.Barrier(2), [None, None]
        names = ["ana", "ana" if round_ % 2 else "eve"]

        def race(who, desks=desks, barrier=barrier, told=told, names=names):
            barrier.wait()
            try:
                told[who] = enrol(
                    desks[who].ledger, desks[who].tokens, names[who], APPROVER, None, NOW
                )
            except GateRefused:
                told[who] = None

        threads = [threading.Thread(target=race, args=(who,)) for who in range(2)]
        [thread.start() for thread in threads]
        [thread.join(60) for thread in threads]
        ((winner, token),) = [one for one in zip(names, told, strict=True) if one[1] is not None]
        assert identify(desks[0].ledger, desks[0].tokens, winner, token).name == winner
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
def test_a_token_opens_a_name_however_it_was_typed(services, typed):
    """Two blanks, full-width letters, an accent of its own: stored as the ledger writes it."""
    token = enrol(services.ledger, services.tokens, typed, APPROVER, None, NOW)
    person = identify(services.ledger, services.tokens, typed, token)
    assert hashes(services) == [(person.name,)]
