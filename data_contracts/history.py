"""Which past cases may come in for a backtest or a cold start?"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from data_contracts.contract import NEITHER, STAMP, AdmissionContext, Contract, RowRule
from data_contracts.row_rules import (
    amount_is_not_negative,
    case_id_appears_once,
    features_are_present,
    is_plain,
    known_case_type,
    known_category,
    no_stamp_from_the_future,
    priority_in_range,
    stamps_are_present,
)

SCHEMA = pa.schema(
    [
        pa.field("case_id", pa.string(), nullable=False),
        pa.field("case_type", pa.string(), nullable=False),
        pa.field("opened_at", STAMP, nullable=False),
        pa.field("bad", pa.bool_()),
        pa.field("amount_usd", pa.float64()),
        pa.field("priority", pa.int64()),
    ]
)


def _bad_is_true_false_or_unknown(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
    return ~frame["bad"].astype(object).eq(NEITHER).fillna(False).astype(bool)


HISTORY = Contract(
    name="history",
    schema=SCHEMA,
    required=("case_id", "case_type", "opened_at", "bad"),
    key=("case_id",),
    carries_features=True,
    types_judged_by_row=("bad",),
    defaults={"amount_usd": 0.0, "priority": 0},
    row_rules=(
        is_plain("case_id_is_plain", "case_id"),
        known_case_type(),
        stamps_are_present("opened_at"),
        no_stamp_from_the_future("opened_at"),
        RowRule(
            "bad_is_true_false_or_unknown",
            ("bad",),
            "bad must be true, false or empty (not known); map the source's codes onto these.",
            _bad_is_true_false_or_unknown,
        ),
        amount_is_not_negative(),
        priority_in_range(),
        known_category(scored_only=False),
        features_are_present(scored_only=False),
        # Copies are not compared: whether two rows agree would depend on `bad`.
        case_id_appears_once(),
    ),
    # No batch rule: history knows the future. A walk looks at its labels as they come to light, by
    # the rules of what is delivered (flows/verbs/intake/population_watch.py).
)
