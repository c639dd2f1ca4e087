"""Where is a table that somebody named on the command line, and what is it called in a source file?"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from configs.errors import UserError
from configs.masking import secrets_of
from configs.sources import SourceSettings, load_source
from flows.verbs.onboarding.init_asked import Asked


def source_of(
    asked: Asked, env: Mapping[str, str], folder: Path
) -> tuple[SourceSettings, dict[str, str]]:
    """The table as a source that nothing is known of yet, and its place as it will be written."""
    place = place_of(asked.table, asked.query, folder)
    reads = {"url": place["url"], "query": place["query"]} if "url" in place else None
    said = reads or {"path": absolute(asked.table)}
    return load_named(
        {"name": label_of(asked.table), "kind": "outcomes", **said, **asked.said}, env
    ), place


def load_named(said: Mapping[str, Any], env: Mapping[str, str]) -> SourceSettings:
    """A source as its file would be read, with variables of the environment in their places."""
    with tempfile.TemporaryDirectory() as aside:
        file = Path(aside) / "table.yaml"
        file.write_text(yaml.safe_dump(dict(said), allow_unicode=True), encoding="utf-8")
        try:
            return load_source(file, env)
        except UserError as wrong:
            told = (
                str(wrong).replace(f"{file}:", "the table: line ").replace(str(file), "the table")
            )
            raise UserError(told) from None


def place_of(table: str, query: str | None, folder: Path) -> dict[str, str]:
    if secrets_of(table):
        raise UserError(
            "the address holds a password or a signature, which would stand in a file; put the address "
            "into a variable of the environment and name that, in single quotes: --from '${CASES_URL}'."
        )
    if query is not None:
        return {"url": table, "query": query}
    if "://" in table and table.split("://", 1)[0].split("+")[0] in (
        "sqlite", "postgresql", "duckdb", "mysql", "mssql", "oracle",
    ):  # fmt: skip
        raise UserError('a database was named and no query; add --query "SELECT * FROM cases".')
    written = absolute(table)
    within = "://" not in written and "$" not in written and Path(written).is_relative_to(folder)
    return {"path": f"../{Path(written).relative_to(folder).as_posix()}" if within else written}


def absolute(table: str) -> str:
    if "://" in table or table.startswith("${"):
        return table
    try:
        return str(Path(table).expanduser().resolve())
    except (OSError, RuntimeError, ValueError):
        raise UserError("--from is no path of a file; correct it.") from None


def label_of(table: str) -> str:
    """The table's own name, short enough for a message."""
    return "the database" if "://" in table else Path(table).name or "the table"
