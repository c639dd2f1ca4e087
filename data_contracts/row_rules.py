"""Which rules about one row can any contract hold?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_contracts.contract import AdmissionContext, NativeCheck, RowRule
from data_contracts.digests import row_digests
from models.vocabulary import CaseType, Feature

BoolArray = npt.NDArray[np.bool_]

_PLAIN = r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,63}"


def is_plain(name: str, column: str) -> RowRule:
    """A name that is safe in a path, a query and a log; a null is not plain."""

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        text = frame[column]
        return text.str.fullmatch(_PLAIN, na=False) & ~text.str.contains("..", regex=False, na=True)

    why = (
        f"{column} must have 1 to 64 characters of A-Z a-z 0-9 . _ : - , not start with a dot and "
        "hold no two dots in a row; rename it at the source."
    )
    return RowRule(name, (column,), why, holds)


def is_one_of(
    name: str, column: str, values: Iterable[str], *, nulls_pass: bool = False
) -> RowRule:
    """A word of a fixed vocabulary; `nulls_pass` says what a null means."""
    words = tuple(str(value) for value in values)

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        return frame[column].isin(words) | (frame[column].isna() & nulls_pass)

    why = f"{column} must be one of {', '.join(words)}{' or empty' if nulls_pass else ''}."
    native = NativeCheck("in_set", column, nulls_pass=nulls_pass, values=words)
    return RowRule(name, (column,), why, holds, native)


def is_known(name: str, column: str, why: str) -> RowRule:
    """A value must be there."""

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        return frame[column].notna()

    return RowRule(name, (column,), why, holds, NativeCheck("not_null", column))


def is_named(name: str, column: str, why: str) -> RowRule:
    """A text that is more than blanks; a null is no name."""

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        return frame[column].str.strip().ne("").fillna(False).astype(bool) & frame[column].notna()

    return RowRule(name, (column,), why, holds)


def is_between(name: str, column: str, low: float, high: float, why: str) -> RowRule:
    """A number inside a closed range; a null passes."""

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        value = frame[column]
        return value.between(low, high).fillna(False).astype(bool) | value.isna()

    native = NativeCheck("between", column, nulls_pass=True, low=low, high=high)
    return RowRule(name, (column,), why, holds, native)


def amount_is_not_negative() -> RowRule:
    """Null passes: no amount is an amount of 0."""
    why = "amount_usd must be a finite amount of zero or more; book refunds at the source."
    return is_between("amount_is_not_negative", "amount_usd", 0.0, sys.float_info.max, why)


def priority_in_range() -> RowRule:
    """Null passes: a missing priority is for other rules to judge."""
    why = "priority must lie in 0 to 100; map the source's scale onto it."
    return is_between("priority_in_range", "priority", 0, 100, why)


def known_case_type() -> RowRule:
    """A null is no known case type."""

    def holds(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
        return frame["case_type"].isin(tuple(context.case_types))

    why = "case_type is not configured; add configs/case_types/NAME.yaml or map the name."
    return RowRule("known_case_type", ("case_type",), why, holds)


def stamps_are_present(*columns: str) -> RowRule:
    """Every named stamp is there."""

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        return frame[list(columns)].notna().all(axis=1)

    why = f"{' and '.join(columns)} must be there; a row without a time has no place in a window."
    native = NativeCheck("not_null", columns[0]) if len(columns) == 1 else None
    return RowRule("stamps_are_present", columns, why, holds, native)


def no_stamp_from_the_future(*columns: str) -> RowRule:
    """No stamp lies after now plus the allowed clock skew; a null passes."""

    def holds(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
        latest = context.latest_stamp
        late = pd.DataFrame({name: frame[name].gt(latest) for name in columns})
        return ~late.any(axis=1)

    why = f"{' or '.join(columns)} lies in the future; check the source's clock and time zone."
    return RowRule("no_stamp_from_the_future", columns, why, holds)


def in_order(name: str, earlier: str, later: str) -> RowRule:
    """One stamp does not lie before another; a null passes."""

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        return ~frame[later].lt(frame[earlier])

    why = f"{later} lies before {earlier}; check the source's clocks and column mapping."
    return RowRule(name, (earlier, later), why, holds)


def decision_is_known(*, without_decisions: bool) -> RowRule:
    """The row joins a stored decision; `without_decisions` is the answer when none was given."""

    def holds(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
        if context.decisions is None:
            return pd.Series(without_decisions, index=frame.index)
        # A lookup in an index takes a tenth of the time of `isin` on 200,000 texts.
        return stored_decision(frame, context, "case_id").notna() | frame["case_id"].isna()

    why = "No stored decision has this case_id; admit the decisions first, or correct the id."
    return RowRule("decision_is_known", ("case_id",), why, holds)


def stored_decision(frame: pd.DataFrame, context: AdmissionContext, column: str) -> pd.Series:
    """`column` of each row's stored decision; null where no decision or no such column is known."""
    decisions = context.decisions
    # An empty column of stamps cannot be mapped by pandas: it would raise where no case is known.
    if decisions is None or decisions.empty or column not in decisions.columns:
        return pd.Series(None, index=frame.index, dtype=object)
    latest = decisions.drop_duplicates("case_id", keep="last").set_index("case_id", drop=False)[
        column
    ]
    return frame["case_id"].map(latest)


def case_id_appears_once() -> RowRule:
    """A case has one row, whatever its rows say; a null passes."""

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        return ~frame["case_id"].duplicated(keep=False) | frame["case_id"].isna()

    why = "The batch has this case_id more than once; deliver the one row that holds."
    native = NativeCheck("unique", "case_id", nulls_pass=True)
    return RowRule("case_id_appears_once", ("case_id",), why, holds, native)


def case_id_tells_one_story() -> RowRule:
    """No two rows tell different stories about one case; exact copies have their own rule."""

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        return ~has_rival(frame, ("case_id",), tuple(frame.columns))

    why = "The batch has different rows for this case_id; deliver the one that holds."
    return RowRule("case_id_appears_once", ("case_id",), why, holds)


def not_delivered_twice_in_one_batch(*key: str) -> RowRule:
    """The first of several identical rows goes on, its copies do not; null keys pass."""

    def holds(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
        suspects = _same_key(frame, key)
        copies = pd.Series(False, index=frame.index)
        if suspects.empty:
            return ~copies
        copies[suspects.index] = pd.Index(row_digests(suspects)).duplicated()
        return ~copies

    why = "The same row stands in this batch before; one of them was admitted, nothing is lost."
    return RowRule("not_delivered_twice_in_one_batch", key, why, holds)


def has_rival(frame: pd.DataFrame, key: tuple[str, ...], content: tuple[str, ...]) -> pd.Series:
    """True where another row has the same key and other content; rows with a null key have none."""
    suspects = _same_key(frame, key)
    rivals = pd.Series(False, index=frame.index)
    if len(suspects):
        told = suspects[list(key)].assign(_digest=row_digests(suspects, content))
        rivals[suspects.index] = told.groupby(list(key))["_digest"].transform("nunique").gt(1)
    return rivals


def _same_key(frame: pd.DataFrame, key: tuple[str, ...]) -> pd.DataFrame:
    whole = frame[list(key)].notna().all(axis=1)
    return frame[frame.duplicated(list(key), keep=False) & whole]


def features_are_present(*, scored_only: bool) -> RowRule:
    """Numeric and boolean features are there (unless they may be missing) and finite.

    `scored_only` leaves out cases without a score: they were escalated as unscorable.
    """

    def holds(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
        return _judge_features(frame, context, _is_present, ("numeric", "boolean"), scored_only)

    why = "A feature the model needs is empty or infinite; deliver it, or set may_be_missing."
    return RowRule("features_are_present", ("case_type",), why, holds)


def known_category(*, scored_only: bool) -> RowRule:
    """Categorical features hold a configured level; null passes only where it may be missing.

    A feature without levels (history before its first model) is not judged.
    """

    def holds(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
        return _judge_features(frame, context, _is_known_level, ("categorical",), scored_only)

    why = "A categorical feature holds a level that is not configured; add the level or map it."
    return RowRule("known_category", ("case_type",), why, holds)


def _judge_features(
    frame: pd.DataFrame,
    context: AdmissionContext,
    judge: Callable[[pd.Series, Feature], pd.Series],
    kinds: tuple[str, ...],
    scored_only: bool,
) -> pd.Series:
    # By position and one column at a time: a copy of every column for each type costs far more.
    fine = np.ones(len(frame), dtype=np.bool_)
    scored = frame["score"].notna().to_numpy(dtype=np.bool_) if scored_only else np.True_
    for case_type, mine in _rows_by_case_type(frame, context):
        rows = np.flatnonzero(mine & scored)
        for feature in case_type.features:
            if feature.kind in kinds and len(rows):
                fine[rows] &= judge(frame[feature.name].iloc[rows], feature).to_numpy(np.bool_)
    return pd.Series(fine, index=frame.index)


def _rows_by_case_type(
    frame: pd.DataFrame, context: AdmissionContext
) -> Iterator[tuple[CaseType, BoolArray]]:
    """Each configured case type of the batch and which rows are its own, shape (rows,)."""
    types = frame["case_type"]
    for name in sorted(types.dropna().unique()):
        if name in context.case_types:
            yield context.case_types[str(name)], (types == name).to_numpy(np.bool_, na_value=False)


def _is_present(value: pd.Series, feature: Feature) -> pd.Series:
    present = value.notna() | feature.may_be_missing
    if feature.kind == "numeric":
        present &= ~np.isinf(value.to_numpy(dtype="float64", na_value=np.nan))
    return present


def _is_known_level(value: pd.Series, feature: Feature) -> pd.Series:
    if not feature.levels:
        return pd.Series(True, index=value.index)
    return value.isin(feature.levels) | (value.isna() & feature.may_be_missing)
