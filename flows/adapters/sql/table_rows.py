"""How are the rows of our own tables written down, so that another database can take them in?

One JSON object a line. Only text, whole numbers and nothing stand in these tables, so a copy made on
SQLite is restored to PostgreSQL and the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.engine import URL

from configs.errors import UserError
from flows.adapters.evidence.evidence_index import METADATA as EVIDENCE
from flows.adapters.sql.database import create_tables, open_database, reading, writing
from flows.adapters.sql.migrate import bring_up_to_date

LEDGER_TABLES = ("ledger_entries", "policies", "ledger_refusals", "actor_tokens")
EVIDENCE_TABLES = tuple(sorted(EVIDENCE.tables))
_NUMBERED = {"evidence_batches": "seq", "ledger_refusals": "id"}
"""The columns that the database counts on by itself."""


def exported(url: str | URL, names: Iterable[str]) -> dict[str, bytes]:
    """The rows of these tables as of one moment, by table (ServiceUnreachable: no answer)."""
    engine = open_database(url)
    with reading(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        present = set(inspect(connection).get_table_names())
        return {name: b"".join(_lines(connection, name)) for name in names if name in present}


def import_ledger(url: str | URL, rows: Mapping[str, bytes]) -> None:
    """Put a ledger's rows into an empty database (raises as `import_all`)."""
    engine = open_database(url)
    bring_up_to_date(engine)
    with writing(engine) as connection:
        _import(connection, LEDGER_TABLES, rows)


def import_evidence(url: str | URL, rows: Mapping[str, bytes]) -> None:
    """Put an evidence index's rows into an empty database (raises as `import_all`)."""
    engine = open_database(url)
    create_tables(engine, EVIDENCE)
    with writing(engine) as connection:
        _import(connection, EVIDENCE_TABLES, rows)


def import_all(
    url: str | URL,
    rows: Mapping[str, bytes],
    beside: Callable[[Connection], None] = lambda _: None,
) -> None:
    """Put all rows into an empty database that keeps both, in one transaction.

    Args:
        beside: what is written in the same transaction.

    Raises:
        UserError: a table is not empty, or a row is none of ours.
        ServiceUnreachable: the database does not answer; no row was put there.
    """
    engine = open_database(url)
    bring_up_to_date(engine)
    create_tables(engine, EVIDENCE)
    with writing(engine) as connection:
        _import(connection, (*LEDGER_TABLES, *EVIDENCE_TABLES), rows)
        beside(connection)


def holds_just(url: str | URL, rows: Mapping[str, bytes]) -> bool:
    """Whether a database holds these rows of all our tables, and no others."""
    names = (*LEDGER_TABLES, *EVIDENCE_TABLES)
    found = exported(url, names)
    return all(
        sorted(found.get(name, b"").splitlines()) == sorted(rows.get(name, b"").splitlines())
        for name in names  # sorted: the order of texts is each database's own
    )


def holds_rows(url: str | URL) -> tuple[str, ...]:
    """The names of our tables in which a database holds rows."""
    with reading(open_database(url)) as connection:
        present = set(inspect(connection).get_table_names())
        return tuple(
            name
            for name in (*LEDGER_TABLES, *EVIDENCE_TABLES)
            if name in present and _count(connection, name)
        )


def _import(connection: Connection, names: Iterable[str], rows: Mapping[str, bytes]) -> None:
    for name in names:
        table = Table(name, MetaData(), autoload_with=connection)
        if _count(connection, name):
            raise UserError(f"The table {name} is not empty; nothing was restored over it.")
        found = list(_read(table, rows.get(name, b"")))
        if found:
            connection.execute(insert(table), found)
        if name in _NUMBERED and found and connection.dialect.name == "postgresql":
            column = _NUMBERED[name]
            last = max(row[column] for row in found)
            told = {"table": name, "column": column, "last": last}
            ask = "SELECT setval(pg_get_serial_sequence(:table, :column), :last)"
            connection.execute(text(ask), told)


def _lines(connection: Connection, name: str) -> Iterator[bytes]:
    table = Table(name, MetaData(), autoload_with=connection)
    order = list(table.primary_key.columns)
    for row in connection.execute(select(table).order_by(*order)).mappings():
        yield json.dumps(dict(row), sort_keys=True).encode("ascii") + b"\n"


def _read(table: Table, lines: bytes) -> Iterator[dict[str, Any]]:
    columns = {column.name for column in table.columns}
    for line in lines.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if (
            not isinstance(row, dict)
            or set(row) != columns
            or not all(map(_is_plain, row.values()))
        ):
            raise UserError(
                f"A row of {table.name} in the backup is none of this version's tables."
            )
        yield row


def _is_plain(value: object) -> bool:
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _count(connection: Connection, name: str) -> int:
    table = Table(name, MetaData(), autoload_with=connection)
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
