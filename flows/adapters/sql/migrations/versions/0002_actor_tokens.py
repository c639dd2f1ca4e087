"""Step 2: what people prove themselves with, as hashes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The hashes of a name; the ledger says by its digest which of them is theirs."""
    op.create_table(
        "actor_tokens",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("token_hash", sa.Text, primary_key=True),
    )
