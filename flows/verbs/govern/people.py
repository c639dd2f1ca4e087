"""Who asks, and are they who they say they are; who comes in, and who has to go?"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from configs.errors import GateRefused, UserError
from flows.adapters.files.kill_points import kill_point
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.submit import submitted
from flows.verbs.ports import Ledger, Tokens
from models.hub import PEOPLE, Enrol, Entry, EntryKind, Person, Revoke, Role, enrolled
from models.hub.record.said import plain_name, shown_name
from models.vocabulary.names import why_mistakable

NAME, TOKEN = "RATCHET_ACTOR", "RATCHET_TOKEN"
"""The environment variables in which somebody says who they are."""

_LONGEST_NAME = 100


def who_asks(
    ledger: Ledger,
    tokens: Tokens,
    name: str | None = None,
    ask_token: Callable[[str], str] | None = None,
    env: Mapping[str, str] = os.environ,
    history: Sequence[Entry] | None = None,
) -> Person:
    """The person who gives a command, identified.

    Args:
        name: who they say they are; None: `RATCHET_ACTOR` says it.
        ask_token: asks a person of this name for their token; None: there is nobody to ask, and
            only `RATCHET_TOKEN` can hold it. It is asked for as well where `RATCHET_ACTOR` names
            somebody else, whose token that is.
        history: who is enrolled by it; None: by the ledger, which must fit its head.

    Raises:
        UserError: no name or no token is given.
        GateRefused: nobody is enrolled yet, or the token is not theirs.
    """
    known = enrolled(ledger.history(PEOPLE) if history is None else history)
    if not known:
        raise GateRefused(
            "Nobody is enrolled here yet, so nobody may act. The first person enrols themselves: "
            "`ratchet people add NAME --role approver`."
        )
    asks = (name or env.get(NAME) or "").strip()
    if not asks:
        raise UserError(f"nobody says who asks; give --as NAME, or set {NAME} and {TOKEN}.")
    token = env.get(TOKEN) if plain_name(env.get(NAME) or asks) == plain_name(asks) else None
    if not token and ask_token is not None:
        token = ask_token(asks)
    if not token:
        raise UserError(
            f"{asks} asks without a token; set {NAME} and {TOKEN}, or run this at a terminal, where "
            "it is asked for. It is no option of the command: others could read it there."
        )
    return _identified(tokens, known, asks, token)


def identify(ledger: Ledger, tokens: Tokens, name: str, token: str) -> Person:
    """The enrolled person of that name, whose token this is.

    Raises:
        GateRefused: nobody has that name, or the token is not theirs; both sound and last the same.
    """
    return _identified(tokens, enrolled(ledger.history(PEOPLE)), name, token)


def _identified(tokens: Tokens, known: Mapping[str, Person], name: str, token: str) -> Person:
    person = known.get(plain_name(name))
    named, digest = (name.strip(), None) if person is None else (person.name, person.token_digest)
    tokens.verify(named, token, digest)
    assert person is not None  # without a digest, every token is refused
    return person


def enrol(
    ledger: Ledger,
    tokens: Tokens,
    name: str,
    roles: Collection[Role],
    by: Person | None,
    at: datetime,
    password: str | None = None,
) -> str:
    """Let somebody act from now on, in these roles, and return their token (or the password).

    The hash is stored before the ledger names it: killed in between, it opens nothing, and the same
    command can be given again.

    Args:
        by: the approver who enrols them, identified; None: the very first person, themselves.

    Raises:
        UserError: the name cannot be shown, no role is given, or the password is too short.
        GateRefused: the ledger refuses (the name is taken or a flow's; `by` is no approver; the first
            person is none); the refusal is kept.
    """
    name = _plain(name)
    if not roles:
        raise UserError(f"{name} needs a role: {', '.join(Role)}; several are possible.")
    base = last_version(ledger, PEOPLE)
    if by is None and enrolled(ledger.history(PEOPLE)):
        raise GateRefused("Somebody is enrolled already; an approver enrols everybody after them.")
    token, digest = tokens.issue(name, password)
    kill_point("people.before_entry")
    command = Enrol(
        name=name,
        roles=tuple(role.value for role in roles),
        token_digest=digest,
        actor=name if by is None else by.name,
        base_version=base,
    )
    try:
        submitted(ledger, command, at)
    except GateRefused:
        tokens.discard(name, digest)
        raise
    return token


def revoke(ledger: Ledger, tokens: Tokens, name: str, by: Person, at: datetime) -> None:
    """Let somebody act no longer; what they did stays theirs, and their name is free again.

    Raises:
        GateRefused: the ledger refuses (nobody has that name; `by` is no approver; they are the last
            approver); the refusal is kept.
    """
    person = enrolled(ledger.history(PEOPLE)).get(plain_name(name))
    command = Revoke(name=name, actor=by.name, base_version=last_version(ledger, PEOPLE))
    submitted(ledger, command, at)
    if person is not None:
        tokens.discard(person.name, person.token_digest)


def listed(ledger: Ledger) -> list[dict[str, Any]]:
    """Everybody enrolled, by name: roles, since when, and who enrolled them."""
    history = ledger.history(PEOPLE)
    last = {
        plain_name(str(entry.dossier["name"])): entry
        for entry in history
        if entry.kind is EntryKind.ENROLLED
    }
    return [
        {
            "name": person.name,
            "roles": ", ".join(sorted(person.roles)),
            "since": last[name].at.isoformat(),
            "enrolled_by": last[name].actor,
        }
        for name, person in sorted(enrolled(history).items())
    ]


def _plain(name: str) -> str:
    """A name that reads the same wherever it is printed, spelled as the ledger writes it down."""
    shown = shown_name(name)
    if shown and name.strip().isprintable() and len(shown) <= _LONGEST_NAME:
        if why := why_mistakable(shown, also="@+"):
            raise UserError(f"The name of a person {why}: it could be taken for another one.")
        return shown
    raise UserError(
        f"{name!r} is no name for a person; write one on a line, of at most {_LONGEST_NAME} "
        "characters that can be seen."
    )
