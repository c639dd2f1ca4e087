"""What does each feature of each case contribute, looked up in tables made once for the model?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk.flat_tables import FlatTables
from models.risk.lookup_tables import Group, Question, Tables

FloatArray = npt.NDArray[np.float64]
Column = npt.NDArray[Any]
"""float32 numbers, or the places of categories."""

ROWS_AT_ONCE = 16_384
FEW_ROWS = 32
"""Up to so many rows one pass over the flattened tables is quicker than one over the trees."""

_TREES_A_SUM = 32
_MOST_FLAT_BYTES = 64 << 20
_FLAT: WeakKeyDictionary[Tables, FlatTables | None] = WeakKeyDictionary()


def look_up(
    tables: Tables, rows: pd.DataFrame, threads: int = 1, chunk: int = ROWS_AT_ONCE
) -> FloatArray:
    """Contributions to the margin, shape (rows, features), before calibration.

    The same bits for a case whether it comes alone or among others.

    Args:
        tables: of the model's forest.
        rows: encoded cases, columns in the model's order; categorical ones as pandas categories in
            the order the model was trained with.
        threads: parts of the rows worked on at a time.
        chunk: the largest part; what is kept for one should fit the processor's cache.
    """
    columns = [_column(rows.iloc[:, place]) for place in range(tables.features)]
    flat = _flattened(tables) if 0 < len(rows) <= FEW_ROWS else None
    if flat is not None:
        return flat.look_up(columns)
    by_feature = np.zeros((tables.features, len(rows)))
    # Parts of one size, as many as there are threads or a multiple of it.
    parts = threads * -(-len(rows) // (chunk * threads)) or 1
    edges = np.linspace(0, len(rows), parts + 1).astype(np.int64).tolist()

    def work(start: int, stop: int) -> None:
        part = slice(start, stop)
        _add_chunk(tables, [column[part] for column in columns], by_feature[:, part])

    if threads == 1:
        list(map(work, edges[:-1], edges[1:]))
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, edges[:-1], edges[1:]))
    return by_feature.T


def _flattened(tables: Tables) -> FlatTables | None:
    """Made once for as long as the tables live; None where there is nothing to look up, or a second
    copy would be large."""
    if tables not in _FLAT:
        small = bool(tables.trees) and tables.nbytes <= _MOST_FLAT_BYTES
        _FLAT[tables] = FlatTables.of(tables, _TREES_A_SUM) if small else None
    return _FLAT[tables]


def _column(values: pd.Series) -> Column:
    """Numbers as float32; of categories the place in a question's list (0: missing)."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(dtype=np.intp) + 1
    return np.ascontiguousarray(values.to_numpy(dtype=np.float32, na_value=np.nan))


class _Desk:
    """Room for one chunk: bits by question, a pattern, and what a table said."""

    def __init__(self, questions: int, rows: int) -> None:
        self.bits = np.empty((questions, rows), dtype=np.bool_)
        self.bytes = list(self.bits.view(np.uint8))
        self.high = np.empty(rows, dtype=np.uint8)
        self.low = np.empty(rows, dtype=np.uint8)
        self.pattern = np.empty(rows, dtype=np.intp)
        self.said = np.empty(rows, dtype=np.float32)


def _add_chunk(tables: Tables, columns: list[Column], by_feature: FloatArray) -> None:
    """Add up in float32 over a few trees at a time, and over all of them in float64."""
    rows = by_feature.shape[1]
    most = max((len(tree.questions) for tree in tables.trees), default=0)
    desk = _Desk(most, rows)
    sums = np.zeros(by_feature.shape, dtype=np.float32)
    sums_of = list(sums)
    for number, tree in enumerate(tables.trees, start=1):
        _answer(tree.questions, columns, desk)
        for group in tree.groups:
            _note_pattern(group, desk)
            for feature, table in group.columns:
                table.take(desk.pattern, None, desk.said, "clip")
                np.add(sums_of[feature], desk.said, out=sums_of[feature])
        if number % _TREES_A_SUM == 0 or number == len(tables.trees):
            by_feature += sums
            sums[:] = 0.0


def _answer(questions: tuple[Question, ...], columns: list[Column], desk: _Desk) -> None:
    for bits, question in zip(desk.bits, questions, strict=False):
        values = columns[question.feature]
        if question.goes_right is not None:
            question.goes_right.take(values, None, bits, "clip")
        elif question.turned:
            np.less(values, question.threshold, out=bits)
        else:
            np.greater_equal(values, question.threshold, out=bits)


def _note_pattern(group: Group, desk: _Desk) -> None:
    """The answers of a group as one number; bytes first, since they are added 64 at a time."""
    first = len(group.asked) - 8
    _note_byte(group.asked[max(first, 0) :], desk.low, desk)
    if first > 0:
        _note_byte(group.asked[:first], desk.high, desk)
        np.copyto(desk.pattern, desk.high)
        np.left_shift(desk.pattern, 8, out=desk.pattern)
        np.add(desk.pattern, desk.low, out=desk.pattern)
    else:
        np.copyto(desk.pattern, desk.low)


def _note_byte(asked: tuple[int, ...], byte: npt.NDArray[np.uint8], desk: _Desk) -> None:
    np.copyto(byte, desk.bytes[asked[0]])
    for question in asked[1:]:
        np.add(byte, byte, out=byte)
        np.bitwise_or(byte, desk.bytes[question], out=byte)
