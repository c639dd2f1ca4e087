"""Which rule of a new case does a case break that a server is asked about?

The same rules, by the same names, as the contract of `ratchet decide` (`data_contracts.cases`), which
a served folder does not have with it; a test holds the two against each other.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk.cells import CELLS_ARE_READABLE

BoolArray = npt.NDArray[np.bool_]
Rules = npt.NDArray[np.str_]

PLAIN, KNOWN_TYPE, DATED = "case_id_is_plain", "known_case_type", "stamps_are_present"
NOT_FUTURE, PRIORITY, AMOUNT = (
    "no_stamp_from_the_future",
    "priority_in_range",
    "amount_is_not_negative",
)
ONCE = "case_id_appears_once"
CLOCK_SKEW = timedelta(minutes=5)
"""How far a stamp may run ahead of now."""

_PLAIN = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,63}")


def opened_stamps(cases: pd.DataFrame) -> pd.Series:
    """`opened_at` in UTC; missing where it is no stamp. Text without an offset is in UTC."""
    utc = pd.DatetimeTZDtype("us", "UTC")
    if "opened_at" not in cases:
        return pd.Series(pd.NaT, index=cases.index, dtype=utc)
    column = cases["opened_at"]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.astype(utc)
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return pd.Series(column.dt.tz_localize("UTC")).astype(utc)
    # A number might count anything, so it is no stamp.
    said = column.map(lambda one: one if isinstance(one, str | datetime) else None)
    stamps = pd.to_datetime(said, utc=True, format="ISO8601", errors="coerce")
    return pd.Series(stamps, index=cases.index).astype(utc)


def broken_rules(
    cases: pd.DataFrame,
    opened_at: pd.Series,
    unreadable: BoolArray,
    reason: Rules,
    case_type: str,
    now: datetime,
) -> Rules:
    """For each case the first rule that it breaks, or why it cannot be scored, or "".

    Args:
        cases: `case_id`, `priority`, `amount_usd` in numbers, and `case_type` where it was sent.
        opened_at: see `opened_stamps`.
        unreadable: whether a cell of a case could not be read; see `models.risk.cells`.
        reason: the name of the rule that keeps a case from being scored, or "".
        case_type: the one that is decided here.
        now: tz-aware.
    """
    ids = cases["case_id"]
    future = (opened_at > pd.Timestamp(now + CLOCK_SKEW)).to_numpy(dtype=np.bool_)
    strange = np.zeros(len(cases), dtype=np.bool_)
    if "case_type" in cases:
        sent = cases["case_type"]
        strange = (sent.notna() & (sent != case_type)).to_numpy(dtype=np.bool_)
    priority, amount = (
        cases[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("priority", "amount_usd")
    )
    with np.errstate(invalid="ignore"):
        found = [
            (PLAIN, ~np.array([_is_plain(one) for one in ids], dtype=np.bool_)),
            (KNOWN_TYPE, strange),
            (NOT_FUTURE, future),
            (PRIORITY, (priority < 0) | (priority > 100)),
            (AMOUNT, (amount < 0) | (amount > sys.float_info.max)),
            (ONCE, (ids.duplicated(keep=False) & ids.notna()).to_numpy(dtype=np.bool_)),
            (CELLS_ARE_READABLE, unreadable),
            *((name, reason == name) for name in sorted(set(reason.tolist()) - {""})),
            (DATED, opened_at.isna().to_numpy(dtype=np.bool_)),
        ]
    rules = np.full(len(cases), "", dtype="U24")
    for name, broken in reversed(found):
        rules[broken] = name
    return rules


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and _PLAIN.fullmatch(value) is not None and ".." not in value
