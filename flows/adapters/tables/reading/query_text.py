"""What does a query ask for: where does `:since` stand, and does it do nothing but read?

A colon inside a literal, a cast (`::`) or a time ('12:30') is not a parameter. The words decide
nothing alone: every database that can is opened so that it refuses to write.
"""

from __future__ import annotations

import re
from typing import Any

_LITERAL = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*'        # PostgreSQL's escapes
      | '(?:[^']|'')*'
      | "(?:[^"]|"")*"
      | `(?:[^`]|``)*`
      | \$(\w*)\$.*?\$\1\$              # PostgreSQL's dollar quotes
      | --[^\n]*
      | /\*.*?\*/""",
    re.VERBOSE | re.DOTALL,
)
_SINCE = re.compile(r"(?<![:\w]):since\b")
_READS = frozenset({"select", "with", "values", "table", "from"})
# One statement that begins with SELECT or WITH can write in these ways and no other.
_WRITES = re.compile(
    r"\b(insert\s+into|update\s+\S+\s+set|delete\s+from|merge\s+into|replace\s+into|into\s+\S)",
    re.IGNORECASE,
)


def asks_since(query: str) -> bool:
    """Whether the query takes only what is newer than a moment."""
    return any(_SINCE.search(text) for text, is_code in _pieces(query) if is_code)


def why_not_reading(query: str) -> str | None:
    """What in a query is not reading; None where nothing shows."""
    code = " ".join(text if is_code else " '' " for text, is_code in _pieces(query))
    statements = [one for one in code.split(";") if one.replace("'' ", "").strip()]
    if len(statements) != 1:
        return f"it holds {len(statements)} statements; one is read"
    bare = statements[0].replace("''", " ").lstrip(" (\n\t\r")
    first = re.match(r"\w+", bare)
    word = first[0].lower() if first else ""
    if word not in _READS:
        return f"it begins with {word.upper() or 'no word'}"
    writes = _WRITES.search(bare)
    return None if writes is None else f"it holds {writes[1].split()[0].upper()}"


def bound(query: str, style: str, value: Any) -> tuple[str, Any]:
    """The query with `:since` in a driver's own words, and the parameters to go with it.

    Args:
        style: a paramstyle of the DB-API.
        value: what `:since` stands for.
    """
    if not asks_since(query):
        return query, None
    mark = {
        "named": ":since", "pyformat": "%(since)s", "qmark": "?", "format": "%s",
        "numeric": ":1", "numeric_dollar": "$1",
    }[style]  # fmt: skip
    percent = style in ("pyformat", "format")
    count, said = 0, []
    for text, is_code in _pieces(query):
        piece = text.replace("%", "%%") if percent else text
        if is_code:
            piece, found = _SINCE.subn(lambda _: mark, piece)
            count += found
        said.append(piece)
    by_name = style in ("named", "pyformat")
    single = style in ("numeric", "numeric_dollar")
    return "".join(said), {"since": value} if by_name else (value,) * (1 if single else count)


def _pieces(query: str) -> list[tuple[str, bool]]:
    """The query in order: code (True), and literals, quoted names and comments (False)."""
    pieces, at = [], 0
    for literal in _LITERAL.finditer(query):
        pieces += [(query[at : literal.start()], True), (literal[0], False)]
        at = literal.end()
    return [*pieces, (query[at:], True)]
