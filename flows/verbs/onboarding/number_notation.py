"""How are the numbers of somebody's table written, where they are not written plainly?

A guess is made only where the cells fit one way of writing; where they fit two that mean different
numbers (1,234 is 1234 or 1.234), a person is asked, for all such columns at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import pandas as pd

from configs.errors import UserError
from data_contracts.words import (
    MISSING_VALUE,
    ROW_FAULT_SHARE,
    NumberFormat,
    ReadCells,
    read_numbers,
)
from flows.verbs.onboarding.table_columns import is_stamp

_LOOKED_AT = 20_000
_GROUPS = (",", ".", " ", "'", "\u2019", "\u00a0", "\u202f")
_MARKS = re.compile(r"[\d\s.,+'\u2019\u00a0\u202f()-]+")
_EXAMPLE = re.compile(r"1(?P<thousands>[,. '\u2019\u00a0\u202f]?)234(?P<decimal>[.,])56")
_DOLLARS = frozenset({"", "$", "USD", "US$", "%", "‰"})


@dataclass(frozen=True, slots=True)
class Notation:
    """One way to write numbers, as `numbers:` of a source file says it."""

    decimal: str = "."
    thousands: str = ""
    unit: str = ""

    @property
    def said(self) -> dict[str, str]:
        """What a source file has to say."""
        each = {"decimal": self.decimal, "thousands": self.thousands, "unit": self.unit}
        plain = {"decimal": ".", "thousands": "", "unit": ""}
        return {key: value for key, value in each.items() if value != plain[key]}

    @property
    def in_words(self) -> str:
        """The same for a sentence."""
        said = [f"{self.decimal!r} before the decimals"]
        if self.thousands:
            said.append(f"{self.thousands!r} between thousands")
        if self.unit:
            said.append(f"the unit {self.unit!r}" + (" (12 % is 12)" if self.unit == "%" else ""))
        return ", ".join(said)

    def plain(self, cells: pd.Series) -> pd.Series:
        """Text cells in plain notation; missing where a cell is not written so."""
        text = cells.astype("str").where(cells.notna())
        return NumberFormat(self.decimal, self.thousands, self.unit).as_plain(text)

    def numbers(self, cells: pd.Series) -> pd.Series:
        """The numbers of text cells, `float64`."""
        return pd.to_numeric(self.plain(cells)).astype("float64")


@dataclass(frozen=True)
class Notations:
    """How the columns of one table are written, by the table's names.

    Attributes:
        of: a notation for each column that is not written plainly.
        guessed: which of them were guessed.
        unread: columns of numbers whose way of writing nobody could name: several units, say.
    """

    of: Mapping[str, Notation] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def told(self) -> Iterator[str]:
        """A sentence for every guess."""
        for name in self.guessed:
            yield (
                f"the numbers of {name!r} are written with {self.of[name].in_words}; --numbers "
                "COLUMN=EXAMPLE says otherwise."
            )

    def plainly(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the numbers of these columns as numbers."""
        return table.assign(**{name: one.numbers(table[name]) for name, one in self.of.items()})

    def by_our_names(
        self, ours: Mapping[str, str], *, reads_all: bool
    ) -> dict[str, dict[str, dict[str, str]]]:
        """The `numbers:` of a source file; empty where every column is plain.

        Args:
            ours: by our name the table's column.
            reads_all: the source keeps columns that are mapped to nothing, under their own names.
        """
        said = {name: self.of[theirs].said for name, theirs in ours.items() if theirs in self.of}
        if reads_all:
            said |= {name: one.said for name, one in self.of.items() if name not in ours.values()}
        return {"numbers": said} if said else {}


def stated_notations(options: Sequence[str]) -> dict[str, Notation]:
    """What `--numbers COLUMN=EXAMPLE` says, by column.

    Raises:
        UserError: an example is none of 1234.56.
    """
    return dict(_stated(option) for option in options)


def notations_in(
    table: pd.DataFrame,
    stated: Mapping[str, Notation],
    leave: Sequence[str] = (),
    *,
    option: str = "--numbers",
) -> Notations:
    """How the columns of a table are written.

    Args:
        table: as it was read, under its own names.
        stated: what a person said, by column; an empty unit there is looked for in the cells.
        leave: columns that hold no numbers, such as the id.

    Raises:
        UserError: a stated column is not there or is not written so, or columns fit two ways of
            writing that mean different numbers; all of them are named at once.
    """
    if lost := sorted(set(stated) - set(table.columns)):
        raise UserError(
            f"{option} names {', '.join(map(repr, lost))}, which the table does not have; it has "
            f"{', '.join(map(str, table.columns))}."
        )
    found: dict[str, Notation] = {}
    guessed, unread, asked = [], [], {}
    for name in table.columns:
        if name in leave or not _is_text(table[name]):
            continue
        if name in stated:
            found[name] = _as_stated(name, table[name], stated[name], option)
            continue
        if not _is_foreign(table[name]):
            continue
        ways = ways_to_read(table[name])
        if not ways:
            unread.append(name)
        elif len(ways) > 1:
            asked[name] = ways
        else:
            found[name] = ways[0]
            guessed.append(name)
    if asked:
        raise _question(asked, option)
    return Notations(found, tuple(guessed), tuple(unread))


def carried_over(main: Notations, table: pd.DataFrame) -> Notations:
    """How the columns of another table of the same source are written: as in the main one where that
    fits, else as its own cells show. Nobody is asked; what is unclear is left to the check."""
    found = {}
    for name in table.columns:
        if not _is_text(table[name]):
            continue
        own = main.of.get(name)
        if own is not None and _reads(table[name], own):
            found[name] = own
        elif _is_foreign(table[name]) and len(ways := ways_to_read(table[name])) == 1:
            found[name] = ways[0]
    return Notations(found)


def ways_to_read(values: pd.Series) -> list[Notation]:
    """The notations that fit most cells, one for each meaning; none where too many cells fit none.

    Args:
        values: text cells, some of which are numbers in another than the plain notation.
    """
    some = _some(values).str.strip()
    counts = some.value_counts()
    counts = counts[~counts.index.str.casefold().isin(MISSING_VALUE)]
    cells = pd.Series(counts.index.astype("str"), dtype="str")
    units = _units(cells)
    if len(units) > 1 or cells.empty:
        return []
    unit = units[0] if units else ""
    together = "".join(cells)
    groups = ["", *(sign for sign in _GROUPS if sign in together)]
    marks = [".", *([","] if "," in together or "." in together else [])]
    best = 0
    ways: list[Notation] = []
    meanings: list[pd.Series] = []
    for decimal, thousands in product(marks, groups):
        if decimal == thousands:
            continue
        if thousands and _begins_with_nought(cells, thousands):
            continue
        meaning = Notation(decimal, thousands, unit).numbers(cells)
        fits = int(counts.to_numpy()[meaning.notna().to_numpy()].sum())
        if fits > best:
            best, ways, meanings = fits, [], []
        if fits == best and not any(meaning.equals(one) for one in meanings):
            ways.append(Notation(decimal, thousands, unit))
            meanings.append(meaning)
    return [way for way in ways if _reads(values, way)]


def in_other_money(name: str, notation: Notation | None) -> str | None:
    """What an amount is counted in, where that is not US dollars by its unit or its name."""
    if notation is not None and notation.unit not in _DOLLARS:
        return notation.unit
    words = re.split(r"[^a-z]+", name.casefold())
    return next((one.upper() for one in ("eur", "gbp", "chf", "jpy", "cny") if one in words), None)


def _stated(option: str) -> tuple[str, Notation]:
    name, _, example = option.rpartition("=")
    shown = _EXAMPLE.search(example)
    rest = "" if shown is None else example[: shown.start()] + example[shown.end() :]
    unusable = re.search(r"[\d.,+-]", rest) is not None
    if not name or shown is None or unusable or shown["thousands"] == shown["decimal"]:
        raise UserError(
            f"--numbers {option!r} is no COLUMN=EXAMPLE: write after the = how the column writes "
            "1234.56, with its signs, such as amount=1,234.56 or amount=1.234,56 or 'amount=€1234,56'."
        )
    return name, Notation(shown["decimal"], shown["thousands"], rest.strip())


def _as_stated(name: str, values: pd.Series, said: Notation, option: str) -> Notation:
    units = _units(_some(values).str.strip().drop_duplicates())
    way = Notation(said.decimal, said.thousands, said.unit or (units[0] if units else ""))
    if not _reads(values, way):
        raise UserError(
            f"{option} says that {name!r} writes 1234.56 with {way.in_words}, and too many of its cells "
            "are not written so; correct the example, or the column at the source."
        )
    return way


def _question(asked: Mapping[str, Sequence[Notation]], option: str) -> UserError:
    said = []
    for name, ways in asked.items():
        examples = " or ".join(f"{option} {name!r}={_example(way)}" for way in ways)
        said.append(f"  {name}: {examples}")
    many = f"{len(asked)} columns hold" if len(asked) > 1 else "1 column holds"
    return UserError(
        f"{many} numbers that can be read in two ways (like 1,234, which is 1234 or 1.234), and no cell "
        "settles it. Say how each writes 1234.56:\n" + "\n".join(said)
    )


def _example(way: Notation) -> str:
    """1234.56 in a notation, as `--numbers` takes it."""
    return f"1{way.thousands}234{way.decimal}56"


def _units(cells: pd.Series) -> list[str]:
    """The units that stand beside digits, without those of one cell in a hundred."""
    numbers = cells[cells.str.contains(r"\d", regex=True, na=False)]
    beside = numbers.str.replace(_MARKS, "", regex=True).str.strip()
    shares = beside[beside.ne("")].value_counts() / max(len(numbers), 1)
    return [str(one) for one in shares[shares > 0.01].index if len(str(one)) <= 8]


def _begins_with_nought(cells: pd.Series, thousands: str) -> bool:
    """0,123 is no thousands: nobody writes a nought before them."""
    begins = rf"(?:^|[^\d.,])0{re.escape(thousands)}\d{{3}}"
    return bool(cells.str.contains(begins, regex=True, na=False).any())


def _is_text(values: pd.Series) -> bool:
    if values.dtype == object:
        return bool(values.dropna().map(lambda cell: isinstance(cell, str)).all())
    return isinstance(values.dtype, pd.StringDtype)


def _is_foreign(values: pd.Series) -> bool:
    """Whether a reader would refuse the column as numbers in another notation."""
    if is_stamp(values):
        return False
    try:
        pd.to_numeric(values)
    except (ValueError, TypeError):
        pass  # no column of plain numbers: looked at cell by cell
    else:
        return False
    # Words show themselves in some cells; whether large amounts are written otherwise, only in all.
    if not _are_numbers(read_numbers(_some(values))):
        return False
    read = read_numbers(values)
    return bool(_are_numbers(read) and read.foreign and not read.rows_are_at_fault)


def _are_numbers(read: ReadCells) -> bool:
    """Whether nine in ten cells are numbers in some notation."""
    return read.present - read.stray + read.foreign >= (1.0 - ROW_FAULT_SHARE) * read.present


def _some(values: pd.Series) -> pd.Series:
    """Cells from all over a column, so many that a way of writing shows itself."""
    present = values.dropna()
    return present.iloc[:: max(1, len(present) // _LOOKED_AT)].astype("str")


def _reads(values: pd.Series, way: Notation) -> bool:
    """Whether what is left unreadable by a notation is so little that it is its rows' fault."""
    text = _some(values).str.strip()
    text = text[~text.str.casefold().isin(MISSING_VALUE)]
    read = way.plain(text)
    left = read_numbers(read.fillna(text))
    lost = int(read.isna().sum())
    return bool(
        len(text)
        and left.rows_are_at_fault
        and lost <= max(ROW_FAULT_SHARE * len(text), min(1, len(text) - 1))
    )
