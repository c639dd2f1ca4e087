"""What was lost, altered or guessed while a table was read?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to tell people once: of which source, what happened, and to how many cells or rows.

    `what` names columns and never a value of a row; a `count` of 0: there is nothing to count.
    """

    source: str
    what: str
    count: int = 0

    def __str__(self) -> str:
        counted = f": {self.count:,}" if self.count else ""
        return f"Source {self.source!r}: {self.what}{counted}."


Tell = Callable[[Note], object]
"""Who is told of a note: a command prints it."""


def nobody(_: Note) -> None:
    """Tells nobody, for who keeps the notes some other way."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A delivery as it was read.

    Attributes:
        rows: under our names, with stamps in UTC.
        notes: what to tell people about it.
        rows_in_source: how many rows there were before those at or before `since` were left out; 0
            means that the table itself is empty.
    """

    rows: pd.DataFrame
    notes: tuple[Note, ...]
    rows_in_source: int


class Notes:
    """Collects notes while a table is read; the same thing told twice is one note with the sum."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._counts: dict[str, int] = {}

    def add(self, what: str, count: int = 0) -> None:
        self._counts[what] = self._counts.get(what, 0) + int(count)

    def told(self) -> tuple[Note, ...]:
        return tuple(Note(self.source, what, count) for what, count in self._counts.items())
