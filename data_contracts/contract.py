"""What is a contract, what may its rules know, and what can a judgement say?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import pandas as pd
import pyarrow as pa

from models.vocabulary import KEY_USER_PRIORITY, CaseType

STAMP = pa.timestamp("us", tz="UTC")
NEITHER = "neither"
"""Stands in a yes-or-no column for a value that is no yes, no no and not empty."""

CELLS_CAN_BE_READ = "cells_can_be_read"
_WHY_UNREADABLE = (
    "a cell is not what its column holds (a number, or true or false); deliver it in plain notation, "
    "or say `numbers:`, `values:` or `missing:` in the source file."
)

STRUCTURE_RULES: Mapping[str, str] = {
    "contract_has_rules": "A contract that checks nothing admits nothing; give it row rules.",
    "batch_is_not_empty": "The batch has no rows; look whether the delivery or its query broke.",
    "columns_are_there": "Columns are missing; map them under `columns:` in the source file.",
    "types_fit": "A column has another type than the contract; convert it at the source.",
    "admitted_rows_fit_the_schema": "The schema promises more than the rules see to; restore the "
    "missing rule.",
}
"""Rules every batch is held to whatever its contract: by name, what to do about them."""


@dataclass(frozen=True, slots=True)
class Trailing:
    """What came before, of one case type.

    Attributes:
        base_rate: the share of bad among observed rows; None = not known.
        rows_expected: how many new rows the days that this delivery covers should bring.
        deliveries: how many deliveries these figures rest on.
        labels: how many observed rows `base_rate` rests on; None: it is taken as known exactly.
    """

    base_rate: float | None
    rows_expected: float
    deliveries: int
    labels: int | None = None


@dataclass(frozen=True, eq=False)
class AdmissionContext:
    """Everything a rule may know beside the batch itself.

    Attributes:
        now: the instant of admission, with a time zone.
        case_types: the configured case types by name.
        decisions: stored decisions (case_id, recommendation, action, decided_at, priority, and
            case_type and opened_at where known); None means that none are stored.
        stored_revisions: revisions in the store (review_id, revision, row_digest as
            `digests.row_digests` gives it); None = none.
        stored_outcomes: outcomes in the store (case_id, source, observed_at, bad); None = none.
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
    stored_outcomes: pd.DataFrame | None = field(default=None, repr=False)
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


Verdict = Literal["passed", "failed", "too_few_to_judge", "raised"]


@dataclass(frozen=True, slots=True)
class BatchJudgement:
    """What a batch rule found; a failure has a sentence that says why, without any raw value. A rule
    that `raised` found nothing, which is never the same as nothing to find."""

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
    """A rule about the admitted rows as a population: what breaks it is admitted, and its labels
    wait (issue 12); only a rule that raises fails the batch."""

    name: str
    why: str
    judge: Callable[[pd.DataFrame, AdmissionContext], BatchJudgement]


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
        sentences = {**STRUCTURE_RULES, CELLS_CAN_BE_READ: _WHY_UNREADABLE}
        sentences.update({known.name: known.why for known in self.row_rules})
        sentences.update({known.name: known.why for known in self.batch_rules})
        return sentences.get(bare, "")
