"""Is this person who they say they are?

A person proves themselves with a random token, or with a password of their own. Only its argon2id
hash is stored here. Who may act at all, and which hash is theirs, is the ledger's to say: an entry
there names the SHA-256 of the stored hash, so that a hash swapped in this table opens nothing.
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Column, Engine, MetaData, Table, Text, delete, insert, select
from sqlalchemy.engine import URL

from configs.errors import GateRefused, UserError
from flows.adapters.sql.database import open_database, reading, writing
from flows.adapters.sql.migrate import bring_up_to_date
from models.hub.policies.canonical import sha256_of

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD = 12
"""Characters; a random token has 43."""

_METADATA = MetaData()
_TOKENS = Table(
    "actor_tokens",
    _METADATA,
    Column("name", Text, primary_key=True),
    Column("token_hash", Text, primary_key=True),
)
_RANDOM_BYTES = 32
_NOBODYS_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$iqTitqSZVnwc/ERTYdGwIA"
    "$YVflnxBOWGJwh5FGtnR9lIg+dBLOa9d3E/iuDQS+FBs"
)
"""The hash of a token that was thrown away: an unknown name costs as long as a known one."""


class Tokens:
    """The hashed tokens of people, in the ledger's database; nothing is opened before it is used."""

    def __init__(self, engine_or_url: Engine | str | URL) -> None:
        self._given = engine_or_url

    def issue(self, name: str, password: str | None = None) -> tuple[str, str]:
        """Store the hash of a new token (or of a password) for somebody; other hashes stay.

        Which of them is theirs, the ledger says; until it names this one, it opens nothing.

        Returns:
            The token, to be shown once and kept nowhere, and the SHA-256 (hex) of its stored hash.

        Raises:
            UserError: the password is too short.
            ServiceUnreachable: the database does not answer; nothing was stored.
        """
        token = secrets.token_urlsafe(_RANDOM_BYTES) if password is None else password
        if len(unicodedata.normalize("NFKC", token)) < SHORTEST_PASSWORD:
            raise UserError(
                f"A password needs at least {SHORTEST_PASSWORD} characters; a few words in a row "
                "will do, or give none to be given a random token."
            )
        token_hash = _hasher().hash(_as_typed(token))
        with writing(self._engine) as connection:
            connection.execute(insert(_TOKENS).values(name=name, token_hash=token_hash))
        return token, sha256_of(token_hash)

    def verify(self, name: str, token: str, token_digest: str | None) -> None:
        """Return when the token is the one whose stored hash the ledger names for this person.

        `token_digest` is None for a name that nobody has; that takes as long and says the same as a
        wrong token.

        Raises:
            GateRefused: the token is another one, or the stored hash was changed or removed.
            ServiceUnreachable: the database does not answer.
        """
        stored = self._stored(name).get(token_digest or "")
        matches = _matches(stored or _NOBODYS_HASH, token)
        if stored is None and token_digest is not None:
            raise GateRefused(
                f"{name} cannot be identified: the stored hash is not the one the ledger names. "
                "Somebody changed the table actor_tokens; restore it from a copy, or let an approver "
                "revoke and add them again."
            )
        if stored is None or not matches:
            raise GateRefused(f"The token given for {name} is not theirs.")

    def discard(self, name: str, token_digest: str) -> None:
        """Forget one hash: of somebody revoked, or of an enrolment that the ledger refused."""
        token_hash = self._stored(name).get(token_digest)
        with writing(self._engine) as connection:
            connection.execute(
                delete(_TOKENS).where(_TOKENS.c.name == name, _TOKENS.c.token_hash == token_hash)
            )

    def _stored(self, name: str) -> dict[str, str]:
        """The hashes stored for a name, by their SHA-256."""
        with reading(self._engine) as connection:
            query = select(_TOKENS.c.token_hash).where(_TOKENS.c.name == name)
            return {sha256_of(said): said for said in connection.execute(query).scalars()}

    @cached_property
    def _engine(self) -> Engine:
        given = self._given
        engine = open_database(given) if isinstance(given, str | URL) else given
        bring_up_to_date(engine)
        return engine


def _hasher() -> PasswordHasher:
    """Argon2id with the parameters of RFC 9106 for little memory: 64 MiB, three passes."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)


def _matches(token_hash: str, token: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return bool(_hasher().verify(token_hash, _as_typed(token)))
    except (VerificationError, InvalidHashError):
        return False


def _as_typed(token: str) -> bytes:
    """One spelling of the same characters, whichever keyboard they came from; any text has one."""
    return unicodedata.normalize("NFKC", token).encode("utf-8", "surrogatepass")
