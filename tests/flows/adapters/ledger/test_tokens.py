"""Does a token open its owner's name and nothing else, and stay out of everything that is written?"""

import hashlib
import logging
import sqlite3
import time
import traceback

import pytest
from argon2 import PasswordHasher

from configs.errors import GateRefused, UserError
from flows.adapters.ledger import tokens
from flows.adapters.ledger.tokens import _NOBODYS_HASH, Tokens
from flows.adapters.sql.database import open_database

PASSWORD = "correct horse battery"


@pytest.fixture
def cheap(monkeypatch):
    """Hashes that cost next to nothing; what they cost is no part of most tests."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(tokens, "_hasher", lambda: hasher)


@pytest.fixture
def store(tmp_path):
    return Tokens(f"sqlite:///{tmp_path / 'ledger.db'}")


def sql(home, statement, *values):
    with sqlite3.connect(home / "ledger.db") as connection:
        return connection.execute(statement, values).fetchall()


def stored(home):
    return sql(home, "SELECT name, token_hash FROM actor_tokens")


def test_a_token_opens_its_owners_name_and_no_other(store, tmp_path, cheap):
    """Random, 43 characters, stored only as a hash whose SHA-256 is the digest."""
    token, digest = store.issue("ana")
    other, _ = store.issue("ben")
    assert len(token) == len(other) == 43
    assert token != other
    (_, token_hash), _ = stored(tmp_path)
    assert token_hash.startswith("$argon2id$")
    assert digest == hashlib.sha256(token_hash.encode("ascii")).hexdigest()
    store.verify("ana", token, digest)
    for name, given, named in [
        ("ana", other, digest),
        ("ana", "", digest),
        ("ana", token + "x", digest),
        ("eve", token, None),
    ]:
        with pytest.raises(GateRefused, match=f"The token given for {name} is not theirs"):
            store.verify(name, given, named)
    with pytest.raises(GateRefused, match="not the one the ledger names"):
        store.verify("ben", token, digest)


def test_another_process_reads_what_was_issued(store, tmp_path, cheap):
    """An engine is taken as well as a URL."""
    token, digest = store.issue("ana")
    Tokens(open_database(f"sqlite:///{tmp_path / 'ledger.db'}")).verify("ana", token, digest)


def test_a_password_may_stand_for_the_token_and_is_the_same_on_every_keyboard(store, cheap):
    """An e with its accent is one character or two; 密码 and a lone surrogate are text, too."""
    for password in [PASSWORD, "caf\u00e9 de la gare", "密码密码密码密码密码密码", "\udcff" * 12]:
        token, digest = store.issue("ana", password)
        assert token == password
        store.verify("ana", password, digest)
    _, digest = store.issue("ana", "caf\u00e9 de la gare")
    store.verify("ana", "cafe\u0301 de la gare", digest)


def test_a_short_password_is_refused_before_anything_is_stored(store, tmp_path, cheap):
    """Eleven characters are too few, twelve will do."""
    store.issue("ana", "a" * 12)
    with pytest.raises(UserError, match="at least 12 characters"):
        store.issue("ben", "a" * 11)
    assert [name for name, _ in stored(tmp_path)] == ["ana"]


def test_a_swapped_or_removed_hash_opens_nothing(store, tmp_path, cheap):
    """Whoever writes to the table cannot become somebody: the ledger names another digest."""
    token, digest = store.issue("ana")
    evil, evil_digest = store.issue("eve")
    sql(tmp_path, "DELETE FROM actor_tokens WHERE name='ana'")
    sql(tmp_path, "UPDATE actor_tokens SET name='ana'")
    for given in (evil, token):
        with pytest.raises(GateRefused, match="stored hash is not the one the ledger names"):
            store.verify("ana", given, digest)
    store.verify("ana", evil, evil_digest)  # it is the ledger's word alone that stands against it


def test_a_new_hash_takes_nothing_away_until_the_ledger_names_it(store, tmp_path, cheap):
    """An enrolment that is refused, or loses a race, must not lock its name's owner out."""
    first, first_digest = store.issue("ana")
    second, second_digest = store.issue("ana")
    store.verify("ana", first, first_digest)
    store.verify("ana", second, second_digest)
    with pytest.raises(GateRefused):
        store.verify("ana", second, first_digest)
    store.discard("ana", second_digest)
    store.discard("ana", second_digest)
    store.verify("ana", first, first_digest)
    assert len(stored(tmp_path)) == 1


def test_a_stored_text_that_is_no_hash_opens_nothing(store, tmp_path, cheap):
    """Not even where the ledger names it."""
    store.issue("ana")
    sql(tmp_path, "UPDATE actor_tokens SET token_hash='plain'")
    with pytest.raises(GateRefused, match="is not theirs"):
        store.verify("ana", "plain", hashlib.sha256(b"plain").hexdigest())


def test_an_unknown_name_costs_as_long_as_a_known_one(store):
    """The same hash function runs once in both cases (a factor of three is the machine's noise; a
    road without a hash would be a hundred times quicker)."""
    assert not tokens._hasher().check_needs_rehash(_NOBODYS_HASH)
    _, digest = store.issue("ana")
    cost = {}
    for name, named in [("ana", digest), ("nobody", None), ("ana", digest), ("nobody", None)]:
        began = time.process_time()
        with pytest.raises(GateRefused, match=f"The token given for {name} is not theirs"):
            store.verify(name, "a wrong token", named)
        cost[name] = min(cost.get(name, 9.0), time.process_time() - began)
    assert 1 / 3 < cost["ana"] / cost["nobody"] < 3


def test_a_token_stands_in_no_message_no_log_no_traceback_and_no_database(
    store, tmp_path, cheap, caplog
):
    """A canary, given as the right password and as a wrong one."""
    canary = "canary-7f3a-in-the-mine"
    with caplog.at_level(logging.DEBUG):
        _, digest = store.issue("ana", canary)
        store.verify("ana", canary, digest)
        told = [repr(store), str(vars(store))]
        for name, given, named in [
            ("ana", canary + "x", digest),
            ("ana", canary, "0" * 64),
            ("eve", canary, None),
            ("ana", canary + "\udcff", digest),
        ]:
            with pytest.raises(GateRefused) as refused:
                store.verify(name, given, named)
            told += [*traceback.format_exception(refused.value), repr(refused.value)]
    with pytest.raises(UserError) as short:
        store.issue("ana", canary[:11])
    told += traceback.format_exception(short.value)
    told.append(caplog.text)
    assert canary[:11] not in "\n".join(told)
    for file in tmp_path.iterdir():
        assert canary.encode() not in file.read_bytes()
