"""How does a query ask for what is new, in the table's own words?

`:since` is a moment. A column of text is compared with a moment only where the database makes one of
the text, and DuckDB refuses to guess.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMATS = {"dmy": "%d.%m.%Y", "mdy": "%m/%d/%Y", "ymd": "%Y/%m/%d"}


def since_advice(column: str, url: str, dates: str | None = None) -> str:
    """The condition to add to a query, and what to do where the column holds text.

    Args:
        column: the table's own name of the watermark's column.
        url: the database's address, of which only the kind counts.
        dates: how dates that do not begin with the year are written (`dmy`, `mdy`, `ymd`), or None.
    """
    name = column if _PLAIN.fullmatch(column) else '"' + column.replace('"', '""') + '"'
    if not url.startswith("duckdb"):
        cast = "" if dates is None else ", and make a moment of it first where it is text"
        return f"add WHERE {name} > :since{cast}"
    if dates is None:
        return f"add WHERE CAST({name} AS TIMESTAMP) > :since"
    return (
        f"add WHERE strptime({name}, '{_FORMATS[dates]}') > :since, with the format that your cells have (such "
        "as '%d.%m.%Y %H:%M')"
    )
