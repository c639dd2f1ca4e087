"""What does a batch say in the contract's types, and which cells cannot be read?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types

from data_contracts.contract import NEITHER, Contract
from data_contracts.words import (
    FLAG_WORDS,
    ROW_FAULT_SHARE,
    ReadCells,
    off_scale,
    read_flags,
    read_numbers,
)
from models.vocabulary import CaseType, Feature

_UNFIT = "admitted_rows_fit_the_schema"


class BatchRefused(ValueError):
    """The batch as a whole cannot be read; `rule` names why, the message says what would work."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


def read_types(
    frame: pd.DataFrame,
    contract: Contract,
    case_types: Mapping[str, CaseType] = MappingProxyType({}),
) -> pd.DataFrame:
    """The batch in the contract's types: fixed columns, then carried features, segments and phi_.

    Words become `str`, stamps `datetime64[us, UTC]`, numbers `float64` or `Int64`, yes-or-no
    `boolean` (0 and 1 will do, and the words of `words.FLAG_WORDS`). Carried columns stay as they
    are where their cells are in their feature's type; other columns are left out. A few cells that
    cannot be read are missing here, and `admit` quarantines their rows.

    Raises:
        BatchRefused: the contract has no rules, or the batch no rows, or columns are missing (all
            are named), have another type or are on another scale (all are named, without their
            values).
    """
    return read_cells(frame, contract, case_types)[0]


def read_cells(
    frame: pd.DataFrame, contract: Contract, case_types: Mapping[str, CaseType]
) -> tuple[pd.DataFrame, np.ndarray]:
    """What `read_types` gives, and in which rows every cell could be read, shape (rows,)."""
    if not contract.row_rules:
        raise BatchRefused(
            "contract_has_rules",
            f"The contract {contract.name!r} has no row rules, so nothing would be checked; "
            "give it rules.",
        )
    _refuse_missing(frame, contract, case_types)
    if frame.empty:
        raise BatchRefused(
            "batch_is_not_empty",
            f"The batch of {contract.name} has no rows; look whether the delivery or its query "
            "broke.",
        )
    carried = {name: frame[name] for name in _carried(frame, contract, case_types)}
    readable = np.ones(len(frame), dtype=np.bool_)
    columns: dict[str, pd.Series] = {}
    misfits: list[str] = []
    for name in contract.schema.names:
        try:
            columns[name] = _read_fixed(frame, contract, name, readable)
        except _Misfit as misfit:
            misfits.append(f"{name!r} must be {misfit}")
        except _UNREADABLE:
            misfits.append(f"{name!r} must be {contract.schema.field(name).type}")
    misfits += _misread_features(frame, contract, case_types, carried, readable)
    misfits += _off_scale(columns, contract)
    if misfits:
        raise BatchRefused(
            "types_fit",
            f"{many(len(misfits), 'column')} of {contract.name} cannot be read: "
            f"{'; '.join(misfits)}. Convert at the source.",
        )
    return pd.DataFrame({**columns, **carried}), readable


# What pandas and Arrow raise on a cell they cannot hold; their messages may quote the cell.
_UNREADABLE = (TypeError, ValueError, ArithmeticError, pa.ArrowException)


_NO_WORDS = (
    "datetime",
    "datetime64",
    "date",
    "time",
    "timedelta",
    "timedelta64",
    "bytes",
    "period",
)
_PROBABILITIES = {"score", "propensity"}
_FEATURES_ARE_ASKED = "features_are_present"
_MOST_NEITHER = 0.5


class _Misfit(ValueError):
    """A column has another type; the message says which type it must have, never a value."""


def _refuse_missing(
    frame: pd.DataFrame, contract: Contract, case_types: Mapping[str, CaseType]
) -> None:
    there = [str(name) for name in frame.columns]
    twice = sorted({name for name in there if there.count(name) > 1})
    if twice:
        raise BatchRefused(
            "columns_are_there",
            f"{many(len(twice), 'column')} of {contract.name} stand there more than once: "
            f"{quoted(twice)}. Rename or drop all but one.",
        )
    wanted = [*contract.required, *_needed_features(frame, contract, case_types)]
    missing = [name for name in dict.fromkeys(wanted) if name not in frame.columns]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise BatchRefused(
            "columns_are_there",
            f"{many(len(missing), 'column')} {verb} missing from {contract.name}: "
            f"{quoted(missing)}. There are: {quoted(there) or 'none'}. "
            "Map them under `columns:` in the source file.",
        )


def _types_in(
    frame: pd.DataFrame, contract: Contract, case_types: Mapping[str, CaseType]
) -> list[CaseType]:
    if not contract.carries_features or "case_type" not in frame.columns:
        return []
    present = frame["case_type"].isin(list(case_types))
    return [case_types[name] for name in sorted(frame.loc[present, "case_type"].unique())]


def _needed_features(
    frame: pd.DataFrame, contract: Contract, case_types: Mapping[str, CaseType]
) -> list[str]:
    known = _types_in(frame, contract, case_types)
    return [name for case_type in known for name in case_type.feature_names]


def _carried(
    frame: pd.DataFrame, contract: Contract, case_types: Mapping[str, CaseType]
) -> list[str]:
    """Feature and segment columns of the case types in the batch, and phi_ contributions."""
    if not contract.carries_features:
        return []
    known = _types_in(frame, contract, case_types)
    own = {name for case_type in known for name in (*case_type.feature_names, *case_type.segments)}
    return [
        name
        for name in frame.columns
        if name not in contract.schema.names and (name in own or str(name).startswith("phi_"))
    ]


def _misread_features(
    frame: pd.DataFrame,
    contract: Contract,
    case_types: Mapping[str, CaseType],
    carried: dict[str, pd.Series],
    readable: np.ndarray,
) -> list[str]:
    """What is wrong with the types of features, judged on the rows of their own case type.

    Words for numbers or for yes and no in `carried` become what they say, in all their rows.
    """
    misfits = []
    # Where no rule asks for features, a case without one is still a case: a person decides it.
    asked = any(rule.name == _FEATURES_ARE_ASKED for rule in contract.row_rules)
    for case_type in _types_in(frame, contract, case_types):
        mine = frame["case_type"].eq(case_type.name).to_numpy(dtype=np.bool_, na_value=False)
        for feature in case_type.features:
            fine = np.ones(int(mine.sum()), dtype=np.bool_)
            try:
                read = _read_feature(frame.loc[mine, feature.name], feature, fine, strict=asked)
            except _Misfit as misfit:
                misfits.append(f"{feature.name!r} ({case_type.name}) must be {misfit}")
                continue
            except _UNREADABLE:
                misfits.append(f"{feature.name!r} ({case_type.name}) must be {feature.kind}")
                continue
            if asked:
                readable[mine] &= fine
            if read is not None and feature.name in carried:
                carried[feature.name] = _replaced(carried[feature.name], mine, read)
    return misfits


def _read_feature(
    column: pd.Series, feature: Feature, fine: np.ndarray, *, strict: bool
) -> pd.Series | None:
    """The feature in its type where its cells are in another; None where they stay as they are."""
    if feature.kind == "categorical":
        text = _read_text(column)
        return text if types.is_numeric_dtype(column.dtype) else None
    if feature.kind == "boolean":
        read = _read_yes_or_no(column, fine, strict=strict)
    else:
        read = _read_number(column, fine, strict=strict)
    return None if _is_in_type(column) else read


def _is_in_type(column: pd.Series) -> bool:
    """Whether nothing but numbers and booleans stands in a column, as they are kept."""
    return types.is_numeric_dtype(column.dtype) or _kind(column) in ("boolean", "empty")


def _replaced(whole: pd.Series, mine: np.ndarray, read: pd.Series) -> pd.Series:
    """The column with the rows of one case type in their type; the others keep what they hold."""
    if mine.all():
        return read
    mixed = whole.astype(object).copy()
    mixed[mine] = read.astype(object).where(read.notna(), None)
    return mixed.infer_objects()


def _off_scale(columns: Mapping[str, pd.Series], contract: Contract) -> list[str]:
    """Which columns of probabilities hold something else altogether, and the question to settle."""
    found = []
    for name in _PROBABILITIES & set(contract.schema.names) & set(columns):
        strange = off_scale(columns[name])
        if strange is not None:
            found.append(
                f"{name!r} must be a probability in [0, 1] ({strange} say `scales: {{{name}: percent}}` "
                "or `log_odds` in the source file)"
            )
    return found


def _read_fixed(
    frame: pd.DataFrame, contract: Contract, name: str, readable: np.ndarray
) -> pd.Series:
    wanted = contract.schema.field(name).type
    if name not in frame.columns:
        default = contract.defaults.get(name)
        column = pd.Series([default] * len(frame), index=frame.index, dtype=object)
    else:
        column = frame[name]
    if name in contract.types_judged_by_row:
        return _read_leniently(column)
    return _read(column, wanted, readable)


def _read(column: pd.Series, wanted: pa.DataType, readable: np.ndarray) -> pd.Series:
    """A column in its type; `readable` turns False in rows whose cell cannot be read."""
    if pa.types.is_list(wanted):
        return _read_list(column, wanted)
    if pa.types.is_timestamp(wanted):
        return _read_stamp(column)
    if pa.types.is_boolean(wanted):
        return _read_yes_or_no(column, readable)
    if pa.types.is_integer(wanted):
        return _read_whole_number(column, readable)
    if pa.types.is_floating(wanted):
        return _read_number(column, readable)
    return _read_text(column)


def _kind(column: pd.Series) -> str:
    return "empty" if column.isna().all() else types.infer_dtype(column, skipna=True)


def _read_text(column: pd.Series) -> pd.Series:
    plain = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
    kind = _kind(plain)
    if kind == "floating" and plain.dropna().mod(1.0).eq(0.0).all():
        kind = "integer"  # whole numbers became floats because some are missing
    if kind not in ("string", "empty", "integer"):
        raise _Misfit("text")
    text = plain.astype("Int64") if kind == "integer" else plain
    return text.astype("string").astype("str")


def _read_number(column: pd.Series, readable: np.ndarray, *, strict: bool = True) -> pd.Series:
    """Numbers as `float64`; a few cells that are none cost their rows (`readable`), more the batch.

    Not strict: cells in another format are their rows' fault, too, unless there are many.
    """
    kind = _kind(column)
    if kind in ("integer", "floating", "mixed-integer-float", "decimal", "empty"):
        return pd.Series(column.to_numpy(dtype="float64", na_value=np.nan), index=column.index)
    if kind in _NO_WORDS:
        raise _Misfit("a number")
    read = read_numbers(column)
    if _is_misread(read, strict=strict):
        raise _Misfit(f"a number ({_how_many(read)}{_how_written(read)})")
    readable &= ~read.unreadable
    return read.values


def _read_whole_number(column: pd.Series, readable: np.ndarray) -> pd.Series:
    number = _read_number(column, readable)
    with np.errstate(invalid="ignore"):
        whole = number.isna() | (number.abs().lt(2.0**53) & number.mod(1.0).eq(0.0))
    if not whole.all():
        raise _Misfit("a whole number")
    return number.astype("Int64")


def _read_yes_or_no(column: pd.Series, readable: np.ndarray, *, strict: bool = True) -> pd.Series:
    kind = _kind(column)
    if kind == "boolean":
        return column.astype("boolean")
    if kind in _NO_WORDS:
        raise _Misfit("true or false")
    read = read_flags(column)
    if _is_misread(read, strict=strict):
        raise _Misfit(
            f"true or false ({_how_many(read)}; {FLAG_WORDS} are understood, map other words under "
            "`values:` in the source file)"
        )
    readable &= ~read.unreadable
    return read.values


def _is_misread(read: ReadCells, *, strict: bool) -> bool:
    if strict:
        return not read.rows_are_at_fault
    return read.stray > max(1, ROW_FAULT_SHARE * read.present)


def _how_many(read: ReadCells) -> str:
    return f"{read.stray:,} of {read.present:,} cells are none"


def _how_written(read: ReadCells) -> str:
    if not read.foreign:
        return ""
    return (
        f", {read.foreign:,} of them have thousands, a decimal comma, a currency or a percent sign: which? "
        "say `numbers:` in the source file"
    )


def _read_leniently(column: pd.Series) -> pd.Series:
    """True, False and null as they are, words for them as what they say, anything else as NEITHER.

    Raises:
        _Misfit: more than half of the cells are neither: these are words of another vocabulary.
    """
    try:
        flags = read_flags(column)
    except _UNREADABLE:
        raise _Misfit("true or false") from None
    if not flags.stray:
        return flags.values
    if flags.stray > max(1, _MOST_NEITHER * flags.present):
        raise _Misfit(
            f"true, false or empty ({_how_many(flags)}; {FLAG_WORDS} are understood, map other words "
            "under `values:` in the source file)"
        )
    read = flags.values.astype(object).where(flags.values.notna(), None)
    read[flags.unreadable] = NEITHER
    return read


def _read_stamp(column: pd.Series) -> pd.Series:
    wanted = "a time with a time zone"
    kind = _kind(column)
    if kind == "empty":
        return pd.Series(pd.NaT, index=column.index, dtype="datetime64[us, UTC]")
    if kind not in ("datetime64", "datetime") or _has_no_zone(column):
        raise _Misfit(f"{wanted} (set `timezone:` in the source file)")
    try:
        return pd.to_datetime(column, utc=True).dt.as_unit("us")
    except (TypeError, ValueError):
        raise _Misfit(wanted) from None


def _has_no_zone(column: pd.Series) -> bool:
    if types.is_datetime64_any_dtype(column.dtype):
        return getattr(column.dtype, "tz", None) is None
    zones = column.dropna().map(lambda stamp: stamp.tzinfo is None)
    return bool(zones.any())


def _read_list(column: pd.Series, wanted: pa.DataType) -> pd.Series:
    try:
        array = pa.array(column.astype(object), type=wanted, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        raise _Misfit("a list of {step, sop_clause}") from None
    return pd.Series(array.to_pylist(), index=column.index, dtype=object)


def in_schema_types(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Columns that promise no nulls leave the nullable types.

    Raises:
        BatchRefused: a row got through that the schema has no place for, because a rule is missing.
    """
    _refuse_promised_nulls(rows, contract)
    numbered = rows.reset_index(drop=True)
    for column in contract.schema:
        strict = _strict_type(column)
        if strict is not None:
            numbered[column.name] = _in_type(numbered[column.name], strict, contract)
    return numbered


def _in_type(column: pd.Series, strict: Any, contract: Contract) -> pd.Series:
    try:
        read: pd.Series = column.astype(strict)
        return read
    except _UNREADABLE:
        raise BatchRefused(
            _UNFIT,
            f"{contract.name} promises {strict} in {column.name!r}, and no rule rejects other "
            "values; nothing is admitted until the contract has such a rule.",
        ) from None


def _refuse_promised_nulls(rows: pd.DataFrame, contract: Contract) -> None:
    promised = [column.name for column in contract.schema if not column.nullable]
    empty = [name for name in promised if rows[name].isna().any()]
    if empty:
        raise BatchRefused(
            _UNFIT,
            f"{contract.name} promises that {quoted(empty)} cannot be empty, and no rule rejects "
            "an empty one; nothing is admitted until the contract has such a rule.",
        )


def _strict_type(column: pa.Field) -> str | None:
    if pa.types.is_boolean(column.type):
        return "boolean" if column.nullable else "bool"
    if pa.types.is_integer(column.type) and not column.nullable:
        return "int64"
    return None


def no_rows(contract: Contract) -> pd.DataFrame:
    empty = {
        column.name: _read(pd.Series([], dtype=object), column.type, np.empty(0, np.bool_))
        for column in contract.schema
    }
    return in_schema_types(pd.DataFrame(empty), contract)


def quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
