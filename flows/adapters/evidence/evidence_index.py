"""Which parts count, when were they received, and how far was each source read?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    select,
    text,
    update,
)

from flows.adapters.evidence.parquet_parts import Kind
from models.hub.policies.canonical import in_utc, utc_stamp

_LOCK = 0x5241_5443
"""The advisory lock of PostgreSQL between who stamps a batch and who reads as of that moment."""

METADATA = MetaData()
BATCHES = Table(
    "evidence_batches",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("batch_id", Text, nullable=False, unique=True),
    Column("table_name", Text, nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("received_at", Text, nullable=False),
    Column("rows_in", Integer, nullable=False),
    Column("admitted", Integer, nullable=False),
    Column("already_stored", Integer, nullable=False),
    Column("quarantined", Integer, nullable=False),
    Column("part", Text),
    Column("quarantine", Text),
)
WATERMARKS = Table(
    "evidence_watermarks",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("watermark", Text, nullable=False),
)
# The batches whose rows were made here: what a delivery says is a claim, and overrides none of them.
DECIDED_HERE = Table(
    "evidence_decided_here",
    METADATA,
    Column("batch_id", Text, primary_key=True),
)
# One row a table, rewritten by every append: two appends to one table cannot both commit on the
# same view of what is stored (a second writer's update finds another number and starts again).
REVISIONS = Table(
    "evidence_tables",
    METADATA,
    Column("table_name", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
)
# The cases whose data was erased, by the digest of their id: what comes in of them is not stored.
ERASED_CASES = Table(
    "evidence_erased_cases",
    METADATA,
    Column("case_digest", Text, primary_key=True),
)
# What an erasure did, and whether the ledger says so yet.
ERASURES = Table(
    "evidence_erasures",
    METADATA,
    Column("erasure_id", Text, primary_key=True),
    Column("told", Text, nullable=False),
    Column("entered", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that counts, by the digest that names it, when its rows were received, and whether they
    were made here."""

    name: str
    received_at: datetime
    decided_here: bool = False


def batch_row(connection: Connection, batch_id: str) -> Mapping[str, Any] | None:
    """What was recorded of a batch; None when it was never stored."""
    query = select(BATCHES).where(BATCHES.c.batch_id == batch_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def parts_of(
    connection: Connection,
    table: str,
    as_of: datetime | None,
    kind: Kind,
    source: str | None = None,
) -> tuple[Part, ...]:
    """The parts of a table that were received by `as_of` (None = all), in order of arrival; of one
    source, where one is named."""
    column = BATCHES.c[kind]
    query = (
        select(column, BATCHES.c.received_at, DECIDED_HERE.c.batch_id)
        .outerjoin_from(BATCHES, DECIDED_HERE, BATCHES.c.batch_id == DECIDED_HERE.c.batch_id)
        .where(BATCHES.c.table_name == table, column.is_not(None))
        .order_by(BATCHES.c.received_at, BATCHES.c.seq)
    )
    if as_of is not None:
        query = query.where(BATCHES.c.received_at <= utc_stamp(as_of))
    if source is not None:
        query = query.where(BATCHES.c.source == source)
    return tuple(
        Part(name, datetime.fromisoformat(received_at), ours is not None)
        for name, received_at, ours in connection.execute(query)
    )


def sources_of(connection: Connection, table: str) -> tuple[str, ...]:
    """The names of the sources that brought a batch of a table, sorted."""
    query = select(BATCHES.c.source).where(BATCHES.c.table_name == table).distinct()
    return tuple(sorted(str(name) for name in connection.execute(query).scalars()))


def all_parts(connection: Connection) -> dict[tuple[str, Kind], tuple[str, ...]]:
    """The names of every table's parts that count, by table and kind."""
    kinds: tuple[Kind, ...] = ("part", "quarantine")
    found: dict[tuple[str, Kind], list[str]] = {}
    for kind in kinds:
        column = BATCHES.c[kind]
        query = select(BATCHES.c.table_name, column).where(column.is_not(None)).distinct()
        for table, name in connection.execute(query):
            found.setdefault((table, kind), []).append(name)
    return {about: tuple(sorted(names)) for about, names in found.items()}


def arrivals_of(
    connection: Connection, table: str, source: str, as_of: datetime
) -> tuple[tuple[datetime, int], ...]:
    """When a source brought new rows by `as_of`, oldest first, and how many."""
    new = BATCHES.c.admitted - BATCHES.c.already_stored
    query = (
        select(BATCHES.c.received_at, func.sum(new))
        .where(BATCHES.c.table_name == table, BATCHES.c.source == source, new > 0)
        .where(BATCHES.c.received_at <= utc_stamp(as_of))
        .group_by(BATCHES.c.received_at)
        .order_by(BATCHES.c.received_at)
    )
    return tuple((datetime.fromisoformat(at), int(rows)) for at, rows in connection.execute(query))


def stamp_of_commit(connection: Connection) -> datetime:
    """The moment of this transaction by the one clock that all who write here share, and later than
    every stamp that stands: a clock that is set back moves no batch before an earlier one.

    On PostgreSQL that clock is the server's; all processes on one SQLite file share their machine's.
    """
    if connection.dialect.name == "postgresql":
        now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    else:
        now = datetime.now(UTC)
    last = connection.execute(select(func.max(BATCHES.c.received_at))).scalar_one_or_none()
    if last is None:
        return in_utc(now)
    return max(in_utc(now), datetime.fromisoformat(last) + timedelta(microseconds=1))


def last_stamp_of(connection: Connection, table: str) -> datetime | None:
    """The latest stamp in a table; None before its first batch."""
    query = select(func.max(BATCHES.c.received_at)).where(BATCHES.c.table_name == table)
    said = connection.execute(query).scalar_one_or_none()
    return None if said is None else datetime.fromisoformat(said)


def hold_off_readers(connection: Connection) -> None:
    """From here to its end this transaction is waited for by `wait_for_writers`.

    SQLite's write lock, which the transaction holds already, does the same.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": _LOCK})


def wait_for_writers(connection: Connection) -> None:
    """Return when every transaction that has taken its stamp has ended; later ones stamp later."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def revision_of(connection: Connection, table: str) -> int:
    """How often a table was appended to; 0 before its first batch."""
    query = select(REVISIONS.c.revision).where(REVISIONS.c.table_name == table)
    return connection.execute(query).scalar_one_or_none() or 0


def take_revision(connection: Connection, table: str, seen: int) -> bool:
    """Count the table's revision up from the one that was seen (compare-and-swap).

    False, or IntegrityError for a table's first batch, where another append was quicker.
    """
    if seen == 0:
        connection.execute(insert(REVISIONS).values(table_name=table, revision=1))
        return True
    step = (
        update(REVISIONS)
        .where(REVISIONS.c.table_name == table, REVISIONS.c.revision == seen)
        .values(revision=seen + 1)
    )
    return connection.execute(step).rowcount == 1


def moves_on(connection: Connection, source: str, watermark: datetime | None) -> bool:
    """Whether a watermark lies after the one that is kept for its source."""
    if watermark is None:
        return False
    query = select(WATERMARKS.c.watermark).where(WATERMARKS.c.source == source)
    said = connection.execute(query).scalar_one_or_none()
    return said is None or said < utc_stamp(watermark)


def advance(connection: Connection, source: str, watermark: datetime | None) -> None:
    """Move a source's watermark forward, never back (IntegrityError: another one was the first)."""
    if watermark is None:
        return
    said = utc_stamp(watermark)
    known = select(WATERMARKS.c.watermark).where(WATERMARKS.c.source == source)
    if connection.execute(known).scalar_one_or_none() is None:
        connection.execute(insert(WATERMARKS).values(source=source, watermark=said))
        return
    connection.execute(
        update(WATERMARKS)
        .where(WATERMARKS.c.source == source, WATERMARKS.c.watermark < said)
        .values(watermark=said)
    )
