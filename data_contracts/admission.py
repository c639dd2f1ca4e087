"""Which rows of a batch may go on, and why not the others?"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types

from data_contracts.contract import (
    CELLS_CAN_BE_READ,
    NEITHER,
    STRUCTURE_RULES,
    AdmissionContext,
    BatchJudgement,
    BatchRule,
    Contract,
    NativeCheck,
    RowRule,
)
from data_contracts.words import (
    FLAG_WORDS,
    ROW_FAULT_SHARE,
    ReadCells,
    off_scale,
    read_flags,
    read_numbers,
)
from models.vocabulary import CaseType, Feature

BROKEN_RULES = "broken_rules"
_MASK = "holds:"
_TOGETHER = "every_other_rule"
_UNFIT = "admitted_rows_fit_the_schema"
_ENGINE_LOCK = threading.Lock()


@dataclass(frozen=True, eq=False)
class Admission:
    """What became of a batch: every row that came in is either admitted or quarantined.

    Attributes:
        contract: what the batch was held to.
        rows: admitted rows in the schema's types, numbered from 0; not shown in a repr.
        rejected: the other rows as they were delivered, plus `broken_rules` ("rule_a; rule_b");
            the index is the position in the delivered batch.
        rejections: how many rows broke each rule (a row counts once per rule it broke).
        batch_judgements: by batch rule, what was found.
        failed: sentences saying why the whole batch failed; empty = it did not.
        rows_in: rows delivered.
        held: sentences of the population rules that the admitted rows break; they are admitted, and
            what they say waits (issue 12).
    """

    contract: Contract = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    rejected: pd.DataFrame = field(repr=False)
    rejections: Mapping[str, int]
    batch_judgements: Mapping[str, str]
    failed: tuple[str, ...]
    rows_in: int
    held: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rejections", MappingProxyType(dict(self.rejections)))
        object.__setattr__(self, "batch_judgements", MappingProxyType(dict(self.batch_judgements)))
        if self.rows_in != self.admitted + self.quarantined:
            raise AssertionError(
                f"{self.contract.name}: {self.rows_in} rows came in, {self.admitted} were admitted "
                f"and {self.quarantined} quarantined; rows were lost or made"
            )

    @property
    def admitted(self) -> int:
        return len(self.rows)

    @property
    def quarantined(self) -> int:
        return len(self.rejected)


class BatchRefused(ValueError):
    """The batch as a whole cannot be read; `rule` names why, the message says what would work."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


def admit(frame: pd.DataFrame, contract: Contract, context: AdmissionContext) -> Admission:
    """Splits a batch into admitted rows and explained rejects; fails closed.

    A batch that fails (structure, a rule that raised, or two roads that disagree) admits nothing:
    every row is quarantined under "batch:RULE". Row masks say which rows break which rule; Great
    Expectations judges the same batch a second time, and both must agree rule by rule (DESIGN 4,
    FAULTS 13, 14). Batch rules look at the admitted rows as a population: what breaks one is
    admitted, and said in `held`. No message holds a value of a row.
    """
    delivered = frame.reset_index(drop=True).drop(columns=BROKEN_RULES, errors="ignore")
    try:
        typed, readable = _read_cells(delivered, contract, context.case_types)
        kept = _row_masks(typed, contract, context)
        _second_road(typed, contract, kept)
        if not readable.all():
            kept[CELLS_CAN_BE_READ] = readable
        sound = kept.all(axis=1)
        rows = _in_schema_types(typed[sound], contract)
    except BatchRefused as refusal:
        judgement = BatchJudgement.failed(str(refusal))
        return _nothing_admitted(delivered, contract, {refusal.rule: judgement})

    judgements = {
        **{rule: BatchJudgement.passed() for rule in STRUCTURE_RULES},
        **{rule.name: _judge(rule, rows, context) for rule in contract.batch_rules},
    }
    if any(judgement.verdict == "raised" for judgement in judgements.values()):
        return _nothing_admitted(delivered, contract, judgements)
    return Admission(
        contract=contract,
        rows=rows,
        rejected=delivered[~sound].assign(**{BROKEN_RULES: _broken_rules(kept[~sound])}),
        rejections=_counts(kept),
        batch_judgements={name: str(judgement) for name, judgement in judgements.items()},
        failed=(),
        rows_in=len(frame),
        held=tuple(one.reason for one in judgements.values() if one.verdict == "failed"),
    )


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
    return _read_cells(frame, contract, case_types)[0]


def _read_cells(
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
            f"{_many(len(misfits), 'column')} of {contract.name} cannot be read: "
            f"{'; '.join(misfits)}. Convert at the source.",
        )
    return pd.DataFrame({**columns, **carried}), readable


def reject_report(admission: Admission, limit: int = 10) -> str:
    """One line per broken rule, most frequent first: how many rows, the name, what would work."""
    ranked = sorted(admission.rejections.items(), key=lambda item: (-item[1], item[0]))
    lines = [
        f"{_many(count, 'row')}: {rule}: {admission.contract.explain(rule)}"
        for rule, count in ranked[:limit]
    ]
    if len(ranked) > limit:
        rest = ", ".join(rule for rule, _ in ranked[limit:])
        lines.append(f"and {_many(len(ranked) - limit, 'more rule')}: {rest}")
    return "\n".join([*admission.failed, *lines])


# Reading a batch in the contract's types.


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
            f"{_many(len(twice), 'column')} of {contract.name} stand there more than once: "
            f"{_quoted(twice)}. Rename or drop all but one.",
        )
    wanted = [*contract.required, *_needed_features(frame, contract, case_types)]
    missing = [name for name in dict.fromkeys(wanted) if name not in frame.columns]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise BatchRefused(
            "columns_are_there",
            f"{_many(len(missing), 'column')} {verb} missing from {contract.name}: "
            f"{_quoted(missing)}. There are: {_quoted(there) or 'none'}. "
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


def _in_schema_types(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
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
            f"{contract.name} promises that {_quoted(empty)} cannot be empty, and no rule rejects "
            "an empty one; nothing is admitted until the contract has such a rule.",
        )


def _strict_type(column: pa.Field) -> str | None:
    if pa.types.is_boolean(column.type):
        return "boolean" if column.nullable else "bool"
    if pa.types.is_integer(column.type) and not column.nullable:
        return "int64"
    return None


# First road: one mask a rule.


def _row_masks(typed: pd.DataFrame, contract: Contract, context: AdmissionContext) -> pd.DataFrame:
    """True where a row keeps a rule: one column a rule; a rule that raises refuses the batch."""
    return pd.DataFrame({rule.name: _mask(rule, typed, context) for rule in contract.row_rules})


def _mask(rule: RowRule, typed: pd.DataFrame, context: AdmissionContext) -> np.ndarray:
    try:
        mask = rule.holds(typed, context)
        answers = len(mask) == len(typed) and types.is_bool_dtype(mask.dtype)
        whole = answers and not mask.isna().any()
    except Exception as error:
        # Whatever a rule raises must fail the batch, and its message may hold a row's value.
        raise _rule_raised(rule.name, error) from None
    if not whole:
        raise BatchRefused(
            rule.name,
            f"The rule {rule.name!r} did not answer yes or no for every row; nothing is admitted "
            "until it does.",
        )
    return mask.to_numpy(dtype=bool)


def _rule_raised(rule: str, error: Exception) -> BatchRefused:
    return BatchRefused(
        rule,
        f"The rule {rule!r} raised {type(error).__name__}; nothing is admitted until it is "
        "repaired.",
    )


# Second road: Great Expectations judges the same rules on the same batch.


def _second_road(typed: pd.DataFrame, contract: Contract, kept: pd.DataFrame) -> None:
    """Refuses the batch where an expectation raised or counts other failing rows than the mask."""
    try:
        failing = _expected_failures(typed, contract.row_rules, kept)
    except BatchRefused:
        raise
    except Exception as error:
        raise BatchRefused(
            "great_expectations",
            f"Great Expectations raised {type(error).__name__}; nothing is admitted until it runs.",
        ) from None
    for rule in contract.row_rules:
        by_mask = int((~kept[rule.name]).sum())
        if failing[rule.name] != by_mask:
            raise BatchRefused(
                rule.name,
                f"Two ways to judge {rule.name!r} disagree ({by_mask} against "
                f"{failing[rule.name]} failing rows); nothing is admitted until they agree.",
            )


@dataclass(frozen=True, slots=True)
class _Check:
    """One question to the engine: does this column, or our own mask of that name, hold?"""

    name: str
    native: NativeCheck | None = None


def _expected_failures(
    typed: pd.DataFrame, rules: tuple[RowRule, ...], kept: pd.DataFrame
) -> dict[str, int]:
    """Failing rows by rule as Great Expectations counts them; nulls fail unless the rule says so.

    The engine takes the same few milliseconds for a question however few rows there are, so the
    rules that only our own masks can state, and that every row keeps, are one question.
    """
    own = [rule.name for rule in rules if rule.native is None]
    unbroken = [name for name in own if bool(kept[name].all())]
    checks = [_Check(rule.name, rule.native) for rule in rules if rule.name not in unbroken]
    native = {check.native.column for check in checks if check.native is not None}
    masks = kept[[name for name in own if name not in unbroken]].add_prefix(_MASK)
    judged = typed[sorted(native)].join(masks)
    if unbroken:
        checks.append(_Check(_TOGETHER))
        judged = judged.assign(**{_MASK + _TOGETHER: kept[unbroken].all(axis=1)})
    results = _run_suite(judged, checks)
    _refuse_raised(results, checks, len(typed))
    counted = {
        check.name: _failing_rows(result, check.native, len(typed))
        for check, result in zip(checks, results, strict=False)
    }
    return {rule.name: counted.get(rule.name, counted.get(_TOGETHER, -1)) for rule in rules}


def _refuse_raised(results: list[Any], checks: Sequence[_Check], rows: int) -> None:
    if len(results) != len(checks) + 1:
        raise BatchRefused(
            "great_expectations",
            f"Great Expectations answered {len(results)} of {len(checks) + 1} expectations; nothing "
            "is admitted until it answers all.",
        )
    names = [*(check.name for check in checks), "batch_is_not_empty"]
    for name, result in zip(names, results, strict=True):
        if _raised(result.exception_info) or not result.result:
            raise BatchRefused(
                name,
                f"Great Expectations raised inside {name!r}; nothing is admitted until it does not.",
            )
    if not results[-1].success or results[-1].result["observed_value"] != rows:
        raise BatchRefused(
            "batch_is_not_empty", f"Great Expectations did not see the {rows} rows of the batch."
        )


def _raised(info: Mapping[str, Any] | None) -> bool:
    """Exceptions stand in the info itself, or one level down under the metric that raised."""
    if not info:
        return False
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(bool(part.get("raised_exception")) for part in info.values())


def _failing_rows(result: Any, native: NativeCheck | None, rows: int) -> int:
    counts = result.result
    if native is None:
        failing = rows - int(counts["observed_value"])
        return failing if result.success == (failing == 0) else -1
    nulls_fail = native.kind != "not_null" and not native.nulls_pass
    nulls = int(counts["missing_count"]) if nulls_fail else 0
    failing = int(counts["unexpected_count"]) + nulls
    if result.success != (int(counts["unexpected_count"]) == 0):
        return -1  # the verdict and its own count disagree, so the mask cannot agree with it
    return failing


def _run_suite(judged: pd.DataFrame, checks: Sequence[_Check]) -> list[Any]:
    """One result per check in the checks' order, then the row count's."""
    with _ENGINE_LOCK, _quiet_engine():
        definition = _batch_definition()
        import great_expectations as gx

        expectations = [_expectation(check, len(judged)) for check in checks]
        expectations.append(_expectation_types().ExpectTableRowCountToBeBetween(min_value=1))
        suite = gx.ExpectationSuite(name="admission", expectations=expectations)
        outcome = definition.get_batch({"dataframe": judged}).validate(
            suite,
            # BASIC counts what SUMMARY counts, in half the time; no value leaves the engine.
            result_format={
                "result_format": "BASIC",
                "exclude_unexpected_values": True,
                "partial_unexpected_count": 0,
            },
        )
    return _in_order(outcome.results, checks)


def _in_order(results: Iterable[Any], checks: Sequence[_Check]) -> list[Any]:
    """Results come back in any order, so each expectation carries its check's name."""
    by_name = {(result.expectation_config.meta or {}).get("check"): result for result in results}
    wanted = [*(check.name for check in checks), None]
    return [by_name[name] for name in wanted if name in by_name]


def _expectation(check: _Check, rows: int) -> Any:
    gxe = _expectation_types()
    meta, native = {"check": check.name}, check.native
    if native is None:
        # Every row keeps the rule when the mask sums to the rows: one metric instead of a dozen.
        return gxe.ExpectColumnSumToBeBetween(
            column=_MASK + check.name, min_value=rows, max_value=rows, meta=meta
        )
    if native.kind == "not_null":
        return gxe.ExpectColumnValuesToNotBeNull(column=native.column, meta=meta)
    if native.kind == "unique":
        return gxe.ExpectColumnValuesToBeUnique(column=native.column, meta=meta)
    if native.kind == "in_set":
        return gxe.ExpectColumnValuesToBeInSet(
            column=native.column, value_set=list(native.values), meta=meta
        )
    return gxe.ExpectColumnValuesToBeBetween(
        column=native.column, min_value=native.low, max_value=native.high, meta=meta
    )


def _expectation_types() -> Any:
    import great_expectations.expectations as gxe

    return gxe


@functools.lru_cache(maxsize=1)
def _batch_definition() -> Any:
    """One ephemeral context a process, made at first use: importing the engine takes 7 s."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        # Without this every context leaves a temporary folder of documentation behind.
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
    )
    engine = gx.get_context(mode="ephemeral", project_config=config)
    asset = engine.data_sources.add_pandas("batches").add_dataframe_asset("batch")
    return asset.add_batch_definition_whole_dataframe("whole")


@contextmanager
def _quiet_engine() -> Iterator[None]:
    """The engine's own log lines may hold values of rows; what went wrong is in its results."""
    logger = logging.getLogger("great_expectations")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


# Putting the verdict together.


def _judge(rule: BatchRule, rows: pd.DataFrame, context: AdmissionContext) -> BatchJudgement:
    try:
        return rule.judge(rows, context)
    except Exception as error:  # fails closed, and the error's message may hold a row's value
        return BatchJudgement("raised", str(_rule_raised(rule.name, error)))


def _nothing_admitted(
    delivered: pd.DataFrame, contract: Contract, judgements: Mapping[str, BatchJudgement]
) -> Admission:
    populations = {rule.name for rule in contract.batch_rules}
    failed = {
        name: found
        for name, found in judgements.items()
        if found.verdict == "raised" or (found.verdict == "failed" and name not in populations)
    }
    names = [f"batch:{name}" for name in failed]
    return Admission(
        contract=contract,
        rows=_no_rows(contract),
        rejected=delivered.assign(
            **{BROKEN_RULES: pd.Series("; ".join(names), index=delivered.index, dtype="str")}
        ),
        rejections=dict.fromkeys(names, len(delivered)),
        batch_judgements={name: str(found) for name, found in judgements.items()},
        failed=tuple(found.reason for found in failed.values()),
        rows_in=len(delivered),
    )


def _no_rows(contract: Contract) -> pd.DataFrame:
    empty = {
        column.name: _read(pd.Series([], dtype=object), column.type, np.empty(0, np.bool_))
        for column in contract.schema
    }
    return _in_schema_types(pd.DataFrame(empty), contract)


def _broken_rules(kept: pd.DataFrame) -> pd.Series:
    """ "rule_a; rule_b" per row, in the contract's order."""
    text = pd.Series("", index=kept.index, dtype="str")
    for name in kept.columns[~kept.all().to_numpy()]:
        text = text.where(kept[name], text + "; " + name)
    return text.str.removeprefix("; ")


def _counts(kept: pd.DataFrame) -> dict[str, int]:
    broken = (~kept).sum()
    return {str(name): int(count) for name, count in broken[broken > 0].items()}


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
