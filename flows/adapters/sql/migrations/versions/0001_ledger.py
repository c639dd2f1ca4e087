"""Step 1: the tables as they were before there were steps; such a database is taken on here."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Entries, the policies that they name, and the commands that were refused."""
    op.create_table(
        "ledger_entries",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("case_type", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("policy_id", sa.Text),
        sa.Column("base_version", sa.Integer, nullable=False),
        sa.Column("evidence_digest", sa.Text),
        sa.Column("dossier", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("own_hash", sa.Text, nullable=False),
        sa.UniqueConstraint("case_type", "version"),
    )
    op.create_table(
        "policies",
        sa.Column("policy_id", sa.Text, primary_key=True),
        sa.Column("case_type", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "ledger_refusals",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("case_type", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
    )
