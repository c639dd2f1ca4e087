"""How is a file of separated values read, with every cell as text and no row lost?

What cells mean is not decided here: all columns come as text, so that a part with only a header, or
one odd cell, changes nothing about the others. A row with a cell too many or too few is named by its
line: nobody can say which cell belongs where.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from configs.errors import UserError
from configs.sources import SourceSettings

Opens = Callable[[], BinaryIO]
Wants = Callable[[Sequence[str]], Sequence[str]]

_BLOCK_BYTES = 8 << 20
_HEAD_BYTES = 1 << 20
_SEPARATORS = (",", ";", "\t", "|")
_MOST_LINES_NAMED = 5
_UNEVEN = re.compile(r"Expected \d+ columns, got \d+")


@dataclass(frozen=True)
class TextFile:
    """A file of separated values: how to open it, its encoding, its separator and its columns."""

    source: SourceSettings
    label: str
    opens: Opens
    encoding: str
    separator: str
    names: tuple[str, ...]
    blank_lines: int
    has_rows: bool

    @classmethod
    def at(cls, source: SourceSettings, label: str, opens: Opens) -> TextFile:
        """Look at the first line of a file.

        Raises:
            UserError: it is empty, or its text is in another encoding.
        """
        with opens() as file:
            head = file.read(_HEAD_BYTES)
        encoding = source.encoding or _encoding(head)
        text = head.decode(encoding, errors="replace").lstrip("\ufeff")
        if not text.strip("\r\n \x00"):
            raise UserError(f"Source {source.name!r}: {label} is empty: it has not even a header.")
        separator = "\t" if label.lower().split(".")[1:2] == ["tsv"] else _separator(text)
        lines = text.splitlines(keepends=True)
        blank = next(at for at, line in enumerate(lines) if line.strip())
        below = csv.reader(io.StringIO("".join(lines[blank:]), newline=""), delimiter=separator)
        names = tuple(name.strip() for name in next(below))
        # A cut head may end within a cell; then there are rows for sure.
        has_rows = len(head) == _HEAD_BYTES or any(below)
        return cls(source, label, opens, encoding, separator, names, blank, has_rows)

    def table(self, wanted: Sequence[str]) -> pa.Table:
        """The whole file, every cell as text and every empty cell null.

        Raises:
            UserError: rows have too many or too few cells (they are named by their lines), or the
                text is in another encoding.
        """
        if not self.has_rows:
            return pa.table([pa.array([], pa.string())] * len(wanted), names=list(wanted))
        with self._clear(), self.opens() as file:
            whole = pa_csv.read_csv(file, **self._options(wanted))
        return _nulls(whole.rename_columns(list(wanted)))

    def batches(self, wanted: Sequence[str]) -> Iterator[pa.Table]:
        """The same in pieces of some megabytes; raises as `table` does, at the piece at fault."""
        if not self.has_rows:
            return
        with self._clear(), self.opens() as file:
            for batch in pa_csv.open_csv(file, **self._options(wanted)):
                yield _nulls(pa.Table.from_batches([batch]).rename_columns(list(wanted)))

    def _options(self, wanted: Sequence[str]) -> dict[str, Any]:
        keys = _keys(self.names)
        read = [keys[self.names.index(name)] for name in wanted]
        return {
            "read_options": pa_csv.ReadOptions(
                column_names=keys,
                skip_rows=self.blank_lines,
                skip_rows_after_names=1,
                encoding=self.encoding,
                block_size=_BLOCK_BYTES,
            ),
            # No handler of uneven rows: handed one that is no UTF-8, Arrow prints a traceback of its own.
            "parse_options": pa_csv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
            "convert_options": pa_csv.ConvertOptions(
                column_types=dict.fromkeys(read, pa.string()),
                include_columns=read,
                strings_can_be_null=False,
            ),
        }

    def _clear(self) -> _ClearErrors:
        return _ClearErrors(self)

    def uneven_rows(self) -> UserError:
        """Which lines have another number of cells; read once more, by the line."""
        lines: list[str] = []
        wanted, count = len(self.names), 0
        with self.opens() as file:
            text = io.TextIOWrapper(file, encoding=self.encoding, errors="replace", newline="")
            _no_limit()
            reader = csv.reader(text, delimiter=self.separator)
            first = 1
            for row in reader:
                if row and len(row) != wanted:
                    count += 1
                    if len(lines) < _MOST_LINES_NAMED:
                        lines.append(f"line {first} has {len(row)}")
                first = reader.line_num + 1
        more = f", and {count - len(lines):,} more" if count > len(lines) else ""
        return UserError(
            f"Source {self.source.name!r}: {self.label} has {wanted} columns in its header, but "
            f"{', '.join(lines) or 'some lines have another number'}{more}. Nobody can say which cell "
            "belongs where; mend or remove these lines (a separator inside a cell needs quotes)."
        )


class _ClearErrors:
    """Uneven rows are named by their lines, text in another encoding is the user's to name; the
    library's messages quote rows."""

    def __init__(self, file: TextFile) -> None:
        self.file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, pa.ArrowInvalid) and _UNEVEN.search(str(error)):
            raise self.file.uneven_rows() from None
        wrong = isinstance(error, UnicodeError) or (
            isinstance(error, pa.ArrowInvalid) and "UTF8" in str(error)
        )
        if wrong:
            raise UserError(
                f"Source {self.file.source.name!r}: {self.file.label} is not {self.file.encoding} text; "
                "save it as UTF-8, or say `encoding:` in the source file (latin-1, cp1252, gb18030)."
            ) from None


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8"


def _separator(text: str) -> str:
    """The sign that splits the header into most names; a comma where none does."""
    line = next((one for one in text.splitlines() if one.strip()), "")
    return max(
        _SEPARATORS,
        key=lambda sign: (len(next(csv.reader([line], delimiter=sign), [])), sign == ","),
    )


def _keys(names: Sequence[str]) -> list[str]:
    return [f"c{place}" for place in range(len(names))]


def _nulls(table: pa.Table) -> pa.Table:
    columns = [pc.if_else(pc.equal(column, ""), None, column) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _no_limit() -> None:
    """A cell may be longer than Python's cautious default, which would raise in the middle."""
    csv.field_size_limit(1 << 30)
