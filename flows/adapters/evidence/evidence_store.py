"""What evidence did we hold as of a moment, and has every row that came in been accounted for?

Rows live in Parquet parts named by the SHA-256 of their bytes; an SQL index says which parts count,
when they were received and how far each source was read. A part that no index row names does not
count: a process killed between file and commit leaves a harmless file, and a second run converges.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from configs.errors import ServiceUnreachable, UserError
from data_contracts.digests import UInts, digest_of, row_digests
from flows.adapters.evidence.arrow_rows import (
    RECEIVED_AT,
    agreeing,
    as_frame,
    expression_of,
    rejects_to_arrow,
    to_arrow,
)
from flows.adapters.evidence.case_numbers import CASE_NUMBER, CaseNumbers
from flows.adapters.evidence.evidence_erasure import Eraser, are_erased, erased_cases
from flows.adapters.evidence.evidence_index import (
    BATCHES,
    DECIDED_HERE,
    METADATA,
    WATERMARKS,
    Part,
    advance,
    all_parts,
    arrivals_of,
    batch_row,
    hold_off_readers,
    last_stamp_of,
    moves_on,
    parts_of,
    revision_of,
    sources_of,
    stamp_of_commit,
    take_revision,
    wait_for_writers,
)
from flows.adapters.evidence.parquet_parts import (
    CONTENT_HASH,
    KEY_HASH,
    Kind,
    ParquetParts,
    PartShape,
)
from flows.adapters.evidence.part_cache import PartCache
from flows.adapters.evidence.stored_digests import StoredDigests
from flows.adapters.files.kill_points import kill_point
from flows.adapters.files.shared_store import SharedStore
from flows.adapters.sql.database import (
    BUSY_TIMEOUT_SECONDS,
    create_tables,
    one_reader,
    open_database,
    reading,
    sqlite_url,
    writing,
)
from models.hub.policies.canonical import in_utc, utc_stamp

_RESERVED = (RECEIVED_AT, KEY_HASH, CONTENT_HASH, CASE_NUMBER)
_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LOST_RACES = 50
OURS = "decided here"
_UNSETTLED = timedelta(minutes=1)
"""No commit takes longer; a read as of an older moment waits for nobody."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one delivered batch.

    Attributes:
        batch_id: SHA-256 (hex) of the delivered content; the same content has the same id.
        admitted: rows that passed the contract, of which `already_stored` were held before.
        already_stored: admitted rows whose key and content were held before (with `once`: whose key
            was); not stored again.
        quarantined: rows put aside with the rules they broke.
        path: the Parquet part with the rows stored by the first delivery; None when there are none.
        received_at: the stamp of the rows this delivery stored (see `EvidenceStore.append`).
    """

    batch_id: str
    admitted: int
    already_stored: int
    quarantined: int
    path: Path | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class _Table:
    """What an append saw of its table before it wrote."""

    revision: int
    parts: tuple[Part, ...]
    erased: UInts


class EvidenceStore:
    """Decisions, reviews, outcomes and whatever else is learned from, as of any moment."""

    def __init__(
        self,
        root: Path,
        url: str | None = None,
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
        cache: PartCache | None = None,
        shared: SharedStore | None = None,
    ) -> None:
        """Open the store under a folder; its index is SQLite in that folder unless `url` is given.

        Decoded parts are kept in `cache`; all stores of a process share one by default. With a team's
        `shared` store a part lies there before a row of the index names it, and the folder holds
        copies.

        Raises:
            ServiceUnreachable: the folder or the database cannot be used.
        """
        self._engine = open_database(
            url or sqlite_url(Path(root) / "evidence.db"), busy_timeout_seconds
        )
        self._files = ParquetParts(Path(root), cache, shared)
        self._stored = StoredDigests(self._files)
        self._numbers = CaseNumbers(self._files, cache)
        self._made: tuple[tuple[str, tuple[str, ...]], UInts] | None = None
        create_tables(self._engine, METADATA)
        self.eraser = Eraser(self._engine, self._files)

    def one_reader(self) -> AbstractContextManager[None]:
        """See `database.one_reader`."""
        return one_reader(self._engine)

    def append(
        self,
        table: str,
        admitted: pd.DataFrame,
        rejected: pd.DataFrame,
        *,
        key: Sequence[str],
        source: str,
        received_at: datetime | None,
        watermark: datetime | None = None,
        once: bool = False,
        decided_here: bool = False,
    ) -> Receipt:
        """Store a batch: new admitted rows, all rejected rows, and how far its source was read.

        Files first, then one transaction; until it commits nothing has happened, and the same call
        may be made again. A batch delivered twice changes nothing.

        Args:
            received_at: None: the moment of the commit, by the store's own clock. Given only where
                the clock is simulated or the night's; a batch stamped before one that the table
                already holds then gets that later stamp: a read as of the past must never change.
            decided_here: these rows were made here: delivered rows of the same key stand in no
                read beside them, and with `once` are no reason not to store them.
            once: a key has one row for good: what is stored already under it stays, and a row that
                says otherwise counts as stored before. Of two processes the first one's counts.

        Raises:
            UserError: the table's name, the key or a column name cannot be used.
            ServiceUnreachable: the disk is full, the folder read-only or the database locked;
                nothing was recorded.
        """
        _check_frame(table, admitted, key)
        _check_frame(table, rejected, ())
        content, rejects = row_digests(admitted), row_digests(rejected)
        keys = row_digests(admitted, key)
        ours = [OURS] if decided_here else []
        batch_id = digest_of([table, source, *key, *ours], content, rejects)
        told = {
            "batch_id": batch_id,
            "table_name": table,
            "source": source,
            "rows_in": len(admitted) + len(rejected),
            "admitted": len(admitted),
            "quarantined": len(rejected),
        }
        for _ in range(_LOST_RACES):
            known = self._known(batch_id, source, watermark)
            if known is not None:
                return known
            seen = self._seen(table)
            kept = ~are_erased(admitted, seen.erased)
            put_aside = rejected[~are_erased(rejected, seen.erased)]
            kind = OURS if decided_here else ""
            stored = {part.name for part in seen.parts if part.decided_here or not decided_here}
            new = self._stored.not_stored(table, stored, content, keys, by_key=once, kind=kind)
            new &= kept  # what was erased comes back with no delivery
            part = self._write_part(table, admitted, new, content, keys)
            kill_point("evidence.part_written")
            quarantine = self._write_quarantine(table, put_aside)
            kill_point("evidence.quarantine_written")
            row = {
                **told,
                "already_stored": int((~new).sum()),
                "part": part,
                "quarantine": quarantine,
            }
            recorded = self._record(
                row, seen.revision, source, watermark, received_at, decided_here
            )
            if recorded is not None:
                kill_point("evidence.committed")
                return self._receipt(recorded)
        raise ServiceUnreachable(
            f"The evidence table {table!r} stayed busy through {_LOST_RACES} attempts. Nothing was "
            "recorded; try again."
        )

    def read(
        self,
        table: str,
        *,
        as_of: datetime | None = None,
        columns: Sequence[str] | None = None,
        filters: Mapping[str, Collection[Any]] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        stamp: str | None = None,
        categories: Collection[str] = (),
        numbered: bool = False,
    ) -> pd.DataFrame:
        """The rows received by `as_of`, in order of arrival, stamps in UTC, with `received_at`.

        Of a key that has rows made here, what was delivered under it is left out: it stays stored,
        and overrides nothing.

        Args:
            columns: only these (a column that some parts lack is missing there).
            filters: keep rows whose column holds one of the values.
            since, until: keep rows with `since <= stamp < until`; `stamp` names the column.
            categories: columns of few different words, to be read as categorical ones.
            numbered: add `case_number`, by which rows of all tables about one case are joined (the
                table has a `case_id`); rows of a case that was never decided are left out.

        Raises:
            UserError: a column is in no part, or a window names no stamp.
            ServiceUnreachable: a part is missing or no longer has the bytes that name it.
        """
        if (since is not None or until is not None) and stamp is None:
            raise UserError(
                "A window needs `stamp`: the column that `since` and `until` are about."
            )
        parts = self._parts(table, as_of)
        wanted = None if columns is None else list(columns)
        asked = set(filters or ())
        if stamp is not None and (since is not None or until is not None):
            asked.add(stamp)
        shapes = [self._files.shape(table, part.name) for part in parts]
        _check_known(table, shapes, {*(wanted or ()), *asked})
        needed = None if wanted is None else [*wanted, *asked]
        held = [
            part
            for part, shape in zip(parts, shapes, strict=True)
            if (asked - {RECEIVED_AT}) <= shape.filled
        ]
        tables = [self._files.rows(table, part.name, part.received_at, needed) for part in held]
        expression = expression_of(filters or {}, stamp, since, until)
        if numbered:
            tables = self._with_numbers(table, held, tables)
        tables = self._without_overridden(table, parts, held, tables)
        if numbered:
            wanted = None if wanted is None else [*wanted, CASE_NUMBER]
            decided = pc.field(CASE_NUMBER) >= 0
            expression = decided if expression is None else expression & decided
        return as_frame(tables, [s.schema for s in shapes], wanted, expression, categories)

    def holds(self, table: str, keys: pd.DataFrame, *, decided_here: bool = False) -> np.ndarray:
        """Whether a row is stored under each of these keys: one boolean a row.

        Args:
            keys: the columns of the table's key, and no other.
            decided_here: only rows that were made here count.
        """
        parts = self._parts(table, None)
        stored = {part.name for part in parts if part.decided_here or not decided_here}
        kind = OURS if decided_here else ""
        return self._stored.holds(table, stored, row_digests(keys), kind)

    def _without_overridden(
        self,
        table: str,
        parts: Sequence[Part],
        held: Sequence[Part],
        tables: Sequence[pa.Table],
    ) -> list[pa.Table]:
        """Delivered rows only where no row of their key was made here by then."""
        ours = tuple(part.name for part in parts if part.decided_here)
        if not ours or len(ours) == len(parts):
            return list(tables)
        made = self._keys_of(table, ours)
        return [
            rows if part.decided_here else self._delivered_alone(table, part, rows, made)
            for part, rows in zip(held, tables, strict=True)
        ]

    def _delivered_alone(self, table: str, part: Part, rows: pa.Table, made: UInts) -> pa.Table:
        keys = self._files.digests(table, part.name)[1]
        alone = made[np.searchsorted(made, keys).clip(max=len(made) - 1)] != keys
        return rows if alone.all() else rows.filter(pa.array(alone))

    def _keys_of(self, table: str, parts: tuple[str, ...]) -> UInts:
        """The sorted keys of some parts; a night reads as of one moment, so the last ones are kept."""
        asked = (table, parts)
        made = self._made
        if made is None or made[0] != asked:
            digests = [self._files.digests(table, name)[1] for name in parts]
            self._made = made = (asked, np.sort(np.concatenate(digests)))
        return made[1]

    def columns(self, table: str, as_of: datetime | None = None) -> frozenset[str]:
        """Every column that some row received by `as_of` came with."""
        shapes = [self._files.shape(table, part.name) for part in self._parts(table, as_of)]
        return frozenset(name for shape in shapes for name in shape.schema.names)

    def _with_numbers(
        self, table: str, parts: Sequence[Part], rows: Sequence[pa.Table]
    ) -> list[pa.Table]:
        decisions = [part.name for part in self._parts("decisions", None)]
        return [
            each.append_column(
                CASE_NUMBER, pa.array(self._numbers.of_part(decisions, table, part.name))
            )
            for part, each in zip(parts, rows, strict=True)
        ]

    def latest_revisions(
        self,
        table: str,
        key: Sequence[str] | str,
        revision: str,
        as_of: datetime | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """For each key the row with the highest revision known as of a moment.

        Of two rows with one revision, the one that arrived later counts.
        """
        keys = [key] if isinstance(key, str) else list(key)
        wanted = None if columns is None else [*dict.fromkeys([*columns, *keys, revision])]
        rows = self.read(table, as_of=as_of, columns=wanted)
        if rows.empty:
            return rows if columns is None else rows[list(columns)]
        latest = (
            rows.sort_values(revision, kind="stable")  # stable: arrival order breaks ties
            .drop_duplicates(keys, keep="last")
            .sort_index()
            .reset_index(drop=True)
        )
        return latest if columns is None else latest[list(columns)]

    def rejects(
        self, table: str, as_of: datetime | None = None, source: str | None = None
    ) -> pd.DataFrame:
        """The quarantined rows received by `as_of` (from one source, where one is named), with the
        rules they broke."""
        tables = [
            self._files.rows(table, part.name, part.received_at, kind="quarantine")
            for part in self._parts(table, as_of, "quarantine", source)
        ]
        together = agreeing(tables)
        return as_frame(together, [item.schema for item in together], None)

    def watermark(self, source: str) -> datetime | None:
        """How far a source has been read; None before its first batch."""
        query = select(WATERMARKS.c.watermark).where(WATERMARKS.c.source == source)
        with reading(self._engine) as connection:
            said = connection.execute(query).scalar_one_or_none()
        return None if said is None else datetime.fromisoformat(said)

    def sources(self, table: str) -> tuple[str, ...]:
        """The names of all that ever delivered rows of a table, sorted."""
        _check_table(table)
        with reading(self._engine) as connection:
            return sources_of(connection, table)

    def last_received(self, table: str) -> datetime | None:
        """The stamp of the newest batch of a table; what is stored next gets no earlier one. None:
        nothing was stored."""
        _check_table(table)
        with reading(self._engine) as connection:
            return last_stamp_of(connection, table)

    def digest(self, table: str, as_of: datetime | None = None) -> str:
        """One SHA-256 (hex) for all rows received by `as_of`, from their parts' digests."""
        names = sorted(part.name for part in self._parts(table, as_of))
        return hashlib.sha256("\n".join([table, *names]).encode("utf-8")).hexdigest()

    def arrivals(
        self, table: str, source: str, as_of: datetime
    ) -> tuple[tuple[datetime, int], ...]:
        """When a source brought rows that were new, oldest first, and how many."""
        _check_table(table)
        with reading(self._engine) as connection:
            return arrivals_of(connection, table, source, as_of)

    def sizes(
        self, table: str, column: str, as_of: datetime | None = None, source: str | None = None
    ) -> pd.DataFrame:
        """How many rows of each value of a column came in each part received by `as_of` (from one
        source, where one is named): the column, `rows` and `received_at`."""
        found = []
        for part in self._parts(table, as_of, source=source):
            counted = self._files.column(table, part.name, column).value_counts()
            found.append(
                pd.DataFrame(
                    {
                        column: counted.field("values").to_pandas(),
                        "rows": counted.field("counts").to_numpy(),
                        "received_at": part.received_at,
                    }
                )
            )
        if not found:
            return pd.DataFrame({column: [], "rows": [], "received_at": []})
        return pd.concat(found, ignore_index=True)

    def not_shared(self) -> dict[tuple[str, Kind], tuple[str, ...]]:
        """By table and kind the parts that count and do not lie at the team's store.

        Raises:
            ServiceUnreachable: the store or the database does not answer.
        """
        found: dict[tuple[str, Kind], tuple[str, ...]] = {}
        with reading(self._engine) as connection:
            named = all_parts(connection)
        for (table, kind), names in named.items():
            there = self._files.at_shared(table, kind)
            if lost := tuple(one for one in names if one not in there):
                found[table, kind] = lost
        return found

    def path(self, table: str, name: str, kind: Kind) -> Path:
        """Where a part lies in this home, whether or not it is there."""
        return self._files.path(table, name, kind)

    def at_hand(self, table: str, name: str, kind: Kind) -> Path:
        """Where a part lies in this home, copied from the team's store where only that has it.

        Raises:
            ServiceUnreachable: the part is missing or no longer has the bytes that name it.
        """
        return self._files.at_hand(table, name, kind)

    def publish(self) -> tuple[int, int]:
        """Put what this home has and the team's store lacks there, or has with other bytes: how many
        parts, and how many it still lacks.

        Raises:
            ServiceUnreachable: the store or the database does not answer.
        """
        put = lacking = 0
        for (table, kind), names in self.not_shared().items():
            for name in names:
                if not self._files.is_intact(table, name, kind):
                    lacking += 1
                    continue
                self._files.publish(table, name, kind)
                put += 1
        return put, lacking

    def counts(self, table: str) -> tuple[int, int, int]:
        """Rows in, admitted and quarantined over all batches; the first is the sum of the others."""
        _check_table(table)
        sums = (func.sum(BATCHES.c[name]) for name in ("rows_in", "admitted", "quarantined"))
        query = select(*sums).where(BATCHES.c.table_name == table)
        with reading(self._engine) as connection:
            rows_in, admitted, quarantined = connection.execute(query).one()
        return int(rows_in or 0), int(admitted or 0), int(quarantined or 0)

    def _known(self, batch_id: str, source: str, watermark: datetime | None) -> Receipt | None:
        """The receipt of a batch that was stored before; its source may still move on."""
        with reading(self._engine) as connection:
            row = batch_row(connection, batch_id)
            late = row is not None and moves_on(connection, source, watermark)
        if row is None:
            return None
        if late and not self._advanced(source, watermark):
            self._advanced(source, watermark)  # a row is there now, so this time it is moved
        return replace(self._receipt(row), already_stored=int(row["admitted"]))

    def _advanced(self, source: str, watermark: datetime | None) -> bool:
        """Move a source on; False when another process kept its first watermark at this moment."""
        try:
            with writing(self._engine) as connection:
                advance(connection, source, watermark)
        except IntegrityError:
            return False
        return True

    def _seen(self, table: str) -> _Table:
        with reading(self._engine) as connection:
            return _Table(
                revision_of(connection, table),
                parts_of(connection, table, None, "part"),
                erased_cases(connection),
            )

    def _record(
        self,
        row: Mapping[str, Any],
        revision: int,
        source: str,
        watermark: datetime | None,
        received_at: datetime | None,
        decided_here: bool,
    ) -> Mapping[str, Any] | None:
        """Make a batch count, in one transaction, and stamp it; None when the table changed since it
        was read."""
        table = str(row["table_name"])
        try:
            with writing(self._engine) as connection:
                if not take_revision(connection, table, revision):
                    return None
                advance(connection, source, watermark)
                if decided_here:
                    connection.execute(insert(DECIDED_HERE).values(batch_id=row["batch_id"]))
                # Last of all: what is read as of this stamp waits from here until the commit.
                hold_off_readers(connection)
                if received_at is None:
                    stamp = stamp_of_commit(connection)
                else:
                    given = in_utc(received_at)
                    stamp = max(given, last_stamp_of(connection, table) or given)
                recorded = {**row, "received_at": utc_stamp(stamp)}
                connection.execute(insert(BATCHES).values(**recorded))
                kill_point("evidence.before_commit")
        except IntegrityError:
            return None
        return recorded

    def _write_part(
        self, table: str, rows: pd.DataFrame, new: np.ndarray, content: UInts, keys: UInts
    ) -> str | None:
        if not new.any():
            return None
        stored = to_arrow(table, rows.loc[new])
        stored = stored.append_column(KEY_HASH, pa.array(keys[new]))
        stored = stored.append_column(CONTENT_HASH, pa.array(content[new]))
        return self._files.write(table, "part", stored)

    def _write_quarantine(self, table: str, rejected: pd.DataFrame) -> str | None:
        if rejected.empty:
            return None
        return self._files.write(table, "quarantine", rejects_to_arrow(rejected))

    def _parts(
        self,
        table: str,
        as_of: datetime | None,
        kind: Kind = "part",
        source: str | None = None,
    ) -> tuple[Part, ...]:
        _check_table(table)
        if as_of is not None and in_utc(as_of) > datetime.now(UTC) - _UNSETTLED:
            # A batch that has its stamp and no commit yet would appear in this read later on.
            with writing(self._engine) as connection:
                wait_for_writers(connection)
        with reading(self._engine) as connection:
            return parts_of(connection, table, as_of, kind, source)

    def _receipt(self, row: Mapping[str, Any]) -> Receipt:
        part, table = row["part"], str(row["table_name"])
        return Receipt(
            batch_id=str(row["batch_id"]),
            admitted=int(row["admitted"]),
            already_stored=int(row["already_stored"]),
            quarantined=int(row["quarantined"]),
            path=None if part is None else self._files.path(table, part),
            received_at=datetime.fromisoformat(row["received_at"]),
        )


def _check_table(table: str) -> None:
    if not _TABLE_NAME.fullmatch(table):
        raise UserError(
            f"{table!r} cannot name an evidence table; use lower-case letters, digits and "
            "underscores, like 'reviews'."
        )


def _check_frame(table: str, frame: pd.DataFrame, key: Sequence[str]) -> None:
    _check_table(table)
    reserved = [name for name in _RESERVED if name in frame.columns]
    if reserved:
        raise UserError(
            f"{table} may not bring the columns {', '.join(map(repr, reserved))}: the store stamps "
            "them itself. Leave them out, or give them another name."
        )
    missing = [name for name in key if name not in frame.columns]
    if missing:
        raise UserError(
            f"{table} lacks its key column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(str, frame.columns))}."
        )
    if not frame.columns.is_unique:
        raise UserError(f"{table} has two columns of one name; rename one of them.")


def _check_known(table: str, shapes: Sequence[PartShape], asked: Collection[str]) -> None:
    if not shapes:
        return
    known = {RECEIVED_AT}.union(*(shape.names for shape in shapes))
    unknown = sorted(set(asked) - known)
    if unknown:
        raise UserError(
            f"The evidence table {table!r} has no column {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(sorted(known))}."
        )
