"""Which late truths (chargebacks, appeals, reports) may come in?"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from data_contracts.batch_rules import volume_near_trailing
from data_contracts.contract import STAMP, AdmissionContext, Contract, RowRule
from data_contracts.row_rules import (
    decision_is_known,
    has_rival,
    is_known,
    is_one_of,
    is_plain,
    no_stamp_from_the_future,
    not_delivered_twice_in_one_batch,
    stamps_are_present,
    stored_decision,
)

SOURCES = ("chargeback", "victim_report", "appeal", "law_enforcement", "reverification")

SCHEMA = pa.schema(
    [
        pa.field("case_id", pa.string(), nullable=False),
        pa.field("observed_at", STAMP, nullable=False),
        pa.field("bad", pa.bool_(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)
_KEY = ("case_id", "source", "observed_at")


def _observed_after_opened(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
    opened = stored_decision(frame, context, "opened_at")
    if opened.isna().all():
        opened = stored_decision(frame, context, "decided_at")
    return ~frame["observed_at"].lt(pd.to_datetime(opened, utc=True))


def _does_not_contradict_itself(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
    told = frame.loc[frame["bad"].notna(), [*_KEY, "bad"]]
    rivals = pd.Series(False, index=frame.index)
    rivals[told.index] = has_rival(told, _KEY, ("bad",))
    if context.stored_outcomes is not None:
        rivals[_contradicts_store(told, context.stored_outcomes)] = True
    return ~rivals


def _contradicts_store(told: pd.DataFrame, stored: pd.DataFrame) -> list[int]:
    """The index of rows that say the opposite of a stored one; a row that is stored itself came twice."""
    keys = list(_KEY)
    known = stored.astype({"bad": bool}).drop_duplicates([*keys, "bad"])
    arrived = told.dropna(subset=keys).astype({"bad": bool}).reset_index(names="_position")
    met = arrived.merge(known, on=keys, suffixes=("", "_stored"))
    same = met.loc[met["bad"] == met["bad_stored"], "_position"]
    return [int(at) for at in met.loc[~met["_position"].isin(same), "_position"]]


OUTCOMES = Contract(
    name="outcomes",
    schema=SCHEMA,
    required=tuple(SCHEMA.names),
    key=_KEY,
    row_rules=(
        is_plain("case_id_is_plain", "case_id"),
        is_one_of("known_source", "source", SOURCES),
        is_known("bad_is_known", "bad", "bad is empty; deliver the outcome once it is known."),
        stamps_are_present("observed_at"),
        no_stamp_from_the_future("observed_at"),
        decision_is_known(without_decisions=True),
        RowRule(
            "observed_after_opened",
            ("case_id", "observed_at"),
            "observed_at lies before the case was opened; check the source's clock and time zone.",
            _observed_after_opened,
        ),
        RowRule(
            "outcome_does_not_contradict_itself",
            (*_KEY, "bad"),
            "One source says both bad and not bad of this case at one time; deliver what holds, a "
            "correction with the time at which it became known.",
            _does_not_contradict_itself,
        ),
        not_delivered_twice_in_one_batch(*_KEY),
    ),
    # A feed of chargebacks is all bad by its nature: neither one class nor a base rate is judged.
    batch_rules=(volume_near_trailing(),),
)
