"""How is a sound input damaged, one small change at a time?

A change is a function of the thing and of its own random numbers; it returns the damaged thing and
says in words what it did. Changes of one input draw from seeds of their own, so that leaving one out
leaves the others as they are.
"""

from __future__ import annotations

import codecs
import copy
import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

TEXT_CANARY = "zq7"
"""Stands in text cells and in nothing else: whoever prints it has quoted a row."""
NUMBER_CANARY = "73105"
"""Stands among the digits of numeric cells and of stamps."""

Change = Callable[[Any, Random], tuple[Any, str]]


class Raw(str):
    """YAML text that is written as it stands, whether it is sound or not."""


# YAML documents, as plain data.

ODD_YAML = [
    *(Raw(text) for text in (
        "!!int x", "!!float abc", "!!timestamp zzz", "!!bool maybe", "!!null x", "!!binary '%%'",
        "!!set {a}", "!!omap [a: 1]", "!!python/object/apply:os.getcwd []", "!mine 3", "!!str",
        "!!map [1]", "!!seq {a: 1}", "!!int ''", "!!int 0b2", "!!timestamp 2026-13-45",
        "2026-13-45", "2026-01-01", "2026-01-01T25:61:00Z", "0000-00-00", "12:30:45", "1e400",
        ".inf", "-.inf", ".nan", "0x1F", "0o17", "08", "1_000", "-0", "~", "null", "yes", "=",
        '""', "[]", "{}", "[[]]", "[1, [2, {a: b}]]", "{a: {b: {c: d}}}", "{1: 2}", "{null: 1}",
        "{[a]: 1}", "{a: 1, a: 2}", "&a 1", "*a", "{<<: {a: 1}}", "@x", "`x`", "%x", "? x", "- x",
        "*glob*", "x: y: z", '"\\uD800"', '"\\0"', '"\\x1b[31m"', "'", '"', "|\n  text", "1e308",
        "'٣'", "'１'", "99999999999999999999999", "9" * 5000, "0x" + "f" * 4000,
    )),
    "", " ", "x", "é", "🙂", "a\nb", "..", "/", "../../x", "~", "*", "[", "?", "${HOME}", "${NOPE}",
    "${", "a" * 5000, "\u202e", "\x7f", "NaN", "None", "true", "1", "1.5", "0", "-1",
    -1, 0, 1, 2**31, 2**63, 10**30, -(10**400), 0.0, 1.5, 1e308, -1e-320, True, False, None,
    [], {}, [None], [0], ["x"], ["x", "x"], [["x"]], {"x": 1}, {"x": None}, [{"x": 1}], {"": ""},
]  # fmt: skip


def odd_value(data: Any, draw: Random) -> tuple[Any, str]:
    """One value of the document becomes something else."""
    changed, where = _copied(data), _place(data, draw)
    value = draw.choice(ODD_YAML)
    _put(changed, where, value)
    return changed, f"{_dotted(where)} is {_short(value)}"


def odd_value_again(data: Any, draw: Random) -> tuple[Any, str]:
    """A value that stands elsewhere in the document."""
    changed, where, from_where = _copied(data), _place(data, draw), _place(data, draw)
    _put(changed, where, _copied(_get(data, from_where)))
    return changed, f"{_dotted(where)} is what {_dotted(from_where)} says"


def near_number(data: Any, draw: Random) -> tuple[Any, str]:
    """A number beside, far from, or on the other side of what it was."""
    numbers = [at for at in _places(data) if isinstance(_get(data, at), int | float)]
    if not numbers:
        return odd_value(data, draw)
    where = draw.choice(numbers)
    was = _get(data, where)
    changed = _copied(data)
    value = draw.choice([-was, was + 1, was * 1e6, was / 1e6, float(was), str(was), int(was), 0, 1])
    _put(changed, where, value)
    return changed, f"{_dotted(where)} is {_short(value)}"


def missing_key(data: Any, draw: Random) -> tuple[Any, str]:
    changed, where = _copied(data), _place(data, draw)
    parent = _get(changed, where[:-1])
    if where:
        del parent[where[-1]]
    return changed, f"without {_dotted(where)}"


def another_key(data: Any, draw: Random) -> tuple[Any, str]:
    """A key that is unknown, misspelt, or known elsewhere."""
    changed = _copied(data)
    mappings = [at for at in [(), *_places(data)] if isinstance(_get(data, at), dict)]
    where = draw.choice(mappings)
    keys = sorted({str(at[-1]) for at in _places(data)}) or ["x"]
    name = draw.choice(keys)
    key = draw.choice([name, name.upper(), name[:-1], f"{name}s", f" {name}", "x", "", "é", "__class__",
                       "model_config", "self", "1", "null", "<<"])  # fmt: skip
    _get(changed, where)[key] = draw.choice(ODD_YAML)
    return changed, f"{_dotted((*where, key))} is {_short(_get(changed, where)[key])}"


def wrapped(data: Any, draw: Random) -> tuple[Any, str]:
    """A list where one thing is due, or a thing where a list is due."""
    changed, where = _copied(data), _place(data, draw)
    was = _get(data, where)
    into, said = draw.choice([([was], "a list of it"), ({"x": was}, "a mapping to it"),
                              ([was, was], "twice itself"), (str(was), "its text")])  # fmt: skip
    _put(changed, where, into)
    return changed, f"{_dotted(where)} is {said}"


def written(data: Any, encoding: str = "utf-8") -> bytes:
    """The document as a file; `Raw` values stand as they are."""
    raw: list[str] = []

    def marked(value: Any) -> Any:
        if isinstance(value, Raw):
            raw.append(str(value))
            return f"RAW{len(raw) - 1:04d}W"
        if isinstance(value, dict):
            return {str(key): marked(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [marked(one) for one in value]
        return value

    text = yaml.safe_dump(marked(data), sort_keys=False, allow_unicode=True, width=10**6)
    for number, one in enumerate(raw):
        text = text.replace(f"RAW{number:04d}W", one)
    return text.encode(encoding, "surrogatepass")


# Text and bytes.


def bomb(content: bytes, draw: Random) -> tuple[bytes, str]:
    """A small file that asks for much memory or time."""
    rows = [f"b{n}: &b{n} [{', '.join(['*b' + str(n - 1)] * 9)}]" for n in range(1, 10)]
    deep = draw.choice([30, 1_000, 50_000])
    bombs = {
        "a billion laughs": "b0: &b0 [x]\n" + "\n".join(rows),
        f"{deep} open brackets": "x: " + "[" * deep,
        f"{deep} open braces": "x: " + "{a: " * deep,
        f"{deep} dashes": "x:\n " + "- " * deep,
        "a key of a megabyte": "k" * 1_000_000 + ": 1",
        "a value of a megabyte": "name: " + "v" * 1_000_000,
        "forty thousand keys": "\n".join(f"k{n}: {n}" for n in range(40_000)),
        "a list of a hundred thousand": "x: [" + "1," * 100_000 + "]",
        "a megabyte of comments": "# x\n" * 250_000,
        "an integer of a million digits": "seed: " + "9" * 1_000_000,
        "an integer to the base of sixty": "seed: " + ":".join(["59"] * 20_000),
    }
    said = draw.choice(sorted(bombs))
    return content + b"\n" + bombs[said].encode(), said


def flipped(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Some bits of some bytes."""
    if not content:
        return content, "nothing to flip"
    damaged = bytearray(content)
    places = [draw.randrange(len(content)) for _ in range(draw.choice([1, 1, 1, 2, 8, 64]))]
    for at in places:
        damaged[at] ^= 1 << draw.randrange(8)
    return bytes(damaged), f"bits flipped at {places[:4]}"


def flipped_at_the_end(content: bytes, draw: Random) -> tuple[bytes, str]:
    """A bit among the last bytes: a Parquet file's schema and statistics stand there."""
    tail = min(len(content), 3_000)
    damaged, said = flipped(content[len(content) - tail :], draw)
    return content[: len(content) - tail] + damaged, f"{said} of the last {tail}"


def truncated(content: bytes, draw: Random) -> tuple[bytes, str]:
    length = draw.choice([0, 1, 4, len(content) // 2, max(len(content) - 1, 0), draw.randrange(len(content) + 1)])  # fmt: skip
    return content[:length], f"cut to {length} of {len(content)} bytes"


def overwritten(content: bytes, draw: Random) -> tuple[bytes, str]:
    """A stretch of zeros, of ones or of noise."""
    start = draw.randrange(len(content) + 1)
    length = draw.choice([1, 4, 16, 200])
    filler = draw.choice([b"\0" * length, b"\xff" * length, draw.randbytes(length)])
    return content[:start] + filler + content[
        start + length :
    ], f"{length} bytes at {start} overwritten"


def moved(content: bytes, draw: Random) -> tuple[bytes, str]:
    """A stretch that is left out, or stands twice."""
    start = draw.randrange(len(content) + 1)
    end = min(start + draw.choice([1, 3, 10, 100]), len(content))
    if draw.random() < 0.5:
        return content[:start] + content[end:], f"bytes {start} to {end} left out"
    return content[:end] + content[start:], f"bytes {start} to {end} stand twice"


def odd_bytes(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Bytes that mean something to somebody: ends of lines, quotes, marks of encodings."""
    piece = draw.choice([b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n\n", b"\t", b'"', b"'", b",",
                         b";", b":", b": ", b"#", b"- ", b"\x1a", b"\xc3", b"\xed\xa0\x80", b"\\N", b"&",
                         b"*", b"{", b"[", b"|", b"---\n", b"...\n", b"%YAML 9.9\n"])  # fmt: skip
    start = draw.choice([0, len(content), draw.randrange(len(content) + 1)])
    return content[:start] + piece + content[start:], f"{piece!r} put in at {start}"


def encoded(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Another encoding than UTF-8, with and without the mark that says so."""
    text = content.decode("utf-8", "replace") + draw.choice(["", "é", "中文", "€"])
    names = ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp1252", "gb18030", "shift_jis", "utf-7", "cp037"]  # fmt: skip
    name = draw.choice(names)
    return codecs.encode(text, name, "replace"), f"encoded as {name}"


# CSV files.


def other_separator(content: bytes, draw: Random) -> tuple[bytes, str]:
    by = draw.choice([b";", b"\t", b"|", b" ", b",,", b"\0"])
    return content.replace(b",", by), f"separated by {by!r}"


def other_line_ends(content: bytes, draw: Random) -> tuple[bytes, str]:
    by = draw.choice([b"\r", b"\r\n", b"\n\r", b"\n\n", b"\x0b", b"\xe2\x80\xa8"])
    return content.replace(b"\n", by), f"lines end with {by!r}"


def odd_line(content: bytes, draw: Random) -> tuple[bytes, str]:
    """A line with cells too many or too few, a second header, a title above the table."""
    lines = content.split(b"\n")
    at = draw.randrange(len(lines))
    header = lines[0]
    line, said = draw.choice([
        (lines[at] + b",,,", "three cells too many"), (b",".join(lines[at].split(b",")[:2]), "two cells"),
        (header, "the header again"), (b"", "an empty line"), (b"Report of the month", "a title"),
        (b'"' + lines[at], "an open quote"), (lines[at] + b'"', "a quote at its end"),
        (b"zq7" * 100_000, "300,000 letters"), (b"," * 20_000, "20,000 empty cells"),
        (b"Total,,,,", "a total"), (b"\0" * 50, "fifty zeros"),
    ])  # fmt: skip
    lines[at] = line
    return b"\n".join(lines), f"line {at} is {said}"


def odd_header(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Names twice, empty, in capitals, with blanks; or no header at all."""
    first, _, rest = content.partition(b"\n")
    names = first.split(b",")
    at, other = draw.randrange(len(names)), draw.randrange(len(names))
    changes: dict[str, list[bytes]] = {
        f"name {at} stands twice": [*names[:at], names[other], *names[at + 1 :]],
        f"name {at} is empty": [*names[:at], b"", *names[at + 1 :]],
        f"name {at} in capitals": [*names[:at], names[at].upper(), *names[at + 1 :]],
        f"name {at} after a blank": [*names[:at], b" " + names[at], *names[at + 1 :]],
        f"name {at} is odd": [*names[:at], draw.choice([b"1", b"nan", b"Unnamed: 0", b"__class__", b"x.1", b"\xff", b"\xe2\x80\x8b"]), *names[at + 1 :]],
        f"name {at} left out": names[:at] + names[at + 1 :],
        "every name twice": names + names,
    }  # fmt: skip
    said = draw.choice([*sorted(changes), "no header"])
    if said == "no header":
        return rest, said
    return b",".join(changes[said]) + b"\n" + rest, said


def zipped(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Compressed, whatever its ending says, and perhaps cut."""
    packed = gzip.compress(content, mtime=0)
    if draw.random() < 0.5:
        return packed, "compressed with gzip"
    return packed[: draw.randrange(len(packed))], "compressed with gzip and cut"


# Tables.

ODD_CELLS: list[Any] = [
    f"{TEXT_CANARY}-cell", f"=cmd|'{TEXT_CANARY}'", f"{TEXT_CANARY}\nline", f"{TEXT_CANARY}, \"q\"",
    f"{TEXT_CANARY}\x00", f"{TEXT_CANARY}é中🙂", f"{TEXT_CANARY}\u202e", "x" * 3_000 + TEXT_CANARY, "", " ",
    "NA", "N/A", "\\N", "null", "None", "nan", "-", "?", "yes", "no", "t", "F", "TRUE", "false", "Y",
    f"1,{NUMBER_CANARY}", f"1.{NUMBER_CANARY},5", f"0,{NUMBER_CANARY}", f"${NUMBER_CANARY}", f"{NUMBER_CANARY}%",
    f"1e{NUMBER_CANARY}", f"{NUMBER_CANARY}e-400", f"0x{NUMBER_CANARY}", f" {NUMBER_CANARY} ", f"{NUMBER_CANARY}L",
    "2026-13-45", f"2026-02-30 {TEXT_CANARY}", "0000-00-00", "9999-12-31", "9999-12-31 23:59:59+00:00",
    "0001-01-01T00:00:00+14:00", f"2026-01-01 25:00:00.{NUMBER_CANARY}", f"2026-01-01 10:00:00.{NUMBER_CANARY}+25:99",
    f"2026-01-01 10:00:00.{NUMBER_CANARY} UTC", f"2026-01-01 10:00:00.{NUMBER_CANARY}+02", "01/02/2026", "31/12/2025",
    f"17{NUMBER_CANARY}000", f"2026-W{NUMBER_CANARY}", "2026-01-01T00:00:00-99:99", "infinity", "now",
    int(NUMBER_CANARY), -int(NUMBER_CANARY), int(NUMBER_CANARY) * 10**15, int(NUMBER_CANARY) * 10**40,
    float(f"0.{NUMBER_CANARY}"), float(f"{NUMBER_CANARY}.5"), float(f"{NUMBER_CANARY}e300"), np.nan, np.inf, -np.inf,
    -0.0, 5e-324, 2**53 + 1, True, False, 0, 1, 2, None, pd.NA, pd.NaT,
    Decimal(f"1.{NUMBER_CANARY}"), Decimal("NaN"), Decimal("Infinity"), b"\xffzq7", b"zq7-bytes", [TEXT_CANARY], {TEXT_CANARY: 1}, (),
    np.datetime64("2026-01-01T00:00:00.731050"), np.datetime64("NaT"), np.timedelta64(73105, "s"),
    pd.Timestamp("2026-01-01 00:00:00.731050", tz="UTC"), pd.Timestamp("2026-01-01 00:00:00.731050", tz="Asia/Tokyo"),
    pd.Timestamp("2026-01-01 00:00:00.731050"), pd.Timestamp("1700-01-01", tz="UTC"), pd.Timestamp("2200-01-01", tz="UTC"),
    complex(7.3105, 1), range(3), np.array([73105, 1]), object,
]  # fmt: skip

CASTS: dict[str, Callable[[pd.Series], Any]] = {
    "text": lambda s: s.map(str),
    "nullable text": lambda s: s.astype("string"),
    "Arrow text": lambda s: s.map(str).astype(pd.ArrowDtype(pa.string())),
    "a category": lambda s: s.map(str).astype("category"),
    "a category of its own kind": lambda s: s.astype("category"),
    "bytes": lambda s: s.map(lambda v: str(v).encode()),
    "lists": lambda s: s.map(lambda v: [v]),
    "mappings": lambda s: s.map(lambda v: {"v": v}),
    "decimals": lambda s: pd.to_numeric(s, errors="coerce").map(lambda v: Decimal(str(round(float(v), 6)))),
    "float32": lambda s: pd.to_numeric(s, errors="coerce").astype("float32"),
    "float16": lambda s: pd.to_numeric(s, errors="coerce").astype("float16"),
    "Float64": lambda s: pd.to_numeric(s, errors="coerce").astype("Float64"),
    "whole numbers": lambda s: pd.to_numeric(s, errors="coerce").fillna(0).astype("int64"),
    "Int64": lambda s: pd.to_numeric(s, errors="coerce").round().astype("Int64"),
    "uint8": lambda s: pd.to_numeric(s, errors="coerce").fillna(0).abs().mod(200).astype("uint8"),
    "boolean": lambda s: pd.to_numeric(s, errors="coerce").fillna(0).ne(0).astype("boolean"),
    "words for yes and no": lambda s: pd.to_numeric(s, errors="coerce").fillna(0).ne(0).map({True: "yes", False: "no"}),
    "0.0 and 1.0": lambda s: pd.to_numeric(s, errors="coerce").fillna(0).ne(0).astype("float64"),
    "complex numbers": lambda s: pd.to_numeric(s, errors="coerce").astype("complex128"),
    "naive stamps": lambda s: pd.to_datetime(s, errors="coerce", utc=True).dt.tz_localize(None),
    "stamps in Tokyo": lambda s: pd.to_datetime(s, errors="coerce", utc=True).dt.tz_convert("Asia/Tokyo"),
    "stamps to the nanosecond": lambda s: pd.to_datetime(s, errors="coerce", utc=True).astype("datetime64[ns, UTC]"),
    "stamps to the second": lambda s: pd.to_datetime(s, errors="coerce", utc=True).astype("datetime64[s, UTC]"),
    "dates": lambda s: pd.to_datetime(s, errors="coerce", utc=True).dt.date,
    "times of day": lambda s: pd.to_datetime(s, errors="coerce", utc=True).dt.time,
    "periods": lambda s: pd.to_datetime(s, errors="coerce", utc=True).dt.tz_localize(None).dt.to_period("D"),
    "epoch seconds": lambda s: pd.to_datetime(s, errors="coerce", utc=True).astype("int64") // 10**6,
    "durations": lambda s: pd.to_timedelta(pd.to_numeric(s, errors="coerce"), unit="s"),
    "intervals": lambda s: pd.Series(pd.interval_range(0, len(s), len(s)), index=s.index),
    "sparse": lambda s: pd.Series(pd.arrays.SparseArray(s.to_numpy()), index=s.index),
    "all empty": lambda s: pd.Series([None] * len(s), index=s.index, dtype=object),
    "all NaN": lambda s: pd.Series(np.nan, index=s.index),
    "all NaT": lambda s: pd.Series(pd.NaT, index=s.index),
    "one value": lambda s: pd.Series([s.iloc[0]] * len(s) if len(s) else [], index=s.index),
    "times a hundred": lambda s: pd.to_numeric(s, errors="coerce") * 100,
    "decimal commas": lambda s: s.map(lambda v: str(v).replace(".", ",")),
}  # fmt: skip


def odd_cell(frame: pd.DataFrame, draw: Random) -> tuple[pd.DataFrame, str]:
    """One cell, or some of one column."""
    if frame.empty or not len(frame.columns):
        return frame, "no cell to change"
    at, value = draw.randrange(len(frame.columns)), draw.choice(ODD_CELLS)
    rows = [draw.randrange(len(frame)) for _ in range(draw.choice([1, 1, 1, 3]))]
    cells = list(frame.iloc[:, at].astype(object))
    for row in rows:
        cells[row] = value
    changed = with_column(
        frame, at, pd.Series(cells, index=frame.index, dtype=object).infer_objects()
    )
    return changed, f"rows {rows} of {frame.columns[at]!r} are {_short(value)}"


def column_cast(frame: pd.DataFrame, draw: Random) -> tuple[pd.DataFrame, str]:
    """A column of another type."""
    if not len(frame.columns):
        return frame, "no column to change"
    at, said = draw.randrange(len(frame.columns)), draw.choice(sorted(CASTS))
    try:
        cast = CASTS[said](frame.iloc[:, at])
    except (
        TypeError,
        ValueError,
        ArithmeticError,
        AttributeError,
        NotImplementedError,
        pa.ArrowException,
    ):
        return frame, f"{frame.columns[at]!r} cannot be {said}"
    return with_column(
        frame, at, pd.Series(cast, index=frame.index)
    ), f"{frame.columns[at]!r} as {said}"


def column_dropped(frame: pd.DataFrame, draw: Random) -> tuple[pd.DataFrame, str]:
    if not len(frame.columns):
        return frame, "no column to drop"
    at = draw.randrange(len(frame.columns))
    return frame.iloc[
        :, [n for n in range(len(frame.columns)) if n != at]
    ], f"without {frame.columns[at]!r}"


def column_renamed(frame: pd.DataFrame, draw: Random) -> tuple[pd.DataFrame, str]:
    """Another name, perhaps one that somebody else has."""
    if not len(frame.columns):
        return frame, "no column to rename"
    names = list(frame.columns)
    at = draw.randrange(len(names))
    was = str(names[at])
    names[at] = draw.choice([was.upper(), f" {was}", f"{was} ", "", "x", "é", "broken_rules", "index", "score", "bad",
                             "case_id", "received_at", "row_digest", "phi_", "x_", "holds:x", "every_other_rule", "level_0",
                             "a[b]", "a<b", "override", "queue", "name", "size", "values", str(draw.choice(names))])  # fmt: skip
    return frame.set_axis(names, axis=1), f"{was!r} is called {names[at]!r}"


def column_added(frame: pd.DataFrame, draw: Random) -> tuple[pd.DataFrame, str]:
    """One more column, as somebody's export brings it."""
    name = draw.choice(["broken_rules", "phi_", "phi_x", "phi_score", "x_", "x_x", "Unnamed: 0", "index", "received_at", "source",
                        "margin", "drawn", "automatable", "credence", "opened_at", "decided_at", "reasoning", "override", "queue",
                        "case_type", "bad", "score", "row", "holds:every_other_rule"])  # fmt: skip
    cells = pd.Series(
        [draw.choice(ODD_CELLS) for _ in range(len(frame))], index=frame.index, dtype=object
    )
    kind = draw.choice(["odd cells", "text", "numbers"])
    cells = {
        "odd cells": cells,
        "text": cells.map(str),
        "numbers": pd.Series([draw.random() for _ in range(len(frame))], index=frame.index),
    }[kind]
    changed = frame.drop(columns=[name], errors="ignore").assign(**{name: cells})
    return changed, f"a column {name!r} of {kind}"


def odd_rows(frame: pd.DataFrame, draw: Random) -> tuple[pd.DataFrame, str]:
    """Rows left out, twice, in another order, all alike."""
    last = max(len(frame) - 1, 0)
    changes: dict[str, Callable[[], pd.DataFrame]] = {
        "no rows": lambda: frame.iloc[:0],
        "one row": lambda: frame.iloc[:1],
        "the first row twice": lambda: pd.concat([frame, frame.iloc[:1]], ignore_index=True),
        "every row twice": lambda: pd.concat([frame, frame], ignore_index=True),
        "backwards": lambda: frame.iloc[::-1],
        "all rows alike": lambda: frame.iloc[[0] * len(frame)] if len(frame) else frame,
        "without the last row": lambda: frame.iloc[:last],
        "two thousand rows": lambda: frame.iloc[[n % len(frame) for n in range(2_000)]] if len(frame) else frame,
    }  # fmt: skip
    said = draw.choice(sorted(changes))
    return changes[said](), said


def odd_index(frame: pd.DataFrame, draw: Random) -> tuple[pd.DataFrame, str]:
    """A pandas index that means something to its owner."""
    if frame.empty or not len(frame.columns):
        return frame, "no index to set"
    first = frame.columns[draw.randrange(len(frame.columns))]
    changes: dict[str, Callable[[], pd.DataFrame]] = {
        f"indexed by {first!r}": lambda: frame.set_index(first),
        f"indexed by {first!r}, which stays": lambda: frame.set_index(first, drop=False),
        "indexed by stamps": lambda: frame.set_axis(pd.date_range("2026-01-01", periods=len(frame), tz="UTC")),
        "indexed by text that repeats": lambda: frame.set_axis(["zq7"] * len(frame)),
        "indexed on two levels": lambda: frame.set_axis(pd.MultiIndex.from_arrays([range(len(frame)), ["a"] * len(frame)])),
        "columns on two levels": lambda: frame.set_axis(pd.MultiIndex.from_product([["a"], frame.columns]), axis=1),
        "numbers for names": lambda: frame.set_axis(range(len(frame.columns)), axis=1),
    }  # fmt: skip
    said = draw.choice(sorted(changes))
    try:
        return changes[said](), said
    except (TypeError, ValueError):
        return frame, "not indexed"


def with_column(frame: pd.DataFrame, at: int, column: pd.Series) -> pd.DataFrame:
    """The frame with another column at a place, whatever the columns are called."""
    columns = [frame.iloc[:, n] if n != at else column for n in range(len(frame.columns))]
    return pd.concat(columns, axis=1).set_axis(frame.columns, axis=1)


# Arrow tables, on their way into a Parquet file.

ODD_METADATA: list[bytes] = [
    b"", b"{", b"[]", b"null", b"1", b"\xff\xfe", b"{}", b'{"columns": null}', b'{"index_columns": ["nope"], "columns": []}',
    b'{"index_columns": [{"kind": "range", "name": null, "start": 0, "stop": -5, "step": 0}], "columns": [], "column_indexes": []}',
    b'{"index_columns": [{"kind": "range", "name": null, "start": 0, "stop": 4000000000, "step": 1}], "columns": [], "column_indexes": [{}]}',
    b'{"index_columns": [{"kind": "zq"}], "columns": [], "column_indexes": []}',
    b'{"index_columns": [], "columns": [{"name": "score", "pandas_type": "nope", "numpy_type": "nope", "metadata": null}], "column_indexes": []}',
    b'{"index_columns": [], "columns": [{"name": "score", "field_name": "score", "pandas_type": "datetimetz", "numpy_type": "datetime64[ns]", "metadata": {"timezone": "Mars/Phobos"}}], "column_indexes": []}',
    b'{"index_columns": ["score"], "columns": [], "column_indexes": [{"name": null, "field_name": null, "pandas_type": "datetime", "numpy_type": "datetime64[ns]", "metadata": null}]}',
    b'{"index_columns": 7, "columns": 7, "column_indexes": 7, "pandas_version": 7}', b"[" * 50_000,
]  # fmt: skip

ARROW_TYPES = [
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary(3), pa.bool_(), pa.int8(), pa.uint64(),
    pa.float16(), pa.float32(), pa.decimal128(20, 6), pa.decimal128(38, 0), pa.decimal256(60, 3), pa.date32(), pa.date64(), pa.time64("us"),
    pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("us", "+02:00"), pa.timestamp("us", "Mars/Phobos"), pa.timestamp("us", "Asia/Tokyo"),
    pa.duration("s"), pa.null(), pa.list_(pa.string()), pa.list_(pa.float64(), 1), pa.map_(pa.string(), pa.int64()),
    pa.struct([("a", pa.string())]), pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.float64()),
]  # fmt: skip


def pandas_metadata(table: pa.Table, draw: Random) -> tuple[pa.Table, str]:
    """What pandas notes in the schema, damaged."""
    metadata = draw.choice(ODD_METADATA)
    own = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    if own and draw.random() < 0.6:
        damaged, said = draw.choice([odd_value, missing_key, wrapped, near_number])(own, draw)
        metadata = json.dumps(damaged, default=str).encode("utf-8", "replace")
        return table.replace_schema_metadata({b"pandas": metadata}), f"pandas metadata: {said}"
    return table.replace_schema_metadata(
        {b"pandas": metadata}
    ), f"pandas metadata is {_short(metadata)}"


def arrow_type(table: pa.Table, draw: Random) -> tuple[pa.Table, str]:
    """A column of an Arrow type that its contract does not name, with or without values."""
    if not table.num_columns:
        return table, "no column"
    at, wanted = draw.randrange(table.num_columns), draw.choice(ARROW_TYPES)
    name = table.column_names[at]
    try:
        column = table.column(at).cast(wanted, safe=False)
        said = f"{name!r} as {wanted}"
    except (pa.ArrowException, ValueError):
        column, said = pa.nulls(table.num_rows, wanted), f"{name!r} as empty {wanted}"
    return table.set_column(at, pa.field(name, wanted), column), said


def arrow_column_twice(table: pa.Table, draw: Random) -> tuple[pa.Table, str]:
    if not table.num_columns:
        return table, "no column"
    at = draw.randrange(table.num_columns)
    return table.append_column(
        table.field(at), table.column(at)
    ), f"{table.column_names[at]!r} twice"


def arrow_shape(table: pa.Table, draw: Random) -> tuple[pa.Table, str]:
    """No columns, no rows, no pandas metadata, nested columns."""
    changes: dict[str, Callable[[], pa.Table]] = {
        "no columns": lambda: table.select([]),
        "no rows": lambda: table.slice(0, 0),
        "no metadata": lambda: table.replace_schema_metadata(None),
        "all columns in one": lambda: pa.table({"all": table.to_struct_array()}),
        "six hundred columns more": lambda: _widened(table, 600),
    }
    said = draw.choice(sorted(changes))
    return changes[said](), said


def _widened(table: pa.Table, count: int) -> pa.Table:
    more = {f"extra_{n}": pa.nulls(table.num_rows) for n in range(count)}
    return pa.table({**dict(zip(table.column_names, table.columns, strict=True)), **more})


# Places in plain data.


def _places(data: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()  # fmt: skip
    for key, value in items:
        found += [(*above, key), *_places(value, (*above, key))]
    return found


def _place(data: Any, draw: Random) -> tuple[Any, ...]:
    """Shallow places as often as deep ones, although there are fewer of them."""
    places = _places(data)
    if not places:
        return ()
    depth = draw.choice(sorted({len(at) for at in places}))
    return draw.choice([at for at in places if len(at) == depth])


def _get(data: Any, where: tuple[Any, ...]) -> Any:
    for part in where:
        data = data[part]
    return data


def _put(data: Any, where: tuple[Any, ...], value: Any) -> None:
    if where:
        _get(data, where[:-1])[where[-1]] = value


def _copied(data: Any) -> Any:
    return copy.deepcopy(data)


def _dotted(where: tuple[Any, ...]) -> str:
    return ".".join(map(str, where)) or "everything"


def _short(value: Any) -> str:
    said = str(value) if isinstance(value, Raw) else repr(value)
    return said if len(said) <= 60 else f"{said[:40]}... ({len(said)} characters)"
