"""What evidence did we hold as of a moment, and has every row that came in been accounted for?

Rows live in Parquet parts named by the SHA-256 of their bytes; an SQL index says which parts count,
when they were received and how far each source was read. A part that no index row names does not
count: a process killed between file and commit leaves a harmless file, and a second run converges.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
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
    update,
)
from sqlalchemy.exc import IntegrityError

from configs.errors import ServiceUnreachable, UserError
from flows.adapters.database import (
    BUSY_TIMEOUT_SECONDS,
    create_tables,
    open_database,
    reading,
    writing,
)
from flows.adapters.files import sync_folder, written_beside
from flows.adapters.kill_points import kill_point
from flows.adapters.row_digests import (
    UInts,
    digest_of,
    nested_as_text,
    readable,
    row_digests,
    without_category,
)
from models.hub.canonical import in_utc, utc_stamp

RECEIVED_AT = "received_at"
"""The column that every read adds: when the store received the row."""

_KEY_HASH, _CONTENT_HASH = "__key_hash", "__content_hash"
_RESERVED = (RECEIVED_AT, _KEY_HASH, _CONTENT_HASH)
_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LOST_RACES = 50

_METADATA = MetaData()
_BATCHES = Table(
    "evidence_batches",
    _METADATA,
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
_WATERMARKS = Table(
    "evidence_watermarks",
    _METADATA,
    Column("source", Text, primary_key=True),
    Column("watermark", Text, nullable=False),
)
# One row a table, rewritten by every append: two appends to one table cannot both commit on the
# same view of what is stored (a second writer's update finds another number and starts again).
_REVISIONS = Table(
    "evidence_tables",
    _METADATA,
    Column("table_name", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one delivered batch.

    Attributes:
        batch_id: SHA-256 (hex) of the delivered content; the same content has the same id.
        admitted: rows that passed the contract, of which `already_stored` were held before.
        already_stored: admitted rows whose key and content were held before; not stored again.
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
class _Part:
    name: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class _Index:
    """The digests of all stored rows of a table, in order of the content digest."""

    parts: frozenset[str]
    content: UInts
    key: UInts


@dataclass(frozen=True, slots=True)
class _Table:
    """What an append saw of its table before it wrote."""

    revision: int
    parts: tuple[_Part, ...]
    last_received_at: datetime | None


class EvidenceStore:
    """Decisions, reviews, outcomes and whatever else is learned from, as of any moment."""

    def __init__(
        self,
        root: Path,
        url: str | None = None,
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
    ) -> None:
        """Open the store under a folder; its index is SQLite in that folder unless `url` is given.

        Raises:
            ServiceUnreachable: the folder or the database cannot be used.
        """
        self._root = Path(root)
        self._engine = open_database(
            url or f"sqlite:///{self._root / 'evidence.db'}", busy_timeout_seconds
        )
        self._indexes: dict[str, _Index] = {}
        self._verified: set[str] = set()
        self._lock = threading.Lock()
        create_tables(self._engine, _METADATA)

    def append(
        self,
        table: str,
        admitted: pd.DataFrame,
        rejected: pd.DataFrame,
        *,
        key: Sequence[str],
        source: str,
        received_at: datetime,
        watermark: datetime | None = None,
    ) -> Receipt:
        """Store a batch: new admitted rows, all rejected rows, and how far its source was read.

        Files first, then one transaction; until it commits nothing has happened, and the same call
        may be made again. A batch delivered twice changes nothing. A batch stamped before one that
        the table already holds gets that later stamp: a read as of the past must never change.

        Raises:
            UserError: the table's name, the key or a column name cannot be used.
            ServiceUnreachable: the disk is full, the folder read-only or the database locked;
                nothing was recorded.
        """
        _check_frame(table, admitted, key)
        _check_frame(table, rejected, ())
        content, rejects = row_digests(admitted), row_digests(rejected)
        keys = row_digests(admitted, key)
        batch_id = digest_of([table, source, *key], content, rejects)
        batch = {
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
            stamp = max(in_utc(received_at), seen.last_received_at or in_utc(received_at))
            new = self._not_stored(table, seen.parts, content, keys)
            part = self._write_part(table, admitted, new, content, keys)
            kill_point("evidence.part_written")
            quarantine = self._write_quarantine(table, rejected)
            kill_point("evidence.quarantine_written")
            row = {
                **batch,
                "received_at": utc_stamp(stamp),
                "already_stored": int((~new).sum()),
                "part": part,
                "quarantine": quarantine,
            }
            if self._record(row, seen.revision, source, watermark):
                kill_point("evidence.committed")
                return self._receipt(row)
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
    ) -> pd.DataFrame:
        """The rows received by `as_of`, in order of arrival, stamps in UTC, with `received_at`.

        Args:
            columns: only these (a column that some parts lack is missing there).
            filters: keep rows whose column holds one of the values.
            since, until: keep rows with `since <= stamp < until`; `stamp` names the column.

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
        expression = _expression(filters or {}, stamp, since, until)
        asked = set(filters or ())
        if stamp is not None and (since is not None or until is not None):
            asked.add(stamp)
        paths = [self._verified_path(table, part.name) for part in parts]
        schemas = [pq.read_schema(path) for path in paths]
        _check_known(table, schemas, {*(wanted or ()), *asked})
        tables = [
            _read_part(path, schema, part, wanted, expression)
            for part, path, schema in zip(parts, paths, schemas, strict=True)
            if (asked - {RECEIVED_AT}) <= _filled(schema)
        ]
        return _as_frame(tables, schemas, wanted)

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

    def rejects(self, table: str, as_of: datetime | None = None) -> pd.DataFrame:
        """The quarantined rows received by `as_of`, with the rules they broke."""
        parts = self._parts(table, as_of, "quarantine")
        tables = []
        for part in parts:
            path = self._verified_path(table, part.name, "quarantine")
            tables.append(_read_part(path, pq.read_schema(path), part, None, None))
        agreeing = _agreeing(tables)
        return _as_frame(agreeing, [item.schema for item in agreeing], None)

    def watermark(self, source: str) -> datetime | None:
        """How far a source has been read; None before its first batch."""
        query = select(_WATERMARKS.c.watermark).where(_WATERMARKS.c.source == source)
        with reading(self._engine) as connection:
            said = connection.execute(query).scalar_one_or_none()
        return None if said is None else datetime.fromisoformat(said)

    def digest(self, table: str, as_of: datetime | None = None) -> str:
        """One SHA-256 (hex) for all rows received by `as_of`, from their parts' digests."""
        names = sorted(part.name for part in self._parts(table, as_of))
        return hashlib.sha256("\n".join([table, *names]).encode("utf-8")).hexdigest()

    def counts(self, table: str) -> tuple[int, int, int]:
        """Rows in, admitted and quarantined over all batches; the first is the sum of the others."""
        _check_table(table)
        sums = (func.sum(_BATCHES.c[name]) for name in ("rows_in", "admitted", "quarantined"))
        query = select(*sums).where(_BATCHES.c.table_name == table)
        with reading(self._engine) as connection:
            rows_in, admitted, quarantined = connection.execute(query).one()
        return int(rows_in or 0), int(admitted or 0), int(quarantined or 0)

    def _known(self, batch_id: str, source: str, watermark: datetime | None) -> Receipt | None:
        """The receipt of a batch that was stored before; its source may still move on."""
        with reading(self._engine) as connection:
            row = _batch(connection, batch_id)
            late = row is not None and _moves_on(connection, source, watermark)
        if row is None:
            return None
        if late:
            with writing(self._engine) as connection:
                _advance(connection, source, watermark)
        return replace(self._receipt(row), already_stored=int(row["admitted"]))

    def _seen(self, table: str) -> _Table:
        last = select(func.max(_BATCHES.c.received_at)).where(_BATCHES.c.table_name == table)
        with reading(self._engine) as connection:
            revision = _revision(connection, table)
            parts = _parts_of(connection, table, None, "part")
            received_at = connection.execute(last).scalar_one_or_none()
        return _Table(
            revision, parts, None if received_at is None else datetime.fromisoformat(received_at)
        )

    def _record(
        self, row: Mapping[str, Any], revision: int, source: str, watermark: datetime | None
    ) -> bool:
        """Make a batch count, in one transaction; False when the table changed since it was read."""
        try:
            with writing(self._engine) as connection:
                if not _take_revision(connection, str(row["table_name"]), revision):
                    return False
                connection.execute(insert(_BATCHES).values(**row))
                _advance(connection, source, watermark)
                kill_point("evidence.before_commit")
        except IntegrityError:
            return False
        return True

    def _not_stored(
        self, table: str, parts: Sequence[_Part], content: UInts, keys: UInts
    ) -> np.ndarray:
        """Which rows are neither stored nor a repetition of an earlier row of their own batch."""
        index = self._index(table, parts)
        stored = np.zeros(len(content), dtype=bool)
        if len(index.content) and len(content):
            at = np.searchsorted(index.content, content).clip(max=len(index.content) - 1)
            stored = (index.content[at] == content) & (index.key[at] == keys)
        repeated = pd.DataFrame({"content": content, "key": keys}).duplicated().to_numpy()
        return np.asarray(~stored & ~repeated)

    def _index(self, table: str, parts: Sequence[_Part]) -> _Index:
        names = frozenset(part.name for part in parts)
        with self._lock:
            index = self._indexes.get(table, _Index(frozenset(), _no_digests(), _no_digests()))
            missing = sorted(names - index.parts)
            if missing:
                index = _merged(index, [self._digests(table, name) for name in missing], missing)
                self._indexes[table] = index
            return index

    def _digests(self, table: str, name: str) -> tuple[UInts, UInts]:
        stored = pq.read_table(self._verified_path(table, name), columns=[_CONTENT_HASH, _KEY_HASH])
        return stored[_CONTENT_HASH].to_numpy(), stored[_KEY_HASH].to_numpy()

    def _write_part(
        self, table: str, rows: pd.DataFrame, new: np.ndarray, content: UInts, keys: UInts
    ) -> str | None:
        if not new.any():
            return None
        stored = _to_arrow(table, rows.loc[new])
        stored = stored.append_column(_KEY_HASH, pa.array(keys[new]))
        stored = stored.append_column(_CONTENT_HASH, pa.array(content[new]))
        return self._write(table, "part", stored)

    def _write_quarantine(self, table: str, rejected: pd.DataFrame) -> str | None:
        if rejected.empty:
            return None
        return self._write(table, "quarantine", _rejects_to_arrow(rejected))

    def _write(self, table: str, kind: str, rows: pa.Table) -> str:
        """Write rows under the SHA-256 of their bytes; only then can the index name them."""
        folder = self._folder(table, kind)
        try:
            temporary = written_beside(folder, partial(_write_parquet, rows))
            try:
                name = _sha256_of(temporary)
                temporary.replace(folder / f"{name}.parquet")
            finally:
                temporary.unlink(missing_ok=True)
            sync_folder(folder)
        except OSError as error:
            raise ServiceUnreachable(
                f"{folder} cannot be written: {error.strerror or error}. Nothing was recorded; free "
                "the disk or the folder and deliver the batch again."
            ) from None
        self._verified.add(name)
        return name

    def _parts(self, table: str, as_of: datetime | None, kind: str = "part") -> tuple[_Part, ...]:
        _check_table(table)
        with reading(self._engine) as connection:
            return _parts_of(connection, table, as_of, kind)

    def _verified_path(self, table: str, name: str, kind: str = "part") -> Path:
        """A part whose bytes still have the digest that names it (checked once a process)."""
        path = self._folder(table, kind) / f"{name}.parquet"
        if name in self._verified:
            return path
        try:
            intact = _sha256_of(path) == name
        except OSError as error:
            raise ServiceUnreachable(
                f"The evidence part {path} cannot be read: {error.strerror}. Restore it from a copy."
            ) from None
        if not intact:
            raise ServiceUnreachable(
                f"The evidence part {path} was changed: its bytes no longer have the digest that "
                "names it. Nothing is read from it; restore it from a copy."
            )
        self._verified.add(name)
        return path

    def _folder(self, table: str, kind: str) -> Path:
        _check_table(table)
        return self._root / table / ("parts" if kind == "part" else "quarantine")

    def _receipt(self, row: Mapping[str, Any]) -> Receipt:
        part, table = row["part"], str(row["table_name"])
        return Receipt(
            batch_id=str(row["batch_id"]),
            admitted=int(row["admitted"]),
            already_stored=int(row["already_stored"]),
            quarantined=int(row["quarantined"]),
            path=None if part is None else self._folder(table, "part") / f"{part}.parquet",
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


def _check_known(table: str, schemas: Sequence[pa.Schema], asked: Collection[str]) -> None:
    if not schemas:
        return
    known = {name for schema in schemas for name in schema.names} | {RECEIVED_AT}
    unknown = sorted(set(asked) - (known - {_KEY_HASH, _CONTENT_HASH}))
    if unknown:
        raise UserError(
            f"The evidence table {table!r} has no column {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(sorted(known - {_KEY_HASH, _CONTENT_HASH}))}."
        )


def _batch(connection: Connection, batch_id: str) -> Mapping[str, Any] | None:
    query = select(_BATCHES).where(_BATCHES.c.batch_id == batch_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def _parts_of(
    connection: Connection, table: str, as_of: datetime | None, kind: str
) -> tuple[_Part, ...]:
    column = _BATCHES.c[kind]
    query = (
        select(column, _BATCHES.c.received_at)
        .where(_BATCHES.c.table_name == table, column.is_not(None))
        .order_by(_BATCHES.c.received_at, _BATCHES.c.seq)
    )
    if as_of is not None:
        query = query.where(_BATCHES.c.received_at <= utc_stamp(as_of))
    return tuple(
        _Part(name, datetime.fromisoformat(received_at))
        for name, received_at in connection.execute(query)
    )


def _revision(connection: Connection, table: str) -> int:
    query = select(_REVISIONS.c.revision).where(_REVISIONS.c.table_name == table)
    return connection.execute(query).scalar_one_or_none() or 0


def _take_revision(connection: Connection, table: str, seen: int) -> bool:
    """Count the table's revision up from the one that was seen (compare-and-swap)."""
    if seen == 0:
        connection.execute(insert(_REVISIONS).values(table_name=table, revision=1))
        return True
    step = (
        update(_REVISIONS)
        .where(_REVISIONS.c.table_name == table, _REVISIONS.c.revision == seen)
        .values(revision=seen + 1)
    )
    return connection.execute(step).rowcount == 1


def _moves_on(connection: Connection, source: str, watermark: datetime | None) -> bool:
    if watermark is None:
        return False
    query = select(_WATERMARKS.c.watermark).where(_WATERMARKS.c.source == source)
    said = connection.execute(query).scalar_one_or_none()
    return said is None or said < utc_stamp(watermark)


def _advance(connection: Connection, source: str, watermark: datetime | None) -> None:
    """Move a source's watermark forward, never back."""
    if watermark is None:
        return
    said = utc_stamp(watermark)
    known = select(_WATERMARKS.c.watermark).where(_WATERMARKS.c.source == source)
    if connection.execute(known).scalar_one_or_none() is None:
        connection.execute(insert(_WATERMARKS).values(source=source, watermark=said))
        return
    connection.execute(
        update(_WATERMARKS)
        .where(_WATERMARKS.c.source == source, _WATERMARKS.c.watermark < said)
        .values(watermark=said)
    )


def _no_digests() -> UInts:
    return np.empty(0, dtype=np.uint64)


def _merged(
    index: _Index, digests: Sequence[tuple[UInts, UInts]], names: Collection[str]
) -> _Index:
    content = np.concatenate([index.content, *(each[0] for each in digests)])
    keys = np.concatenate([index.key, *(each[1] for each in digests)])
    order = np.argsort(content, kind="stable")
    return _Index(index.parts | frozenset(names), content[order], keys[order])


def _to_arrow(table: str, rows: pd.DataFrame) -> pa.Table:
    columns = {str(name): _arrow_column(table, rows[name]) for name in rows.columns}
    return pa.table(columns)


def _arrow_column(table: str, values: pd.Series) -> pa.Array:
    """A column in one of a few types, so that parts written on different days still agree."""
    values = without_category(values)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return pa.array(values.dt.tz_convert("UTC").dt.as_unit("us"))
    if pd.api.types.is_datetime64_dtype(values.dtype):
        raise UserError(f"{table}.{values.name} has stamps without a time zone; give them in UTC.")
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeError):
        raise UserError(
            f"{table}.{values.name} mixes types (or holds text that is not Unicode); admit it "
            "through its contract first."
        ) from None
    if pa.types.is_large_string(array.type):
        return array.cast(pa.string())
    return array


def _rejects_to_arrow(rejected: pd.DataFrame) -> pa.Table:
    """Rejected rows must be kept whatever is in them: a column of mixed types is kept as text."""
    return pa.table({str(name): _arrow_reject(rejected[name]) for name in rejected.columns})


def _arrow_reject(values: pd.Series) -> pa.Array:
    values = without_category(values)
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, UnicodeError):
        return _as_text(values)


def _as_text(values: pd.Series) -> pa.Array:
    missing = values.isna().to_numpy(dtype=bool)
    text = [readable(value) for value in nested_as_text(values)]
    return pa.array(text, type=pa.string(), mask=missing)


def _write_parquet(rows: pa.Table, file: BinaryIO) -> None:
    pq.write_table(rows, file, compression="zstd")


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _expression(
    filters: Mapping[str, Collection[Any]],
    stamp: str | None,
    since: datetime | None,
    until: datetime | None,
) -> pc.Expression | None:
    clauses = [pc.field(name).isin(list(values)) for name, values in filters.items()]
    if stamp is not None and since is not None:
        clauses.append(pc.field(stamp) >= _moment(since))
    if stamp is not None and until is not None:
        clauses.append(pc.field(stamp) < _moment(until))
    whole = None
    for clause in clauses:
        whole = clause if whole is None else whole & clause
    return whole


def _moment(at: datetime) -> pa.Scalar:
    return pa.scalar(in_utc(at), type=pa.timestamp("us", tz="UTC"))


def _read_part(
    path: Path,
    schema: pa.Schema,
    part: _Part,
    wanted: Sequence[str] | None,
    expression: pc.Expression | None,
) -> pa.Table:
    """A part's rows with their stamp; the filter runs on whole columns, then narrows to `wanted`."""
    own = [name for name in schema.names if name not in (_KEY_HASH, _CONTENT_HASH)]
    rows = pq.read_table(
        path,
        columns=own
        if expression is not None or wanted is None
        else [name for name in own if name in wanted],
    )
    stamps = pa.repeat(_moment(part.received_at), rows.num_rows)
    rows = rows.append_column(RECEIVED_AT, stamps)
    if expression is not None:
        rows = rows.filter(expression)
    return rows if wanted is None else rows.select([c for c in rows.column_names if c in wanted])


def _filled(schema: pa.Schema) -> set[str]:
    """The columns with a type: one that is empty throughout a part has none, and no row matches it."""
    return {item.name for item in schema if not pa.types.is_null(item.type)}


def _agreeing(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Rejected rows side by side: a column whose type changed from day to day is read as text."""
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for item in table.schema:
            if not pa.types.is_null(item.type):
                types.setdefault(item.name, set()).add(item.type)
    torn = {name for name, seen in types.items() if len(seen) > 1}
    return [_with_text(table, torn) for table in tables]


def _with_text(table: pa.Table, names: Collection[str]) -> pa.Table:
    for at, name in enumerate(table.column_names):
        if name in names:
            values = table.column(name).to_pandas()
            table = table.set_column(at, name, _as_text(values))
    return table


def _as_frame(
    tables: Sequence[pa.Table], schemas: Sequence[pa.Schema], wanted: Sequence[str] | None
) -> pd.DataFrame:
    """The parts under one another; a column that a part lacks is missing there."""
    if tables:
        whole = pa.concat_tables(tables, promote_options="permissive")
    elif schemas:
        whole = pa.unify_schemas(list(schemas), promote_options="permissive").empty_table()
        whole = whole.append_column(RECEIVED_AT, pa.array([], pa.timestamp("us", tz="UTC")))
    else:
        names = list(wanted or [RECEIVED_AT])
        whole = pa.table({name: pa.array([], _type_when_empty(name)) for name in names})
    frame: pd.DataFrame = whole.to_pandas()
    frame = frame.drop(columns=[c for c in (_KEY_HASH, _CONTENT_HASH) if c in frame])
    return frame if wanted is None else frame.reindex(columns=list(wanted))


def _type_when_empty(name: str) -> pa.DataType:
    return pa.timestamp("us", tz="UTC") if name.endswith("_at") else pa.null()
