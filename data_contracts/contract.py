"""What is a contract, what may its rules know, and which rules can any contract hold?"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types

from models.vocabulary import KEY_USER_PRIORITY, CaseType, Feature

STAMP = pa.timestamp("us", tz="UTC")
NEITHER = "neither"
"""Stands in a yes-or-no column for a value that is no yes, no no and not empty."""

FEWEST_TO_JUDGE = 200
"""Under this many rows a batch rule on labels or reviewers says `too_few_to_judge` (DESIGN 4)."""
FEWEST_TRAILING_BATCHES = 5
FARTHEST_RATE_FACTOR = 2.0
FARTHEST_VOLUME_FACTOR = 5.0
STANDARD_DEVIATIONS = 4.0

LabelsOf = Callable[[pd.DataFrame], pd.Series]
"""Gives `bad` per row: True, False, or null where the truth was not observed."""

_PLAIN = r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,63}"

STRUCTURE_RULES: Mapping[str, str] = {
    "contract_has_rules": "A contract that checks nothing admits nothing; give it row rules.",
    "batch_is_not_empty": "The batch has no rows; look whether the delivery or its query broke.",
    "columns_are_there": "Columns are missing; map them under `columns:` in the source file.",
    "types_fit": "A column has another type than the contract; convert it at the source.",
}
"""Rules every batch is held to before its rows are read: by name, what to do about them."""


@dataclass(frozen=True, slots=True)
class Trailing:
    """What recent batches of one case type looked like.

    `base_rate` is the share of bad among observed rows (None = not known), `rows_per_batch` the
    mean number of rows, `batches` how many batches these figures rest on.
    """

    base_rate: float | None
    rows_per_batch: float
    batches: int


@dataclass(frozen=True, eq=False)
class AdmissionContext:
    """Everything a rule may know beside the batch itself.

    Attributes:
        now: the instant of admission, with a time zone.
        case_types: the configured case types by name.
        decisions: stored decisions (case_id, recommendation, action, decided_at, priority, and
            case_type and opened_at where known); None means that none are stored.
        stored_revisions: revisions in the store (review_id, revision, row_digest); None = none.
        trailing: by case type, the recent past; None = there is none yet.
        key_user_priority: from this priority on a case is never decided automatically.
        reviewer_share_cap: largest share of a batch one reviewer may supply.
        clock_skew_minutes: how far a stamp may run ahead of `now`.

    Raises:
        ValueError: `now` has no time zone, the cap is outside (0, 1), or the skew is negative.
    """

    now: datetime
    case_types: Mapping[str, CaseType]
    decisions: pd.DataFrame | None = field(default=None, repr=False)
    stored_revisions: pd.DataFrame | None = field(default=None, repr=False)
    trailing: Mapping[str, Trailing] | None = None
    key_user_priority: int = KEY_USER_PRIORITY
    reviewer_share_cap: float = 0.25
    clock_skew_minutes: float = 5.0

    def __post_init__(self) -> None:
        if self.now.tzinfo is None or self.now.utcoffset() is None:
            raise ValueError("the time of admission has no time zone; give `now` in UTC")
        if not 0.0 < self.reviewer_share_cap < 1.0:
            raise ValueError(
                f"reviewer_share_cap must lie between 0 and 1, got {self.reviewer_share_cap!r}"
            )
        if not self.clock_skew_minutes >= 0.0:
            raise ValueError(
                f"clock_skew_minutes must be zero or more, got {self.clock_skew_minutes!r}"
            )

    @property
    def latest_stamp(self) -> pd.Timestamp:
        """The latest instant a stamp may name without coming from the future."""
        return pd.Timestamp(self.now).tz_convert("UTC") + pd.Timedelta(
            minutes=self.clock_skew_minutes
        )


@dataclass(frozen=True, slots=True)
class NativeCheck:
    """The same rule said a second time, in words Great Expectations has of its own.

    `nulls_pass` states what a null means, because a native expectation lets every null through.
    `in_set` uses `values`; `between` uses `low` and `high`, both inclusive; `not_null` and
    `unique` (every row of a repeated value counts) neither.
    """

    kind: Literal["not_null", "in_set", "between", "unique"]
    column: str
    nulls_pass: bool = False
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


RowCheck = Callable[[pd.DataFrame, AdmissionContext], pd.Series]


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule one row keeps or breaks.

    `holds` gives True where the row keeps the rule: one plain boolean a row, in the frame's order,
    and it never raises on nulls. `why` is one sentence for a person: what is wrong and what would
    work. `native` is the second road, where there is one.
    """

    name: str
    columns: tuple[str, ...]
    why: str
    holds: RowCheck
    native: NativeCheck | None = None


Verdict = Literal["passed", "failed", "too_few_to_judge"]


@dataclass(frozen=True, slots=True)
class BatchJudgement:
    """What a batch rule found; a failure has a sentence that says why, without any raw value."""

    verdict: Verdict
    reason: str = ""

    @classmethod
    def passed(cls) -> BatchJudgement:
        return cls("passed")

    @classmethod
    def failed(cls, reason: str) -> BatchJudgement:
        return cls("failed", reason)

    @classmethod
    def too_few(cls, reason: str = "") -> BatchJudgement:
        return cls("too_few_to_judge", reason)

    def __str__(self) -> str:
        return f"{self.verdict}: {self.reason}" if self.reason else self.verdict


@dataclass(frozen=True, slots=True)
class BatchRule:
    """A rule the admitted rows keep or break together.

    `on_labels` marks rules that look at the values of labels; contracts whose labels are the truth
    of the future (history) have them judged only on what had been observed.
    """

    name: str
    why: str
    judge: Callable[[pd.DataFrame, AdmissionContext], BatchJudgement]
    on_labels: bool = False


@dataclass(frozen=True, eq=False)
class Contract:
    """What may come in under one name.

    Attributes:
        name: decisions, reviews, outcomes or history.
        schema: the fixed columns as Arrow types; `nullable=False` promises that no admitted row
            holds a null there (some row rule must see to it).
        required: columns a batch must bring; the other fixed columns come in as nulls.
        key: columns that name one row.
        row_rules, batch_rules: see RowRule and BatchRule.
        carries_features: rows bring the feature and segment columns of their case type along.
        labels_judged_at_admission: False where that would look into the future (history).
        defaults: what an absent, not required column holds.
        types_judged_by_row: yes-or-no columns whose stray values cost the row, not the batch; a
            rule reads such a value as the text NEITHER.
    """

    name: str
    schema: pa.Schema = field(repr=False)
    required: tuple[str, ...] = field(repr=False)
    key: tuple[str, ...]
    row_rules: tuple[RowRule, ...] = field(repr=False)
    batch_rules: tuple[BatchRule, ...] = field(default=(), repr=False)
    carries_features: bool = False
    labels_judged_at_admission: bool = True
    defaults: Mapping[str, object] = field(default_factory=dict)
    types_judged_by_row: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.row_rules] + [rule.name for rule in self.batch_rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"contract {self.name!r} names rules twice: {', '.join(twice)}")
        unknown = [name for name in (*self.required, *self.key) if name not in self.schema.names]
        if unknown:
            raise ValueError(
                f"contract {self.name!r} requires columns its schema does not have: "
                f"{', '.join(unknown)}"
            )

    def explain(self, rule: str) -> str:
        """The sentence of one rule, by its name ("batch:" in front or not)."""
        bare = rule.removeprefix("batch:")
        sentences = dict(STRUCTURE_RULES)
        sentences.update({known.name: known.why for known in self.row_rules})
        sentences.update({known.name: known.why for known in self.batch_rules})
        return sentences.get(bare, "")


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
    if decisions is None or column not in decisions.columns:
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
        copies[suspects.index] = row_digests(suspects, tuple(frame.columns)).duplicated()
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
    fine = pd.Series(True, index=frame.index)
    for case_type, rows in _rows_by_case_type(frame, context):
        if scored_only:
            rows = rows[rows["score"].notna()]
        for feature in case_type.features:
            if feature.kind in kinds:
                fine[rows.index] &= judge(rows[feature.name], feature)
    return fine


def _rows_by_case_type(
    frame: pd.DataFrame, context: AdmissionContext
) -> Iterator[tuple[CaseType, pd.DataFrame]]:
    for name, rows in frame.groupby("case_type", sort=True):
        if name in context.case_types:
            yield context.case_types[str(name)], rows


def _is_present(value: pd.Series, feature: Feature) -> pd.Series:
    present = value.notna() | feature.may_be_missing
    if feature.kind == "numeric":
        present &= ~np.isinf(value.to_numpy(dtype="float64", na_value=np.nan))
    return present


def _is_known_level(value: pd.Series, feature: Feature) -> pd.Series:
    if not feature.levels:
        return pd.Series(True, index=value.index)
    return value.isin(feature.levels) | (value.isna() & feature.may_be_missing)


def volume_near_trailing() -> BatchRule:
    """Rows per case type against its recent batches: outside a factor of 5 fails.

    A case type that has a trailing window and no row at all counts as far away.
    """

    def judge(frame: pd.DataFrame, context: AdmissionContext) -> BatchJudgement:
        rows = case_types_of(frame, context).value_counts()
        old = {
            name: past
            for name, past in (context.trailing or {}).items()
            if past.batches >= FEWEST_TRAILING_BATCHES and past.rows_per_batch > 0
        }
        far = [
            f"{name} has {int(rows.get(name, 0))} rows against {past.rows_per_batch:.0f} a batch"
            for name, past in sorted(old.items())
            if _volume_is_far(int(rows.get(name, 0)), past)
        ]
        if far:
            return BatchJudgement.failed(f"The volume is far from its past: {'; '.join(far)}.")
        return BatchJudgement.passed() if old else BatchJudgement.too_few("no trailing batches")

    why = "Far more or fewer rows than usual; see whether the delivery is cut or doubled."
    return BatchRule("volume_near_trailing", why, judge)


def _volume_is_far(rows: int, past: Trailing) -> bool:
    usual = past.rows_per_batch
    beyond_chance = abs(rows - usual) > STANDARD_DEVIATIONS * math.sqrt(usual)
    factor = FARTHEST_VOLUME_FACTOR
    return beyond_chance and (rows > usual * factor or rows < usual / factor)


def more_than_one_class(labels: LabelsOf) -> BatchRule:
    """At least one bad and one good case among the observed rows."""

    def judge(frame: pd.DataFrame, _: AdmissionContext) -> BatchJudgement:
        bad = labels(frame).dropna()
        if len(bad) < FEWEST_TO_JUDGE:
            return BatchJudgement.too_few(f"{len(bad)} observed rows")
        if bad.astype(bool).nunique() < 2:
            return BatchJudgement.failed(f"All {len(bad)} observed rows have one label.")
        return BatchJudgement.passed()

    why = "Every label is the same; nothing can be learned from one class, look at the source."
    return BatchRule("more_than_one_class", why, judge, on_labels=True)


def base_rate_near_trailing(labels: LabelsOf) -> BatchRule:
    """The share of bad per case type against its trailing window.

    Outside 4 binomial standard deviations *and* a factor of 2 fails; under 200 observed rows of a
    case type nothing is said about it.
    """

    def judge(frame: pd.DataFrame, context: AdmissionContext) -> BatchJudgement:
        observed = pd.DataFrame(
            {"bad": labels(frame), "case_type": case_types_of(frame, context)}
        ).dropna()
        tally = observed["bad"].astype(float).groupby(observed["case_type"]).agg(["mean", "size"])
        tally = tally[tally["size"] >= FEWEST_TO_JUDGE]
        known = {
            str(name): (float(mean), int(size), rate)
            for name, mean, size in tally.itertuples(name=None)
            if (rate := _trailing_rate(context, str(name))) is not None
        }
        far = [
            f"{name} has {share:.2%} bad in {size} rows against {rate:.2%} before"
            for name, (share, size, rate) in known.items()
            if _rate_is_far(share, size, rate)
        ]
        if far:
            return BatchJudgement.failed(f"The base rate is far from its past: {'; '.join(far)}.")
        return BatchJudgement.passed() if known else BatchJudgement.too_few(f"{len(observed)} rows")

    why = (
        "The share of bad cases jumped; see whether labels are swapped or the delivery is partial."
    )
    return BatchRule("base_rate_near_trailing", why, judge, on_labels=True)


def _trailing_rate(context: AdmissionContext, case_type: str) -> float | None:
    past = (context.trailing or {}).get(case_type)
    return past.base_rate if past is not None else None


def _rate_is_far(share: float, size: int, rate: float) -> bool:
    # A past without a single bad case is read as at most one in this many rows.
    spread_rate = min(max(rate, 1.0 / size), 1.0 - 1.0 / size)
    deviation = math.sqrt(spread_rate * (1.0 - spread_rate) / size)
    beyond_chance = abs(share - rate) > STANDARD_DEVIATIONS * deviation
    factor = FARTHEST_RATE_FACTOR
    return beyond_chance and (share > rate * factor or share < rate / factor)


def case_types_of(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
    """Each row's case type: its own, else its stored decision's, else the only configured one."""
    if "case_type" in frame.columns:
        return frame["case_type"]
    of_decision = stored_decision(frame, context, "case_type")
    if of_decision.isna().all() and len(context.case_types) == 1:
        return pd.Series(next(iter(context.case_types)), index=frame.index)
    return of_decision


def row_digests(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Content digest of each row over `columns` (16 hex digits, `str`, index of `frame`).

    The digest depends on what the row says, not on how its columns are stored: int64 and Int64,
    bool and boolean, stamps in different units and zones agree. It tells re-deliveries from
    corrections; it is no protection against somebody who searches for collisions.
    """
    if frame.empty:
        return pd.Series([], index=frame.index, dtype="str")
    canonical = pd.DataFrame({name: _canonical(frame[name]) for name in columns})
    hashes = pd.util.hash_pandas_object(canonical, index=False).to_numpy(dtype=">u8")
    digits = np.frombuffer(hashes.tobytes().hex().encode(), dtype="S16").astype("U16")
    return pd.Series(digits, index=frame.index, dtype="str")


def _canonical(column: pd.Series) -> pd.Series:
    if types.is_datetime64_any_dtype(column.dtype):
        instants: pd.Series = column.dt.as_unit("us").astype("int64").astype("float64")
        return instants.where(column.notna())
    if types.is_bool_dtype(column.dtype) or types.is_numeric_dtype(column.dtype):
        # Adding zero makes one number of 0.0 and -0.0.
        return pd.Series(column.to_numpy(dtype="float64", na_value=np.nan) + 0.0, column.index)
    if not isinstance(column.dtype, pd.StringDtype):
        column = column.astype(object).where(column.notna(), None).map(str, na_action="ignore")
    return column.astype("str")
