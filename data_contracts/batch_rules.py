"""Which rules about a whole batch can any contract hold?"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from data_contracts.contract import AdmissionContext, BatchJudgement, BatchRule
from data_contracts.row_rules import stored_decision
from models.drift.levels import (
    FEWEST_DELIVERIES,
    FEWEST_TO_JUDGE,
    rate_is_far,
    volume_is_far,
)

LabelsOf = Callable[[pd.DataFrame], pd.Series]
"""Gives `bad` per row: True, False, or null where the truth was not observed."""


def volume_near_trailing() -> BatchRule:
    """Rows per case type against what its past expects of the days covered: outside a factor of 5
    the delivery's labels wait.

    A case type that has a trailing window and no row at all counts as far away.
    """

    def judge(frame: pd.DataFrame, context: AdmissionContext) -> BatchJudgement:
        rows = case_types_of(frame, context).value_counts()
        old = {
            name: past
            for name, past in (context.trailing or {}).items()
            if past.deliveries >= FEWEST_DELIVERIES and past.rows_expected > 0
        }
        far = [
            f"{name} has {int(rows.get(name, 0))} rows where {past.rows_expected:.0f} were due"
            for name, past in sorted(old.items())
            if volume_is_far(int(rows.get(name, 0)), past.rows_expected)
        ]
        if far:
            return BatchJudgement.failed(f"The volume is far from its past: {'; '.join(far)}.")
        return BatchJudgement.passed() if old else BatchJudgement.too_few("no trailing batches")

    why = "Far more or fewer rows than usual; see whether the delivery is cut or doubled."
    return BatchRule("volume_near_trailing", why, judge)


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
    return BatchRule("more_than_one_class", why, judge)


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
            str(name): (round(mean * size), int(size), past.base_rate, past.labels)
            for name, mean, size in tally.itertuples(name=None)
            if (past := (context.trailing or {}).get(str(name))) and past.base_rate is not None
        }
        far = [
            f"{name} has {bad / size:.2%} bad in {size} rows against {rate:.2%} before"
            for name, (bad, size, rate, labels) in known.items()
            if rate_is_far(bad, size, rate, labels)
        ]
        if far:
            return BatchJudgement.failed(f"The base rate is far from its past: {'; '.join(far)}.")
        return BatchJudgement.passed() if known else BatchJudgement.too_few(f"{len(observed)} rows")

    why = (
        "The share of bad cases jumped; see whether labels are swapped or the delivery is partial."
    )
    return BatchRule("base_rate_near_trailing", why, judge)


def case_types_of(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
    """Each row's case type: its own, else its stored decision's, else the only configured one."""
    if "case_type" in frame.columns:
        return frame["case_type"]
    of_decision = stored_decision(frame, context, "case_type")
    if of_decision.isna().all() and len(context.case_types) == 1:
        return pd.Series(next(iter(context.case_types)), index=frame.index)
    return of_decision
