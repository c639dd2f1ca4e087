"""Which cases does a readable condition on their columns select?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from models.triage.procedure.excess import BoolArray
from models.triage.procedure.slice_columns import Kind, SliceColumn, read_column

DIGITS = 4
"""Significant digits of a threshold: a slice selects exactly what its text says."""


class Relation(StrEnum):
    """How a condition compares; a missing value satisfies `is missing` alone."""

    AT_MOST = "<="
    ABOVE = ">"
    IS = "="
    IS_NOT = "!="
    MISSING = " is missing"
    KNOWN = " is known"


@dataclass(frozen=True, slots=True)
class SliceCondition:
    """One comparison of one column: `session_age_minutes<=12.5`, `country_changed=true`.

    `value` is a number for `<=` and `>`, else the level as text ("" for missing and known).
    """

    column: str
    relation: Relation
    value: float | str = ""

    @property
    def text(self) -> str:
        value = f"{self.value:.12g}" if isinstance(self.value, float) else self.value
        return f"{self.column}{self.relation}{value}"

    def holds(self, column: SliceColumn) -> BoolArray:
        """Where it is true of its column, shape (n,)."""
        if isinstance(self.value, float):
            low = column.numbers <= self.value
            true = low if self.relation is Relation.AT_MOST else ~low
        elif self.relation is Relation.MISSING:
            return column.missing
        elif self.relation is Relation.KNOWN:
            return ~column.missing
        else:
            if column.kind is Kind.NUMERIC:
                same = column.numbers == float(self.value)
            else:
                code = column.levels.index(self.value) if self.value in column.levels else -1
                same = column.numbers == code
            true = same if self.relation is Relation.IS else ~same
        return np.asarray(true & ~column.missing, dtype=np.bool_)


def all_hold(conditions: Iterable[SliceCondition], columns: Mapping[str, SliceColumn]) -> BoolArray:
    """Where every condition is true, shape (n,)."""
    masks = [condition.holds(columns[condition.column]) for condition in conditions]
    return np.asarray(np.logical_and.reduce(masks), dtype=np.bool_)


def all_hold_in(conditions: Iterable[SliceCondition], frame: pd.DataFrame) -> BoolArray:
    """Where every condition is true of a table's rows, shape (n,).

    Raises:
        ValueError: the table lacks a column, or has another kind of column by that name.
    """
    conditions = tuple(conditions)
    columns: dict[str, SliceColumn] = {}
    for name in {condition.column for condition in conditions}:
        if name not in frame.columns:
            raise ValueError(
                f"the slice {text_of(conditions)!r} needs column {name!r}, which is not among: "
                f"{', '.join(map(str, frame.columns))}"
            )
        read = read_column(frame[name])
        if read is None:
            raise ValueError(f"column {name!r} holds neither numbers, booleans nor text")
        columns[name] = read
    return all_hold(conditions, columns)


def text_of(conditions: Iterable[SliceCondition]) -> str:
    """What a slice is called: its conditions, joined."""
    return " and ".join(condition.text for condition in conditions)


def rounded(threshold: float) -> float:
    """A threshold as its text shows it."""
    return float(f"{threshold:.{DIGITS}g}")
