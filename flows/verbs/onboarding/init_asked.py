"""What is `ratchet init` asked?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LIVE = ("cases", "decisions", "reviews", "outcomes")
"""The tables of a live loop, in the order in which they are told."""


@dataclass(frozen=True)
class Asked:
    """What `ratchet init` was asked.

    Attributes:
        case_type: the new case type's name.
        table: a file, a pattern, an fsspec address, or a database's address with `query`.
        to: the project folder; None: the one RATCHET_CONFIG names.
        roles: by our name the column that was named; None: guess, "-": there is none.
        bad_values: the label's values that mean bad, where it does not hold yes and no.
        unknown_values: its values that say that the truth is not known yet.
        numbers: `COLUMN=EXAMPLE` for columns whose way of writing numbers is told.
        others: by table name the files of other tables of the same source.
        said: what holds for the source: `timezone`, `dates`, `epoch`, `encoding`.
        external: another agent brings the score.
        case_type_only: write the case type's file and nothing else.
    """

    case_type: str
    table: str
    query: str | None = None
    to: Path | None = None
    roles: Mapping[str, str | None] = field(default_factory=dict)
    bad_values: Sequence[str] = ()
    unknown_values: Sequence[str] = ()
    numbers: Sequence[str] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    external: bool = False
    case_type_only: bool = False
