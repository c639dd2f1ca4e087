"""What time is it by the clock that all machines of one database share?"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, text

from models.hub.policies.canonical import in_utc


def now_at(connection: Connection) -> datetime:
    """The server's clock on PostgreSQL; all processes on one SQLite file share their machine's."""
    if connection.dialect.name == "postgresql":
        return in_utc(connection.execute(text("SELECT clock_timestamp()")).scalar_one())
    return datetime.now(UTC)
