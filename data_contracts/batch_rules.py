"""Which rules about a whole batch can any contract hold?"""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from data_contracts.contract import AdmissionContext, BatchJudgement, BatchRule, Trailing
from data_contracts.row_rules import stored_decision

FEWEST_TO_JUDGE = 200
"""Under this many rows a batch rule on labels or reviewers says `too_few_to_judge` (DESIGN 4)."""
FEWEST_TRAILING_BATCHES = 5
FARTHEST_RATE_FACTOR = 2.0
FARTHEST_VOLUME_FACTOR = 5.0
STANDARD_DEVIATIONS = 4.0

LabelsOf = Callable[[pd.DataFrame], pd.Series]
"""Gives `bad` per row: True, False, or null where the truth was not observed."""


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
