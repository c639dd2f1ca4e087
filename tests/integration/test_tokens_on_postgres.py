"""Do tokens open and refuse on PostgreSQL as they do on SQLite?"""

import pytest

from configs.errors import GateRefused
from flows.adapters.ledger.tokens import Tokens

pytestmark = pytest.mark.slow


def test_a_token_opens_its_owners_name_and_a_swapped_hash_nothing(postgres_url, postgres_execute):
    """From another connection, after a first start on an empty database."""
    token, digest = Tokens(postgres_url).issue("ana")
    again = Tokens(postgres_url)
    again.verify("ana", token, digest)
    with pytest.raises(GateRefused, match="is not theirs"):
        again.verify("ana", "another", digest)
    evil, _ = again.issue("eve")
    postgres_execute("DELETE FROM actor_tokens WHERE name='ana'")
    postgres_execute("UPDATE actor_tokens SET name='ana'")
    with pytest.raises(GateRefused, match="not the one the ledger names"):
        again.verify("ana", evil, digest)
    again.discard("ana", digest)
    again._engine.dispose()
